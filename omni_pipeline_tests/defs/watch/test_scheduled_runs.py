"""What the daily refresh's tag does to a real run, and how runs of several domains are refused."""

from datetime import UTC, datetime

import dagster as dg

from omni_pipeline.definitions import defs
from omni_pipeline_tests.defs.conftest import Console

TICK = datetime(2026, 11, 20, 2, tzinfo=UTC)
SCHEDULED = {"omni/scheduled_for": TICK.isoformat()}
# Cheap runs: one page of the site is enough to be a refresh.
ONE_PAGE = {"ops": {"raw_pages": {"config": {"max_pages": 1}}}}


def run(console: Console, tags: dict[str, str]) -> dg.DagsterRun:
    result = defs.resolve_job_def("refresh_domain").execute_in_process(
        instance=console.instance,
        partition_key=console.host,
        tags={"dagster/partition": console.host, **tags},
        run_config=ONE_PAGE,
        raise_on_error=False,
    )
    found = console.instance.get_run_by_id(result.run_id)
    assert found is not None
    return found


def jobs(console: Console) -> list[tuple[object, ...]]:
    return console.query(b"SELECT status, scheduled_for FROM crawl_jobs ORDER BY id")


def test_the_time_of_the_schedule_reaches_the_job_and_a_second_run_ends_as_cancelled(
    console: Console,
) -> None:
    """With a message that names the run that did it, and no failure for anybody to see.

    R-A1, F-G3.
    """
    first, second = run(console, SCHEDULED), run(console, SCHEDULED)
    assert first.status is dg.DagsterRunStatus.SUCCESS
    assert second.status is dg.DagsterRunStatus.CANCELED
    assert jobs(console) == [("completed", TICK)]
    messages = [str(entry.message) for entry in console.instance.all_logs(second.run_id)]
    expected = (
        f"{console.host} was already refreshed for 2026-11-20 02:00 UTC by run {first.run_id}"
    )
    assert any(expected in message for message in messages)


def test_who_re_executes_a_scheduled_run_by_hand_gets_a_refresh(console: Console) -> None:
    """A restart by Dagster itself, after a crash, still goes for its schedule."""
    first = run(console, SCHEDULED)
    again = {
        **SCHEDULED,
        "dagster/parent_run_id": first.run_id,
        "dagster/root_run_id": first.run_id,
    }
    by_hand = run(console, again)
    by_dagster = run(console, {**again, "dagster/retry_number": "1"})
    assert by_hand.status is dg.DagsterRunStatus.SUCCESS
    assert by_dagster.status is dg.DagsterRunStatus.CANCELED
    assert jobs(console) == [("completed", TICK), ("completed", None)]


def test_a_crashed_run_is_restarted_as_a_whole_refresh(console: Console) -> None:
    """Dagster's default leaves out what was done, and the domain would not count as refreshed."""
    assert run(console, {}).tags["dagster/retry_strategy"] == "ALL_STEPS"


def test_a_tag_that_is_no_time_is_refused_with_what_to_do(console: Console) -> None:
    refused = run(console, {"omni/scheduled_for": "tomorrow"})
    assert refused.status is dg.DagsterRunStatus.FAILURE
    assert jobs(console) == []


def test_a_run_of_a_range_of_domains_is_refused_with_an_explanation(console: Console) -> None:
    """R-A8: it would hold no place in the queue for any single domain."""
    tags = {
        "dagster/asset_partition_range_start": console.host,
        "dagster/asset_partition_range_end": console.host,
    }
    result = defs.resolve_job_def("refresh_domain").execute_in_process(
        instance=console.instance, tags=tags, raise_on_error=False
    )
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    assert "launch one run per partition" in str(user_failure.description)
    assert jobs(console) == []
