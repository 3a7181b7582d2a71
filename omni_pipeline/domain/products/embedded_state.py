"""Reads the product that a page's own scripts carry: metas, JSON for the client, data layers.

Only one shape is believed: an object with a price and a name that is the page's, as Shopify,
Magento, WooCommerce and Next pages embed it. Loose ``"price": value`` pairs of data layers merely
confirm what is read elsewhere.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from omni_pipeline.domain.html.json_ld import read_block, read_value, walk
from omni_pipeline.domain.html.page import ParsedPage, likeness, words_of
from omni_pipeline.domain.products.claims import Claim, OfferClaim
from omni_pipeline.domain.products.model import Source
from omni_pipeline.domain.products.schema_org import text_of

MAX_CHARACTERS = 1024 * 1024
# Tried in one script: each failure costs a read up to where it stops being JSON.
MAX_OBJECTS = 20
MAX_PAIRS = 50
MAX_VARIANTS = 200
_MIN_LIKENESS = 0.8

_JSON_TYPES = ("application/json", "text/x-magento-init", "application/hal+json")
# What Shopify's products have, and no others: theirs are counted in cents.
_IS_IN_CENTS = frozenset({"vendor", "variants"})
_ASSIGNED = re.compile(r"(?:=|\bpush\(|\()\s{0,8}(?=\{\s{0,40}\")")
_NAME_KEYS = ("name", "title", "productName", "product_name", "item_name", "displayName")
_PRICE_KEYS = (
    *("salePrice", "sale_price", "finalPrice", "final_price", "currentPrice", "current_price"),
    *("specialPrice", "price", "productPrice", "product_price", "sellingPrice", "display_price"),
)
_PRICES = frozenset(_PRICE_KEYS)
_REGULAR_KEYS = (
    "compare_at_price",
    "regularPrice",
    "regular_price",
    "listPrice",
    "oldPrice",
    "originalPrice",
    "display_regular_price",
)
_AVAILABILITY_KEYS = ("availability", "stockStatus", "stock_status", "availabilityStatus")
_PAIR = re.compile(
    r"""(?:[pP]rice|ecomm_totalvalue)["']?\s{0,4}[:=]\s{0,4}["']?(?P<price>\d{1,9}(?:[.,]\d{1,3}){0,3})"""
)


def state_claims(page: ParsedPage) -> list[Claim]:
    """Products of the page's own data whose name is the heading or the title."""
    names = page.title_words | words_of(page.heading_text)
    if not names:
        return []
    return [
        claim
        for item in _objects(_scripts(page))
        if (claim := _claim(item)) and likeness(claim.name or "", names) >= _MIN_LIKENESS
    ][:50]


def state_prices(page: ParsedPage) -> set[str]:
    """The prices that data layers of the page name, as text; other products' are among them."""
    return {
        pair["price"]
        for _, text in _scripts(page)
        if "rice" in text or "value" in text
        for pair in islice(_PAIR.finditer(text), MAX_PAIRS)
    }


def _scripts(page: ParsedPage) -> list[tuple[bool, str]]:
    """The scripts of the page without JSON-LD, and whether each is nothing but JSON."""
    scripts: list[tuple[bool, str]] = []
    left = MAX_CHARACTERS
    for kind, text in page.scripts:
        if "ld+json" in kind or len(text) > left:
            continue
        left -= len(text)
        scripts.append((kind in _JSON_TYPES, text))
    return scripts


def _objects(scripts: Iterable[tuple[bool, str]]) -> Iterator[dict[str, Any]]:
    for is_json, text in scripts:
        if is_json:
            for value in read_block(text):
                yield from walk(value)
        elif "rice" in text:
            for start in _starts(text):
                yield from walk(read_value(text, start))


def _starts(text: str) -> Iterator[int]:
    for match in islice(_ASSIGNED.finditer(text), MAX_OBJECTS):
        yield match.end()


def _claim(item: dict[str, Any]) -> Claim | None:
    if _PRICES.isdisjoint(item):  # nearly all objects of a page's state
        return None
    name, price = text_of(item, *_NAME_KEYS), text_of(item, *_PRICE_KEYS)
    if not name or not price or not any(character.isdigit() for character in price):
        return None
    in_cents = _IS_IN_CENTS.issubset(item)
    variants = [one for one in item.get("variants") or () if isinstance(one, dict)]
    return Claim(
        source=Source.EMBEDDED_STATE,
        name=name,
        sku=text_of(item, "sku", "SKU", "productId", "item_id", "product_id"),
        gtin=text_of(item, "gtin", "gtin13", "ean", "barcode"),
        brand=text_of(item, "brand", "vendor", "manufacturer"),
        offers=tuple(
            _offer(one, item, in_cents=in_cents) for one in variants[:MAX_VARIANTS] or [item]
        ),
    )


def _offer(item: dict[str, Any], product: dict[str, Any], *, in_cents: bool) -> OfferClaim:
    currency = ("currency", "currencyCode", "priceCurrency", "currency_code")
    stock = text_of(item, *_AVAILABILITY_KEYS)
    if stock is None and isinstance(item.get("available"), bool):
        stock = "InStock" if item["available"] else "OutOfStock"
    return OfferClaim(
        price=_units(text_of(item, *_PRICE_KEYS), in_cents=in_cents),
        currency=text_of(item, *currency) or text_of(product, *currency),
        regular_price=_units(text_of(item, *_REGULAR_KEYS), in_cents=in_cents),
        availability=stock,
        name=text_of(item, *_NAME_KEYS) if item is not product else None,
        sku=text_of(item, "sku", "SKU"),
        gtin=text_of(item, "gtin", "gtin13", "ean", "barcode"),
    )


def _units(price: str | None, *, in_cents: bool) -> str | None:
    """Shopify writes 12990 for 129.90."""
    if price is None or not in_cents or not price.isdigit():
        return price
    return f"{price[:-2] or '0'}.{price[-2:].zfill(2)}"
