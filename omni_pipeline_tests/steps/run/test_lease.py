"""The lease of a run: trusted for two thirds of its length from the last good beat's start."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg import Connection

from omni_pipeline.errors import LeaseLostError
from omni_pipeline.steps.run.lease import Lease
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.conftest import make_enterable_dir
from omni_pipeline_tests.faults.relays import Relay
from omni_pipeline_tests.store.conftest import Run, read_job, start_run


@dataclass(kw_only=True)
class Clock:
    """A clock that stands still until it is moved, and moves by itself while it is read."""

    now: float = 1000.0
    seconds_per_look: float = 0.0

    def __call__(self) -> float:
        now, self.now = self.now, self.now + self.seconds_per_look
        return now


@pytest.fixture
def run(connection: Connection) -> Run:
    return start_run(connection)


@pytest.fixture
def relay(database: Database) -> Iterator[Relay]:
    with make_enterable_dir() as directory, Relay(database, directory) as opened:
        yield opened


def lease_of(database: Database, run: Run, clock: Clock) -> Lease:
    return Lease(database, run.claim, lease_seconds=90, heartbeat_seconds=15, clock=clock)


def test_a_run_that_cannot_beat_stops_before_its_lease_runs_out(
    database: Database, run: Run
) -> None:
    """F-A20: the thread that beats is dead, and the work goes on: for 60 s of 90."""
    clock = Clock()
    lease = lease_of(database, run, clock)
    clock.now += 60
    lease.check()
    clock.now += 1
    with pytest.raises(LeaseLostError, match="could not renew its lease"):
        lease.check()


def test_a_beat_extends_trust_from_its_start_and_not_from_its_end(
    database: Database, run: Run
) -> None:
    """F-A20: a slow round trip must not be taken for a fresh lease."""
    clock = Clock()
    lease = lease_of(database, run, clock)
    clock.now += 50
    started = clock.now
    lease._beat()
    lease._session.close()
    clock.now = started + 60
    lease.check()
    clock.now = started + 61
    with pytest.raises(LeaseLostError):
        lease.check()


def test_an_outage_of_the_beats_connection_alone_costs_no_job(
    database: Database, relay: Relay, run: Run
) -> None:
    """F-A21: beats are tried again, nobody is reaped, and no second run is let in."""
    lease = Lease(relay.database, run.claim, lease_seconds=12, heartbeat_seconds=0.1)
    with lease:
        wait_for_beat(run)
        relay.go_down()
        for _ in range(10):
            time.sleep(0.1)
            assert reaping.reap(run.conn, lease_seconds=12) == []
            lease.check()
        relay.is_down = False
        wait_for_beat(run)
        lease.check()
    assert run.finish()


def wait_for_beat(run: Run) -> None:
    before = read_job(run.conn, run.claim)["heartbeat_at"]
    deadline = time.monotonic() + 20
    while read_job(run.conn, run.claim)["heartbeat_at"] == before:
        assert time.monotonic() < deadline, "no beat came"
        time.sleep(0.05)
