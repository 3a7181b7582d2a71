"""kill -9 at every crash point: nothing is half visible, and the next refresh goes on from there.

Each is a real process that dies at a real place, and its successor one ordinary refresh. Every
snapshot of the database meanwhile is looked at.
"""

import pytest

from omni_pipeline_tests.faults.conftest import SLOTS, Case

LOST = ("failed", "reaper", "transient.worker_lost")
COMPLETED = ("completed", "worker", None)

# Where a point is passed many times, a later pass is another state of the database.
KILLS = [
    ("CP01", 1),
    ("CP02", 1),
    ("CP03", 40),
    ("CP04", 10),
    ("CP05", 1),
    ("CP06", 1),
    ("CP07", 2),
    ("CP08", 2),
    ("CP09", 1),
    ("CP10", 1),
    ("CP11", 1),
    ("CP12", 1),
    ("CP13", 1),
]
FURTHER_KILLS = [
    ("CP03", 1),
    ("CP04", 1),
    ("CP05", 2),
    ("CP06", 2),
    ("CP06", 3),
    ("CP07", 1),
    ("CP07", 3),
    ("CP08", 1),
    ("CP09", 2),
    ("CP10", 2),
]


@pytest.mark.parametrize(
    ("name", "passes"),
    [*KILLS, *(pytest.param(*kill, marks=pytest.mark.chaos) for kill in FURTHER_KILLS)],
)
def test_a_killed_refresh_leaves_nothing_wrong_and_is_resumed(
    case: Case, name: str, passes: int
) -> None:
    """F-A1 to F-A13; R-A19."""
    with case.watch() as watcher:
        assert case.start(f"{name}:{passes}:KILL").outcome() == "killed"
        kept = case.texts_with_vectors()
        case.world.endpoint.calls.clear()
        assert case.start().outcome() is None
    watcher.check()
    assert case.jobs() == [LOST, COMPLETED]
    assert_recovered(case)
    assert not kept & set(case.world.endpoint.texts), "what was paid for is not paid for again"


def test_a_kill_between_the_jobs_end_and_the_runs_leaves_a_completed_job(case: Case) -> None:
    """F-A14: the job says what is true, and the next refresh finds nothing to do."""
    assert case.start("CP14:1:KILL").outcome() == "killed"
    assert case.jobs() == [COMPLETED]
    case.world.endpoint.calls.clear()
    assert case.start().outcome() is None
    assert case.jobs() == [COMPLETED, COMPLETED]
    assert case.world.endpoint.calls == []
    assert_recovered(case)


def test_a_kill_inside_the_reaper_leaves_the_domain_free(case: Case) -> None:
    """F-A15: the lost job was ended in one statement, so that nothing is half ended."""
    assert case.start("CP05:1:KILL").outcome() == "killed"
    assert case.start("CP15:1:KILL").outcome() == "killed"
    assert case.jobs() == [LOST]
    assert case.start().outcome() is None
    assert case.jobs() == [LOST, COMPLETED]
    assert_recovered(case)


def assert_recovered(case: Case) -> None:
    """The domain is as if nothing had happened, and its site hardly noticed."""
    assert case.violations() == []
    assert case.published() == case.twin.after
    assert case.gone() == case.twin.gone
    assert case.prices() == case.twin.prices
    second_looks = 1  # at the page that answers 404
    assert case.page_requests() <= len(case.world.site.pages) + SLOTS + second_looks
