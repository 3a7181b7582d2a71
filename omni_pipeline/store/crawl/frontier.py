"""The URLs of a crawl in progress. They survive a kill: the next run goes on from there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A URL to fetch, whether a live page is held for it, and that page's validators."""

    id: int
    url: str
    depth: int
    source: str
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


@dataclass(frozen=True, kw_only=True)
class Added:
    """How many URLs found a place, and whether the page limit left some out."""

    added: int
    is_truncated: bool


def open_crawl(
    conn: Connection,
    claim: Claim,
    *,
    is_forced: bool,
    recency_seconds: float,
    page_limit: int | None = None,
    start_url: str = "",
    only: Sequence[str] | None = None,
) -> bool:
    """Prepare the frontier: what a killed crawl left, plus every live page.

    Args:
        conn: A connection inside a fenced transaction.
        claim: The claim.
        is_forced: Fetch every page, however recently it was checked.
        recency_seconds: Pages checked within this time are skipped unless forced.
        page_limit: Most URLs of the crawl.
        start_url: Is among them in any case.
        only: The live pages that the crawl is about; None for all, with what was postponed.

    Returns:
        Whether the limit left live pages out.
    """
    parameters = {
        **vars(claim),
        "is_forced": is_forced,
        "recency_seconds": recency_seconds,
        "page_limit": page_limit,
        "start_url": start_url,
        "only": None if only is None else list(only),
    }
    conn.execute(_SQL["forget_stale"], parameters)
    conn.execute(_SQL["forget_failed"], parameters)
    conn.execute(_SQL["requeue_missing"], parameters)
    if is_forced:
        conn.execute(_SQL["requeue_unforced"], parameters)
    if only is None:
        conn.execute(_SQL["resume_postponed"], parameters)
    row = conn.execute(_SQL["seed_known"], parameters).fetchone()
    assert row is not None
    if not is_forced:
        conn.execute(_SQL["skip_recent"], parameters)
    return bool(row[0])


def urls(conn: Connection, claim: Claim) -> list[str]:
    """What an earlier crawl left."""
    return [url for (url,) in conn.execute(_SQL["urls"], {"domain_id": claim.domain_id})]


def live_of_type(conn: Connection, claim: Claim, job_type: str | None) -> list[str]:
    """The live pages that a job of this type is about: all, where it has none."""
    parameters = {"domain_id": claim.domain_id, "job_type": job_type}
    return [url for (url,) in conn.execute(_SQL["live_of_type"], parameters)]


def postpone(conn: Connection, claim: Claim, urls: Sequence[str]) -> None:
    """Take these out of the frontier; those that only a crawl knew of are kept for later."""
    conn.execute(_SQL["postpone"], {"domain_id": claim.domain_id, "urls": list(urls)})


def add_urls(
    conn: Connection,
    claim: Claim,
    depth_by_url: Mapping[str, int],
    *,
    source: str,
    is_forced: bool,
    page_limit: int | None,
) -> Added:
    """Queue URLs that this crawl has not met."""
    if not depth_by_url:
        return Added(added=0, is_truncated=False)
    parameters = {
        "domain_id": claim.domain_id,
        "urls": list(depth_by_url),
        "depths": list(depth_by_url.values()),
        "source": source,
        "is_forced": is_forced,
        "page_limit": page_limit,
    }
    added = fetch_one(conn, _SQL["add"], parameters, Added)
    assert added is not None
    return added


def unknown_among(conn: Connection, claim: Claim, urls: Sequence[str]) -> list[str]:
    """Those of ``urls`` that this crawl has not met, in their order."""
    parameters = {"domain_id": claim.domain_id, "urls": list(urls)}
    return [url for (url,) in conn.execute(_SQL["unknown_among"], parameters)]


def known_among(conn: Connection, claim: Claim, urls: Sequence[str]) -> set[str]:
    """Those of ``urls`` that were live when the crawl began."""
    parameters = {"domain_id": claim.domain_id, "urls": list(urls)}
    return {url for (url,) in conn.execute(_SQL["known_among"], parameters)}


def found_by_links(conn: Connection, claim: Claim) -> Iterator[str]:
    """The URLs of this crawl that only links led to."""
    rows = conn.execute(_SQL["found_by_links"], {"domain_id": claim.domain_id})
    return (url for (url,) in rows)


def requeue_newer(conn: Connection, claim: Claim, changed_at_by_url: Mapping[str, datetime]) -> int:
    """Take back the skipping of recent pages that changed since we looked; returns how many.

    Times in the future are not believed.
    """
    if not changed_at_by_url:
        return 0
    parameters = {
        "domain_id": claim.domain_id,
        "urls": list(changed_at_by_url),
        "changed_ats": list(changed_at_by_url.values()),
    }
    return conn.execute(_SQL["requeue_newer"], parameters).rowcount


def next_batch(conn: Connection, claim: Claim, *, after_id: int, limit: int) -> list[Due]:
    """The queued URLs with an id above ``after_id``, oldest first."""
    parameters = {"domain_id": claim.domain_id, "after_id": after_id, "limit": limit}
    return fetch_all(conn, _SQL["next_batch"], parameters, Due)


def asked_again(conn: Connection, claim: Claim, urls: Sequence[str]) -> list[Due]:
    """These URLs, settled before, as they are asked for once more: without validators."""
    parameters = {"domain_id": claim.domain_id, "urls": list(urls)}
    return fetch_all(conn, _SQL["again"], parameters, Due)


def settle(conn: Connection, claim: Claim, outcome_by_url: Mapping[str, str | None]) -> None:
    """Write down how each URL ended; with None it is queued again."""
    parameters = {
        "domain_id": claim.domain_id,
        "urls": list(outcome_by_url),
        "outcomes": list(outcome_by_url.values()),
    }
    conn.execute(_SQL["settle"], parameters)


def urls_with_outcome(conn: Connection, claim: Claim, outcome: str) -> list[str]:
    """The URLs that ended that way, in the order they were found."""
    parameters = {"domain_id": claim.domain_id, "outcome": outcome}
    return [url for (url,) in conn.execute(_SQL["with_outcome"], parameters)]


def count(conn: Connection, claim: Claim) -> Totals:
    """How far the crawl is."""
    totals = fetch_one(conn, _SQL["totals"], vars(claim), Totals)
    assert totals is not None
    return totals


def close_crawl(conn: Connection, claim: Claim, *, is_truncated: bool) -> None:
    """Move the totals to the job and empty the frontier, in one statement."""
    conn.execute(_SQL["close"], {**vars(claim), "is_truncated": is_truncated})
