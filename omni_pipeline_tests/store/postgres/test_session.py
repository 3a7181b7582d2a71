"""One connection that mends itself: passing faults are repeated, others are told at once."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
import stamina
from psycopg import Connection

from omni_pipeline.errors import DomainBusyError, LeaseLostError, PermanentError, TemporaryError
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.store.conftest import HOST, Run, claim_domain, count, new_body


@pytest.fixture
def session(shared: Database) -> Iterator[Session]:
    opened = Session(shared)
    yield opened
    opened.close()


@pytest.fixture
def three_tries() -> Iterator[None]:
    """At most three tries, and no waiting between them."""
    with stamina.set_testing(True, attempts=3):
        yield


def backend_pid(conn: Connection) -> int:
    return count(conn, "SELECT pg_backend_pid()")


class Failing:
    """Work that fails the first times it is tried, and counts its tries."""

    def __init__(self, error: Exception, times: int = 1) -> None:
        self.tries = 0
        self._error = error
        self._times = times

    def __call__(self, conn: Connection) -> int:
        self.tries += 1
        if self.tries <= self._times:
            raise self._error
        return count(conn, "SELECT 7")


def test_work_shares_one_connection(session: Session) -> None:
    assert session.run(backend_pid) == session.run(backend_pid)


def test_a_session_connects_only_when_there_is_work(empty_database: Database) -> None:
    url = empty_database.url.replace("test_", "missing_")
    Session(Database(url=url)).close()


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.SerializationFailure("conflict"),
        psycopg.errors.DeadlockDetected("deadlock"),
        psycopg.errors.LockNotAvailable("lock timeout"),
        psycopg.OperationalError("consuming input failed: server closed the connection"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("three_tries")
def test_work_is_repeated_after_a_fault_that_may_pass(session: Session, error: Exception) -> None:
    """R-A15"""
    work = Failing(error)
    assert session.run(work) == 7
    assert work.tries == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.CheckViolation("not whole"), "permanent.db_constraint"),
        (psycopg.errors.UndefinedTable("no chunks"), "permanent.schema"),
        (LeaseLostError("reaped"), "permanent.lease_lost"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"), "permanent.text_not_storable"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.usefixtures("three_tries")
def test_a_fault_that_stays_is_told_at_once(session: Session, error: Exception, kind: str) -> None:
    """R-A15: permanent failures are not retried, and no foreign error leaves the store."""
    work = Failing(error)
    with pytest.raises(PermanentError) as told:
        session.run(work)
    assert (work.tries, told.value.kind) == (1, kind)


@pytest.mark.usefixtures("three_tries")
def test_a_fault_that_outlasts_the_tries_is_told_with_its_cause(session: Session) -> None:
    cause = psycopg.errors.DeadlockDetected("deadlock")
    work = Failing(cause, times=99)
    with pytest.raises(TemporaryError, match="deadlock") as told:
        session.run(work)
    assert (work.tries, told.value.__cause__) == (3, cause)


@pytest.mark.usefixtures("three_tries")
def test_an_error_of_the_caller_is_its_own(session: Session) -> None:
    work = Failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        session.run(work)
    assert work.tries == 1
    assert session.run(work) == 7


@pytest.mark.usefixtures("three_tries")
def test_a_busy_domain_is_told_at_once(session: Session, run: Run) -> None:
    """R-A8, F-F1: the loser ends at once; only the queue waits for the holder."""
    tries = []

    def claim_again(conn: Connection) -> None:
        tries.append(1)
        claim_domain(conn)

    with pytest.raises(DomainBusyError):
        session.run(claim_again)
    assert len(tries) == 1


# Real faults


def test_a_transaction_cut_in_the_middle_is_repeated_as_a_whole(
    session: Session, run: Run, other_connection: Connection
) -> None:
    """F-B1: an administrator's restart ends the connection between two writes."""
    tries = 0

    def write_two_pages(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        with crawl_jobs.fenced(conn, run.claim):
            raw_pages.save(conn, run.claim, [new_body(f"https://{HOST}/p", "one")])
            if tries == 1:
                pid = conn.info.backend_pid
                other_connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            raw_pages.save(conn, run.claim, [new_body(f"https://{HOST}/q", "two")])

    session.run(write_two_pages)
    assert tries == 2
    assert count(run.conn, "SELECT count(*) FROM raw_pages") == 2


def test_a_crash_of_the_server_is_survived(session: Session, shared: Database) -> None:
    """F-B3: kill -9 of one backend makes the server reset them all, without an SQLSTATE."""
    pids = []

    def crash_once(conn: Connection) -> None:
        pids.append(backend_pid(conn))
        if len(pids) == 1:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            conn.execute("SELECT pg_sleep(25)")

    with shared.connect() as victim:
        session.run(crash_once)
    assert len(set(pids)) == 2


def test_a_lock_held_for_a_while_is_waited_for(
    session: Session, run: Run, shared: Database
) -> None:
    """F-B6: someone alters a table; the run goes on when they are done."""
    locker = shared.connect()
    locker.execute("BEGIN")
    locker.execute("LOCK TABLE raw_pages IN ACCESS EXCLUSIVE MODE")
    release = threading.Timer(0.5, locker.close)
    release.start()

    def save(conn: Connection) -> None:
        with crawl_jobs.fenced(conn, run.claim):
            conn.execute("SET LOCAL lock_timeout = '100ms'")
            raw_pages.save(conn, run.claim, [new_body(f"https://{HOST}/p", "one")])

    started = time.monotonic()
    session.run(save)
    release.join()
    assert 0.3 < time.monotonic() - started < 20
    assert count(run.conn, "SELECT count(*) FROM raw_pages") == 1
