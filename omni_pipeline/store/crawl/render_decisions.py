"""Which URLs need a browser, by pattern, as it was found out by comparing."""

from collections.abc import Mapping

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)

# So many patterns are remembered; a site with more of them decides the rest anew.
MAX_PATTERNS = 10_000


def record(conn: Connection, claim: Claim, needs_by_pattern: Mapping[str, bool]) -> None:
    """Write down what was found out just now."""
    if not needs_by_pattern:
        return
    parameters = {
        "domain_id": claim.domain_id,
        "patterns": list(needs_by_pattern),
        "decisions": list(needs_by_pattern.values()),
    }
    conn.execute(_SQL["record"], parameters)


def recent(conn: Connection, claim: Claim, *, seconds: float) -> dict[str, bool]:
    """Whether a browser is needed, by URL pattern, as decided within the last ``seconds``."""
    parameters = {"domain_id": claim.domain_id, "seconds": seconds, "limit": MAX_PATTERNS}
    return dict(conn.execute(_SQL["recent"], parameters).fetchall())
