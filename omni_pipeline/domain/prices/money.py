"""Reads prices as shops write them: amount, currency and what kind of price it is.

Text is cut at 300 characters before any rule sees it: no price is longer, and none of the patterns
below can be made to run long (FAULTS S49).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.mentions import Mention, find_mentions, is_range, price_line


class PriceKind(StrEnum):
    EXACT = "exact"
    FROM = "from"
    RANGE = "range"
    PER_UNIT = "per_unit"
    FREE = "free"
    ON_REQUEST = "on_request"


@dataclass(frozen=True, kw_only=True)
class Price:
    """One price as a page shows it.

    Attributes:
        kind: ``FROM`` and ``RANGE`` carry the lowest amount; ``ON_REQUEST`` has none.
        amount: In units of the currency, tax as the shop shows it.
        currency: ISO 4217, or None where nothing tells.
        text: What was read, on one line.
        most_amount: The upper end of a range.
        regular_amount: What it cost before, or what the maker recommends.
        unit: Of a ``PER_UNIT`` price, such as ``kg`` or ``100 g``.
        includes_tax: None where the text does not say.
    """

    kind: PriceKind
    amount: Decimal | None
    currency: str | None
    text: str
    max_amount: Decimal | None = None
    regular_amount: Decimal | None = None
    unit: str | None = None
    includes_tax: bool | None = None


_LETTER = re.compile(r"[^\W\d_]")


def parse_price(
    text: str,
    *,
    currency_hint: str | None = None,
    language: str | None = None,
    default_currency: str | None = None,
) -> Price | None:
    """Read the price that a short text states, or None where it states none.

    Args:
        text: The text of a price's element, or a value of markup meant for people.
        currency_hint: ISO 4217, from markup beside the price.
        language: BCP 47, of the page; it decides between currencies of one sign.
        default_currency: ISO 4217, configured for the domain.
    """
    line = price_line(text)
    mentions = find_mentions(line, hint=currency_hint, language=language, default=default_currency)
    if not mentions:
        return _without_number(line)
    if not any(mention.is_marked for mention in mentions) and not _is_bare(line):
        return None
    return _price(line, mentions)


def _is_bare(line: str) -> bool:
    """Whether the text says nothing but numbers and words that go with prices."""
    for pattern in (
        *(words.FROM_BEFORE, words.FROM_AFTER, words.OLD, words.NOW, words.NET, words.GROSS),
        *(words.UNIT_AFTER, words.LABEL),
    ):
        line = pattern.sub(" ", line)
    return not _LETTER.search(line)


def _without_number(line: str) -> Price | None:
    if words.FREE.fullmatch(line.strip()):
        return Price(kind=PriceKind.FREE, amount=Decimal(0), currency=None, text=line)
    if words.ON_REQUEST.search(line):
        return Price(kind=PriceKind.ON_REQUEST, amount=None, currency=None, text=line)
    return None


def _price(line: str, mentions: list[Mention]) -> Price | None:
    current, regular = _sort_out(line, mentions)
    if not current:
        return None
    chosen = current[0]
    kind, highest = _kind(line, current)
    return Price(
        kind=kind,
        amount=chosen.amount,
        currency=chosen.currency,
        text=line,
        max_amount=highest,
        regular_amount=regular if regular and regular > chosen.amount else None,
        unit=chosen.unit if kind is PriceKind.PER_UNIT else None,
        includes_tax=_includes_tax(chosen),
    )


def _sort_out(line: str, mentions: list[Mention]) -> tuple[list[Mention], Decimal | None]:
    """Put aside savings, postage and old prices; return what is left and the old amount."""
    kept = [m for m in mentions if not m.is_aside]
    old = [m for m in kept if m.is_old]
    current = [m for m in kept if not m.is_old]
    if not current:  # an old price alone is no price
        return [], None
    whole = [m for m in current if not m.unit or words.PIECE.fullmatch(m.unit)]
    current = whole or current
    regular = max((m.amount for m in old), default=None)
    if len(current) > 1:
        current, struck = _choose(line, current)
        regular = regular or struck
    return current, regular


def _choose(line: str, current: list[Mention]) -> tuple[list[Mention], Decimal | None]:
    """Of several prices: those of a range, the one with tax, the one marked, or the lower."""
    first, second = current[:2]
    if is_range(line, first, second):
        return [first, second], None
    gross = [m for m in current if _includes_tax(m)] or [
        m for m in current if _includes_tax(m) is None
    ]
    if len(gross) == 1:
        return gross, None
    current = gross or current
    now = [m for m in current if words.NOW.search(m.before)]
    chosen = now[0] if now else min(current[:2], key=lambda m: m.amount)
    struck = max(m.amount for m in current)
    return [chosen], struck


def _kind(line: str, current: list[Mention]) -> tuple[PriceKind, Decimal | None]:
    first = current[0]
    if len(current) > 1:
        highest = current[1].amount
        return (PriceKind.RANGE, highest) if highest > first.amount else (PriceKind.EXACT, None)
    if first.unit and not words.PIECE.fullmatch(first.unit):
        return PriceKind.PER_UNIT, None
    if words.FROM_BEFORE.search(first.before) or words.FROM_AFTER.match(line, first.end):
        return PriceKind.FROM, None
    return PriceKind.EXACT, None


def _includes_tax(mention: Mention) -> bool | None:
    # The note after a price is its own; the one before may belong to the price before it.
    for text in (mention.after, mention.before):
        net, gross = words.NET.search(text), words.GROSS.search(text)
        if net or gross:
            return not net or bool(gross and gross.start() < net.start())
    return None
