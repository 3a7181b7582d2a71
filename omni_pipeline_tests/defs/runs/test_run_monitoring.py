"""What the shipped dagster.yaml does with ticks that fail and runs that do not start or end."""

import logging
import time

import dagster as dg
import pytest
from dagster._core.scheduler.scheduler import DagsterDaemonScheduler
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry
from dagster._daemon.monitoring.run_monitoring import check_run_timeout, monitor_starting_run

from omni_pipeline.definitions import defs
from omni_pipeline_tests.defs.conftest import Console

LOG = logging.getLogger("test")


def launch(console: Console) -> dg.DagsterRun:
    return console.instance.create_run_for_job(
        defs.resolve_job_def("refresh_domain"), tags={"dagster/partition": console.host}
    )


def report(
    console: Console, run: dg.DagsterRun, kind: dg.DagsterEventType, seconds_ago: float
) -> None:
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
    console.instance.report_dagster_event(
        event, run_id=run.run_id, timestamp=time.time() - seconds_ago
    )


def record_of(console: Console, run: dg.DagsterRun) -> dg.RunRecord:
    record = console.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    return record


def test_a_tick_that_finds_a_database_away_is_repeated_and_each_crash_restarted_twice(
    console: Console,
) -> None:
    """F-G5, R-A20: as Dagster itself understands the shipped file; both are off by default."""
    instance = console.instance
    assert isinstance(instance.scheduler, DagsterDaemonScheduler)
    assert instance.scheduler.max_tick_retries >= 10
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 2
    assert not instance.run_retries_retry_on_asset_or_op_failure
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert config.max_user_code_failure_retries == 5


@pytest.mark.parametrize(("seconds", "is_failed"), [(170, False), (190, True)])
def test_a_run_that_cannot_start_is_failed_after_three_minutes_and_restarted(
    console: Console, seconds: float, *, is_failed: bool
) -> None:
    """R-A20"""
    assert console.instance.run_monitoring_enabled
    run = launch(console)
    report(console, run, dg.DagsterEventType.RUN_STARTING, seconds)
    monitor_starting_run(console.instance, record_of(console, run), LOG)
    ended = record_of(console, run).dagster_run
    assert (ended.status is dg.DagsterRunStatus.FAILURE) == is_failed
    assert should_retry(ended, console.instance) == is_failed


def test_a_run_that_does_not_end_is_ended_after_four_hours(console: Console) -> None:
    """R-A20: the last resort, where neither its lease nor its worker's end was seen."""
    limit = console.instance.run_monitoring_max_runtime_seconds
    assert limit == 4 * 3600
    for seconds, status in (
        (limit - 60, dg.DagsterRunStatus.STARTED),
        (limit + 60, dg.DagsterRunStatus.FAILURE),
    ):
        run = launch(console)
        report(console, run, dg.DagsterEventType.RUN_START, seconds)
        check_run_timeout(console.instance, record_of(console, run), LOG, limit)
        assert record_of(console, run).dagster_run.status is status
