"""Decides which number of a line each sign of a currency belongs to."""
# ruff: noqa: RUF001 - dashes look alike

from collections.abc import Iterator
from dataclasses import dataclass

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.amounts import read_amount
from omni_pipeline.domain.prices.currencies import Sign
from omni_pipeline.domain.prices.currency_names import groups_by_space
from omni_pipeline.domain.prices.line_tokens import MARK, NUMBER, SIGN, WORD, Token, is_bare

_MAX_GAP = 3
_CENTS = 2
# What shops write without a space behind an amount.
_ATTACHED = (
    words.UNIT | words.PIECE | words.NET | words.GROSS | words.LABEL | words.FROM_AFTER | words.PLUS
)
# Between an amount and its sign.
_SKIPPED = frozenset(".:*")


@dataclass(kw_only=True, slots=True)
class Signs:
    """The signs of one number: ``first`` and ``last`` are places of tokens."""

    first: int
    last: int
    sign: Sign


@dataclass(kw_only=True, slots=True)
class _Chain:
    """Signs side by side that name one currency, and the numbers on both sides of them."""

    first: int
    last: int
    sign: Sign
    left: int | None = None
    right: int | None = None


def pair_signs(tokens: list[Token]) -> dict[int, Signs]:
    """For each number that has them, its signs.

    A sign between two numbers belongs to the nearer; then to the side on which the line's other
    signs stand; then to the number that looks more like money.
    """
    chains = [
        chain for chain in _chains(tokens) if chain.left is not None or chain.right is not None
    ]
    habit = sum(_habit(chain) for chain in chains)
    signs: dict[int, Signs] = {}
    for chain in chains:
        number = _owner(tokens, chain, habit)
        known = signs.get(number)
        if known is None:
            signs[number] = Signs(first=chain.first, last=chain.last, sign=chain.sign)
        elif _agree(known.sign, chain.sign):
            known.last = chain.last
            known.sign = _surer(known.sign, chain.sign)
    return signs


def _chains(tokens: list[Token]) -> Iterator[_Chain]:
    chain: _Chain | None = None
    for index, token in enumerate(tokens):
        if token.kind is not SIGN or token.sign is None:
            continue
        if chain is not None and _continues(tokens, chain, index, token.sign):
            chain.last, chain.sign = index, _surer(chain.sign, token.sign)
            continue
        if chain is not None:
            yield _with_numbers(tokens, chain)
        chain = _Chain(first=index, last=index, sign=token.sign)
    if chain is not None:
        yield _with_numbers(tokens, chain)


def _continues(tokens: list[Token], chain: _Chain, index: int, sign: Sign) -> bool:
    """Whether a sign says again what the sign before it said: "CAD $", "US-Dollar"."""
    between = tokens[chain.last + 1 : index]
    if any(token.text not in "-–/" for token in between) or not _agree(chain.sign, sign):
        return False
    if tokens[index].start - tokens[chain.last].end > _MAX_GAP:
        return False
    # "100 CAD $110": each has its own.
    has_left = chain.first > 0 and tokens[chain.first - 1].kind is NUMBER
    has_right = index + 1 < len(tokens) and tokens[index + 1].kind is NUMBER
    return not (has_left and has_right)


def _agree(one: Sign, other: Sign) -> bool:
    return not one.is_cents and not other.is_cents and not set(one.codes).isdisjoint(other.codes)


def _surer(one: Sign, other: Sign) -> Sign:
    return other if len(other.codes) < len(one.codes) else one


def _with_numbers(tokens: list[Token], chain: _Chain) -> _Chain:
    chain.left = _number_beside(tokens, chain.first, -1)
    chain.right = None if chain.sign.is_cents else _number_beside(tokens, chain.last, 1)
    return chain


def _number_beside(tokens: list[Token], index: int, step: int) -> int | None:
    at = index + step
    while 0 <= at < len(tokens) and tokens[at].kind is MARK and tokens[at].text in _SKIPPED:
        at += step
    if step > 0 and (unit := _unit_of_sign(tokens, at)) is not None:  # "€/kg 12,40"
        return unit
    if not 0 <= at < len(tokens) or tokens[at].kind is not NUMBER or begins_name(tokens, at):
        return None
    return at if _gap(tokens, index, at) <= _MAX_GAP else None


def _unit_of_sign(tokens: list[Token], at: int) -> int | None:
    """The number behind a slash and a unit, or None."""
    if at + 2 >= len(tokens) or tokens[at].text != "/" or tokens[at + 2].kind is not NUMBER:
        return None
    return at + 2 if tokens[at + 1].roles & (words.UNIT | words.PIECE) else None


def begins_name(tokens: list[Token], index: int) -> bool:
    """Whether letters that mean nothing here are attached to a number: "134a", "R2-D2"."""
    end, at = tokens[index].end, index + 1
    if at + 1 < len(tokens) and tokens[at].text == "-" and tokens[at].start == end:
        end, at = tokens[at].end, at + 1
    if at >= len(tokens) or tokens[at].start != end or tokens[at].kind is not WORD:
        return False
    return not tokens[at].roles & (_ATTACHED | (words.ASIDE | words.OFF if at > index + 1 else 0))


def _gap(tokens: list[Token], one: int, other: int) -> int:
    first, second = (one, other) if one < other else (other, one)
    return tokens[second].start - tokens[first].end


def _habit(chain: _Chain) -> int:
    """1 where a sign can only stand before its number, -1 behind it."""
    return (chain.left is None) - (chain.right is None)


def _owner(tokens: list[Token], chain: _Chain, habit: int) -> int:
    left, right = chain.left, chain.right
    if left is None or right is None:
        return right if left is None and right is not None else left or 0
    gaps = _gap(tokens, chain.first, left), _gap(tokens, chain.last, right)
    points = 4 * (gaps[1] < gaps[0]) - 4 * (gaps[0] < gaps[1])
    points += 3 * ((habit > 0) - (habit < 0))
    # In "80,00 €1" a footnote follows.
    weight = 2 if chain.sign.is_prefixed else 5
    points += weight * (_has_cents(tokens[right]) - _has_cents(tokens[left]))
    points += 3 * _is_part(tokens, left) + _follows_name(tokens, left)
    points += chain.sign.is_prefixed - 5 * _is_counted(tokens, right)
    return right if points > 0 else left


def _has_cents(number: Token) -> bool:
    return number.text[-_CENTS - 1 : -_CENTS] in (".", ",")


def _is_part(tokens: list[Token], index: int) -> bool:
    """Whether a number is attached to a name: "VM-24", "#5"."""
    before = tokens[index - 1] if index else None
    if before is None or before.end != tokens[index].start:
        return False
    if before.kind is WORD or before.text == "#":
        return True
    return index > 1 and tokens[index - 2].kind is WORD and tokens[index - 2].end == before.start


def _follows_name(tokens: list[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].kind is WORD and not tokens[index - 1].roles


def _is_counted(tokens: list[Token], index: int) -> bool:
    """Whether a number has a unit of its own: "5 € 10 pcs", "4 € 50 %"."""
    if index + 1 >= len(tokens):
        return False
    after = tokens[index + 1]
    return after.text == "%" or bool(after.roles & (words.UNIT | words.PIECE))


def join_cents(line: str, tokens: list[Token]) -> None:
    """Put cents that a page sets apart behind their number: "19 99 €", "229 .99", "12€50".

    Only where the line has no other numbers, and no word that could make the second a count.
    """
    places = [index for index, token in enumerate(tokens) if token.kind is NUMBER]
    if len(places) != _CENTS or not is_bare(tokens) or _is_counted(tokens, places[1]):
        return
    first, second = places
    cents = tokens[second].text.lstrip(".,")
    whole = read_amount(tokens[first].text)
    if len(cents) != _CENTS or whole is None or whole != int(whole) or _has_cents(tokens[first]):
        return
    between = tokens[first + 1 : second]
    if _are_pieces(line, tokens, first, second):
        end = second
    elif (
        between
        and all(token.kind is SIGN for token in between)
        and _is_decimal_sign(tokens, first, second)
    ):
        end = None
    else:
        return
    tokens[first].text = f"{whole:f}.{cents}"
    if end is None:
        del tokens[second]
    else:
        tokens[first].end = tokens[second].end
        del tokens[first + 1 : second + 1]


def _are_pieces(line: str, tokens: list[Token], first: int, second: int) -> bool:
    gap = line[tokens[first].end : tokens[second].start]
    if tokens[second].text[0] in ".,":
        return not gap.strip() and len(gap) <= 1
    if gap.strip() in (".", ","):
        return len(gap) <= _MAX_GAP
    has_sign = any(
        token.kind is SIGN
        for token in (*tokens[max(0, first - 1) : first], *tokens[second + 1 : second + 2])
    )
    return gap == " " and has_sign


def _is_decimal_sign(tokens: list[Token], first: int, second: int) -> bool:
    """Whether a sign stands for the decimal mark: alone, and not nearer to the second number."""
    has_other = first > 0 and tokens[first - 1].kind is SIGN
    before, after = _gap(tokens, first, first + 1), _gap(tokens, second - 1, second)
    sign = tokens[first + 1].sign
    is_even = before == after or (before < after and sign is not None and not sign.is_prefixed)
    return is_even and not has_other and second + 1 == len(tokens)


def part_groups(tokens: list[Token], language: str | None) -> None:
    """Part numbers that only a space joined: "€ 5 100 tablets", "iPhone 15 799,00 €".

    A language that sets thousands apart by a space keeps them joined behind a name.
    """
    index = 0
    while index < len(tokens):
        token = tokens[index]
        at = _parting(tokens, index, language) if token.kind is NUMBER else -1
        if at > 0:
            middle = token.start + at
            tokens[index : index + 1] = [
                Token(NUMBER, token.start, middle, token.text[:at]),
                Token(NUMBER, middle + 1, token.end, token.text[at + 1 :], times=token.times),
            ]
        index += 1


def _parting(tokens: list[Token], index: int, language: str | None) -> int:
    text = tokens[index].text
    if " " not in text or not index:
        return -1
    before = tokens[index - 1]
    if before.kind is SIGN and _is_counted(tokens, index):
        return text.rfind(" ")
    if _is_part(tokens, index):
        return text.find(" ")
    is_name = before.kind is WORD and not before.roles & ~(words.UNIT | words.PIECE)
    if is_name and language is not None and not groups_by_space(language):
        return text.find(" ")
    return -1
