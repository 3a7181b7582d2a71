"""kill -9 at every crash point: nothing is half visible, and the next refresh goes on from there.

Each is a real process that dies at a real place, and its successor one ordinary refresh.
"""

import pytest

from omni_pipeline_tests.faults.conftest import SLOTS, Case

# Where a pass is repeated within one refresh, a later one is a different state.
KILLS = [
    ("CP01", 1),
    ("CP02", 1),
    ("CP03", 1),
    ("CP03", 40),
    ("CP04", 1),
    ("CP04", 10),
    ("CP05", 1),
    ("CP05", 2),
    ("CP06", 1),
    ("CP06", 3),
    ("CP07", 1),
    ("CP07", 2),
    ("CP08", 1),
    ("CP08", 2),
    ("CP09", 1),
    ("CP10", 1),
    ("CP10", 2),
    ("CP12", 1),
    ("CP13", 1),
]


@pytest.mark.parametrize(("name", "passes"), KILLS)
def test_a_killed_refresh_leaves_nothing_wrong_and_is_resumed(
    case: Case, name: str, passes: int
) -> None:
    """Faults A1-A10, A12, A13; A19."""
    with case.watch() as watcher:
        assert case.start(f"{name}:{passes}:KILL").outcome() == "killed"
        kept = case.texts_with_vectors()
        case.world.endpoint.calls.clear()
        assert case.start().outcome() is None
    watcher.check()
    assert case.jobs() == [
        ("failed", "reaper", "transient.worker_lost"),
        ("completed", "worker", None),
    ]
    assert case.violations() == []
    assert case.published() == case.twin.after
    assert case.gone() == case.twin.gone
    assert not kept & set(case.world.endpoint.texts), "what was paid for is not paid for again"
    assert case.page_requests() <= len(case.world.site.pages) + SLOTS
