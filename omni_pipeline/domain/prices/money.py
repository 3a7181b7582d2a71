"""Reads prices as shops write them: amount, currency and what kind of price it is.

Text is cut at 300 characters before any rule sees it: no price is longer.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import takewhile

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.amounts import NUMBER_PATTERN, read_amount
from omni_pipeline.domain.prices.currencies import Origin, origin_of
from omni_pipeline.domain.prices.line_tokens import NUMBER, WORD, Token, is_bare, sign_of, tokens_of
from omni_pipeline.domain.prices.lines import price_line
from omni_pipeline.domain.prices.mentions import Mention, find_mentions, is_range


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


def parse_price(
    text: str,
    *,
    currency_hint: str | None = None,
    language: str | None = None,
    default_currency: str | None = None,
    country: str | None = None,
) -> Price | None:
    """Read the price that a short text states, or None where it states none.

    Args:
        text: The text of a price's element, or a value of markup meant for people.
        currency_hint: ISO 4217, from markup beside the price.
        language: BCP 47, of the page; it decides between currencies of one sign.
        default_currency: ISO 4217, configured for the domain.
        country: ISO 3166, of the page; it outranks the region of the language.
    """
    line = price_line(text)
    origin = origin_of(currency_hint, country, language, default_currency)
    plain = _plain_price(line, origin, language)
    if plain is not None:
        return plain
    tokens = tokens_of(line, origin)
    mentions = find_mentions(line, tokens, origin, language=language)
    if not mentions:
        return _without_number(line, tokens)
    if not any(mention.is_marked for mention in mentions) and not is_bare(tokens):
        return None
    return _price(line, tokens, mentions, hint=currency_hint)


# Most prices are a number with one sign: read without cutting the line up, with the same result.
_ONE_SIGN = r"[^\W\d_]{2,4}\.?|[^\W\d_]{0,2}[^\s\w.,:/*+'()%#-]"
_PLAIN = re.compile(rf"({_ONE_SIGN})? ?({NUMBER_PATTERN}) ?({_ONE_SIGN})?")


def _plain_price(line: str, origin: Origin, language: str | None) -> Price | None:
    found = _PLAIN.fullmatch(line)
    if found is None:
        return None
    before, number, after = found.groups()
    currency = origin.stated
    if before or after:
        sign = sign_of(before or after) if not (before and after) else None
        if sign is None or sign.is_weak or sign.is_cents or "CNY" in sign.codes:
            return None
        currency = origin.name(sign)
    amount = read_amount(number, currency=currency, language=language)
    if amount is None:
        return None
    return Price(kind=PriceKind.EXACT, amount=amount, currency=currency, text=line)


def _without_number(line: str, tokens: list[Token]) -> Price | None:
    roles = [token.roles for token in tokens if token.kind is WORD]
    if any(role & words.REQUEST for role in roles):
        return Price(kind=PriceKind.ON_REQUEST, amount=None, currency=None, text=line)
    if any(role & words.FREE for role in roles) and all(
        role & (words.FREE | words.LABEL) for role in roles
    ):
        return Price(kind=PriceKind.FREE, amount=Decimal(0), currency=None, text=line)
    return None


def _price(
    line: str, tokens: list[Token], mentions: list[Mention], *, hint: str | None
) -> Price | None:
    _set_tax(tokens, mentions)
    current, regular = _sort_out(tokens, mentions, hint)
    if not current:
        return None
    chosen = current[0]
    kind, highest = _kind(current)
    return Price(
        kind=kind,
        amount=chosen.amount,
        currency=chosen.currency,
        text=line,
        max_amount=highest,
        regular_amount=regular if regular and regular > chosen.amount else None,
        unit=chosen.unit.text if chosen.unit and kind is PriceKind.PER_UNIT else None,
        includes_tax=chosen.includes_tax,
    )


def _set_tax(tokens: list[Token], mentions: list[Mention]) -> None:
    """Labels of tax stand on one side of all amounts of a line: before, if one is there first."""
    tax = words.NET | words.GROSS
    is_before = any(token.roles & tax for token in tokens[: mentions[0].first])
    for mention in mentions:
        before, after = mention.before, mention.after
        if not is_before and not (before and before[-1].text == ":"):
            before = _in_same_brackets(before)
        if mention.has_next:
            after = list(takewhile(lambda token: token.text != "(", after))
        mention.includes_tax = _tax_of(before)
        if mention.includes_tax is None and not (is_before and mention.has_next):
            mention.includes_tax = _tax_of(after)


def _in_same_brackets(before: list[Token]) -> list[Token]:
    """What stands before an amount within its brackets: "100 EUR (incl. VAT 119 EUR)"."""
    inside = list(takewhile(lambda token: token.text not in "()", reversed(before)))
    return inside if len(inside) < len(before) and before[-len(inside) - 1].text == "(" else []


def _tax_of(tokens: list[Token]) -> bool | None:
    for token in tokens:
        if token.roles & (words.NET | words.GROSS):
            return bool(token.roles & words.GROSS)
    return None


def _sort_out(
    tokens: list[Token], mentions: list[Mention], hint: str | None
) -> tuple[list[Mention], Decimal | None]:
    """Put aside savings, postage and old prices; return what is left and the old amount."""
    kept = [mention for mention in mentions if not mention.is_aside]
    current = [m for m in kept if not m.is_old]
    if not current:  # an old price alone is no price
        return [], None
    current = [m for m in current if m.unit is None or m.unit.is_piece] or current
    current = [m for m in current if not m.is_instalment] or current
    current = _one_currency(current, hint)
    old = [m.amount for m in kept if m.is_old and m.currency == current[0].currency]
    regular = max(old, default=None)
    if len(current) > 1:
        current, struck = _choose(tokens, current)
        regular = regular or struck
    return current, regular


def _one_currency(current: list[Mention], hint: str | None) -> list[Mention]:
    """The same price in two currencies is one price: as markup has it, else the first."""
    currencies = [mention.currency for mention in current]
    kept = hint if hint in currencies else currencies[0]
    return [mention for mention in current if mention.currency == kept]


def _choose(tokens: list[Token], current: list[Mention]) -> tuple[list[Mention], Decimal | None]:
    """Of several prices: those of a range, the one with tax, the one marked, or the lower."""
    first, second = current[:2]
    if is_range(tokens, first, second):
        return [first, second], None
    gross = [m for m in current if m.includes_tax] or [m for m in current if m.includes_tax is None]
    if len(gross) == 1:
        return gross, None
    current = gross or current
    if _are_tiers(current):
        return current[:1], None
    now = [m for m in current if any(token.roles & words.NOW for token in m.before)]
    chosen = now[0] if now else min(current[:2], key=lambda m: m.amount)
    struck = max(m.amount for m in current)
    return [chosen], struck


def _are_tiers(current: list[Mention]) -> bool:
    """Whether each amount has its quantity before it: "1-9: 12,50 € 10-99: 11,20 €"."""
    return all(any(token.kind is NUMBER for token in mention.before) for mention in current[:2])


def _kind(current: list[Mention]) -> tuple[PriceKind, Decimal | None]:
    first = current[0]
    if len(current) > 1:
        highest = current[1].amount
        return (PriceKind.RANGE, highest) if highest > first.amount else (PriceKind.EXACT, None)
    if first.unit is not None and not first.unit.is_piece:
        return PriceKind.PER_UNIT, None
    is_from = any(token.roles & words.FROM for token in first.before) or (
        bool(first.after)
        and bool(first.after[0].roles & words.FROM_AFTER or first.after[0].text == "~")
    )
    return (PriceKind.FROM if is_from else PriceKind.EXACT), None
