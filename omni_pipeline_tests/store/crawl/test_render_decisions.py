"""Which URLs need a browser: the newest word per pattern, until it is too old."""

from omni_pipeline.store.crawl import render_decisions
from omni_pipeline_tests.store.conftest import Run


def recent(run: Run, seconds: float) -> dict[str, bool]:
    return render_decisions.recent(run.conn, run.claim, seconds=seconds)


def test_the_newest_decision_stands_until_it_is_too_old(run: Run) -> None:
    """R-A4"""
    with run.fenced():
        render_decisions.record(run.conn, run.claim, {"/app": False, "/docs": False})
        render_decisions.record(run.conn, run.claim, {"/app": True})
        render_decisions.record(run.conn, run.claim, {})
    assert recent(run, 60) == {"/app": True, "/docs": False}
    run.conn.execute(
        "UPDATE render_decisions SET decided_at = now() - interval '8 days' WHERE pattern = '/app'"
    )
    assert recent(run, 7 * 86_400) == {"/docs": False}
