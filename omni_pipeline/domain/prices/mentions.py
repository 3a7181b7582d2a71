"""Finds the amounts of money that a line of text mentions, with the words around each."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.amounts import NUMBER_PATTERN, ascii_digits, read_amount
from omni_pipeline.domain.prices.currencies import CENTS_PATTERN, CURRENCY_PATTERN, currency_of

MAX_PRICE_LENGTH = 300


@dataclass(kw_only=True)
class Mention:
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
_SIDE_LENGTH = 40
_MAX_GAP = 3


def find_mentions(
    line: str, *, hint: str | None, language: str | None, default: str | None
) -> list[Mention]:
    """The numbers of a line that have a currency; where none has one, those that may be money."""
    return _Reader(line, hint, language, default).mentions()


def price_line(text: str) -> str:
    """The text on one line of at most 300 characters, in ASCII digits, pieces of amounts joined."""
    line = ascii_digits(" ".join(text[: 2 * MAX_PRICE_LENGTH].split())[:MAX_PRICE_LENGTH])
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

    def mentions(self) -> list[Mention]:
        """Numbers with a currency; where none has one, numbers that may be money."""
        marks = self._marks()
        found = [m for index in range(len(self._tokens)) if (m := self._mention(index, marks))]
        if any(mention.is_marked for mention in found):
            found = self._marked(found)
        _give_context(self._line, found)
        return found

    def _marked(self, found: list[Mention]) -> list[Mention]:
        """Those with a currency, and the first number of a range that has it at its end only."""
        for first, second in pairwise(found):
            if first.is_marked != second.is_marked and is_range(self._line, first, second):
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
        return not gap.strip(" .:*") and len(gap) <= _MAX_GAP and (";" not in gap)

    def _mention(self, index: int, marks: dict[int, _Token | None]) -> Mention | None:
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
        return Mention(
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


def _give_context(line: str, mentions: list[Mention]) -> None:
    for index, mention in enumerate(mentions):
        earlier = mentions[index - 1].end if index else 0
        later = mentions[index + 1].start if index + 1 < len(mentions) else len(line)
        unit = words.UNIT_AFTER.match(line, mention.end)
        mention.unit = unit["unit"].strip() if unit else None
        sign = line[max(0, mention.start - 2) : mention.start]
        mention.is_signed = bool(_SIGN.search(sign)) and not (
            index and is_range(line, mentions[index - 1], mention)
        )
        mention.before = line[max(earlier, mention.start - _SIDE_LENGTH) : mention.start].rstrip()
        after = line[mention.end : min(later, mention.end + _SIDE_LENGTH)]
        if later < len(line):  # other words behind it may speak of the next amount
            mention.aside_after = words.OFF
        mention.after = "" if after.rstrip().endswith(":") else after  # a label of the next one


def is_range(line: str, first: Mention, second: Mention) -> bool:
    between = _RANGE.fullmatch(line, first.end, second.start)
    return between is not None and first.amount <= second.amount
