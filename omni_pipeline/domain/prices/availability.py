"""Normalises availability to the names of schema.org, in snake case."""

import re
from enum import StrEnum

from omni_pipeline.domain.prices.stock_words import BEGINNINGS, FILLERS, NOT_LETTERS, RULES, WORD


class Availability(StrEnum):
    """https://schema.org/ItemAvailability, as of version 29."""

    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PRE_ORDER = "pre_order"
    PRE_SALE = "pre_sale"
    BACK_ORDER = "back_order"
    MADE_TO_ORDER = "made_to_order"
    LIMITED_AVAILABILITY = "limited_availability"
    IN_STORE_ONLY = "in_store_only"
    ONLINE_ONLY = "online_only"
    DISCONTINUED = "discontinued"
    SOLD_OUT = "sold_out"
    RESERVED = "reserved"

    @property
    def can_be_embedded(self) -> bool:
        return self not in _NOT_FOR_SALE


_NOT_FOR_SALE = frozenset(
    {
        Availability.OUT_OF_STOCK,
        Availability.SOLD_OUT,
        Availability.DISCONTINUED,
        Availability.RESERVED,
    }
)
_BY_KEY = {member.value.replace("_", ""): member for member in Availability} | {
    "instock": Availability.IN_STOCK,
    "available": Availability.IN_STOCK,
    "availablefororder": Availability.BACK_ORDER,
    "oos": Availability.OUT_OF_STOCK,
    "outstock": Availability.OUT_OF_STOCK,
    "notinstock": Availability.OUT_OF_STOCK,
    "unavailable": Availability.OUT_OF_STOCK,
    "notavailable": Availability.OUT_OF_STOCK,
    "lowstock": Availability.LIMITED_AVAILABILITY,
    "onbackorder": Availability.BACK_ORDER,
}
_VOCABULARY = re.compile(r".*[/:#]")
_NOT_A_LETTER = re.compile(r"[^a-z]+")

MAX_AVAILABILITY_LENGTH = 200
_MIN_SHARE = 0.8


_BY_WORDS = tuple((Availability(name), pattern) for name, pattern in RULES)


def read_availability(value: str | None) -> Availability | None:
    """Read a value of markup: ``https://schema.org/InStock``, ``in stock``, ``instock``."""
    if not value:
        return None
    text = value.strip()[:MAX_AVAILABILITY_LENGTH]
    key = _NOT_A_LETTER.sub("", _VOCABULARY.sub("", text.rstrip("/")).lower())
    return _BY_KEY.get(key) or availability_in_text(text)


def availability_in_text(text: str) -> Availability | None:
    """Read what a page tells people, in the languages of the tables above."""
    found = _find(text)
    return found[0] if found else None


def availability_of_note(text: str) -> Availability | None:
    """Read a short text that says nothing else: "Sold out", "Leider ausverkauft!"."""
    found = _find(text)
    if found is None:
        return None
    letters = NOT_LETTERS.sub("", FILLERS.sub(" ", text))
    said = NOT_LETTERS.sub("", FILLERS.sub(" ", found[1]))
    return found[0] if len(said) >= _MIN_SHARE * len(letters) else None


def _find(text: str) -> tuple[Availability, str] | None:
    line = " ".join(text[: 2 * MAX_AVAILABILITY_LENGTH].split())[:MAX_AVAILABILITY_LENGTH]
    if not _may_tell(line):
        return None
    for availability, pattern in _BY_WORDS:
        if found := pattern.search(line):
            return availability, found[0]
    return None


def _may_tell(line: str) -> bool:
    """Whether a word of the line begins a phrase at all; nearly all lines of a page have none."""
    words = WORD.findall(line.casefold())
    return any(word in BEGINNINGS or word[0] >= "\u0590" for word in words)
