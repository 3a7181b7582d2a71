"""Runs that stand still for longer than their lease, and wake up in a world that went on.

A garbage collection, a frozen virtual machine, a laptop's lid: the process cannot know how long.
"""

from dataclasses import replace

import pytest

from omni_pipeline_tests.faults.conftest import Case
from omni_pipeline_tests.faults.test_crash_points import COMPLETED, LOST, assert_recovered
from omni_pipeline_tests.faults.workers import wait_until

# All that a run may write, row by row, with the transaction that wrote it.
TABLES = (
    "crawl_jobs",
    "crawl_frontier",
    "raw_pages",
    "cleaned_pages",
    "page_revisions",
    "staged_chunks",
    "chunks",
    "embeddings",
    "kept_embeddings",
    "token_usage",
    "failed_pages",
)

OPEN_TRANSACTIONS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND state LIKE 'idle in transaction%'"
)


def everything(case: Case) -> list[object]:
    return [case.query(f"SELECT xmin, t::text FROM {table} t ORDER BY 2") for table in TABLES]


def go_silent(case: Case) -> None:
    """Let the frozen run have been silent for longer than its lease, by the database's clock."""
    case.query(
        "UPDATE crawl_jobs SET started_at = started_at - interval '10 minutes', "
        "heartbeat_at = heartbeat_at - interval '5 minutes' WHERE status = 'running' RETURNING id"
    )


@pytest.mark.parametrize("name", ["CP07", "CP08", "CP13"])
def test_a_run_that_wakes_after_its_successor_writes_nothing(case: Case, name: str) -> None:
    """F-A19: its first write is refused by the fence, though it still trusts its lease.

    Inside the publish (CP08) it holds the domain's row until the server ends its transaction.
    """
    patient = case.settings.database_url
    case.settings = replace(
        case.settings, database_url=f"{patient}&options=-cidle_in_transaction_session_timeout%3D1s"
    )
    with case.watch(lease_seconds=3600) as watcher:
        zombie = case.start(f"{name}:1:STOP")
        zombie.await_freeze()
        go_silent(case)
        wait_until(lambda: not case.query(OPEN_TRANSACTIONS))
        assert case.start().outcome() is None
        before = everything(case)
        zombie.wake()
        assert zombie.outcome() == "permanent.lease_lost"
    watcher.check()
    assert everything(case) == before
    assert case.jobs() == [LOST, COMPLETED]
    assert_recovered(case)


def test_a_run_that_slept_longer_than_its_own_trust_asks_nobody(case: Case) -> None:
    """F-A19, F-A20: nobody took the domain, and the run stops by its own clock all the same.

    No beat is due when it wakes up: one that came first would find the domain still its own.
    """
    zombie = case.start("CP07:1:STOP:2.5", lease_seconds=3.0, heartbeat_seconds=60.0)
    assert zombie.outcome() == "permanent.lease_lost"
    assert case.jobs() == [("failed", "worker", "permanent.lease_lost")]
    assert case.start().outcome() is None
    assert_recovered(case)


def test_a_short_pause_costs_nothing(case: Case) -> None:
    """The twin of the above: a pause inside the lease ends no run."""
    assert case.start("CP07:1:STOP:0.5").outcome() is None
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
