"""Reads products out of schema.org items, however the page embedded them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from omni_pipeline.domain.html.json_ld import walk
from omni_pipeline.domain.html.schema_items import Item, objects_of, text_of, types_of
from omni_pipeline.domain.products.claims import OfferClaim, ProductClaim
from omni_pipeline.domain.products.declared.schema_offers import read_offer_item
from omni_pipeline.domain.products.model import MAX_PRODUCTS, Source


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PRODUCT_TYPES = _words(
    """
    product productgroup individualproduct productmodel someproducts vehicle car motorcycle
    book softwareapplication mobileapplication videogame musicalbum event hotelroom course
    """
)
# Of these one is a product only when it is sold here.
_ONLY_WITH_OFFERS = _words(
    """
    book softwareapplication mobileapplication videogame musicalbum event hotelroom course
    """
)
_OFFER_TYPES = _words("offer aggregateoffer offerforpurchase demand")
_LISTING_KEYS = (
    "isRelatedTo",
    "isSimilarTo",
    "isAccessoryOrSparePartFor",
    "itemListElement",
    "review",
    "makesOffer",
    "hasOfferCatalog",
    "mainEntityOfPage",
)
_GTIN_KEYS = ("gtin13", "gtin", "gtin14", "gtin12", "gtin8", "ean", "isbn", "upc")
MAX_OFFERS = 200


def product_claims(items: Iterable[Any], source: Source, *, today: date) -> list[ProductClaim]:
    """Every product among decoded items, in the order of the page, at most 1,000.

    Args:
        items: JSON-LD with its references linked, microdata or RDFa.
        source: What they were embedded as.
        today: Against which the dates of offers are read.
    """
    claims: list[ProductClaim] = []
    items = list(items)
    parts = ((node, part) for node in walk(items) for part in _variants(node))
    seen = {id(part) for node, part in parts if part is not node}
    for item in items:
        listed = _listed(item)
        for node in walk(item):
            for product, offer in _sold(node):
                if id(product) in seen:
                    continue
                seen.add(id(product))
                is_listed = id(node) in listed
                claims.append(_claim(product, source, today, listed=is_listed, sold_by=offer))
                if len(claims) >= MAX_PRODUCTS:
                    return claims
    return claims


def _sold(node: Item) -> Iterator[tuple[Item, Item | None]]:
    """The product that a node is, or the products that it offers."""
    if _is_product(node):
        yield node, None
    elif types_of(node) & _OFFER_TYPES:
        for offered in objects_of(node, "itemOffered"):
            if types_of(offered) & _PRODUCT_TYPES and "offers" not in offered:
                yield offered, node


def _variants(node: Item) -> Iterator[Item]:
    """What belongs to a product and is no product of the page beside it."""
    if _is_product(node):
        yield from objects_of(node, "hasVariant", "model")
        for offer in objects_of(node, "offers"):
            yield from objects_of(offer, "itemOffered")
            for nested in objects_of(offer, "offers"):
                yield from objects_of(nested, "itemOffered")


def _is_product(item: Item) -> bool:
    types = types_of(item)
    if types & _ONLY_WITH_OFFERS:
        return "offers" in item
    return bool(types & _PRODUCT_TYPES) and any(
        key in item for key in ("name", "offers", "sku", "hasVariant", "productID")
    )


def _listed(root: Any) -> set[int]:
    """Products that stand below another item: related ones, and entries of lists."""
    found: set[int] = set()
    for item in walk(root):
        for holder in objects_of(item, *_LISTING_KEYS):
            if id(holder) not in found:
                found.update(id(node) for node in walk(holder))
    return found


def _claim(
    item: Item, source: Source, today: date, *, listed: bool, sold_by: Item | None
) -> ProductClaim:
    group = next(objects_of(item, "isVariantOf"), {})
    return ProductClaim(
        source=source,
        name=text_of(item, "name", "title"),
        sku=text_of(item, "sku", "productID", "productId"),
        gtin=_gtin(item),
        mpn=text_of(item, "mpn"),
        brand=text_of(item, "brand", "manufacturer") or text_of(group, "brand", "manufacturer"),
        image=text_of(item, "image"),
        url=text_of(item, "url", "@id"),
        offers=tuple(_offers(item, today, sold_by))[:MAX_OFFERS],
        listed=listed,
    )


def _gtin(item: Item) -> str | None:
    found = text_of(item, *_GTIN_KEYS)
    if found is None and (product_id := text_of(item, "productID")):
        scheme, _, number = product_id.rpartition(":")
        return number if scheme.lower() in ("ean", "gtin", "isbn", "upc") else None
    return found


def _offers(item: Item, today: date, sold_by: Item | None) -> Iterator[OfferClaim]:
    for offer in [sold_by] if sold_by else objects_of(item, "offers"):
        nested = [_offer(one, today) for one in objects_of(offer, "offers")]
        yield from [claim for claim in nested if claim.price] or [_offer(offer, today)]
    if "price" in item:  # flattened templates put the price on the product
        yield _offer(item, today)
    for variant in objects_of(item, "hasVariant", "model"):
        for offer in objects_of(variant, "offers"):
            yield _offer(offer, today, variant)


def _offer(offer: Item, today: date, variant: Item | None = None) -> OfferClaim:
    offered = variant or next(objects_of(offer, "itemOffered"), offer)
    is_other = offered is not offer
    return replace(
        read_offer_item(offer, today=today),
        name=text_of(offered, "name") if is_other else None,
        sku=text_of(offer, "sku") or text_of(offered, "sku", "productID"),
        gtin=_gtin(offer) or _gtin(offered),
        mpn=text_of(offer, "mpn") or text_of(offered, "mpn"),
        url=text_of(offer, "url") or (text_of(offered, "url") if is_other else None),
    )
