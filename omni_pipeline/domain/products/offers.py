"""Turns claims about offers into values, and many offers into the price of the product."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.prices.amounts import read_machine_amount
from omni_pipeline.domain.prices.availability import read_availability
from omni_pipeline.domain.prices.currencies import country_of_host, iso_code
from omni_pipeline.domain.prices.money import Price, PriceKind, parse_price
from omni_pipeline.domain.products.claims import OfferClaim, OfferCondition, ProductClaim
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.model import Offer

_REPEATED = re.compile(r"(?P<price>\S.{0,38}\S)(?: (?P=price))+")


@dataclass(frozen=True, kw_only=True)
class ReadOffer:
    """An offer in values, and the claim that it was read from."""

    offer: Offer
    claim: OfferClaim


def read_offer(
    claim: OfferClaim, product: ProductClaim, page: ParsedPage, *, default: str | None
) -> ReadOffer:
    """Read one offer. A price of 0 is a template's way to say that it knows none."""
    price = read_claimed_price(claim, page, default=default)
    regular = read_claimed_price(replace(claim, price=claim.regular_price), page, default=default)
    amount = price.amount if price else None
    before = regular.amount if regular else None
    offer = Offer(
        name=storable(claim.name) if claim.name else None,
        sku=claim.sku or product.sku,
        gtin=normalize_gtin(claim.gtin or product.gtin),
        mpn=claim.mpn or product.mpn,
        url=page.absolute(claim.url),
        price_kind=price.kind if price else None,
        price_amount=amount,
        price_currency=price.currency if price else iso_code(claim.currency),
        price_text=storable(price.text) if price else None,
        regular_price_amount=before if before and amount and before > amount else None,
        availability=read_availability(claim.availability),
    )
    return ReadOffer(offer=offer, claim=claim)


def read_claimed_price(claim: OfferClaim, page: ParsedPage, *, default: str | None) -> Price | None:
    """Read a price of markup: as a number if it is one, else as people would; 0 is none."""
    if not claim.price:
        return None
    code = iso_code(claim.currency)
    amount = read_machine_amount(claim.price, currency=code)
    if amount is not None:
        price = Price(kind=PriceKind.EXACT, amount=amount, currency=code, text=claim.price)
    else:
        once = _REPEATED.fullmatch(claim.price[:200])
        read = parse_price(
            once["price"] if once else claim.price,
            currency_hint=code,
            language=page.language,
            default_currency=default,
            country=country_of_host(page.host),
        )
        if read is None:
            return None
        price = read
    if price.amount == 0:
        return None
    return replace(price, kind=PriceKind.PER_UNIT, unit=claim.unit) if claim.unit else price


def nearest_offers(offers: list[ReadOffer]) -> list[ReadOffer]:
    """The offers under the least conditions: those of one new piece today where there are any."""
    said = [one for one in offers if one.offer.price_kind or one.offer.availability]
    priced = [one.claim.remoteness for one in said if one.offer.price_amount]
    nearest = min(priced, default=None)
    return [one for one in said if not one.offer.price_amount or one.claim.remoteness == nearest]


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What one source says that the product costs, and under which conditions."""

    price: Price
    conditions: frozenset[OfferCondition] = frozenset()


def in_one_currency(offers: list[ReadOffer], preferred: Iterable[str | None]) -> list[ReadOffer]:
    """One price in several currencies is one price: in the first preferred that it is said in."""
    said = [code for one in offers if (code := one.offer.price_currency)]
    chosen = next((code for code in preferred if code in said), next(iter(said), None))
    return [one for one in offers if one.offer.price_currency in (None, chosen)]


def merge_offers(offers: Iterable[ReadOffer]) -> tuple[Offer, ...]:
    """Each offer once, in the order of the page."""
    return tuple(dict.fromkeys(one.offer for one in offers))


def claimed_price(offers: list[ReadOffer]) -> Quote | None:
    """The lowest price among the offers that can be bought, or among all."""
    priced = [one for one in offers if one.offer.price_amount]
    if not priced:
        return None
    buyable = [one for one in priced if _can_be_bought(one.offer)] or priced
    chosen = min(buyable, key=lambda one: one.offer.price_amount or Decimal(0))
    offer = chosen.offer
    is_alone = len({one.offer.price_amount for one in buyable}) == 1
    price = Price(
        kind=(offer.price_kind or PriceKind.EXACT) if is_alone else PriceKind.FROM,
        amount=offer.price_amount,
        currency=offer.price_currency,
        text=offer.price_text or "",
        regular_amount=offer.regular_price_amount,
        unit=chosen.claim.unit,
        includes_tax=chosen.claim.includes_tax,
    )
    return Quote(price=price, conditions=chosen.claim.conditions)


def _can_be_bought(offer: Offer) -> bool:
    return offer.availability is None or offer.availability.can_be_embedded
