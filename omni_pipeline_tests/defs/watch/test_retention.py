"""Old runs are forgotten, and what Dagster shows of each domain is not."""

from datetime import UTC, datetime, timedelta
from typing import IO, cast

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType

from omni_pipeline.definitions import defs
from omni_pipeline.defs.runs.request import PARTITION_TAG
from omni_pipeline.defs.watch import retention
from omni_pipeline.defs.watch.retention import KEPT, forget

LATER = datetime.now(UTC) + timedelta(hours=1)


@dg.job(name="refresh_domain")
def stand_in() -> None:
    """Runs of it are ended here, and never executed."""


def run_of(instance: dg.DagsterInstance, host: str, *, status: dg.DagsterRunStatus) -> str:
    run = instance.create_run_for_job(stand_in, tags={PARTITION_TAG: host}, status=status)
    return str(run.run_id)


def succeed(instance: dg.DagsterInstance, host: str) -> str:
    return run_of(instance, host, status=dg.DagsterRunStatus.SUCCESS)


def fail(instance: dg.DagsterInstance, host: str) -> str:
    return run_of(instance, host, status=dg.DagsterRunStatus.FAILURE)


def left(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_of_each_domain_the_newest_success_stays_and_what_has_not_ended(
    instance: dg.DagsterInstance,
) -> None:
    """F-G11: a year of 500 domains would be 180,000 runs and 12 GB of events."""
    succeed(instance, "a.test")
    fail(instance, "a.test")
    newest = succeed(instance, "a.test")
    fail(instance, "a.test")
    only = succeed(instance, "b.test")
    running = run_of(instance, "b.test", status=dg.DagsterRunStatus.STARTED)
    assert forget(instance, before=LATER, after=None) == (3, "")
    assert left(instance) == {newest, only, running}


def test_what_ended_lately_is_kept(instance: dg.DagsterInstance) -> None:
    runs = {fail(instance, "a.test"), succeed(instance, "a.test"), succeed(instance, "a.test")}
    assert forget(instance, before=datetime.now(UTC) - KEPT, after=None) == (0, "")
    assert left(instance) == runs


def test_a_tick_deletes_some_and_the_next_goes_on(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_DELETED", 2)
    monkeypatch.setattr(retention, "MAX_LOOKED_AT", 3)
    kept = {succeed(instance, f"{number}.test") for number in range(4)}
    for _ in range(5):
        fail(instance, "0.test")
    cursor, counts = "", []
    for _ in range(6):
        count, cursor = forget(instance, before=LATER, after=cursor)
        counts.append(count)
    assert sum(counts) == 5
    assert max(counts) == 2
    assert left(instance) == kept


def test_the_output_of_a_deleted_run_goes_with_it(instance: dg.DagsterInstance) -> None:
    run_id = fail(instance, "a.test")
    log_key = [run_id, "compute_logs", "raw_pages"]
    manager = instance.compute_log_manager
    with manager.open_log_stream(log_key, ComputeIOType.STDOUT) as stream:
        assert stream is not None
        cast("IO[str]", stream).write("a line")
    forget(instance, before=LATER, after=None)
    assert not manager.get_log_data(log_key).stdout


def test_the_sensor_runs_by_default_on_the_shipped_definitions(
    instance: dg.DagsterInstance,
) -> None:
    fail(instance, "a.test")
    sensor = defs.resolve_sensor_def("forget_old_runs")
    with dg.build_sensor_context(instance) as context:
        assert sensor(context) == dg.SkipReason("0 old runs were deleted")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
