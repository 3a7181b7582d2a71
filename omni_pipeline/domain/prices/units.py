"""Finds the unit that a price is for: a kilogram, a hundred pieces, a month."""

from dataclasses import dataclass

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.line_tokens import NUMBER, SIGN, Token

# A number with a sign, or with one on each side, has no unit within.
_MAX_PLAIN = 3
_FOOTNOTES = frozenset("*()¹²³†")
# They say nothing but that a count or a unit follows.
_SURE_PER = frozenset({"per", "pro", "je", "por", "par", "pr", "pr."})
# Of "m2" and "m3".
_POWERS = frozenset("23")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceUnit:
    text: str
    is_piece: bool


def unit_of(
    line: str, tokens: list[Token], *, first: int, last: int, is_first: bool
) -> PriceUnit | None:
    """Read "/ kg", "per 100 pcs", "(1 kg = ...)" and "€/kg ..." beside an amount or within it.

    Args:
        line: What the tokens were cut from.
        tokens: Of the whole line.
        first: The place of the amount's first token, its sign included.
        last: The place of its last.
        is_first: Whether no other amount stands before it.
    """
    if len(tokens) == last - first + 1 <= _MAX_PLAIN:
        return None
    span = (
        _unit_within(tokens, first, last)
        or _unit_behind(tokens, last)
        or _unit_before(tokens, first, is_first=is_first)
    )
    if span is None:
        return None
    begin, end = span
    roles = tokens[end].roles
    count = tokens[begin].text if tokens[begin].kind is NUMBER else "1"
    is_piece = count == "1" and (bool(roles & words.PIECE) or (end == begin != 0 and not roles))
    text = line[tokens[begin].start : tokens[end].end].rstrip(".")
    return PriceUnit(text=text, is_piece=is_piece)


def _unit_within(tokens: list[Token], first: int, last: int) -> tuple[int, int] | None:
    for index in range(first + 1, last):
        if tokens[index].text == "/":
            return index + 1, index + 1
    return None


def _unit_behind(tokens: list[Token], last: int) -> tuple[int, int] | None:
    at = last + 1
    while at < len(tokens) and (
        tokens[at].text in _FOOTNOTES or tokens[at].roles & (words.NET | words.GROSS)
    ):
        at += 1
    if at + 1 >= len(tokens) or not (tokens[at].text == "/" or tokens[at].roles & words.PER):
        return _bare_piece(tokens, at)
    is_sure = tokens[at].text == "/" or tokens[at].text.lower() in _SURE_PER
    at += 1
    if tokens[at].text == "(" and at + 1 < len(tokens):
        at += 1
    return _measure(tokens, at, is_sure=is_sure)


def _bare_piece(tokens: list[Token], at: int) -> tuple[int, int] | None:
    """In "$4.50 each" no word stands between."""
    return (at, at) if at < len(tokens) and tokens[at].text.lower() in ("each", "ea") else None


def _measure(tokens: list[Token], at: int, *, is_sure: bool) -> tuple[int, int] | None:
    """A number, a unit, or both; a number alone behind a word that says nothing else."""
    end = at
    if tokens[at].kind is NUMBER:
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if after is not None and after.kind is SIGN:  # the price in another currency
            return None
        if after is not None and after.roles & (words.UNIT | words.PIECE):
            return at, at + 1
        return (at, end) if is_sure and tokens[at].text.isdigit() else None
    if not tokens[at].roles & (words.UNIT | words.PIECE):
        return None
    if at + 1 < len(tokens) and tokens[at + 1].text in _POWERS:
        end += tokens[at + 1].start == tokens[at].end
    return at, end


def _unit_before(tokens: list[Token], first: int, *, is_first: bool) -> tuple[int, int] | None:
    """Read "1 kg = 12,40 €", or at the beginning of a line "per 100 g: 0,31 €"."""
    end = first - 1
    is_equal = end >= 1 and tokens[end].text == "="
    if end >= 1 and tokens[end].text in ("=", ":"):
        end -= 1
    if end < 1 or not tokens[end].roles & (words.UNIT | words.PIECE):
        return None
    begin = end - 1 if tokens[end - 1].kind is NUMBER else end
    if is_equal and begin < end:
        return begin, end
    is_per = begin >= 1 and bool(tokens[begin - 1].roles & words.PER)
    return (begin, end) if is_per and is_first else None
