"""Puts together what the sources say about the one product of a page.

Each source nominates candidates for each field (``product_nominations``, ``price_nominations``),
and one chooser takes the one with the most votes (``product_candidates``), which can say why.
"""

from typing import Any

from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.prices.money import PriceKind
from omni_pipeline.domain.products.candidates import Choice, choose
from omni_pipeline.domain.products.claims import ProductClaim
from omni_pipeline.domain.products.declared.opengraph import is_product_page
from omni_pipeline.domain.products.model import Evidence, PageKind, Product
from omni_pipeline.domain.products.nominations import (
    nominate_names,
    nominate_numbers,
    nominate_stock,
)
from omni_pipeline.domain.products.offers import merge_offers
from omni_pipeline.domain.products.price_nominations import (
    nominate_currency,
    nominate_price,
    nominate_regular,
)
from omni_pipeline.domain.products.shown.visible_page import SURE_POINTS
from omni_pipeline.domain.products.sources import ProductSources

_MIN_SIGNS = 2
_MAX_RIVALS = 2


def detail_product(
    page: ParsedPage, own: list[ProductClaim], *, default_currency: str | None
) -> Product | None:
    """The product that the page is about, or None where it sells none.

    Args:
        page: The parsed page.
        own: Claims of its markup about its own product, best source first.
        default_currency: ISO 4217.
    """
    sources = ProductSources(page, own, default=default_currency)
    choices = choose_fields(sources)
    if not _is_product(sources, choices):
        return None
    values, evidence = _settle(choices)
    offers = merge_offers(sources.offers)
    return Product(
        url=page.own_url,
        page_kind=PageKind.DETAIL,
        offers=offers if len(offers) > 1 else (),
        evidence=evidence,
        **values,
    )


def choose_fields(sources: ProductSources) -> dict[str, Choice]:
    """The choice for each field: of ``price`` a whole price, of all others the product's value."""
    choices = choose(
        [*nominate_names(sources), *nominate_numbers(sources), *nominate_price(sources)]
    )
    price = choices.get("price")
    followers = [*nominate_stock(sources, has_price=price is not None)]
    if price is not None:
        followers += [*nominate_currency(sources, price), *nominate_regular(sources, price)]
    return {**choices, **choose(followers)}


def _settle(choices: dict[str, Choice]) -> tuple[dict[str, Any], dict[str, Evidence]]:
    values: dict[str, Any] = {}
    evidence: dict[str, Evidence] = {}
    for field, choice in choices.items():
        found = {field: choice.winner.value}
        if field == "price":
            price = choice.winner.value
            found = {
                "price_kind": price.kind,
                "price_amount": price.amount,
                "price_text": price.text or None,
            }
        for name, value in found.items():
            if value is not None:
                values[name], evidence[name] = value, choice.evidence
    return values, evidence


def _is_product(sources: ProductSources, choices: dict[str, Choice]) -> bool:
    """Markup says so, or the page can be bought from; a price in an article is none."""
    if sources.claims or is_product_page(sources.page):
        return True
    shown = sources.shown_price
    if shown is not None and shown.rivals >= _MAX_RIVALS:
        return False
    price = choices.get("price")
    is_asked = price is not None and price.winner.value.kind is PriceKind.ON_REQUEST
    signs = (
        sources.shown.buy_place is not None,
        shown is not None or is_asked,
        sources.shown.stock is not None,
        sources.labels.sku is not None,
    )
    if sum(signs) >= _MIN_SIGNS:
        return True
    return shown is not None and shown.points >= SURE_POINTS
