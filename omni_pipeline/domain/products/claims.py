"""What one source of a page says about one product, as text, before anything is believed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from omni_pipeline.domain.products.model import Source


class OfferCondition(StrEnum):
    """Why a price is not what anybody pays for one new piece today."""

    MEMBERS = "members"
    BUSINESS = "business"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    RENT = "rent"
    NOT_NEW = "not_new"
    QUANTITY = "quantity"
    PER_UNIT = "per_unit"


@dataclass(frozen=True, kw_only=True)
class OfferClaim:
    """What is said of one way to buy.

    Attributes:
        price: A number for machines or a text for people.
        includes_tax: None where nothing says.
        conditions: Under which the price holds; none for the price of one piece today.
        least_quantity: From how many pieces on the price holds.
        unit: Of a price per unit, such as ``kg`` or ``100 C62``.
    """

    price: str | None = None
    currency: str | None = None
    regular_price: str | None = None
    availability: str | None = None
    name: str | None = None
    sku: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    url: str | None = None
    includes_tax: bool | None = None
    conditions: frozenset[OfferCondition] = frozenset()
    min_quantity: Decimal = Decimal(1)
    unit: str | None = None

    @property
    def remoteness(self) -> tuple[int, Decimal]:
        """How far it is from the price of one piece today; the least is meant."""
        return len(self.conditions), self.min_quantity


@dataclass(frozen=True, kw_only=True)
class ProductClaim:
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
