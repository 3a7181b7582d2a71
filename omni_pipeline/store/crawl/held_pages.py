"""Removals and shrinkages that were too many at once to be believed, and who confirmed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)

SHRUNK = "shrunk"


@dataclass(frozen=True, kw_only=True)
class HeldPage:
    """A page that the site no longer serves as it was, and whose old text is still answered from.

    Attributes:
        reason: ``missing``, ``moved``, ``soft_404``, ``noindex``, ``duplicate``, ``excluded`` or
            ``shrunk``.
        confirmed_at: When a person said that this is right; the next refresh then believes it.
    """

    url: str
    reason: str
    held_at: datetime
    confirmed_at: datetime | None


def hold(conn: Connection, claim: Claim, reason_by_url: Mapping[str, str]) -> None:
    """Hold these pages; those of the same kind (lost, shrunk) that were held before are released.

    Args:
        conn: A connection inside a fenced transaction.
        claim: The claim.
        reason_by_url: All of one kind: either lost pages, or shrunk ones.
    """
    parameters = {
        "domain_id": claim.domain_id,
        "urls": list(reason_by_url),
        "reasons": list(reason_by_url.values()),
    }
    conn.execute(_SQL["hold"], parameters)
    release_others(conn, claim, reason_by_url, is_shrinkage=SHRUNK in reason_by_url.values())


def release_others(
    conn: Connection, claim: Claim, still_held: Mapping[str, str], *, is_shrinkage: bool
) -> None:
    """Forget the held pages of one kind but these."""
    parameters = {
        "domain_id": claim.domain_id,
        "job_id": claim.job_id,
        "urls": list(still_held),
        "is_shrinkage": is_shrinkage,
    }
    conn.execute(_SQL["release_others"], parameters)


def confirmed_among(conn: Connection, claim: Claim, urls: list[str]) -> set[str]:
    """Which of these pages a person confirmed."""
    parameters = {"domain_id": claim.domain_id, "urls": urls}
    return {url for (url,) in conn.execute(_SQL["confirmed"], parameters)}


def list_held(conn: Connection, domain_id: int, *, limit: int = 1000) -> list[HeldPage]:
    """What is held of a domain, by reason and URL."""
    return fetch_all(conn, _SQL["of_domain"], {"domain_id": domain_id, "limit": limit}, HeldPage)


def count_unconfirmed(conn: Connection, domain_id: int) -> dict[str, int]:
    """How many held pages wait for a person, by reason."""
    return dict(conn.execute(_SQL["count_unconfirmed"], {"domain_id": domain_id}).fetchall())


def confirm(conn: Connection, domain_id: int) -> int:
    """Confirm everything that is held of a domain; returns how many pages that were."""
    return conn.execute(_SQL["confirm"], {"domain_id": domain_id}).rowcount
