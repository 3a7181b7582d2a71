"""The ledger of failures: which page, at which stage, why, and when it is tried again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_all

_SQL = load_queries("failed_pages")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A page that failed; ``kind`` beginning with ``permanent.`` is not tried again by itself."""

    url: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OpenFailure:
    """A failure that no later success has resolved."""

    url: str
    stage: str
    error_kind: str
    error: str
    attempts: int
    last_failed_at: datetime
    next_try_at: datetime | None


def record(conn: Connection, holding: Claim, stage: str, failures: Sequence[Failure]) -> None:
    """Open a failure per page, or count an open one up."""
    if not failures:
        return
    parameters = {
        **vars(holding),
        "stage": stage,
        "urls": [failure.url for failure in failures],
        "error_kinds": [failure.kind for failure in failures],
        "errors": [failure.reason for failure in failures],
    }
    conn.execute(_SQL["record"], parameters)


def resolve(conn: Connection, holding: Claim, urls: Iterable[str], *stages: str) -> None:
    """Close the open failures of these pages at these stages."""
    parameters = {"domain_id": holding.domain_id, "urls": list(urls), "stages": list(stages)}
    conn.execute(_SQL["resolve"], parameters)


def list_open(conn: Connection, domain_id: int, *, most: int = 100) -> list[OpenFailure]:
    """The newest open failures of a domain."""
    return fetch_all(
        conn, _SQL["open_of_domain"], {"domain_id": domain_id, "most": most}, OpenFailure
    )


def due_for_retry(conn: Connection, holding: Claim, *, is_forced: bool) -> list[str]:
    """URLs whose fetch failed and whose next try is due; all of them when forced."""
    parameters = {"domain_id": holding.domain_id, "is_forced": is_forced}
    return [url for (url,) in conn.execute(_SQL["due_for_retry"], parameters)]
