"""Finds the amounts of money that a line of text mentions, with the words around each."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.amounts import read_amount
from omni_pipeline.domain.prices.currencies import Origin
from omni_pipeline.domain.prices.line_tokens import NUMBER, WORD, Token
from omni_pipeline.domain.prices.signs import (
    Signs,
    begins_name,
    join_cents,
    pair_signs,
    part_groups,
)
from omni_pipeline.domain.prices.units import PriceUnit, unit_of

_SIDE_LENGTH = 40
_DASHES = frozenset("-–—~ー")
_TIMES = frozenset("xX×")
_NOT_MONEY_BEHIND = _TIMES | frozenset('%×″"°′折')


@dataclass(kw_only=True, slots=True)
class Mention:
    """A number in the text that may be money, with the tokens around it.

    ``first`` and ``last`` are the places of its tokens, with those of its signs.
    """

    first: int
    last: int
    amount: Decimal
    currency: str | None
    is_marked: bool = True
    is_prefixed: bool = False
    is_signed: bool = False
    unit: PriceUnit | None = None
    before: list[Token] = field(default_factory=list)
    after: list[Token] = field(default_factory=list)
    has_next: bool = False
    includes_tax: bool | None = None

    @property
    def is_old(self) -> bool:
        """The marker that stands last counts, and of one that is both, the old price."""
        for token in reversed(self.before):
            if token.roles & (words.OLD | words.NOW):
                return bool(token.roles & words.OLD)
        return False

    @property
    def is_aside(self) -> bool:
        """Savings, postage, deposits, and amounts with a sign before them.

        In "Save 20% $80" the word before has a number of its own.
        """
        if self.is_signed:
            return True
        for token in reversed(self.before):
            if token.kind is NUMBER:
                break
            if token.roles & words.ASIDE:
                return True
        roles = words.OFF if self.has_next else words.ASIDE
        return bool(self.after) and bool(self.after[0].roles & roles)

    @property
    def is_instalment(self) -> bool:
        """Whether it is paid several times: "12x de R$ 5,00"."""
        said = [token for token in self.before if not token.roles & words.LABEL]
        return len(said) > 1 and said[-1].text in _TIMES and said[-2].kind is NUMBER


def find_mentions(
    line: str, tokens: list[Token], origin: Origin, *, language: str | None
) -> list[Mention]:
    """The numbers of a line that have a currency; where none has one, those that may be money."""
    join_cents(line, tokens)
    part_groups(tokens, language)
    signs = pair_signs(tokens)
    found = [
        mention
        for index, token in enumerate(tokens)
        if token.kind is NUMBER
        and (mention := _mention(tokens, index, signs.get(index), origin, language)) is not None
    ]
    if signs and len(found) > 1:
        _mark_ranges(tokens, found)
        found = [mention for mention in found if mention.is_marked] or found
    _give_context(line, tokens, found)
    return found


def is_range(tokens: Sequence[Token], first: Mention, second: Mention) -> bool:
    between = tokens[first.last + 1 : second.first]
    return (
        len(between) == 1
        and (bool(between[0].roles & words.UNTIL) or between[0].text in _DASHES)
        and first.amount <= second.amount
    )


def _mention(
    tokens: list[Token], index: int, signs: Signs | None, origin: Origin, language: str | None
) -> Mention | None:
    token = tokens[index]
    if signs is None and _is_not_money(tokens, index):
        return None
    currency = origin.stated if signs is None else _currency(token, signs, origin)
    amount = read_amount(token.text, currency=currency, language=language)
    if amount is not None and signs is not None and signs.sign.is_cents:
        amount = amount / 100 if amount == int(amount) else None
    if amount is None:
        return None
    return Mention(
        first=index if signs is None else min(index, signs.first),
        last=index if signs is None else max(index, signs.last),
        amount=amount * token.times if token.times > 1 else amount,
        currency=currency,
        is_marked=signs is not None,
        is_prefixed=signs is not None and signs.first < index,
    )


def _currency(token: Token, signs: Signs, origin: Origin) -> str | None:
    currency = origin.name(signs.sign)
    if currency == "JPY" and "CNY" in signs.sign.codes and "JPY" not in origin.homes:
        return "CNY" if token.text[-3:-2] in (".", ",") else currency  # yen have no cents
    return currency


def _is_not_money(tokens: list[Token], index: int) -> bool:
    """Whether a number without a currency is a count, a measure, or a part of a name."""
    return begins_name(tokens, index) or _is_counted(tokens, index) or _ends_name(tokens, index)


def _is_counted(tokens: list[Token], index: int) -> bool:
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if after is None:
        return False
    if after.roles & (words.UNIT | words.PIECE) and not after.roles & (words.PER | words.LABEL):
        return bool(after.roles & words.UNIT) or tokens[index].text.isdigit()
    is_fraction = after.text == "/" and _is_number(tokens, index + 2)
    # A number behind a number: pieces of a longer one, as of a telephone.
    return is_fraction or after.kind is NUMBER or after.text in _NOT_MONEY_BEHIND


def _is_number(tokens: list[Token], index: int) -> bool:
    return index < len(tokens) and tokens[index].kind is NUMBER


def _ends_name(tokens: list[Token], index: int) -> bool:
    if not index:
        return False
    before = tokens[index - 1]
    is_attached = before.end == tokens[index].start
    return (
        before.kind is NUMBER
        or before.text in _TIMES
        or (is_attached and (before.kind is WORD or before.text in "#/_"))
        or (is_attached and before.text in ".:" and index > 1 and tokens[index - 2].kind is NUMBER)
    )


def _mark_ranges(tokens: list[Token], found: list[Mention]) -> None:
    """Give both ends of a range the currency that stands at one: "10-20 €", "€ 10-20".

    In "iPhone 15 - €799" the sign belongs to the second alone.
    """
    for first, second in pairwise(found):
        if first.is_marked == second.is_marked or not is_range(tokens, first, second):
            continue
        marked = first if first.is_marked else second
        named = first.first > 0 and _is_name(tokens[first.first - 1])
        if marked.is_prefixed == first.is_marked and not (named and not first.is_marked):
            first.is_marked = second.is_marked = True
            first.currency = second.currency = marked.currency


def _is_name(token: Token) -> bool:
    return token.kind is WORD and not token.roles


def _give_context(line: str, tokens: list[Token], mentions: list[Mention]) -> None:
    for index, mention in enumerate(mentions):
        earlier = mentions[index - 1].last + 1 if index else 0
        mention.has_next = index + 1 < len(mentions)
        later = mentions[index + 1].first if mention.has_next else len(tokens)
        minimum = tokens[mention.first].start - _SIDE_LENGTH
        limit = tokens[mention.last].end + _SIDE_LENGTH
        begin = mention.first
        while begin > earlier and tokens[begin - 1].start >= minimum:
            begin -= 1
        finish = mention.last + 1
        while finish < later and tokens[finish].end <= limit:
            finish += 1
        mention.before = tokens[begin : mention.first]
        after = tokens[mention.last + 1 : finish]
        if not (after and after[-1].text == ":"):  # a label of the next one
            mention.after = after
        mention.is_signed = _is_signed(tokens, mention) and not (
            index and is_range(tokens, mentions[index - 1], mention)
        )
        mention.unit = unit_of(
            line, tokens, first=mention.first, last=mention.last, is_first=not index
        )


def _is_signed(tokens: list[Token], mention: Mention) -> bool:
    if not mention.first:
        return False
    before, start = tokens[mention.first - 1], tokens[mention.first].start
    if before.roles & words.PLUS:
        return True
    if before.text not in ("-", "–") or before.end != start:
        return False
    return mention.first == 1 or (
        tokens[mention.first - 2].end < before.start or tokens[mention.first - 2].text == "("
    )
