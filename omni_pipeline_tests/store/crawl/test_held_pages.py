"""Pages held until a person confirms: what is held, what is released, what is confirmed."""

from omni_pipeline.store.crawl import held_pages
from omni_pipeline_tests.store.conftest import Run, read_job


def hold(run: Run, reason: str, *urls: str) -> None:
    with run.fenced():
        held_pages.hold(run.conn, run.claim, dict.fromkeys(urls, reason))


def held(run: Run) -> dict[str, tuple[str, bool]]:
    rows = held_pages.list_held(run.conn, run.claim.domain_id)
    return {row.url: (row.reason, row.confirmed_at is not None) for row in rows}


def test_what_is_held_now_replaces_what_was_held_before(run: Run) -> None:
    """R-A12: a page that came back is not held any more."""
    hold(run, "missing", "a", "b")
    hold(run, "missing", "b", "c")
    assert held(run) == {"b": ("missing", False), "c": ("missing", False)}


def test_losses_and_shrinkages_are_held_apart(run: Run) -> None:
    """F-D36"""
    hold(run, "missing", "a")
    hold(run, "shrunk", "b")
    assert held(run) == {"a": ("missing", False), "b": ("shrunk", False)}
    with run.fenced():
        held_pages.release_others(run.conn, run.claim, {}, is_shrinkage=True)
    assert held(run) == {"a": ("missing", False)}


def test_a_confirmation_is_for_the_pages_and_the_reason_it_was_given_for(run: Run) -> None:
    """R-A12: confirming one loss does not wave the next one through."""
    hold(run, "missing", "a", "b")
    assert held_pages.count_unconfirmed(run.conn, run.claim.domain_id) == {"missing": 2}
    assert held_pages.confirm(run.conn, run.claim.domain_id) == 2
    hold(run, "missing", "a", "new")
    assert held(run) == {"a": ("missing", True), "new": ("missing", False)}
    assert held_pages.confirmed_among(run.conn, run.claim, ["a", "new"]) == {"a"}
    hold(run, "soft_404", "a")
    assert held(run) == {"a": ("soft_404", False)}


def test_confirming_twice_confirms_once(run: Run) -> None:
    hold(run, "missing", "a")
    assert held_pages.confirm(run.conn, run.claim.domain_id) == 1
    assert held_pages.confirm(run.conn, run.claim.domain_id) == 0


def test_the_job_that_lets_confirmed_losses_go_remembers_how_many(run: Run) -> None:
    """I40: a person's mark outlives the pages that it was put on."""
    hold(run, "missing", "a", "b", "c")
    hold(run, "shrunk", "d")
    held_pages.confirm(run.conn, run.claim.domain_id)
    hold(run, "missing", "a", "b")
    for is_shrinkage in (True, False, False):
        with run.fenced():
            held_pages.release_others(run.conn, run.claim, {}, is_shrinkage=is_shrinkage)
    assert held(run) == {}
    assert read_job(run.conn, run.claim)["pages_confirmed"] == 3


def test_losses_that_nobody_confirmed_are_not_counted(run: Run) -> None:
    hold(run, "missing", "a")
    with run.fenced():
        held_pages.release_others(run.conn, run.claim, {}, is_shrinkage=False)
    assert read_job(run.conn, run.claim)["pages_confirmed"] == 0
