"""The URLs of a crawl in progress. They survive a kill: the next run goes on from there."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_all, fetch_one

_SQL = load_queries("crawl_frontier")


@dataclass(frozen=True, kw_only=True)
class Due:
    """A URL to fetch, whether a live page is held for it, and that page's validators."""

    id: int
    url: str
    depth: int
    is_held: bool
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """How the URLs of a crawl ended; discovered is their sum plus those still queued."""

    discovered: int
    queued: int
    changed: int
    unchanged: int
    gone: int
    failed: int
    skipped: int


def open_crawl(
    conn: Connection, holding: Claim, *, is_forced: bool, recency_seconds: float
) -> None:
    """Prepare the frontier: what a killed crawl left, plus every live page.

    Args:
        conn: A connection inside a fenced transaction.
        holding: The claim.
        is_forced: Fetch every page, however recently it was checked.
        recency_seconds: Pages checked within this time are skipped unless forced.
    """
    parameters = {**vars(holding), "is_forced": is_forced, "recency_seconds": recency_seconds}
    conn.execute(_SQL["forget_stale"], parameters)
    conn.execute(_SQL["forget_failed"], parameters)
    if is_forced:
        conn.execute(_SQL["requeue_unforced"], parameters)
    conn.execute(_SQL["seed_known"], parameters)
    if not is_forced:
        conn.execute(_SQL["skip_recent"], parameters)


def add_urls(
    conn: Connection,
    holding: Claim,
    depth_by_url: Mapping[str, int],
    *,
    source: str,
    is_forced: bool,
    page_limit: int | None,
) -> bool:
    """Queue URLs that this crawl has not met; returns whether the page limit left some out."""
    if not depth_by_url:
        return False
    parameters = {
        "domain_id": holding.domain_id,
        "urls": list(depth_by_url),
        "depths": list(depth_by_url.values()),
        "source": source,
        "is_forced": is_forced,
        "page_limit": page_limit,
    }
    row = conn.execute(_SQL["add"], parameters).fetchone()
    assert row is not None
    return bool(row[1])


def next_batch(conn: Connection, holding: Claim, *, after_id: int, most: int) -> list[Due]:
    """The queued URLs with an id above ``after_id``, oldest first."""
    parameters = {"domain_id": holding.domain_id, "after_id": after_id, "most": most}
    return fetch_all(conn, _SQL["next_batch"], parameters, Due)


def settle(conn: Connection, holding: Claim, outcome_by_url: Mapping[str, str]) -> None:
    """Write down how each URL ended."""
    parameters = {
        "domain_id": holding.domain_id,
        "urls": list(outcome_by_url),
        "outcomes": list(outcome_by_url.values()),
    }
    conn.execute(_SQL["settle"], parameters)


def urls_with_outcome(conn: Connection, holding: Claim, outcome: str) -> list[str]:
    """The URLs that ended that way, in the order they were found."""
    parameters = {"domain_id": holding.domain_id, "outcome": outcome}
    return [url for (url,) in conn.execute(_SQL["with_outcome"], parameters)]


def count(conn: Connection, holding: Claim) -> Totals:
    """How far the crawl is."""
    totals = fetch_one(conn, _SQL["totals"], vars(holding), Totals)
    assert totals is not None
    return totals


def close_crawl(conn: Connection, holding: Claim, *, is_truncated: bool) -> None:
    """Move the totals to the job and empty the frontier, in one statement."""
    conn.execute(_SQL["close"], {**vars(holding), "is_truncated": is_truncated})
