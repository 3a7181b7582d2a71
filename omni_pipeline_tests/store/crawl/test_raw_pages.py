"""Pages as fetched: rewritten only when they changed, retired only on evidence."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import CLEANER, HOST, Run, count, new_body, start_run

ROOT = f"https://{HOST}/"


def save(run: Run, **html_by_path: str) -> dict[str, bool]:
    bodies = [new_body(ROOT + path, html) for path, html in html_by_path.items()]
    with run.fenced():
        changed = raw_pages.save(run.conn, run.claim, bodies)
    return {url.removeprefix(ROOT): is_changed for url, is_changed in changed.items()}


def remove_pages(run: Run, **status_by_path: int) -> list[int]:
    with run.fenced():
        evidence = {ROOT + path: evidence_of(status) for path, status in status_by_path.items()}
        return raw_pages.remove_pages(run.conn, run.claim, evidence)


def evidence_of(status: int) -> RemovalEvidence:
    return RemovalEvidence(
        reason="moved" if status in (301, 308) else "missing", http_status=status
    )


def page(conn: Connection, path: str) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT * FROM raw_pages WHERE url = %s", [ROOT + path]).fetchone()
    assert row is not None
    return row


def due_for_cleaning(run: Run, *, cleaner_version: int = CLEANER) -> list[str]:
    due = raw_pages.due_for_cleaning(
        run.conn, run.claim, cleaner_version=cleaner_version, after_id=0, limit=100
    )
    return [page.url.removeprefix(ROOT) for page in due]


# Saving


def test_a_page_is_stored_as_it_was_fetched(run: Run) -> None:
    body = new_body(ROOT + "p", "<p>ä \N{SNOWMAN} \\ {} '\"")
    body = replace(body, last_modified="Sat, 21 Nov 2026 10:00:00 GMT", charset="windows-1252")
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [body])
    stored = page(run.conn, "p")
    assert stored.pop("rendered_by") == "http"
    assert stored | {"is_rendered": False} | vars(body) == stored | {"is_rendered": False}
    assert (stored["status"], stored["http_status"], stored["gone_at"]) == ("live", 200, None)
    assert stored["fence"] == run.claim.fence
    assert stored["fetched_at"] == stored["checked_at"]


def test_saving_says_which_bodies_changed(run: Run) -> None:
    """R-A11: an identical body is not written again; only the look at it is."""
    assert save(run, p="one", q="two") == {"p": True, "q": True}
    run.conn.execute("UPDATE raw_pages SET fetched_at = '2020-01-01', checked_at = '2020-01-01'")
    before = page(run.conn, "p")
    assert save(run, p="one", q="changed") == {"p": False, "q": True}
    after = page(run.conn, "p")
    assert after["checked_at"] > before["checked_at"]
    assert after["fetched_at"] == before["fetched_at"]
    assert page(run.conn, "q")["html"] == "changed"


def test_saving_twice_changes_nothing_but_the_time_of_the_look(run: Run) -> None:
    save(run, p="one")
    before = page(run.conn, "p")
    assert save(run, p="one") == {"p": False}
    assert page(run.conn, "p") | {"checked_at": before["checked_at"]} == before


def test_a_page_confirmed_as_unchanged_keeps_its_body_and_validators(run: Run) -> None:
    save(run, p="one")
    run.conn.execute("UPDATE raw_pages SET checked_at = '2020-01-01'")
    before = page(run.conn, "p")
    with run.fenced():
        raw_pages.confirm(run.conn, run.claim, [ROOT + "p", ROOT + "unknown"])
    after = page(run.conn, "p")
    assert after["checked_at"] > before["checked_at"]
    assert after | {"checked_at": None} == before | {"checked_at": None}
    assert count(run.conn, "SELECT count(*) FROM raw_pages") == 1


def test_two_domains_may_have_the_same_page_and_do_not_touch_each_others(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    save(run, p="mine")
    with other.fenced():
        raw_pages.save(run.conn, other.claim, [new_body(ROOT + "p", "theirs")])
        raw_pages.remove_pages(run.conn, other.claim, {ROOT + "p": evidence_of(410)})
    assert raw_pages.count_live(run.conn, run.claim) == 1
    assert raw_pages.count_live(run.conn, other.claim) == 0
    assert raw_pages.live_among(run.conn, run.claim, [ROOT + "p"]) == {ROOT + "p"}


def test_batches_that_share_pages_in_opposite_orders_do_not_deadlock(
    run: Run, shared: Database
) -> None:
    """F-B5: rows are locked in the order of their URLs, whatever the batch's own."""
    urls = [f"{ROOT}{number}" for number in range(40)]
    start = threading.Barrier(2)

    def save_all(order: int) -> None:
        with shared.connect() as conn:
            for number in range(15):
                bodies = [new_body(url, f"{order} {number}") for url in urls[::order]]
                start.wait()
                with conn.transaction():
                    raw_pages.save(conn, run.claim, bodies)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save_all, [1, -1]))
    assert raw_pages.count_live(run.conn, run.claim) == len(urls)


# Leaving and coming back


@pytest.mark.parametrize("status", [301, 308, 404, 410])
def test_a_page_leaves_with_the_status_that_proves_it_and_without_its_text(
    run: Run, status: int
) -> None:
    """R-A12"""
    save(run, stays="one", leaves="two")
    left = remove_pages(run, leaves=status)
    stored = page(run.conn, "leaves")
    assert left == [stored["id"]]
    assert (stored["status"], stored["http_status"]) == ("gone", status)
    assert stored["gone_at"] is not None
    assert (stored["html"], stored["body_hash"], stored["etag"]) == (None, None, None)
    assert raw_pages.live_among(run.conn, run.claim, [ROOT + "stays", ROOT + "leaves"]) == {
        ROOT + "stays"
    }
    assert remove_pages(run, leaves=410, unknown=410) == [], "a page leaves once"
    assert page(run.conn, "leaves") == stored


@pytest.mark.parametrize("status", [200, 302, 403, 429, 500, 503])
def test_a_page_never_leaves_on_anything_else(run: Run, status: int) -> None:
    """R-A12: an outage, a bot wall or a login page removes nothing."""
    save(run, p="one")
    with pytest.raises(psycopg.errors.CheckViolation, match="gone_has_evidence"):
        remove_pages(run, p=status)
    assert page(run.conn, "p")["status"] == "live"


def test_a_page_that_comes_back_is_live_again_with_the_same_id(run: Run) -> None:
    save(run, p="one")
    (page_id,) = remove_pages(run, p=404)
    assert save(run, p="one") == {"p": True}
    stored = page(run.conn, "p")
    assert (stored["id"], stored["status"], stored["gone_at"]) == (page_id, "live", None)
    assert due_for_cleaning(run) == ["p"]


@pytest.mark.parametrize(
    "corruption",
    ["html = NULL", "body_hash = NULL", "body_hash = '\\x00'", "http_status = 503"],
)
def test_a_live_page_without_its_body_is_refused(run: Run, corruption: LiteralString) -> None:
    save(run, p="one")
    with pytest.raises(psycopg.errors.CheckViolation):
        run.conn.execute(b"UPDATE raw_pages SET " + corruption.encode())


# What is to be cleaned


def test_a_page_is_due_for_cleaning_until_its_body_was_cleaned_by_this_cleaner(run: Run) -> None:
    """R-A11: the same body and the same cleaner: nothing downstream runs."""
    save(run, p="one", q="two")
    assert due_for_cleaning(run) == ["p", "q"]
    page_id = page(run.conn, "p")["id"]
    with run.fenced():
        run.clean({page_id: "one"}, {page_id: "markdown"})
    assert due_for_cleaning(run) == ["q"]
    assert due_for_cleaning(run, cleaner_version=CLEANER + 1) == ["p", "q"]
    save(run, p="one", q="two")
    assert due_for_cleaning(run) == ["q"], "an unchanged body is not due"
    save(run, p="other")
    assert due_for_cleaning(run) == ["p", "q"]
    remove_pages(run, p=410)
    assert due_for_cleaning(run) == ["q"]


def test_pages_to_clean_come_in_batches_by_id(run: Run) -> None:
    save(run, **{f"p{number}": str(number) for number in range(5)})
    seen: list[int] = []
    while batch := raw_pages.due_for_cleaning(
        run.conn, run.claim, cleaner_version=CLEANER, after_id=seen[-1] if seen else 0, limit=2
    ):
        assert len(batch) <= 2
        seen += [due.page_id for due in batch]
        assert all(due.body_hash == text_hash(due.html) for due in batch)
    assert len(seen) == len(set(seen)) == 5
