"""At most one job of a domain is the refresh of a scheduled time, however often one was tried."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from omni_pipeline.errors import DomainBusyError
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, TickDoneError
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import HOST, REQUEST, claim_domain, count, register

TICK = datetime(2026, 11, 20, 2, tzinfo=UTC)
SCHEDULED = replace(REQUEST, scheduled_for=TICK)

Try = Callable[[tuple[str, str] | None], Claim]


@pytest.fixture
def try_tick(conn: Connection) -> Try:
    register(conn)

    def run(error: tuple[str, str] | None) -> Claim:
        claim = claim_domain(conn, request=SCHEDULED)
        assert crawl_jobs.finish(conn, claim, error=error, is_whole=True)
        return claim

    return run


def holders(conn: Connection) -> list[tuple[int, str]]:
    rows = conn.execute("SELECT id, status FROM crawl_jobs WHERE scheduled_for = %s", [TICK])
    return rows.fetchall()


def test_a_done_time_is_not_done_again_and_the_fence_stays(conn: Connection, try_tick: Try) -> None:
    """F-G3, I27: the message names the job that did it."""
    done = try_tick(None)
    fence = count(conn, "SELECT fence FROM domains")
    with pytest.raises(
        TickDoneError, match=rf"run-1 \(job {done.job_id}, done at .*nothing is left"
    ):
        try_tick(None)
    assert count(conn, "SELECT fence FROM domains") == fence
    assert holders(conn) == [(done.job_id, "completed")]


def test_a_failed_attempt_leaves_its_time_to_the_next_one(conn: Connection, try_tick: Try) -> None:
    """F-G7"""
    first = try_tick(("transient.timeout", "It took too long."))
    assert holders(conn) == [(first.job_id, "failed")]
    second = try_tick(None)
    assert holders(conn) == [(second.job_id, "completed")]


def test_an_attempt_that_finds_the_domain_busy_takes_nothing_from_anybody(
    conn: Connection, try_tick: Try
) -> None:
    failed = try_tick(("transient.timeout", "It took too long."))
    claim_domain(conn)
    with pytest.raises(DomainBusyError):
        try_tick(None)
    assert holders(conn) == [(failed.job_id, "failed")]


def test_of_two_attempts_at_the_same_moment_one_works(shared: Database, conn: Connection) -> None:
    """F-G3: two daemons; the other is told of the holder, or that all is done."""
    register(conn)

    def attempt(_: int) -> str:
        with shared.connect() as own:
            try:
                claim = claim_domain(own, request=SCHEDULED)
            except (DomainBusyError, TickDoneError) as error:
                return error.kind
            crawl_jobs.finish(own, claim, error=None, is_whole=True)
            return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "transient.domain_busy", "permanent.tick_done"}
    assert len(holders(conn)) == 1


@pytest.mark.parametrize(
    ("status", "kind", "is_unfinished"),
    [
        (None, None, True),
        ("failed", "transient.timeout", True),
        ("failed", "permanent.mass_gone", False),
        ("completed", None, False),
        ("running", None, False),
    ],
)
def test_unfinished_is_what_was_not_tried_or_failed_for_a_passing_reason(
    conn: Connection, status: str | None, kind: str | None, *, is_unfinished: bool
) -> None:
    register(conn)
    conn.execute("UPDATE domains SET created_at = %s", [TICK - timedelta(days=1)])
    if status is not None:
        claim = claim_domain(conn, request=SCHEDULED)
        if status != "running":
            error = None if kind is None else (kind, "It failed.")
            crawl_jobs.finish(conn, claim, error=error, is_whole=True)
    assert crawl_jobs.unfinished_ticks(conn, TICK) == ([HOST] if is_unfinished else [])
    assert crawl_jobs.unfinished_ticks(conn, TICK + timedelta(days=1)) == [HOST]


def test_paused_domains_and_those_registered_later_are_not_due(conn: Connection) -> None:
    for host in ("a.test", "paused.test", "late.test"):
        register(conn, host)
    conn.execute("UPDATE domains SET created_at = %s", [TICK - timedelta(days=1)])
    conn.execute(
        "UPDATE domains SET created_at = %s WHERE host = 'late.test'", [TICK + timedelta(seconds=1)]
    )
    domains.set_status(conn, "paused.test", "paused")
    assert crawl_jobs.unfinished_ticks(conn, TICK) == ["a.test"]
