"""Extracts the products of pages that list many: categories, search results, brands.

A listed product is kept only with a number or a URL of its own: without one, nothing could tell it
from its neighbours in the next refresh.
"""

from collections import defaultdict
from collections.abc import Iterable

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.products.claims import ProductClaim
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.model import (
    MAX_PRODUCTS,
    TRUST,
    Evidence,
    PageKind,
    Product,
    Source,
)
from omni_pipeline.domain.products.offers import (
    claimed_price,
    in_one_currency,
    merge_offers,
    nearest_offers,
    read_offer,
)
from omni_pipeline.domain.products.shown.cards import cards_of
from omni_pipeline.domain.products.shown.priced_elements import PricedElement
from omni_pipeline.domain.products.shown.visible_page import ShownProduct

MIN_CARDS = 3
_MIN_NAME = 3
_MAX_NAME = 300
_NAMES = "h2,h3,h4,h5,[itemprop=name],[class*=name i],[class*=title i]"
# What is no value of the product itself.
_NOT_EVIDENT = frozenset({"url", "page_kind", "offers", "evidence"})


def listed_products(
    page: ParsedPage, claims: Iterable[ProductClaim], *, default_currency: str | None
) -> tuple[Product, ...]:
    """The products that markup of the page lists, each once, at most 1,000."""
    found: dict[object, Product] = {}
    for claim in claims:
        product = _from_claim(page, claim, default_currency)
        if product is not None:
            found.setdefault((product.gtin, product.sku, product.url, product.name), product)
    return tuple(found.values())[:MAX_PRODUCTS]


def shown_list(page: ParsedPage, *, default_currency: str | None) -> tuple[Product, ...]:
    """The products of a list without markup: cards of one build, each with a price and a link."""
    shown = ShownProduct(page, default=default_currency)
    found: dict[str, Product] = {}
    for priced, card in _cards(shown.priced_elements()):
        product = _from_card(page, priced, card)
        if product is not None:
            found.setdefault(product.url, product)
    return tuple(found.values())[:MAX_PRODUCTS] if len(found) >= MIN_CARDS else ()


def _from_claim(page: ParsedPage, claim: ProductClaim, default: str | None) -> Product | None:
    read = [read_offer(one, claim, page, default=default) for one in claim.offers]
    nearest = nearest_offers(in_one_currency(read, (default,)))
    offers, quote = merge_offers(nearest), claimed_price(nearest)
    url = page.absolute(claim.url) or next((offer.url for offer in offers if offer.url), None)
    gtin = normalize_gtin(claim.gtin)
    if not claim.name or not (url or claim.sku or gtin):
        return None
    price = quote.price if quote else None
    product = Product(
        url=url or page.own_url,
        page_kind=PageKind.LIST,
        name=storable(claim.name),
        sku=storable(claim.sku) if claim.sku else None,
        gtin=gtin,
        mpn=storable(claim.mpn) if claim.mpn else None,
        brand=storable(claim.brand) if claim.brand else None,
        price_kind=price.kind if price else None,
        price_amount=price.amount if price else None,
        price_currency=price.currency if price else None,
        price_text=price.text if price else None,
        regular_price_amount=price.regular_amount if price else None,
        availability=next((offer.availability for offer in offers if offer.availability), None),
        image_url=page.absolute(claim.image),
        offers=offers if len(offers) > 1 else (),
    )
    return _with_evidence(product, claim.source, 1.0)


def _from_card(page: ParsedPage, priced: PricedElement, card: LexborNode) -> Product | None:
    links = [
        (url, node)
        for node in card.css("a[href]")
        if (url := page.absolute(node.attributes.get("href"))) and url != page.own_url
    ]
    name = _card_name(card, links)
    if not links or not name:
        return None
    image = card.css_first("img[src]")
    product = Product(
        url=links[0][0],
        page_kind=PageKind.LIST,
        name=storable(name),
        price_kind=priced.price.kind,
        price_amount=priced.price.amount,
        price_currency=priced.price.currency,
        price_text=storable(priced.price.text),
        regular_price_amount=priced.price.regular_amount,
        image_url=page.absolute(image.attributes.get("src")) if image else None,
    )
    return _with_evidence(product, Source.RULES, 0.8)


def _card_name(card: LexborNode, links: list[tuple[str, LexborNode]]) -> str | None:
    for node in card.css(_NAMES):
        if _MIN_NAME <= len(text := text_of_node(node)) <= _MAX_NAME:
            return text
    texts = [text_of_node(node) or (node.attributes.get("title") or "") for _, node in links]
    return max((text for text in texts if len(text) <= _MAX_NAME), key=len, default="") or None


def _cards(
    elements: Iterable[PricedElement],
) -> list[tuple[PricedElement, LexborNode]]:
    """The largest group of alike price elements, each with the largest box that is its alone."""
    groups: defaultdict[tuple[str | None, str], list[PricedElement]] = defaultdict(list)
    for element in elements:
        if not element.is_old:
            groups[element.node.tag, element.name].append(element)
    group = max(groups.values(), key=len, default=[])
    if len(group) < MIN_CARDS:
        return []
    by_node = {element.node.mem_id: element for element in group}
    cards = cards_of(element.node for element in group)
    return [(by_node[node.mem_id], card) for node, card in cards]


def _with_evidence(product: Product, source: Source, share: float) -> Product:
    evidence = Evidence(source=source, confidence=round(TRUST[source] * share, 2))
    values = {name: value for name, value in vars(product).items() if name not in _NOT_EVIDENT}
    known = [name for name, value in values.items() if value is not None]
    return Product(
        url=product.url,
        page_kind=product.page_kind,
        offers=product.offers,
        evidence=dict.fromkeys(known, evidence),
        **values,
    )
