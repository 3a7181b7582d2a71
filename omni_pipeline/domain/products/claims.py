"""What one source of a page says about one product, as text, before anything is believed."""

from dataclasses import dataclass

from omni_pipeline.domain.products.model import Source


@dataclass(frozen=True, kw_only=True)
class OfferClaim:
    """``price`` may be a number for machines or a text for people."""

    price: str | None = None
    currency: str | None = None
    regular_price: str | None = None
    availability: str | None = None
    name: str | None = None
    sku: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """``listed``: it stands in a list of products, such as the related ones."""

    source: Source
    name: str | None = None
    sku: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    brand: str | None = None
    image: str | None = None
    url: str | None = None
    offers: tuple[OfferClaim, ...] = ()
    listed: bool = False
