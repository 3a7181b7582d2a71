"""The ledger of refreshes, which is also the lease on a domain and the fence of every write.

Protocol: a run **claims** its domain (a new fence, a running job), **beats** while it works, holds
its **fence** in every transaction that writes, and **finishes**. A **reaper** ends jobs that
stopped beating, on the database's clock alone, and raises the fence so that a worker which wakes up
later writes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection
from omni_pipeline.errors import (
    DomainBusyError,
    LeaseLostError,
    PermanentError,
    UnknownDomainError,
)
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A run's right to write to one domain; every write proves it with the fence and the nonce.

    The fence orders claims. The nonce is drawn at random: a database that was restored, or that
    took over without the newest transactions, hands out job ids and fences a second time.
    """

    job_id: int
    domain_id: int
    organization_id: int
    host: str
    fence: int
    nonce: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a refresh was asked to do, as its job row remembers it.

    ``job_type`` is ``full`` for a refresh, ``model_build`` for the build of a model's index;
    ``part`` is what of the site it is about; ``scheduled_for`` the time of the schedule that asked
    for it, None where a person did.
    """

    run_id: str | None
    worker: str
    job_type: str = "full"
    part: CrawlSelection = WHOLE_SITE
    force_rescrape: bool = False
    force_reembed: bool = False
    page_limit: int | None = None
    scheduled_for: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CurrentJob:
    """The running job of a domain."""

    job_id: int
    run_id: str | None
    worker: str | None
    started_at: datetime
    stage: str | None
    beat_age_seconds: float


@dataclass(frozen=True, kw_only=True)
class Job:
    """A line of the ledger.

    Attributes:
        ended_by: ``worker``, ``reaper`` or ``removal``; None while it runs.
        seconds: How long it took, or takes so far.
        beat_age_seconds: Since its last sign of life; None once it has ended.
    """

    job_id: int
    host: str
    job_type: str
    status: str
    ended_by: str | None
    stage: str | None
    run_id: str | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    beat_age_seconds: float | None
    pages_discovered: int
    pages_changed: int
    pages_gone: int
    pages_failed: int
    pages_published: int
    chunks_embedded: int
    chunks_reused: int
    tokens_embedded: int
    tokens_reused: int
    error_kind: str | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What one batch adds to a job's counters."""

    pages_cleaned: int = 0
    pages_published: int = 0
    chunks_staged: int = 0
    chunks_embedded: int = 0
    chunks_reused: int = 0
    tokens_embedded: int = 0
    tokens_reused: int = 0


class TickDoneError(PermanentError):
    """What was scheduled for this time has been done by another run."""

    kind = "permanent.tick_done"


def claim(conn: Connection, domain_id: int, host: str, request: Request) -> Claim:
    """Take the domain for one run.

    Raises:
        DomainBusyError: Another run holds it; the message names that run.
        TickDoneError: Another run has completed what was scheduled for ``request.scheduled_for``.
        UnknownDomainError: The domain was removed meanwhile.
    """
    with conn.transaction():
        if not conn.execute(_SQL["lock_domain"], {"domain_id": domain_id}).rowcount:
            raise UnknownDomainError(f"The domain {host!r} was removed before it could be claimed.")
        patterns = list(request.part.patterns)
        parameters = {"domain_id": domain_id, "only_patterns": patterns, **vars(request)}
        if request.scheduled_for is not None:
            _take_tick(conn, host, parameters)
        claimed = fetch_one(conn, _SQL["claim"], parameters, Claim)
        if claimed is None:
            raise DomainBusyError(_busy(host, find_current_job(conn, domain_id)))
        return claimed


def _take_tick(conn: Connection, host: str, parameters: dict[str, Any]) -> None:
    done = conn.execute(_SQL["completed_tick"], parameters).fetchone()
    if done is not None:
        job_id, run_id, finished_at = done
        raise TickDoneError(
            f"{host} was already refreshed for {parameters['scheduled_for']:%Y-%m-%d %H:%M %Z} by "
            f"run {run_id} (job {job_id}, done at {finished_at:%H:%M:%S}): nothing is left to do."
        )
    conn.execute(_SQL["pass_tick_on"], parameters)


def _busy(host: str, current_job: CurrentJob | None) -> str:
    if current_job is None:
        return f"{host} was being refreshed by a run that has just ended: try again."
    return (
        f"{host} is already being refreshed by run {current_job.run_id or '(none)'} "
        f"(job {current_job.job_id}, {current_job.worker}, "
        f"stage {current_job.stage or 'starting'}) since "
        f"{current_job.started_at:%Y-%m-%d %H:%M:%S %Z}; its last beat was "
        f"{current_job.beat_age_seconds:.0f} s ago. Wait for it to end, or terminate that run."
    )


def find_current_job(conn: Connection, domain_id: int) -> CurrentJob | None:
    """The domain's running job, if any."""
    return fetch_one(conn, _SQL["holder"], {"domain_id": domain_id}, CurrentJob)


@contextmanager
def fenced(conn: Connection, claim: Claim) -> Iterator[str]:
    """One transaction that may write to the claimed domain; yields its id (``pg_xact_status``).

    The domain's row stays share-locked until the transaction ends, so no claim, reaper or removal
    can take the domain away between this check and the commit.

    Raises:
        LeaseLostError: The domain has another fence by now, or is gone; nothing is written.
    """
    with conn.transaction():
        held = conn.execute(_SQL["hold_fence"], vars(claim)).fetchone()
        if held is None:
            if not conn.execute(_SQL["remembers"], vars(claim)).rowcount:
                raise older_database(claim)
            raise LeaseLostError(
                f"This run (job {claim.job_id}) no longer holds {claim.host}: its job was "
                "ended, its lease ran out or the domain was removed. It stops here and has written "
                "nothing since."
            )
        yield held[0]


def older_database(claim: Claim) -> LeaseLostError:
    """The database has lost transactions of this run's: the claim itself, or what it wrote."""
    return LeaseLostError(
        f"This run (job {claim.job_id}) of {claim.host} meets a database that is older than "
        "what it wrote: it was restored, or another server took over without its newest "
        f"transactions. It stops here; start another: omni refresh {claim.host}."
    )


def beat(conn: Connection, claim: Claim) -> bool:
    """Renew the lease; False means that somebody else has ended the job."""
    return bool(conn.execute(_SQL["beat"], vars(claim)).rowcount)


def enter_stage(conn: Connection, claim: Claim, stage: str) -> None:
    """Note which asset the job works on."""
    conn.execute(_SQL["enter_stage"], {**vars(claim), "stage": stage})


def add_to_counters(conn: Connection, claim: Claim, counters: Counters) -> None:
    """Add a batch's numbers, in the transaction that wrote the batch."""
    conn.execute(_SQL["add_to_counters"], {"job_id": claim.job_id, **vars(counters)})


def note_drift(conn: Connection, claim: Claim, drift: str) -> None:
    """Note that the vectors which the job bought are not like those stored before."""
    conn.execute(_SQL["note_drift"], {"job_id": claim.job_id, "drift": drift})


def newest_drift(conn: Connection, domain_id: int) -> str | None:
    """What was noted of the vectors that the domain's newest job bought."""
    row = conn.execute(_SQL["newest_drift"], {"domain_id": domain_id}).fetchone()
    return row[0] if row else None


def finish(
    conn: Connection, claim: Claim, *, error: tuple[str, str] | None, is_whole: bool
) -> bool:
    """Close the job as its own worker: completed, or failed with ``error`` = (kind, message).

    Args:
        conn: An autocommit connection.
        claim: The claim to close.
        error: None when the run did what it was asked to.
        is_whole: Whether all stages ran, so that the domain counts as refreshed.

    Returns:
        False when the job had been ended by a reaper or a removal; their word stands. So does the
        worker's own first word.
    """
    kind, message = error or (None, None)
    outcome = {
        "status": "failed" if error else "completed",
        "error_kind": kind,
        "error": message,
        "is_whole": is_whole,
    }
    return bool(conn.execute(_SQL["finish"], {**vars(claim), **outcome}).rowcount)


def unfinished_ticks(conn: Connection, scheduled_for: datetime) -> list[str]:
    """The active domains that still wait for their refresh of ``scheduled_for``, in order."""
    rows = conn.execute(_SQL["unfinished_ticks"], {"scheduled_for": scheduled_for})
    return [host for (host,) in rows]


def newest_crawl(conn: Connection, domain_id: int) -> tuple[int, int]:
    """How many pages the domain's newest job asked for, and how many of them failed."""
    row = conn.execute(_SQL["newest_crawl"], {"domain_id": domain_id}).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def list_jobs(
    conn: Connection, *, host: str | None = None, status: str | None = None, limit: int = 20
) -> list[Job]:
    """The newest jobs, of a host or of all of them."""
    return fetch_all(conn, _SQL["list"], {"host": host, "status": status, "limit": limit}, Job)


def read_job(conn: Connection, job_id: int) -> dict[str, Any] | None:
    """Everything that the ledger has of one job, by column."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["read"], {"job_id": job_id}).fetchone()
