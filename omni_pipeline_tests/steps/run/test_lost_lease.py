"""A lease that is lost: who notices stops, and who hangs is ended."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from omni_pipeline.errors import LeaseLostError
from omni_pipeline.steps.run.lease import EXIT_LEASE_LOST, Lease
from omni_pipeline.store.crawl import frontier
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.steps.conftest import Pipeline
from omni_pipeline_tests.store.conftest import claim_domain, register

ROOT = Path(__file__).resolve().parents[3]

SECONDS = 20

# A worker of its own: it claims the domain, and hangs without looking at its lease again.
WORKER = """
import sys, time
from omni_pipeline.steps.run.lease import Lease
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database

database = Database(url=sys.argv[1])
with database.connect() as conn:
    holding = crawl_jobs.claim(
        conn, domains.get(conn, "a.test").id, "a.test", crawl_jobs.Request(run_id=None, worker="w")
    )
with Lease(
    database, holding, lease_seconds=1.5, heartbeat_seconds=0.2, grace_seconds=float(sys.argv[4]),
    ends_process=sys.argv[2] == "ends",
):
    print("claimed", flush=True)
    time.sleep(float(sys.argv[3]))
print("closed", flush=True)
"""


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        register(connection)
        yield connection


def start_worker(
    database: Database, *, ends: bool, seconds: float, grace_seconds: float = 0.5
) -> "subprocess.Popen[str]":
    asked = ["ends" if ends else "stays", str(seconds), str(grace_seconds)]
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, database.url, *asked],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "claimed\n"
    return worker


def reap_now(conn: Connection) -> None:
    assert reaping.reap(conn, lease_seconds=0, dead_job_ids=[1])


def test_a_process_that_hangs_after_its_lease_was_lost_is_ended(
    database: Database, conn: Connection
) -> None:
    """R-B2, P-3: a hung worker would hold its slot of the queue for ever."""
    worker = start_worker(database, ends=True, seconds=SECONDS)
    reap_now(conn)
    output, error = worker.communicate(timeout=SECONDS / 2)
    assert worker.returncode == EXIT_LEASE_LOST
    assert "closed" not in output
    assert len(error.splitlines()) == 1
    assert "The refresh of a.test (job 1) lost its lease" in error


def test_a_process_is_ended_though_its_beat_hangs_too(database: Database, conn: Connection) -> None:
    worker = start_worker(database, ends=True, seconds=SECONDS)
    with conn.transaction():
        conn.execute("SELECT FROM crawl_jobs FOR UPDATE")
        worker.communicate(timeout=SECONDS / 2)
    assert worker.returncode == EXIT_LEASE_LOST


@pytest.mark.parametrize(
    ("ends", "is_reaped", "seconds"),
    [(True, True, 1.1), (True, False, 3.0), (False, True, 3.0)],
    ids=["it notices within the grace", "its lease is kept", "it does other things as well"],
)
def test_a_process_is_left_alone_when(
    database: Database, conn: Connection, *, ends: bool, is_reaped: bool, seconds: float
) -> None:
    worker = start_worker(database, ends=ends, seconds=seconds)
    if is_reaped:
        reap_now(conn)
    output, error = worker.communicate(timeout=SECONDS)
    assert (worker.returncode, output, error) == (0, "closed\n", "")


def test_a_beat_that_comes_through_within_the_grace_saves_the_process(
    database: Database, conn: Connection
) -> None:
    """An outage that nobody used to take the domain is no reason to give it up."""
    worker = start_worker(database, ends=True, seconds=5, grace_seconds=2)
    with conn.transaction():
        conn.execute("SELECT FROM crawl_jobs FOR UPDATE")
        time.sleep(1.6)
    output, error = worker.communicate(timeout=SECONDS)
    assert (worker.returncode, output, error) == (0, "closed\n", "")


def check_until_lost(lease: Lease) -> None:
    for _ in range(200):
        lease.check()
        time.sleep(0.02)


def test_a_lease_that_somebody_else_ended_is_lost_at_the_next_beat(
    database: Database, conn: Connection
) -> None:
    """R-B3, P-3: not only when the trust in it runs out."""
    claim = claim_domain(conn)
    with Lease(database, claim, lease_seconds=90, heartbeat_seconds=0.05) as lease:
        reaping.reap(conn, lease_seconds=90, dead_job_ids=[claim.job_id])
        with pytest.raises(LeaseLostError, match="ended by the reaper"):
            check_until_lost(lease)


def test_a_run_stops_when_the_database_has_lost_what_it_wrote(pipeline: Pipeline) -> None:
    """A server that took over without the newest transactions hands their ids out again."""
    with pytest.raises(LeaseLostError, match="older than what it wrote"):
        write_before_and_after_a_loss(pipeline)


def write_before_and_after_a_loss(pipeline: Pipeline) -> None:
    with pipeline.open() as run:
        run.write(frontier.open_crawl, is_forced=False, recency_seconds=0)
        [(newest,)] = pipeline.query(b"SELECT pg_current_xact_id()::text")
        run.history.note(str(int(str(newest)) + 1000))
        run.write(frontier.open_crawl, is_forced=False, recency_seconds=0)
