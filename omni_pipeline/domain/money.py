"""Reads prices as shops write them: amount, currency and what kind of price it is.

Text is cut at 300 characters before any rule sees it: no price is longer, and none of the patterns
below can be made to run long (FAULTS S49).
"""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from omni_pipeline.domain import price_words as words
from omni_pipeline.domain.amounts import NUMBER_PATTERN, ascii_digits, read_amount
from omni_pipeline.domain.currencies import (
    CENTS_PATTERN,
    CURRENCY_PATTERN,
    currency_of,
)

MOST_PRICE_LENGTH = 300


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
    most_amount: Decimal | None = None
    regular_amount: Decimal | None = None
    unit: str | None = None
    includes_tax: bool | None = None


@dataclass(kw_only=True)
class _Mention:
    """A number in the text that may be money, with the words around it."""

    start: int
    end: int
    amount: Decimal
    currency: str | None
    is_marked: bool = True
    is_signed: bool = False
    before: str = ""
    after: str = ""
    unit: str | None = None
    aside_after: re.Pattern[str] = words.ASIDE

    @property
    def is_old(self) -> bool:
        """The marker that ends last counts; of two that end together the longer."""
        old, now = (_last(pattern, self.before) for pattern in (words.OLD, words.NOW))
        return old is not None and (now is None or old >= now)

    @property
    def is_aside(self) -> bool:
        """Savings, postage, deposits, and amounts with a sign before them."""
        return self.is_signed or bool(
            words.ASIDE.search(self.before) or self.aside_after.match(self.after.lstrip())
        )


def _last(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    """Where the last match ends, and how long it is."""
    return max(
        ((match.end(), match.end() - match.start()) for match in pattern.finditer(text)),
        default=None,
    )


_TOKEN = re.compile(
    rf"(?P<currency>{CURRENCY_PATTERN})"
    rf"|(?P<number>{NUMBER_PATTERN})(?P<round>\s?[.,]\s?[-–—]{{1,2}}|\s?:-)?+"
    rf"|(?P<cents>{CENTS_PATTERN})"
)
# Cents that a page sets small and high arrive as "19 99 €", "€ 19 99" or "12€50".
_WHOLE = r"(?P<whole>\d{1,3}(?:[ .,'’]\d{3})+|\d++)"
_CENTS_APART = re.compile(
    rf"(?P<lead>\D*?(?P<before>{CURRENCY_PATTERN})?\s?){_WHOLE}\s(?P<cents>\d\d)"
    rf"(?P<rest>\s?(?P<after>{CURRENCY_PATTERN})?[^\w$]*)"
)
_CENTS_BEHIND = re.compile(
    rf"(?P<lead>[^\d€$£]*){_WHOLE}\s?(?P<rest>{CURRENCY_PATTERN})\s?(?P<cents>\d\d)"
)
_NOT_MONEY_AFTER = re.compile(r"\s?(?:%|折|x\s|×|″|\"|°)|[^\W\d_]{2}|/\d")
_NOT_MONEY_BEFORE = re.compile(r"[^\W\d_]$|[#/]$|\d[.:]$|\bx\s?$", re.IGNORECASE)
_RANGE = re.compile(
    r"\s*(?:[-–—−~〜～]|\b(?:to|bis|à|a|do|до|til|tot|hasta|até|e)\b|ー)\s*", re.IGNORECASE
)
_SIGN = re.compile(r"(?:^|[\s(])[-−–]$|\+\s?$")
# Set in pieces: "229 .99", "229. 99"; and the Swedish "12:50 kr".
_APART = re.compile(r"(?<=\d)\s?([.,])\s?(?=\d{2}(?!\d))")
_COLON = re.compile(r"(?<=\d):(?=\d\d\s?(?:kr|SEK|:-))")
_LETTER = re.compile(r"[^\W\d_]")
_SIDE_LENGTH = 40
_MOST_GAP = 3


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
    line = _line(text)
    reader = _Reader(line, currency_hint, language, default_currency)
    mentions = reader.mentions()
    if not mentions:
        return _without_number(line)
    if not any(mention.is_marked for mention in mentions) and not _is_bare(line):
        return None
    return _price(line, mentions)


def _line(text: str) -> str:
    line = ascii_digits(" ".join(text[: 2 * MOST_PRICE_LENGTH].split())[:MOST_PRICE_LENGTH])
    return _with_cents(_COLON.sub(".", _APART.sub(r"\1", line)))


def _with_cents(line: str) -> str:
    """The line with cents that stood apart put behind their point."""
    apart = _CENTS_APART.fullmatch(line)
    if apart and not (apart["before"] or apart["after"]):
        return line
    found = apart or _CENTS_BEHIND.fullmatch(line)
    amount = read_amount(found["whole"]) if found else None
    if found is None or amount is None:
        return line
    return f"{found['lead']}{amount:f}.{found['cents']} {found['rest'].lstrip()}".rstrip()


@dataclass(frozen=True)
class _Token:
    kind: str
    start: int
    end: int
    text: str


class _Reader:
    def __init__(
        self, line: str, hint: str | None, language: str | None, default: str | None
    ) -> None:
        self._line = line
        self._hint, self._language, self._default = hint, language, default
        self._tokens = list(_tokens(line))

    def mentions(self) -> list[_Mention]:
        """Numbers with a currency; where none has one, numbers that may be money."""
        marks = self._marks()
        found = [m for index in range(len(self._tokens)) if (m := self._mention(index, marks))]
        if any(mention.is_marked for mention in found):
            found = self._marked(found)
        _give_context(self._line, found)
        return found

    def _marked(self, found: list[_Mention]) -> list[_Mention]:
        """Those with a currency, and the first number of a range that has it at its end only."""
        for first, second in pairwise(found):
            if first.is_marked != second.is_marked and _is_range(self._line, first, second):
                first.is_marked = second.is_marked = True
                first.currency = second.currency = first.currency or second.currency
        return [mention for mention in found if mention.is_marked]

    def _marks(self) -> dict[int, _Token | None]:
        """For each number the currency that it shares a side with: "€ 5 € 9" or "5 € 9 €"."""
        tokens = self._tokens
        kinds = [token.kind for token in tokens]
        sides = [-1, 1]
        if "currency" in kinds and "number" in kinds[: kinds.index("currency")]:
            sides = [1, -1]
        taken: set[int] = set()
        marks: dict[int, _Token | None] = {
            i: None for i, kind in enumerate(kinds) if kind == "number"
        }
        for side in sides:
            for index, mark in marks.items():
                beside = index + side
                if (
                    mark is None
                    and 0 <= beside < len(tokens)
                    and beside not in taken
                    and kinds[beside] in ("currency", "cents")
                    and self._touches(tokens[index], tokens[beside])
                    and (side == 1 or kinds[beside] == "currency")
                ):
                    marks[index] = tokens[beside]
                    taken.add(beside)
        return marks

    def _touches(self, one: _Token, other: _Token) -> bool:
        first, second = sorted((one, other), key=lambda token: token.start)
        gap = self._line[first.end : second.start]
        return not gap.strip(" .:*") and len(gap) <= _MOST_GAP and (";" not in gap)

    def _mention(self, index: int, marks: dict[int, _Token | None]) -> _Mention | None:
        token = self._tokens[index]
        if token.kind != "number":
            return None
        mark = marks[index]
        if mark is None and self._is_not_money(token):
            return None
        currency = self._name(mark)
        amount = read_amount(token.text, currency=currency, language=self._language)
        if amount is None:
            return None
        if mark and mark.kind == "cents":
            if amount != int(amount):
                return None
            amount /= 100
        start = min(token.start, mark.start) if mark else token.start
        end = max(token.end, mark.end) if mark else token.end
        return _Mention(
            start=start, end=end, amount=amount, currency=currency, is_marked=mark is not None
        )

    def _name(self, mark: _Token | None) -> str | None:
        if mark is None:
            return self._hint or self._default
        named = currency_of(
            mark.text, hint=self._hint, language=self._language, default=self._default
        )
        return named or self._hint or self._default

    def _is_not_money(self, token: _Token) -> bool:
        return bool(
            _NOT_MONEY_AFTER.match(self._line, token.end)
            or _NOT_MONEY_BEFORE.search(self._line, max(0, token.start - 4), token.start)
        )


def _tokens(line: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(line):
        kind = str(match.lastgroup if match.lastgroup != "round" else "number")
        yield _Token(kind, match.start(), match.end(), match[kind])


def _give_context(line: str, mentions: list[_Mention]) -> None:
    for index, mention in enumerate(mentions):
        earlier = mentions[index - 1].end if index else 0
        later = mentions[index + 1].start if index + 1 < len(mentions) else len(line)
        unit = words.UNIT_AFTER.match(line, mention.end)
        mention.unit = unit["unit"].strip() if unit else None
        sign = line[max(0, mention.start - 2) : mention.start]
        mention.is_signed = bool(_SIGN.search(sign)) and not (
            index and _is_range(line, mentions[index - 1], mention)
        )
        mention.before = line[max(earlier, mention.start - _SIDE_LENGTH) : mention.start].rstrip()
        after = line[mention.end : min(later, mention.end + _SIDE_LENGTH)]
        if later < len(line):  # other words behind it may speak of the next amount
            mention.aside_after = words.OFF
        mention.after = "" if after.rstrip().endswith(":") else after  # a label of the next one


def _is_range(line: str, first: _Mention, second: _Mention) -> bool:
    between = _RANGE.fullmatch(line, first.end, second.start)
    return between is not None and first.amount <= second.amount


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


def _price(line: str, mentions: list[_Mention]) -> Price | None:
    current, regular = _sort_out(line, mentions)
    if not current:
        return None
    chosen = current[0]
    kind, most = _kind(line, current)
    return Price(
        kind=kind,
        amount=chosen.amount,
        currency=chosen.currency,
        text=line,
        most_amount=most,
        regular_amount=regular if regular and regular > chosen.amount else None,
        unit=chosen.unit if kind is PriceKind.PER_UNIT else None,
        includes_tax=_includes_tax(chosen),
    )


def _sort_out(line: str, mentions: list[_Mention]) -> tuple[list[_Mention], Decimal | None]:
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


def _choose(line: str, current: list[_Mention]) -> tuple[list[_Mention], Decimal | None]:
    """Of several prices: those of a range, the one with tax, the one marked, or the lower."""
    first, second = current[:2]
    if _is_range(line, first, second):
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


def _kind(line: str, current: list[_Mention]) -> tuple[PriceKind, Decimal | None]:
    first = current[0]
    if len(current) > 1:
        most = current[1].amount
        return (PriceKind.RANGE, most) if most > first.amount else (PriceKind.EXACT, None)
    if first.unit and not words.PIECE.fullmatch(first.unit):
        return PriceKind.PER_UNIT, None
    if words.FROM_BEFORE.search(first.before) or words.FROM_AFTER.match(line, first.end):
        return PriceKind.FROM, None
    return PriceKind.EXACT, None


def _includes_tax(mention: _Mention) -> bool | None:
    # The note after a price is its own; the one before may belong to the price before it.
    for text in (mention.after, mention.before):
        net, gross = words.NET.search(text), words.GROSS.search(text)
        if net or gross:
            return not net or bool(gross and gross.start() < net.start())
    return None
