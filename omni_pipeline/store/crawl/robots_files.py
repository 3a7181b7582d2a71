"""The last robots.txt that each origin of a domain gave, for when it cannot be asked."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class RobotsCopy:
    """A robots.txt as it was; empty content means that the site had none."""

    content: str
    age_seconds: float


def keep(conn: Connection, claim: Claim, origin: str, content: str) -> None:
    """Remember what the origin (``https://host``) says now."""
    parameters = {"domain_id": claim.domain_id, "origin": origin, "content": content}
    conn.execute(_SQL["keep"], parameters)


def find(conn: Connection, claim: Claim, origin: str) -> RobotsCopy | None:
    """The copy of that origin, or None."""
    parameters = {"domain_id": claim.domain_id, "origin": origin}
    return fetch_one(conn, _SQL["find"], parameters, RobotsCopy)
