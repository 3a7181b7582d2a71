"""A job that was reaped and its Dagster run end together, also when the reaper dies in between."""

import dagster as dg
import pytest

from omni_pipeline.definitions import defs
from omni_pipeline_tests.defs.conftest import Console
from omni_pipeline_tests.defs.runs.test_runs import hold_domain, run_of


def test_the_next_reaper_fails_the_run_that_a_dead_one_left_behind(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-A15, R-B2: else the run would keep its domain's place in the queue for ever."""
    lost = console.instance.create_run_for_job(
        job_def=defs.resolve_job_def("refresh_domain"), tags={"dagster/partition": console.host}
    )
    hold_domain(console, run_id=lost.run_id, silent_for="1 hour")
    monkeypatch.setenv("OMNI_FAULTS", "CP15:1:RAISE")
    outcome = console.refresh()
    assert outcome.error is not None
    assert "CP15" in outcome.error
    assert not run_of(console, lost.run_id).is_finished
    monkeypatch.delenv("OMNI_FAULTS")
    assert console.refresh().error is None
    assert run_of(console, lost.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_job_whose_run_has_failed_holds_its_domain_for_nobody(console: Console) -> None:
    """Whichever machine it was on: its last beat is fresh, and nobody will end it."""
    lost = console.instance.create_run_for_job(
        job_def=defs.resolve_job_def("refresh_domain"), tags={"dagster/partition": console.host}
    )
    hold_domain(console, run_id=lost.run_id, silent_for="0 seconds")
    assert "already being refreshed" in str(console.refresh().error)
    console.instance.report_run_failed(lost)
    assert console.refresh().error is None
