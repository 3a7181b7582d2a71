"""Reads products out of schema.org items, however the page embedded them."""

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

from omni_pipeline.domain.html.json_ld import walk
from omni_pipeline.domain.products.claims import Claim, OfferClaim
from omni_pipeline.domain.products.model import MAX_PRODUCTS, Source

Thing = dict[str, Any]


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
_LISTING_KEYS = (
    "isRelatedTo",
    "isSimilarTo",
    "isAccessoryOrSparePartFor",
    "itemListElement",
    "review",
    "itemOffered",
    "mainEntityOfPage",
)
_NAMING_KEYS = ("name", "value", "@value", "url", "contentUrl", "@id")
_GTIN_KEYS = ("gtin13", "gtin", "gtin14", "gtin12", "gtin8", "ean", "isbn")
_OLD_PRICE_TYPES = (
    "listprice",
    "strikethroughprice",
    "srp",
    "msrp",
    "regularprice",
    "suggestedretailprice",
)
_VOCABULARY = re.compile(r".*[/#:]", re.DOTALL)
MAX_VALUE_LENGTH = 500
MAX_OFFERS = 200


def product_claims(items: Iterable[Any], source: Source) -> list[Claim]:
    """Every product among decoded items, in the order of the page, at most 1,000."""
    claims: list[Claim] = []
    seen: set[int] = set()
    for item in items:
        listed = _listed(item)
        for node in walk(item):
            if id(node) in seen or not _is_product(node):
                continue
            seen.update(id(variant) for variant in _objects(node, "hasVariant", "model"))
            claims.append(_claim(node, source, listed=id(node) in listed))
            if len(claims) >= MAX_PRODUCTS:
                return claims
    return claims


def types_of(item: Thing) -> set[str]:
    """The types of an item in lower case, without their vocabulary."""
    found = item.get("@type") or item.get("type") or ()
    names = found if isinstance(found, list) else [found]
    return {_VOCABULARY.sub("", str(name)).lower() for name in names}


def text_of(item: Thing, *keys: str) -> str | None:
    """The first value with text under one of the keys; of an object its name, value or URL."""
    for key in keys:
        for value in _values(item.get(key)):
            named = _naming_text(value) if isinstance(value, dict) else value
            if text := _clean(named):
                return text
    return None


def _naming_text(item: Thing) -> str | None:
    """One level only: objects within objects may be nested as deep as somebody likes (S52)."""
    values = (value for key in _NAMING_KEYS for value in _values(item.get(key)))
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def _clean(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join(html.unescape(value[: 4 * MAX_VALUE_LENGTH]).split())
    return text[:MAX_VALUE_LENGTH] or None


def _values(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _objects(item: Thing, *keys: str) -> Iterator[Thing]:
    for key in keys:
        for value in _values(item.get(key)):
            if isinstance(value, dict):
                yield value


def _is_product(item: Thing) -> bool:
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
        for current_job in _objects(item, *_LISTING_KEYS):
            found.update(id(node) for node in walk(current_job))
    return found


def _claim(item: Thing, source: Source, *, listed: bool) -> Claim:
    return Claim(
        source=source,
        name=text_of(item, "name", "title"),
        sku=text_of(item, "sku", "productID", "productId"),
        gtin=_gtin(item),
        mpn=text_of(item, "mpn"),
        brand=text_of(item, "brand", "manufacturer"),
        image=text_of(item, "image"),
        url=text_of(item, "url", "@id"),
        offers=tuple(_offers(item))[:MAX_OFFERS],
        listed=listed,
    )


def _gtin(item: Thing) -> str | None:
    found = text_of(item, *_GTIN_KEYS)
    if found is None and (product_id := text_of(item, "productID")):
        scheme, _, number = product_id.rpartition(":")
        return number if scheme.lower() in ("ean", "gtin", "isbn", "upc") else None
    return found


def _offers(item: Thing) -> Iterator[OfferClaim]:
    for offer in _objects(item, "offers"):
        nested = [claim for one in _objects(offer, "offers") if (claim := _offer(one)).price]
        yield from nested or [_offer(offer)]
    if "price" in item:  # flattened templates put the price on the product
        yield _offer(item)
    for variant in _objects(item, "hasVariant", "model"):
        for offer in _objects(variant, "offers"):
            yield _offer(offer, variant)


def _offer(offer: Thing, variant: Thing | None = None) -> OfferClaim:
    offered = variant or next(_objects(offer, "itemOffered"), offer)
    specification, regular = _specifications(offer)
    return OfferClaim(
        price=_price_text(offer, specification),
        currency=text_of(offer, "priceCurrency", "currency")
        or text_of(specification, "priceCurrency"),
        regular_price=regular,
        availability=text_of(offer, "availability"),
        name=text_of(offered, "name") if offered is not offer else None,
        sku=text_of(offer, "sku") or text_of(offered, "sku", "productID"),
        gtin=_gtin(offer) or _gtin(offered),
        mpn=text_of(offer, "mpn") or text_of(offered, "mpn"),
        url=text_of(offer, "url") or (text_of(offered, "url") if offered is not offer else None),
    )


def _price_text(offer: Thing, specification: Thing) -> str | None:
    for item, keys in ((offer, ("price", "lowPrice")), (specification, ("price", "minPrice"))):
        text = text_of(item, *keys)
        if text and any(character.isdigit() for character in text):
            return text
    return None


def _specifications(offer: Thing) -> tuple[Thing, str | None]:
    """The specification of the price to pay, and the price before."""
    current: Thing = {}
    regular: str | None = None
    for specification in _objects(offer, "priceSpecification"):
        kind = (text_of(specification, "priceType") or "").rsplit("/", 1)[-1].lower()
        if kind in _OLD_PRICE_TYPES:
            regular = text_of(specification, "price")
        elif not current and "referenceQuantity" not in specification:
            current = specification
    return current, regular
