"""Which active domains were last refreshed too long ago, from the domains' own rows (R-C2)."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import StaleDomain


@dataclass(frozen=True, kw_only=True)
class FreshnessReport:
    """How many domains are active, and those of them that are stale, the oldest first."""

    limit_hours: float
    active: int
    stale: tuple[StaleDomain, ...]


def check_freshness(conn: Connection, limit_hours: float) -> FreshnessReport:
    """Find the active domains whose last success is older than ``limit_hours``.

    A domain that never succeeded is as old as its registration.
    """
    return FreshnessReport(
        limit_hours=limit_hours,
        active=len(domains.list_hosts(conn, only_active=True)),
        stale=tuple(domains.list_stale(conn, limit_hours=limit_hours)),
    )
