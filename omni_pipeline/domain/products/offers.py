"""Turns claims about offers into values, and many offers into the price of the product."""

import re
from decimal import Decimal

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.prices.amounts import read_machine_amount
from omni_pipeline.domain.prices.availability import read_availability
from omni_pipeline.domain.prices.currencies import iso_code
from omni_pipeline.domain.prices.money import Price, PriceKind, parse_price
from omni_pipeline.domain.products.claims import Claim, OfferClaim
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.model import Offer

_REPEATED = re.compile(r"(?P<price>\S.{0,38}\S)(?: (?P=price))+")


def read_offer(
    claim: OfferClaim, product: Claim, page: ParsedPage, *, default: str | None
) -> Offer:
    """Read one offer. A price of 0 is a template's way to say that it knows none."""
    price = read_claimed_price(claim.price, claim.currency, page, default=default)
    regular = read_claimed_price(claim.regular_price, claim.currency, page, default=default)
    amount = price.amount if price else None
    before = regular.amount if regular else None
    return Offer(
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


def read_claimed_price(
    text: str | None, currency: str | None, page: ParsedPage, *, default: str | None
) -> Price | None:
    """Read a price of markup: as a number if it is one, else as people would."""
    if not text:
        return None
    code = iso_code(currency)
    amount = read_machine_amount(text, currency=code)
    if amount is not None:
        kind = PriceKind.EXACT if amount else PriceKind.FREE
        return Price(kind=kind, amount=amount, currency=code, text=text)
    once = _REPEATED.fullmatch(text[:200])
    return parse_price(
        once["price"] if once else text,
        currency_hint=code,
        language=page.language,
        default_currency=default,
    )


def merge_offers(offers: list[Offer]) -> tuple[Offer, ...]:
    """Each offer once, in the order of the page; offers that say nothing are left out."""
    return tuple(
        dict.fromkeys(
            offer
            for offer in offers
            if offer.price_kind is not None or offer.availability is not None
        )
    )


def claimed_price(offers: tuple[Offer, ...]) -> Price | None:
    """The lowest price among the offers that can be bought, or among all."""
    priced = [offer for offer in offers if offer.price_amount]
    if not priced:
        return None
    buyable = [o for o in priced if o.availability is None or o.availability.can_be_embedded]
    chosen = min(buyable or priced, key=lambda offer: offer.price_amount or Decimal(0))
    amounts = {offer.price_amount for offer in buyable or priced}
    kind = PriceKind.FROM if len(amounts) > 1 else chosen.price_kind or PriceKind.EXACT
    return Price(
        kind=kind,
        amount=chosen.price_amount,
        currency=chosen.price_currency,
        text=chosen.price_text or "",
        regular_amount=chosen.regular_price_amount,
    )
