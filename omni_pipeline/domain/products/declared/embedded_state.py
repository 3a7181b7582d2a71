"""Reads the product that a page's own data carries: state of its framework, data of its shop.

An object is believed to be the page's product when it has a price and a name that is the page's.
One without a name is, where no other object of its build is on the page: the form of variants, the
configuration of the price. Loose ``"price": value`` pairs of data layers merely confirm what is
read elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from omni_pipeline.domain.html.json_ld import walk
from omni_pipeline.domain.html.page import ParsedPage, likeness, words_of
from omni_pipeline.domain.html.schema_items import Item, text_of
from omni_pipeline.domain.products.claims import OfferClaim, ProductClaim
from omni_pipeline.domain.products.declared.state_scripts import MAX_CHARACTERS, state_values
from omni_pipeline.domain.products.declared.state_values import (
    PRICE_KEYS,
    Money,
    currency_of_item,
    is_in_cents,
    money_of,
    regular_of,
    stock_of,
    variants_of,
)
from omni_pipeline.domain.products.model import Source

MAX_PAIRS = 50
MAX_CLAIMS = 50
MAX_OBJECTS = 20_000
MAX_PRICED = 2_000
_MIN_LIKENESS = 0.8

_NAME_KEYS = ("name", "title", "productName", "product_name", "item_name", "displayName")
_SKU_KEYS = (
    *("sku", "SKU", "productNumber", "articleNumber", "reference", "partNumber", "productId"),
    *("item_id", "product_id"),
)
_GTIN_KEYS = (
    "gtin",
    "gtin13",
    "gtin14",
    "gtin12",
    "gtin8",
    "ean",
    "ean13",
    "barcode",
    "upc",
    "isbn",
)
_MPN_KEYS = ("mpn", "manufacturerNumber", "manufacturer_number", "manufacturerPartNumber")
_BRAND_KEYS = ("brand", "vendor", "manufacturer", "brandName", "manufacturer_name")
# Without a name, these beside a price make a product of an object.
_TELLING = frozenset(
    {
        *("sku", "optionPrices", "variation_id", "product_id", "productId", "reference"),
        *("is_in_stock", "instock", "purchasable"),
    }
)
_HOLDERS = frozenset({*PRICE_KEYS, "variants", "masterVariant", "optionPrices", "variations"})
_PAIR = re.compile(
    r"""(?:[pP]rice|ecomm_totalvalue)["']?\s{0,4}[:=]\s{0,4}["']?(?P<price>\d{1,9}(?:[.,]\d{1,3}){0,3})"""
)


def state_claims(page: ParsedPage) -> list[ProductClaim]:
    """Products of the page's own data that are the page's product."""
    names = page.title_words | words_of(page.heading_text)
    if not names:
        return []
    named: list[ProductClaim] = []
    nameless: dict[frozenset[str], list[ProductClaim]] = {}
    for item in islice(_objects(page), MAX_PRICED):
        claim = _claim(item)
        if claim is None:
            continue
        if claim.name is None:
            nameless.setdefault(frozenset(item), []).append(claim)
        elif likeness(claim.name, names) >= _MIN_LIKENESS:
            named.append(claim)
    lone = [found[0] for found in nameless.values() if len(set(found)) == 1]
    return named[:MAX_CLAIMS] or lone[:1]


def state_prices(page: ParsedPage) -> set[str]:
    """The prices that data layers of the page name, as text; other products' are among them."""
    left = MAX_CHARACTERS
    prices: set[str] = set()
    for kind, text in page.scripts:
        if "ld+json" in kind or len(text) > left:
            continue
        left -= len(text)
        if "rice" in text or "value" in text:
            prices |= {pair["price"] for pair in islice(_PAIR.finditer(text), MAX_PAIRS)}
    return prices


def _objects(page: ParsedPage) -> Iterator[Item]:
    """Objects that may be products; variants of one are not objects of their own."""
    seen: set[int] = set()
    for value in state_values(page.scripts, page.html):
        if form := _form_of_variants(value):
            yield form
            continue
        for item in islice(walk(value), MAX_OBJECTS):
            if _HOLDERS.isdisjoint(item) or id(item) in seen:
                continue
            seen.update(id(variant) for variant in variants_of(item))
            yield item


def _form_of_variants(value: Any) -> Item | None:
    """A bare list of variants, as the forms of shops carry it, is a product of those."""
    if not isinstance(value, list) or not value:
        return None
    items = [one for one in value if isinstance(one, dict)]
    if len(items) != len(value) or any(_TELLING.isdisjoint(one) for one in items):
        return None
    if any(text_of(one, *_NAME_KEYS) for one in items):
        return None
    return {"variants": items} if list(variants_of({"variants": items})) else None


@dataclass(frozen=True, kw_only=True)
class _StateProduct:
    item: Item
    in_cents: bool
    currency: str | None


def _claim(item: Item) -> ProductClaim | None:
    in_cents = is_in_cents(item)
    price = money_of(item, *PRICE_KEYS, in_cents=in_cents)
    variants = list(variants_of(item))
    if price is None and not variants:
        return None
    name = text_of(item, *_NAME_KEYS)
    if name is None and in_cents and variants:
        name = text_of(variants[0], *_NAME_KEYS)
    if name is None and _TELLING.isdisjoint(item) and set(item) != {"variants"}:
        return None
    product = _StateProduct(
        item=item, in_cents=in_cents, currency=price.currency if price else currency_of_item(item)
    )
    return ProductClaim(
        source=Source.EMBEDDED_STATE,
        name=name,
        sku=text_of(item, *_SKU_KEYS),
        gtin=text_of(item, *_GTIN_KEYS),
        mpn=text_of(item, *_MPN_KEYS),
        brand=text_of(item, *_BRAND_KEYS),
        offers=tuple(_offer(one, product) for one in variants or [item]),
    )


def _offer(item: Item, product: _StateProduct) -> OfferClaim:
    price = money_of(item, *PRICE_KEYS, in_cents=product.in_cents)
    regular = regular_of(item, in_cents=product.in_cents)
    is_variant = item is not product.item
    return OfferClaim(
        price=price.amount if price else None,
        currency=(price.currency if price else None) or product.currency,
        regular_price=_amount(regular),
        availability=stock_of(item),
        name=text_of(item, *_NAME_KEYS) if is_variant else None,
        sku=text_of(item, "sku", "SKU", "reference", "productNumber"),
        gtin=text_of(item, *_GTIN_KEYS),
    )


def _amount(money: Money | None) -> str | None:
    return money.amount if money else None
