"""Jobs of dead processes are ended at once, also when their locks outlive them for a moment."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from psycopg import Connection

from omni_pipeline.steps.run.reaper import is_dead_here, reap_lost_jobs, this_worker
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.store.conftest import claim_domain, register

SAY_WHO = "from omni_pipeline.steps.run.reaper import this_worker; print(this_worker())"


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        register(connection)
        yield connection


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    session = Session(database)
    yield session
    session.close()


@pytest.fixture(scope="module")
def dead_worker() -> str:
    """A process of this machine that has ended."""
    said = subprocess.run(
        [sys.executable, "-c", SAY_WHO], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def test_the_job_of_a_process_that_died_is_ended_at_once(
    conn: Connection, session: Session, dead_worker: str
) -> None:
    """R-B2: its lease is not waited for; who lives is left alone."""
    register(conn, "b.test")
    lost = claim_domain(conn, request=Request(run_id="run-1", worker=dead_worker))
    claim_domain(conn, "b.test", Request(run_id="run-2", worker=this_worker()))
    assert is_dead_here(dead_worker)
    ended = reap_lost_jobs(session, lease_seconds=90)
    assert [(job.job_id, job.run_id) for job in ended] == [(lost.job_id, "run-1")]


def test_a_lock_that_outlives_its_dead_process_for_a_moment_is_waited_for(
    conn: Connection, session: Session, dead_worker: str
) -> None:
    """The server takes a moment to notice that a client was killed in its transaction."""
    lost = claim_domain(conn, request=Request(run_id=None, worker=dead_worker))
    with conn.transaction():
        conn.execute("SELECT FROM domains FOR SHARE")
        ended: list[int] = []
        reaper = threading.Thread(
            target=lambda: ended.extend(
                job.job_id for job in reap_lost_jobs(session, lease_seconds=90)
            )
        )
        reaper.start()
        reaper.join(0.5)
        assert reaper.is_alive()
    reaper.join(10)
    assert ended == [lost.job_id]


def test_a_lock_that_stays_is_left_to_the_next_look(
    conn: Connection, session: Session, dead_worker: str
) -> None:
    """R-B2: the reaper has other domains to look after."""
    claim_domain(conn, request=Request(run_id=None, worker=dead_worker))
    with conn.transaction():
        conn.execute("SELECT FROM domains FOR SHARE")
        assert reap_lost_jobs(session, lease_seconds=90) == []


# Machines of one name


def test_a_worker_of_another_machine_with_the_same_name_is_not_taken_for_dead() -> None:
    """Every Linux numbers its first process namespace alike: two called `vm` differ by boot."""
    host, _, started, boot, namespace = this_worker().split(":")
    assert boot
    assert is_dead_here(f"{host}:{2**22 + 1}:{started}:{boot}:{namespace}")
    assert not is_dead_here(f"{host}:{2**22 + 1}:{started}:another-boot:{namespace}")
    assert not is_dead_here(f"{host}:{2**22 + 1}:{started}:{namespace}"), "an older release's name"


# Clocks that step


def test_a_job_from_before_the_clock_was_set_back_stops_no_other(
    conn: Connection, session: Session, dead_worker: str
) -> None:
    register(conn, "b.test")
    odd = claim_domain(conn, request=Request(run_id=None, worker=dead_worker))
    lost = claim_domain(conn, "b.test", Request(run_id=None, worker=dead_worker))
    ahead = "started_at = now() + interval '1 hour', heartbeat_at = now() + interval '1 hour'"
    conn.execute(f"UPDATE crawl_jobs SET {ahead} WHERE id = %s", [odd.job_id])
    ended = reap_lost_jobs(session, lease_seconds=90)
    assert {job.job_id for job in ended} == {odd.job_id, lost.job_id}


def test_a_beat_ahead_of_the_clock_keeps_a_lost_job_for_one_lease_more(
    conn: Connection, session: Session
) -> None:
    lost = claim_domain(conn, request=Request(run_id=None, worker="elsewhere"))
    conn.execute("UPDATE crawl_jobs SET heartbeat_at = now() + interval '1 hour'")
    assert reap_lost_jobs(session, lease_seconds=0.3) == [], "who lives has a lease to say so"
    time.sleep(0.4)
    assert [job.job_id for job in reap_lost_jobs(session, lease_seconds=0.3)] == [lost.job_id]


def test_a_run_whose_start_lies_ahead_of_the_clock_beats_and_ends(conn: Connection) -> None:
    claim = claim_domain(conn, request=Request(run_id=None, worker="here"))
    conn.execute("UPDATE crawl_jobs SET started_at = now() + interval '1 hour'")
    assert crawl_jobs.beat(conn, claim)
    assert crawl_jobs.finish(conn, claim, error=None, is_whole=True)
    assert invariants.find_violations(conn, lease_seconds=90) == []
