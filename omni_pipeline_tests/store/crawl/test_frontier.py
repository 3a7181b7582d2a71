"""The URLs of a crawl in progress: queued once, resumed after a kill, accounted for at the end."""

from collections.abc import Iterable

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.store.crawl import failed_pages, frontier, raw_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.crawl.frontier import Totals
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.monitoring import invariants
from omni_pipeline_tests.store.conftest import (
    HOST,
    MISSING,
    Run,
    count,
    new_body,
    read_job,
    start_run,
)

DAY = 86_400.0
ROOT = f"https://{HOST}/"


def open_crawl(run: Run, *, is_forced: bool = False, recency_seconds: float = DAY) -> None:
    with run.fenced():
        frontier.open_crawl(
            run.conn, run.claim, is_forced=is_forced, recency_seconds=recency_seconds
        )


def add(
    run: Run,
    *paths: str,
    depth: int = 0,
    source: str = "link",
    is_forced: bool = False,
    page_limit: int | None = None,
) -> bool:
    depth_by_url = {ROOT + path: depth for path in paths}
    with run.fenced():
        return frontier.add_urls(
            run.conn,
            run.claim,
            depth_by_url,
            source=source,
            is_forced=is_forced,
            page_limit=page_limit,
        ).is_truncated


def settle(run: Run, outcome: str, *paths: str) -> None:
    with run.fenced():
        outcomes = dict.fromkeys((ROOT + path for path in paths), outcome)
        frontier.settle(run.conn, run.claim, outcomes)


def queue(run: Run, after_id: int = 0, limit: int = 100) -> list[str]:
    batch = frontier.next_batch(run.conn, run.claim, after_id=after_id, limit=limit)
    return [due.url.removeprefix(ROOT) for due in batch]


def save(run: Run, *paths: str) -> None:
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(ROOT + path, path) for path in paths])


def age(conn: Connection, seconds: float, paths: Iterable[str]) -> None:
    """Make the last look at these pages that much older."""
    conn.execute(
        "UPDATE raw_pages SET checked_at = now() - make_interval(secs => %s) WHERE url = ANY (%s)",
        [seconds, [ROOT + path for path in paths]],
    )


def lose_and_start_again(run: Run) -> Run:
    """What a kill -9 leaves: no word from the worker; then the reaper and the next run."""
    lost = reaping.reap(run.conn, lease_seconds=90, dead_job_ids=[run.claim.job_id])
    assert len(lost) == 1
    return start_run(run.conn)


# Queueing


def test_urls_are_queued_once_in_the_order_they_were_found(run: Run) -> None:
    """R-A3: deduplicated over the whole refresh, by the database."""
    assert not add(run, "c", "a", "b")
    assert not add(run, "a", "d", "c", depth=5)
    assert queue(run) == ["c", "a", "b", "d"]
    first = frontier.next_batch(run.conn, run.claim, after_id=0, limit=2)
    assert [due.depth for due in first] == [0, 0], "the depth first met stays"
    assert queue(run, after_id=first[-1].id, limit=1) == ["b"]


def test_a_url_that_was_settled_is_not_queued_again(run: Run) -> None:
    add(run, "a", "b")
    settle(run, "changed", "a")
    assert not add(run, "a")
    assert queue(run) == ["b"]


def test_the_page_limit_counts_every_url_of_the_crawl_and_says_what_it_left_out(run: Run) -> None:
    """R-A2"""
    assert not add(run, "a", "b", page_limit=3)
    settle(run, "changed", "a")
    assert add(run, "c", "d", "e", page_limit=3)
    assert queue(run) == ["b", "c"]
    assert not add(run, "a", "b", "c", page_limit=3), "nothing new was left out"
    assert add(run, "f", page_limit=1), "a limit below what is there makes no room"
    assert not add(run, "d", "e", "f", page_limit=None)


def test_a_due_page_carries_the_validators_of_the_body_we_hold(run: Run) -> None:
    """A conditional request needs what the stored body came with."""
    save(run, "held")
    open_crawl(run, is_forced=True)
    save(run, "gone")
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {ROOT + "gone": MISSING})
    add(run, "new", "gone")
    held, new, gone = frontier.next_batch(run.conn, run.claim, after_id=0, limit=9)
    assert (held.is_held, held.etag, held.last_modified) == (True, '"4"', None)
    assert (new.is_held, new.etag) == (False, None)
    assert (gone.is_held, gone.etag) == (False, None), "a page that was gone is like a new one"


def test_the_frontier_of_one_domain_is_not_the_others(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    add(run, "a")
    assert frontier.next_batch(run.conn, other.claim, after_id=0, limit=9) == []
    with other.fenced():
        frontier.close_crawl(run.conn, other.claim, is_truncated=False)
    assert queue(run) == ["a"]


def test_an_outcome_that_nobody_knows_is_refused(run: Run) -> None:
    add(run, "a")
    with pytest.raises(psycopg.errors.CheckViolation):
        settle(run, "fine", "a")


# Recency and force


def test_a_page_checked_inside_the_recency_window_is_skipped(run: Run) -> None:
    """R-A5, without force"""
    save(run, "recent", "old")
    age(run.conn, DAY - 60, ["recent"])
    age(run.conn, DAY + 60, ["old"])
    open_crawl(run)
    assert queue(run) == ["old"]
    assert frontier.urls_with_outcome(run.conn, run.claim, "skipped") == [ROOT + "recent"]


def test_a_forced_crawl_fetches_every_page(run: Run) -> None:
    """R-A5, with force"""
    save(run, "recent", "old")
    age(run.conn, DAY + 60, ["old"])
    open_crawl(run, is_forced=True)
    assert sorted(queue(run)) == ["old", "recent"]


def test_a_page_that_is_gone_is_not_due(run: Run) -> None:
    """R-A12"""
    save(run, "here", "gone")
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {ROOT + "gone": MISSING})
    open_crawl(run, is_forced=True)
    assert queue(run) == ["here"]


# Resuming


def test_a_killed_crawl_goes_on_where_it_stopped(run: Run) -> None:
    """R-A19: what was fetched is not fetched again, what was queued still is."""
    save(run, "known")
    age(run.conn, DAY + 60, ["known"])
    open_crawl(run)
    add(run, "a", "b", "c")
    save(run, "known", "a")
    settle(run, "changed", "known", "a")
    settle(run, "missing", "b")
    successor = lose_and_start_again(run)
    open_crawl(successor)
    assert queue(successor) == ["b", "c"], "why b was to leave, only the killed crawl knew"
    assert not add(successor, "a", "known", "d")
    assert queue(successor) == ["b", "c", "d"]
    totals = frontier.count(run.conn, successor.claim)
    assert (totals.changed, totals.skipped) == (2, 0), "what was fetched counts as fetched"


def test_opening_twice_changes_nothing(run: Run) -> None:
    """A transaction whose COMMIT was lost on the way is repeated as a whole."""
    save(run, "known")
    open_crawl(run, is_forced=True)
    add(run, "a", is_forced=True)
    settle(run, "changed", "known")
    before = run.conn.execute("SELECT * FROM crawl_frontier ORDER BY id").fetchall()
    open_crawl(run, is_forced=True)
    assert run.conn.execute("SELECT * FROM crawl_frontier ORDER BY id").fetchall() == before


def test_a_forced_crawl_looks_again_at_what_an_unforced_one_had_finished(run: Run) -> None:
    """R-A5, R-A19: with force every page is fetched, also when another crawl left its frontier."""
    save(run, "recent")
    open_crawl(run)
    add(run, "a", "b")
    settle(run, "unchanged", "a")
    forced = lose_and_start_again(run)
    open_crawl(forced, is_forced=True)
    assert sorted(queue(forced)) == ["a", "b", "recent"]
    settle(forced, "unchanged", "a")
    resumed = lose_and_start_again(forced)
    open_crawl(resumed, is_forced=True)
    assert sorted(queue(resumed)) == ["b", "recent"], "its own work is not done twice"


def age_frontier(run: Run, hours: int) -> None:
    run.conn.execute(
        "UPDATE crawl_frontier SET added_at = added_at - make_interval(hours => %s)", [hours]
    )


def test_what_was_settled_before_the_recency_window_is_forgotten(run: Run) -> None:
    """A crawl that nobody resumed in time begins anew."""
    add(run, "old")
    settle(run, "unchanged", "old")
    age_frontier(run, hours=25)
    add(run, "young")
    settle(run, "unchanged", "young")
    open_crawl(run)
    add(run, "old", "young")
    assert queue(run) == ["old"]


def test_a_url_that_was_never_fetched_stays_queued_however_old(run: Run) -> None:
    """R-A3, R-A19: its page answers 304 from now on, so nothing would find the link again."""
    add(run, "found")
    age_frontier(run, hours=25)
    successor = lose_and_start_again(run)
    open_crawl(successor)
    assert queue(successor) == ["found"]


def test_a_killed_crawl_goes_on_also_without_a_recency_window(run: Run) -> None:
    """R-A19: OMNI_RECENCY_HOURS=0 asks for fresh pages, not for beginning anew after each kill."""
    add(run, "a", "b")
    settle(run, "changed", "a")
    successor = lose_and_start_again(run)
    open_crawl(successor, recency_seconds=0)
    add(successor, "a", "b")
    assert queue(successor) == ["b"]


def test_a_resumed_crawl_tries_the_failed_urls_again_when_they_are_due(run: Run) -> None:
    """R-A17: a site that was down for one refresh is looked at in the next one."""
    add(run, "down", "later")
    settle(run, "failed", "down", "later")
    failure = Failure(url=ROOT + "down", kind="transient.timeout", reason="no answer")
    with run.fenced():
        failed_pages.record(run.conn, run.claim, "fetch", [failure])
    run.finish(("transient.site_down", "it stopped answering"))
    run.conn.execute("UPDATE failed_pages SET next_try_at = now() - interval '1 minute'")
    successor = start_run(run.conn)
    open_crawl(successor)
    due = failed_pages.due_for_retry(run.conn, successor.claim, is_forced=False)
    assert due == [ROOT + "down"]
    add(successor, "down", source="start")
    assert queue(successor) == ["down"]


# Closing


def test_a_closed_crawl_moves_its_totals_to_the_job_and_leaves_no_frontier(run: Run) -> None:
    """R-B1, I28: discovered is the sum of the five ways to end."""
    add(run, *"abcdefghijklmno")
    for outcome, paths in (
        ("changed", "abcde"),
        ("unchanged", "fghi"),
        ("gone", "jkl"),
        ("failed", "mn"),
        ("skipped", "o"),
    ):
        settle(run, outcome, *paths)
    totals = Totals(discovered=15, queued=0, changed=5, unchanged=4, gone=3, failed=2, skipped=1)
    assert frontier.count(run.conn, run.claim) == totals
    failures = [Failure(url=ROOT + path, kind="transient.x", reason="r") for path in "mn"]
    with run.fenced():
        failed_pages.record(run.conn, run.claim, "fetch", failures)
        frontier.close_crawl(run.conn, run.claim, is_truncated=True)
    job = read_job(run.conn, run.claim)
    names = ("discovered", "changed", "unchanged", "gone", "failed", "skipped")
    assert [job[f"pages_{name}"] for name in names] == [15, 5, 4, 3, 2, 1]
    assert job["is_truncated"]
    assert count(run.conn, "SELECT count(*) FROM crawl_frontier") == 0
    run.finish()
    assert invariants.find_violations(run.conn, lease_seconds=90) == []


def test_a_url_still_queued_when_the_crawl_is_closed_is_accounted_for(run: Run) -> None:
    """I28: links met while missing pages are asked for again are queued and never fetched."""
    add(run, "a", "late")
    settle(run, "changed", "a")
    with run.fenced():
        frontier.close_crawl(run.conn, run.claim, is_truncated=False)
    run.finish()
    assert invariants.find_violations(run.conn, lease_seconds=90) == []
