"""A short soak with every change; `make chaos` runs the long one."""

import pytest

from omni_pipeline_tests.faults.soak import Plan, soak


@pytest.mark.parametrize(
    "plan",
    [
        Plan(kills=5, restarts=1, domains=2, pages=12),
        pytest.param(
            Plan(kills=30, restarts=4, domains=5),
            marks=[pytest.mark.chaos, pytest.mark.timeout(900)],
        ),
    ],
    ids=lambda plan: f"{plan.kills}-kills",
)
def test_a_disturbed_database_ends_equal_to_its_undisturbed_twin(plan: Plan) -> None:
    """F-A24, F-B1, F-B2; R-A19: and no snapshot on the way was wrong."""
    told: list[str] = []
    assert soak(plan, told.append) == [], told
