"""Reads money and stock out of the objects of a page's state, whatever shape they have there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omni_pipeline.domain.html.schema_items import Item, text_of

_MAX_DEPTH = 4
MAX_VARIANTS = 200

PRICE_KEYS = (
    *("salePrice", "sale_price", "finalPrice", "final_price", "currentPrice", "current_price"),
    *("specialPrice", "special_price", "display_price", "price_amount", "price", "priceV2"),
    *("productPrice", "product_price", "sellingPrice", "calculatedPrice", "unitPrice"),
    *("priceRange", "price_range", "prices"),
)
REGULAR_KEYS = (
    *("compare_at_price", "compareAtPrice", "compareAtPriceV2", "compareAtPriceRange"),
    *("regularPrice", "regular_price", "display_regular_price", "listPrice", "list_price"),
    *("oldPrice", "old_price", "originalPrice", "original_price", "wasPrice", "strikePrice"),
    *("price_without_reduction", "regular_price_amount", "rrp", "rrp_with_tax", "msrp"),
)
# Within an object that is a price, what is to be paid comes first, with tax before without.
_WITHIN = (
    *("sale", "special", "discounted", "final", "finalPrice", "final_price", "current", "now"),
    *("sale_price_with_tax", "with_tax", "gross", "withTax", "includingTax", "price_incl_tax"),
    *("minVariantPrice", "minimum_price", "minPrice", "min", "lowest", "from"),
    *("amount", "value", "price", "unitPrice", "totalPrice", "total", "centAmount", "cents"),
    *("amountInCents", "formatted", "display", "regular", "regularPrice", "basePrice"),
)
_BEFORE = (
    *("regular_price", "regularPrice", "oldPrice", "old_price", "listPrice", "list_price", "was"),
    *("regular", "original", "compareAt", "list", "rrp_with_tax", "non_sale_price_with_tax"),
)
_CURRENCY_KEYS = (
    *("currency", "currencyCode", "priceCurrency", "currency_code", "currencyIso", "currencyISO"),
    *("currencyIsoCode", "iso_code", "isoCode"),
)
_IN_CENTS = frozenset({"centAmount", "cents", "amountInCents"})
_MINOR_UNITS = ("fractionDigits", "currency_minor_unit", "minorUnits")
# What Shopify's products have, and no others: theirs are counted in cents.
_COUNTED_IN_CENTS = frozenset({"vendor", "variants"})

_STOCK_KEYS = (
    *("availability", "stockStatus", "stock_status", "availabilityStatus", "stockState"),
    *("inventoryStatus", "inventory_status", "availability_status", "status"),
)
_CAN_BE_BOUGHT = (
    *("availableForSale", "available", "inStock", "in_stock", "is_in_stock", "isInStock"),
    *("instock", "isAvailable", "is_available", "isOnStock", "isSalable", "is_salable", "salable"),
    *("isBuyable", "is_buyable", "purchasable", "isPurchasable", "orderable"),
)
_IS_GONE = ("soldOut", "sold_out", "isSoldOut", "is_sold_out", "outOfStock", "isOutOfStock")
_COUNTS = (
    *("stock", "stockLevel", "stock_level", "stockQuantity", "stock_quantity", "availableStock"),
    *("inventory_quantity", "inventoryQuantity", "quantityAvailable", "availableQuantity"),
)
_VARIANTS = (
    *("variants", "variations", "skus", "optionPrices", "productVariants", "models"),
    *("masterVariant", "children"),
)


@dataclass(frozen=True, kw_only=True)
class Money:
    amount: str
    currency: str | None = None


def money_of(item: Item, *keys: str, in_cents: bool = False) -> Money | None:
    """The amount under the first of the keys that has one, in units of its currency."""
    for key in keys:
        if (found := _money(item.get(key), in_cents=in_cents, depth=_MAX_DEPTH)) is not None:
            return Money(amount=found.amount, currency=found.currency or currency_of_item(item))
    return None


def regular_of(item: Item, *, in_cents: bool) -> Money | None:
    """The price before: beside the price, or within it."""
    beside = money_of(item, *REGULAR_KEYS, in_cents=in_cents)
    if beside is not None:
        return beside
    for key in PRICE_KEYS:
        price = item.get(key)
        if isinstance(price, dict):
            inner = price.get("minimum_price")
            within = inner if isinstance(inner, dict) else price
            if (found := money_of(within, *_BEFORE, in_cents=in_cents)) is not None:
                return found
    return None


def currency_of_item(item: Item) -> str | None:
    return text_of(item, *_CURRENCY_KEYS)


def is_in_cents(item: Item) -> bool:
    return _COUNTED_IN_CENTS.issubset(item)


def stock_of(item: Item) -> str | None:
    """What the object says of stock; where it counts, or says yes or no, as schema.org does."""
    for key in _STOCK_KEYS:
        value = item.get(key)
        if isinstance(value, dict) and (found := _told(value)) is not None:
            return found
        if isinstance(value, str) and (text := text_of(item, key)):
            return text
    return _told(item)


def variants_of(item: Item) -> Iterator[Item]:
    """Objects of the product's variants: a list, a connection of nodes, or a mapping by id."""
    for key in _VARIANTS:
        found = [one for one in _entries(item.get(key)) if _is_priced(one)]
        if found:
            yield from found[:MAX_VARIANTS]
            return


def _is_priced(item: Item) -> bool:
    return not item.keys().isdisjoint(PRICE_KEYS)


def _entries(value: Any) -> Iterator[Item]:
    if isinstance(value, dict):
        for key in ("nodes", "edges"):
            if isinstance(value.get(key), list):
                yield from _entries(value[key])
                return
        if _is_priced(value):
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            if isinstance(one, dict):
                node = one.get("node")
                yield node if isinstance(node, dict) else one


def _told(item: Item) -> str | None:
    for keys, meaning in ((_CAN_BE_BOUGHT, True), (_IS_GONE, False)):
        for key in keys:
            if isinstance(item.get(key), bool):
                return "InStock" if item[key] is meaning else "OutOfStock"
    for key in _COUNTS:
        value = item.get(key)
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return "InStock" if int(value[:12]) > 0 else "OutOfStock"
        if isinstance(value, dict) and (found := _told(value)) is not None:
            return found
    return None


def _money(value: Any, *, in_cents: bool, depth: int) -> Money | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        return Money(amount=_units(value, 2 if in_cents else 0)) if _has_digit(value) else None
    if not isinstance(value, dict) or not depth:
        return None
    for key in _WITHIN:
        if key not in value:
            continue
        inner = value[key]
        digits = _minor_units(value, in_cents=in_cents or key in _IN_CENTS)
        if isinstance(inner, str):
            found = Money(amount=_units(inner, digits)) if _has_digit(inner) else None
        else:
            found = _money(inner, in_cents=in_cents, depth=depth - 1)
        if found is not None:
            return Money(amount=found.amount, currency=found.currency or currency_of_item(value))
    return None


def _minor_units(item: Item, *, in_cents: bool) -> int:
    for key in _MINOR_UNITS:
        if isinstance(text := item.get(key), str) and text.isdigit() and len(text) == 1:
            return int(text)
    return 2 if in_cents else 0


def _units(price: str, digits: int) -> str:
    """12990 of two minor digits is 129.90."""
    if not digits or not price.isdigit():
        return price
    return f"{price[:-digits] or '0'}.{price[-digits:].zfill(digits)}"


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
