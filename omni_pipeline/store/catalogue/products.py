"""What domains sell: products by identity, and what each live page shows of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

from psycopg import Connection
from psycopg.types.json import Jsonb

from omni_pipeline.domain.products.matching import Known
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one, pick

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class NewProduct:
    """A product seen for the first time; ``product_id`` is of ``reserve_ids``."""

    product_id: int
    identity: str
    page_id: int
    url: str


@dataclass(frozen=True, kw_only=True)
class ProductListing:
    """A product as one page shows it; ``shown`` has its values by the names of their columns."""

    page_id: int
    position: int
    product_id: int
    is_detail: bool
    shown: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Vanished:
    """A listed product that no page shows, and whether a person said that this is right."""

    product_id: int
    is_confirmed: bool


@dataclass(frozen=True, kw_only=True)
class ProductNumbers:
    """A domain's products; ``held`` have vanished and wait for a person."""

    listed: int
    delisted: int
    held: int
    without_currency: int


@dataclass(frozen=True)
class Fact:
    """What a page says of a product, in words for a person."""

    meaning: str


@dataclass(frozen=True, kw_only=True)
class StoredProduct:
    """A product with its newest price.

    What a page says of it is a column of the table `products` under the same name; ``Fact`` tells
    what it means, to whoever looks at the table.

    Attributes:
        price_changed_at: When its price or its availability last changed.
        vanished_at: Since when no page shows it, while that is held back as too much at once.
        held_price_amount: A price too far from the last one to be believed before a second look.
    """

    product_id: int
    status: str
    identity: str
    name: Annotated[str | None, Fact("As the page spells it.")]
    brand: Annotated[str | None, Fact("As the page spells it.")]
    sku: Annotated[str | None, Fact("The shop's own number.")]
    gtin: Annotated[str | None, Fact("The number of its bar code.")]
    mpn: Annotated[str | None, Fact("The maker's number.")]
    url: str
    image_url: Annotated[str | None, Fact("Its first picture.")]
    current_price_kind: str | None
    current_price_amount: Decimal | None
    current_price_currency: str | None
    current_availability: str | None
    price_text: str | None
    regular_price_amount: Decimal | None
    price_changed_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    delisted_at: datetime | None
    vanished_at: datetime | None
    held_price_amount: Decimal | None
    held_price_currency: str | None


FACTS: Mapping[str, Fact] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(StoredProduct, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""By column; all of them are texts that a page may leave out."""


@dataclass(frozen=True, kw_only=True)
class FoundProduct:
    """A product that a person asked for."""

    product_id: int
    host: str
    status: str
    name: str | None
    url: str
    identity: str
    delisted_at: datetime | None


def load_known(conn: Connection, claim: Claim, keys: Sequence[str]) -> dict[int, Known]:
    """The products that own any of these keys, with all of their keys."""
    parameters = {"domain_id": claim.domain_id, "keys": list(keys)}
    owners = {product_id for _, product_id in conn.execute(_SQL["owners"], parameters)}
    rows = conn.execute(_SQL["known"], {"product_ids": list(owners)})
    return {product_id: Known(keys=set(own), name=name) for product_id, name, own in rows}


def reserve_ids(conn: Connection, count: int) -> list[int]:
    """Numbers for so many new products."""
    return [number for (number,) in conn.execute(_SQL["reserve_ids"], {"count": count})]


def add(conn: Connection, claim: Claim, new: Sequence[NewProduct]) -> None:
    """Add products; their values come with ``show``."""
    columns = {
        "product_ids": [one.product_id for one in new],
        "identities": [one.identity for one in new],
        "page_ids": [one.page_id for one in new],
        "urls": [one.url for one in new],
    }
    conn.execute(_SQL["add"], {**vars(claim), **columns})


def merge(conn: Connection, into: Mapping[int, int]) -> None:
    """Make products part of others; their snapshots stay as they are and count as the others'."""
    if into:
        parameters = {"product_ids": list(into), "into_ids": list(into.values())}
        conn.execute(_SQL["merge"], parameters)


def keep_keys(conn: Connection, claim: Claim, owners: Mapping[str, int]) -> None:
    """Note under which keys which product is found."""
    parameters = {"keys": list(owners), "product_ids": list(owners.values())}
    conn.execute(_SQL["keep_keys"], {**vars(claim), **parameters})


def forget_listings(conn: Connection, page_ids: Sequence[int]) -> set[int]:
    """Forget what pages show; returns the products that they showed."""
    rows = conn.execute(_SQL["forget_listings"], {"page_ids": list(page_ids)})
    return {product_id for (product_id,) in rows}


def save_listings(conn: Connection, claim: Claim, listings: Sequence[ProductListing]) -> None:
    """Note what pages show."""
    columns = {
        "page_ids": [one.page_id for one in listings],
        "positions": [one.position for one in listings],
        "product_ids": [one.product_id for one in listings],
        "are_details": [one.is_detail for one in listings],
        "shown": [Jsonb(one.shown) for one in listings],
    }
    conn.execute(_SQL["save_listings"], {**vars(claim), **columns})


def show(conn: Connection, product_ids: Sequence[int]) -> None:
    """Give products the values of the page that tells most of them; delisted ones are back."""
    conn.execute(_SQL["show"], {"product_ids": list(product_ids)})


def vanished(conn: Connection, claim: Claim) -> list[Vanished]:
    """Listed products that no page shows."""
    rows = conn.execute(_SQL["vanished"], {"domain_id": claim.domain_id})
    return [Vanished(product_id=number, is_confirmed=confirmed) for number, confirmed in rows]


def hold(conn: Connection, product_ids: Sequence[int]) -> None:
    """Keep vanished products listed until a person confirms that they are gone."""
    conn.execute(_SQL["hold"], {"product_ids": list(product_ids)})


def delist(conn: Connection, claim: Claim, product_ids: Sequence[int]) -> None:
    """Take products from the list; their history stays."""
    conn.execute(_SQL["delist"], {**vars(claim), "product_ids": list(product_ids)})


def note_seen(conn: Connection, claim: Claim) -> None:
    """Note when the pages of the listed products were last looked at."""
    conn.execute(_SQL["note_seen"], vars(claim))


def confirm_vanished(conn: Connection, domain_id: int) -> int:
    """Let the next refresh believe that what vanished is gone; returns how many products."""
    return conn.execute(_SQL["confirm_vanished"], {"domain_id": domain_id}).rowcount


def count(conn: Connection, domain_id: int) -> ProductNumbers:
    """A domain's products in numbers."""
    numbers = fetch_one(conn, _SQL["numbers"], {"domain_id": domain_id}, ProductNumbers)
    assert numbers is not None
    return numbers


def count_own_pages(conn: Connection, domain_id: int) -> tuple[int, int]:
    """How many pages are about one product, and how many of them lack its price."""
    row = conn.execute(_SQL["own_pages"], {"domain_id": domain_id}).fetchone()
    assert row is not None
    return row[0], row[1]


def list_products(
    conn: Connection,
    domain_id: int,
    *,
    changed_within_seconds: float | None = None,
    limit: int | None = None,
) -> list[StoredProduct]:
    """A domain's products, listed ones first, by name.

    Args:
        conn: A connection.
        domain_id: Whose.
        changed_within_seconds: Only those that are new, gone or of another price since then.
        limit: None means all.
    """
    parameters = {"domain_id": domain_id, "seconds": changed_within_seconds, "limit": limit}
    return fetch_all(conn, pick(_SQL["of_domain"], StoredProduct), parameters, StoredProduct)


def find(
    conn: Connection, wanted: str, *, host: str | None = None, limit: int = 20
) -> list[FoundProduct]:
    """Products by number, SKU, GTIN, URL, identity or a part of the name, the likeliest first."""
    parameters = {"wanted": wanted, "host": host, "limit": limit}
    return fetch_all(conn, _SQL["find"], parameters, FoundProduct)
