"""Where links led and no page was: asked again where no page tells whether it still links there."""

from collections.abc import Mapping, Sequence

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)

# So many are asked again in one crawl, those first that were left alone longest.
MAX_DUE = 1_000
MAX_DAYS = 90


def record(conn: Connection, claim: Claim, depth_by_url: Mapping[str, int]) -> None:
    """Note that links lead there, and that there is no page now."""
    if depth_by_url:
        parameters = {
            "domain_id": claim.domain_id,
            "urls": list(depth_by_url),
            "depths": list(depth_by_url.values()),
        }
        conn.execute(_SQL["record"], parameters)


def record_gone(conn: Connection, claim: Claim, urls: Sequence[str]) -> None:
    """Note that these pages have left."""
    if urls:
        parameters = {"domain_id": claim.domain_id, "urls": list(urls)}
        conn.execute(_SQL["record_gone"], parameters)


def due(conn: Connection, claim: Claim) -> dict[str, int]:
    """Those whose time has come, with their depth: after a day, two, four, and so on."""
    parameters = {"domain_id": claim.domain_id, "limit": MAX_DUE}
    return dict(conn.execute(_SQL["due"], parameters).fetchall())


def forget(conn: Connection, claim: Claim) -> None:
    """Remove what is a page again, and what was dead for 90 days."""
    conn.execute(_SQL["forget"], {"domain_id": claim.domain_id, "days": MAX_DAYS})
