"""Where links led and no page was: asked again seldom, and forgotten."""

from omni_pipeline.store.crawl import non_pages, raw_pages
from omni_pipeline_tests.store.conftest import HOST, MISSING, Run, new_body, start_run

ROOT = f"https://{HOST}/"


def record(run: Run, *paths: str) -> None:
    with run.fenced():
        non_pages.record(run.conn, run.claim, {ROOT + path: 2 for path in paths})


def set_days(run: Run, path: str, *, found: float, checked: float) -> None:
    """Let it have been found, and asked for last, so many days ago."""
    run.conn.execute(
        "UPDATE non_pages SET found_at = now() - make_interval(secs => 86400 * %s), "
        "checked_at = now() - make_interval(secs => 86400 * %s) WHERE url = %s",
        [found, checked, ROOT + path],
    )


def due(run: Run) -> list[str]:
    return [url.removeprefix(ROOT) for url in non_pages.due(run.conn, run.claim)]


def remembered(run: Run) -> list[str]:
    rows = run.conn.execute("SELECT url FROM non_pages ORDER BY url")
    return [url.removeprefix(ROOT) for (url,) in rows]


def test_a_non_page_is_due_when_twice_its_age_has_passed(run: Run) -> None:
    record(run, "fresh", "waits", "again")
    set_days(run, "waits", found=7, checked=3)
    set_days(run, "again", found=8, checked=4)
    assert due(run) == ["again", "fresh"]
    assert set(non_pages.due(run.conn, run.claim).values()) == {2}
    record(run, "again")
    assert due(run) == ["fresh"]


def test_pages_that_left_are_non_pages_until_they_are_live_again(run: Run) -> None:
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(ROOT + "p", "text")])
        raw_pages.remove_pages(run.conn, run.claim, {ROOT + "p": MISSING})
        non_pages.record_gone(run.conn, run.claim, [ROOT + "p", ROOT + "never-there"])
        non_pages.forget(run.conn, run.claim)
    assert remembered(run) == ["p"]
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(ROOT + "p", "text")])
        non_pages.forget(run.conn, run.claim)
    assert remembered(run) == []


def test_what_has_been_dead_for_a_season_is_forgotten(run: Run) -> None:
    record(run, "old", "young")
    set_days(run, "old", found=91, checked=0)
    with run.fenced():
        non_pages.forget(run.conn, run.claim)
    assert remembered(run) == ["young"]


def test_the_non_pages_of_one_domain_are_not_the_others(run: Run) -> None:
    record(run, "mine")
    assert due(start_run(run.conn, "b.test")) == []
