"""Which body of each page was read for products, and what it says of the company."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class DueBody:
    """A body to be read for products."""

    page_id: int
    url: str
    html: str
    body_hash: bytes


@dataclass(frozen=True, kw_only=True)
class NewExtraction:
    """That a body was read, and what it says of the company; None is nothing."""

    page_id: int
    body_hash: bytes
    company: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class PageCompany:
    """What one page says of the company."""

    page_id: int
    company: dict[str, Any]


def due(
    conn: Connection, claim: Claim, *, extractor: str, after_id: int, limit: int
) -> list[DueBody]:
    """Live pages whose body this extractor has not read, by page id."""
    parameters = {
        "domain_id": claim.domain_id,
        "extractor": extractor,
        "after_id": after_id,
        "limit": limit,
    }
    return fetch_all(conn, _SQL["due"], parameters, DueBody)


def count_due(conn: Connection, claim: Claim, *, extractor: str) -> int:
    """How many live pages this extractor has not read."""
    parameters = {"domain_id": claim.domain_id, "extractor": extractor}
    row = conn.execute(_SQL["count_due"], parameters).fetchone()
    assert row is not None
    return int(row[0])


def save(
    conn: Connection, claim: Claim, extractions: Sequence[NewExtraction], *, extractor: str
) -> None:
    """Note which bodies were read."""
    columns = {
        "page_ids": [one.page_id for one in extractions],
        "body_hashes": [one.body_hash for one in extractions],
        "companies": [one.company and Jsonb(one.company) for one in extractions],
    }
    conn.execute(_SQL["save"], {**vars(claim), **columns, "extractor": extractor})


def companies(conn: Connection, claim: Claim, *, after_id: int, limit: int) -> list[PageCompany]:
    """What pages say of the company, by page id."""
    parameters = {"domain_id": claim.domain_id, "after_id": after_id, "limit": limit}
    return fetch_all(conn, _SQL["companies"], parameters, PageCompany)
