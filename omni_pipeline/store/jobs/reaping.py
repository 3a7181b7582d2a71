"""Jobs that are lost: found by their silence, or by what is known of their process, and ended.

How a job is claimed, and how it ends by itself, is in ``crawl_jobs``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class LostJob:
    """A job and its Dagster run; of one that the reaper ended, the run is to be failed too."""

    job_id: int
    host: str
    run_id: str | None


def reap(
    conn: Connection, *, lease_seconds: float, dead_job_ids: Sequence[int] = ()
) -> list[LostJob]:
    """End every running job whose lease has run out. Any number of reapers may run.

    None is waited for: a domain with a transaction in progress is left to the next look. A clock
    that was set back makes a lost job last for one lease more.

    Args:
        conn: An autocommit connection.
        lease_seconds: How long a job may be silent, by the database's clock.
        dead_job_ids: Jobs whose process is known to be dead; their lease is not waited for.
    """
    parameters = {"lease_seconds": lease_seconds, "dead_job_ids": list(dead_job_ids)}
    conn.execute(_SQL["count_anew"])
    return fetch_all(conn, _SQL["reap"], parameters, LostJob)


def reaped_lately(conn: Connection) -> list[LostJob]:
    """The jobs that reapers ended in the last day, whoever these were."""
    return fetch_all(conn, _SQL["reaped_lately"], {}, LostJob)


def is_any_lost(
    conn: Connection, *, lease_seconds: float, dead_job_ids: Sequence[int] = ()
) -> bool:
    """Whether ``reap`` would end a job now, or was kept from it by a lock."""
    parameters = {"lease_seconds": lease_seconds, "dead_job_ids": list(dead_job_ids)}
    return bool(conn.execute(_SQL["is_any_lost"], parameters).rowcount)


def workers(conn: Connection) -> dict[int, str]:
    """The worker of every running job, by job id."""
    return dict(conn.execute(_SQL["running"]).fetchall())


def runs(conn: Connection) -> list[LostJob]:
    """The running jobs that are part of a Dagster run."""
    return fetch_all(conn, _SQL["runs"], {}, LostJob)
