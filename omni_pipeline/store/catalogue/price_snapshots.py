"""Prices over time: snapshots that are only added, and prices held until they are seen twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Connection

from omni_pipeline.domain.prices.chart import PricePoint
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class PriceInView:
    """What the best page of a listed product shows, and what is known of its price.

    Attributes:
        is_known: Whether it has a snapshot; ``newest_...`` is that one.
        last_amount: Of the newest snapshot that has an amount.
        held_amount: What an earlier refresh saw and did not believe.
        is_second_look: Whether another refresh than that one has looked at the page since.
        is_new_day: Whether the page was looked at on a later day (UTC) than the newest snapshot's.
    """

    product_id: int
    name: str | None
    page_url: str
    price_kind: str | None
    price_amount: Decimal | None
    price_currency: str | None
    price_text: str | None
    regular_price_amount: Decimal | None
    availability: str | None
    is_known: bool
    newest_kind: str | None
    newest_amount: Decimal | None
    newest_currency: str | None
    newest_availability: str | None
    last_amount: Decimal | None
    last_currency: str | None
    held_amount: Decimal | None
    held_currency: str | None
    is_second_look: bool
    is_new_day: bool


@dataclass(frozen=True, kw_only=True)
class NewSnapshot:
    """A point of a product's history; ``is_change`` tells changes from daily points."""

    product_id: int
    is_change: bool
    page_url: str
    price_kind: str | None
    price_amount: Decimal | None
    price_currency: str | None
    price_text: str | None
    regular_price_amount: Decimal | None
    availability: str | None


@dataclass(frozen=True, kw_only=True)
class HeldPrice:
    """A price that moved too far to be believed at once."""

    product_id: int
    price_amount: Decimal
    price_currency: str | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A point of a product's history, as stored."""

    observed_at: datetime
    is_change: bool
    price_kind: str | None
    price_amount: Decimal | None
    price_currency: str | None
    price_text: str | None
    regular_price_amount: Decimal | None
    availability: str | None
    page_url: str
    job_id: int


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """What one refresh changed of a product's price or availability."""

    product_id: int
    name: str | None
    before_amount: Decimal | None
    before_currency: str | None
    before_availability: str | None
    price_amount: Decimal | None
    price_currency: str | None
    availability: str | None
    observed_at: datetime


def seen(conn: Connection, claim: Claim, *, after_id: int, limit: int) -> list[PriceInView]:
    """What pages show of listed products' prices now, by product id."""
    parameters = {**vars(claim), "after_id": after_id, "limit": limit}
    return fetch_all(conn, _SQL["seen"], parameters, PriceInView)


def append(conn: Connection, claim: Claim, snapshots: Sequence[NewSnapshot]) -> int:
    """Add to the history, once per job and product; returns how many were new."""
    columns = {
        "product_ids": [one.product_id for one in snapshots],
        "are_changes": [one.is_change for one in snapshots],
        "page_urls": [one.page_url for one in snapshots],
        "price_kinds": [one.price_kind for one in snapshots],
        "price_amounts": [one.price_amount for one in snapshots],
        "price_currencies": [one.price_currency for one in snapshots],
        "price_texts": [one.price_text for one in snapshots],
        "regular_price_amounts": [one.regular_price_amount for one in snapshots],
        "availabilities": [one.availability for one in snapshots],
    }
    return conn.execute(_SQL["append"], {**vars(claim), **columns}).rowcount


def hold(conn: Connection, claim: Claim, prices: Sequence[HeldPrice]) -> None:
    """Remember prices that are not believed yet."""
    columns = {
        "product_ids": [one.product_id for one in prices],
        "price_amounts": [one.price_amount for one in prices],
        "price_currencies": [one.price_currency for one in prices],
    }
    conn.execute(_SQL["hold"], {**vars(claim), **columns})


def release(conn: Connection, product_ids: Sequence[int]) -> None:
    """Forget the held prices of these products."""
    conn.execute(_SQL["release"], {"product_ids": list(product_ids)})


def count_held(conn: Connection, domain_id: int) -> int:
    """How many prices of a domain are not believed yet."""
    return _one(conn, _SQL["count_held"], domain_id)


def count(conn: Connection, domain_id: int) -> int:
    """How many snapshots a domain has."""
    return _one(conn, _SQL["count_of_domain"], domain_id)


def _one(conn: Connection, query: bytes, domain_id: int) -> int:
    row = conn.execute(query, {"domain_id": domain_id}).fetchone()
    assert row is not None
    return int(row[0])


def history(conn: Connection, product_id: int) -> list[Snapshot]:
    """A product's snapshots, oldest first, with those of the products merged into it."""
    return fetch_all(conn, _SQL["history"], {"product_id": product_id}, Snapshot)


def changes(conn: Connection, claim: Claim, *, limit: int) -> list[PriceChange]:
    """What this job has changed of prices that were known before."""
    return fetch_all(conn, _SQL["changes"], {**vars(claim), "limit": limit}, PriceChange)


def recent_prices(conn: Connection, claim: Claim, *, days: int, limit: int) -> list[PricePoint]:
    """The prices of those ``limit`` listed products that changed last, by product and time."""
    parameters = {**vars(claim), "days": days, "limit": limit}
    return fetch_all(conn, _SQL["recent_prices"], parameters, PricePoint)
