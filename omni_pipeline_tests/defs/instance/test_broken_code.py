"""A day on which the code cannot be loaded: Dagster's own scheduler, the test's own clock."""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._scheduler.scheduler import launch_scheduled_runs

from omni_pipeline.defs.watch.schedules import due_day

TWO = datetime(2026, 10, 20, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
OURS = "omni_pipeline.definitions"


class Location(WorkspaceLoadTarget):
    """Our code location, in this process; another module stands for one that is broken."""

    def __init__(self, module: str) -> None:
        self._module = module

    def create_origins(self) -> Sequence[InProcessCodeLocationOrigin]:
        target = LoadableTargetOrigin(executable_path=sys.executable, module_name=self._module)
        return [InProcessCodeLocationOrigin(target, location_name="omni_pipeline")]


def schedule(instance: dg.DagsterInstance, now: datetime, *, module: str = OURS) -> None:
    """One look of the scheduler at what is due."""
    with freeze_time(now), WorkspaceProcessContext(instance, Location(module)) as workspace:
        list(launch_scheduled_runs(workspace, logging.getLogger("test"), now, {}))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's, of its own code
@pytest.mark.filterwarnings("ignore:Error loading repository location:UserWarning")
def test_a_day_on_which_the_code_did_not_load_is_caught_up_once_when_it_does(
    instance: dg.DagsterInstance,
) -> None:
    """F-G6: the scheduler goes on, and opens the day late; the feeder does the rest (F-G1)."""
    schedule(instance, TWO - HOUR)
    schedule(instance, TWO + HOUR / 60, module="no_such_module")
    assert due_day(instance, TWO + HOUR) is None
    schedule(instance, TWO + 7 * HOUR)
    assert due_day(instance, TWO + 7 * HOUR) == TWO
    schedule(instance, TWO + 8 * HOUR)
    [state] = instance.all_instigator_state()
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert [tick.timestamp for tick in ticks] == [TWO.timestamp()]
