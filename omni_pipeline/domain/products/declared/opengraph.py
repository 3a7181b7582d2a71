"""Reads the product that OpenGraph and its relatives in ``meta`` describe."""

from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.products.claims import OfferClaim, ProductClaim
from omni_pipeline.domain.products.model import Source

_PRICES = ("product:sale_price:amount", "product:price:amount", "og:price:amount", "product:price")
_CURRENCIES = (
    *("product:sale_price:currency", "product:price:currency", "og:price:currency"),
    "pinterest:price:currency",
)


def is_product_page(page: ParsedPage) -> bool:
    """Whether the page calls itself a product: ``og:type`` is ``product``, ``shop:product`` ..."""
    return "product" in page.meta.get("og:type", "").lower()


def meta_claim(page: ParsedPage) -> ProductClaim | None:
    """What ``meta`` says of the page's product, or None where it names neither price nor number."""
    price, sku = (
        _first(page, *_PRICES, "og:price", "twitter:price"),
        _first(page, "product:retailer_item_id"),
    )
    price = price or _twitter_price(page)
    gtin = _first(page, "product:ean", "product:gtin", "product:upc", "product:isbn")
    availability = _first(page, "product:availability", "og:availability", "availability")
    if not (price or sku or gtin or availability):
        return None
    sale, usual = page.meta.get("product:sale_price:amount"), page.meta.get("product:price:amount")
    offer = OfferClaim(
        price=price,
        currency=_first(page, *_CURRENCIES),
        regular_price=_first(page, "product:original_price:amount") or (usual if sale else None),
        availability=availability,
    )
    return ProductClaim(
        source=Source.META,
        name=_first(page, "og:title", "twitter:title"),
        sku=sku,
        gtin=gtin,
        mpn=_first(page, "product:mfr_part_no"),
        brand=_first(page, "product:brand", "og:brand"),
        image=_first(page, "og:image", "og:image:url", "twitter:image"),
        offers=(offer,),
    )


def _first(page: ParsedPage, *names: str) -> str | None:
    return next((value for name in names if (value := page.meta.get(name))), None)


def _twitter_price(page: ParsedPage) -> str | None:
    """Cards of two labelled lines: the price is mostly the first of them."""
    for number in ("1", "2"):
        if page.meta.get(f"twitter:label{number}", "").lower() in ("price", "preis", "prix"):
            return page.meta.get(f"twitter:data{number}")
    return None
