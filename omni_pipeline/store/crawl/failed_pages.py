"""The ledger of failures: which page, at which stage, why, and when it is tried again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A page that failed; ``kind`` beginning with ``permanent.`` is not tried again by itself."""

    url: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OpenFailure:
    """A failure that no later success has resolved.

    Attributes:
        stage: ``fetch``, ``clean``, ``chunk``, ``embed`` or ``extract``.
        next_try_at: When its fetch is due again; None waits for a person. Pages that failed at a
            later stage are taken up by every refresh, whatever this says.
    """

    host: str
    url: str
    stage: str
    error_kind: str
    error: str
    attempts: int
    last_failed_at: datetime
    next_try_at: datetime | None


def record(conn: Connection, claim: Claim, stage: str, failures: Sequence[Failure]) -> None:
    """Open a failure per page, or count an open one up."""
    if not failures:
        return
    parameters = {
        **vars(claim),
        "stage": stage,
        "urls": [failure.url for failure in failures],
        "error_kinds": [failure.kind for failure in failures],
        "errors": [failure.reason for failure in failures],
    }
    conn.execute(_SQL["record"], parameters)


def resolve(conn: Connection, claim: Claim, urls: Iterable[str], *stages: str) -> None:
    """Close the open failures of these pages at these stages."""
    parameters = {"domain_id": claim.domain_id, "urls": list(urls), "stages": list(stages)}
    conn.execute(_SQL["resolve"], parameters)


def resolve_readable_again(conn: Connection, claim: Claim) -> None:
    """Close the failures of pages whose body is again the one that their text was made from."""
    conn.execute(_SQL["resolve_readable_again"], {"domain_id": claim.domain_id})


def count_attempts(
    conn: Connection, claim: Claim, urls: Sequence[str], *, stage: str, kind: str
) -> dict[str, int]:
    """How often each of these pages has failed in this one way, by URL; open failures only."""
    parameters = {
        "domain_id": claim.domain_id,
        "urls": list(urls),
        "stage": stage,
        "kind": kind,
    }
    return dict(conn.execute(_SQL["count_attempts"], parameters).fetchall())


def list_open(
    conn: Connection,
    domain_id: int | None = None,
    *,
    stage: str | None = None,
    limit: int | None = 100,
) -> list[OpenFailure]:
    """The newest open failures of a domain, or of all of them.

    Args:
        conn: A connection.
        domain_id: None means every domain, one after the other.
        stage: Only this one's.
        limit: None means all.
    """
    parameters = {"domain_id": domain_id, "stage": stage, "limit": limit}
    return fetch_all(conn, _SQL["open"], parameters, OpenFailure)


def count_open(conn: Connection, domain_id: int | None = None) -> dict[str, int]:
    """How many open failures a domain, or all of them, have at each stage that has any."""
    return dict(conn.execute(_SQL["count_open"], {"domain_id": domain_id}).fetchall())


def make_due(conn: Connection, domain_id: int | None = None, *, stage: str | None = None) -> int:
    """Let the next refresh try the open failures again, permanent ones too; returns how many."""
    return conn.execute(_SQL["make_due"], {"domain_id": domain_id, "stage": stage}).rowcount


def due_for_retry(conn: Connection, claim: Claim, *, is_forced: bool) -> list[str]:
    """URLs whose fetch failed and whose next try is due; all of them when forced."""
    parameters = {"domain_id": claim.domain_id, "is_forced": is_forced}
    return [url for (url,) in conn.execute(_SQL["due_for_retry"], parameters)]
