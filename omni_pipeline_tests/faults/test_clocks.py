"""Leases and job times go by the database's clock: the worker's own may say what it likes."""

import time

import pytest

from omni_pipeline_tests.faults.conftest import Case
from omni_pipeline_tests.faults.test_crash_points import COMPLETED, assert_recovered
from omni_pipeline_tests.faults.workers import refresh

HOUR = 3600.0


@pytest.mark.parametrize("skew", [-HOUR, HOUR])
def test_a_worker_whose_clock_is_wrong_is_neither_reaped_nor_late(
    case: Case, skew: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-F11."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + skew)
    with case.watch() as watcher:
        refresh(case.settings, case.host)
    watcher.check()
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
