"""The ledger of failures: one open row per page and stage, tried again later and later."""

from datetime import timedelta

import psycopg
import pytest

from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import Failure, OpenFailure
from omni_pipeline.store.jobs import domains
from omni_pipeline_tests.store.conftest import HOST, Run, count, start_run

ROOT = f"https://{HOST}/"


def fail(run: Run, *paths: str, stage: str = "fetch", kind: str = "transient.timeout") -> None:
    failures = [Failure(url=ROOT + path, kind=kind, reason=f"{kind} of {path}") for path in paths]
    with run.fenced():
        failed_pages.record(run.conn, run.claim, stage, failures)


def resolve(run: Run, *paths: str, stages: tuple[str, ...] = ("fetch",)) -> None:
    with run.fenced():
        failed_pages.resolve(run.conn, run.claim, [ROOT + path for path in paths], *stages)


def open_failures(run: Run) -> list[OpenFailure]:
    return failed_pages.list_open(run.conn, run.claim.domain_id)


def wait_of(failure: OpenFailure) -> timedelta:
    assert failure.next_try_at is not None
    return failure.next_try_at - failure.last_failed_at


def make_due(run: Run) -> None:
    run.conn.execute("UPDATE failed_pages SET next_try_at = now() - interval '1 second'")


def due(run: Run, *, is_forced: bool = False) -> list[str]:
    urls = failed_pages.due_for_retry(run.conn, run.claim, is_forced=is_forced)
    return [url.removeprefix(ROOT) for url in urls]


def test_a_failure_says_where_why_and_when_it_is_tried_again(run: Run) -> None:
    """R-A17"""
    fail(run, "p")
    (failure,) = open_failures(run)
    assert (failure.url, failure.stage, failure.attempts) == (ROOT + "p", "fetch", 1)
    assert (failure.error_kind, failure.error) == ("transient.timeout", "transient.timeout of p")
    assert wait_of(failure) == timedelta(hours=1)
    assert count(run.conn, "SELECT job_id FROM failed_pages") == run.claim.job_id


def test_a_repeated_failure_counts_up_and_waits_twice_as_long_up_to_a_week(run: Run) -> None:
    waits = []
    for attempt in range(1, 13):
        fail(run, "p")
        (failure,) = open_failures(run)
        assert failure.attempts == attempt
        waits.append(wait_of(failure) / timedelta(hours=1))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168, 168]


def test_the_newest_reason_and_job_stand_and_the_first_time_stays(run: Run) -> None:
    fail(run, "p")
    run.conn.execute("UPDATE failed_pages SET first_failed_at = '2026-01-01'")
    run.finish()
    successor = start_run(run.conn)
    fail(successor, "p", kind="transient.refused")
    (failure,) = open_failures(run)
    assert (failure.error_kind, failure.attempts) == ("transient.refused", 2)
    query = "SELECT count(*) FROM failed_pages WHERE job_id = %s AND first_failed_at = '2026-01-01'"
    assert count(run.conn, query, successor.claim.job_id) == 1


def test_a_permanent_failure_is_not_tried_again_by_itself(run: Run) -> None:
    """R-A15"""
    fail(run, "p", kind="permanent.too_large")
    fail(run, "q")
    make_due_of_transient = "UPDATE failed_pages SET next_try_at = now() WHERE url LIKE '%q'"
    run.conn.execute(make_due_of_transient)
    assert due(run) == ["q"]
    assert due(run, is_forced=True) == ["p", "q"]


def test_a_failure_that_turns_permanent_waits_no_more_and_back(run: Run) -> None:
    fail(run, "p")
    fail(run, "p", kind="permanent.gone_wrong")
    (failure,) = open_failures(run)
    assert failure.next_try_at is None
    fail(run, "p")
    (failure,) = open_failures(run)
    assert wait_of(failure) == timedelta(hours=4)


def test_only_fetches_whose_time_has_come_are_due_unless_forced(run: Run) -> None:
    """R-A17: retried with backoff on later refreshes, or on demand."""
    fail(run, "later", "now")
    fail(run, "cleaned", stage="clean")
    assert due(run) == []
    make_due(run)
    run.conn.execute(
        "UPDATE failed_pages SET next_try_at = now() + interval '1 hour' WHERE url LIKE '%later'"
    )
    assert due(run) == ["now"]
    assert due(run, is_forced=True) == ["later", "now"]


def test_a_resolved_failure_is_history_and_a_new_one_starts_anew(run: Run) -> None:
    fail(run, "p")
    fail(run, "p")
    resolve(run, "p")
    assert open_failures(run) == []
    make_due(run)
    assert due(run, is_forced=True) == []
    fail(run, "p")
    (failure,) = open_failures(run)
    assert failure.attempts == 1
    assert count(run.conn, "SELECT count(*) FROM failed_pages") == 2


def test_stages_fail_and_are_resolved_on_their_own(run: Run) -> None:
    for stage in ("fetch", "clean", "chunk", "embed"):
        fail(run, "p", stage=stage)
    resolve(run, "p", stages=("chunk", "embed"))
    assert {failure.stage for failure in open_failures(run)} == {"fetch", "clean"}


def test_failures_of_another_domain_are_not_touched(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    fail(run, "p")
    fail(other, "p")
    resolve(run, "p")
    assert open_failures(run) == []
    assert len(open_failures(other)) == 1


def test_a_stage_that_nobody_knows_is_refused(run: Run) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        fail(run, "p", stage="digest")


def test_no_failures_is_no_work(run: Run) -> None:
    fail(run)
    resolve(run)
    assert open_failures(run) == []


def test_the_newest_failures_are_listed_first_and_no_more_than_asked(run: Run) -> None:
    for path in ("a", "b", "c"):
        fail(run, path)
    newest = failed_pages.list_open(run.conn, run.claim.domain_id, limit=2)
    assert [failure.url for failure in newest] == [ROOT + "c", ROOT + "b"]


def test_failures_leave_with_their_domain_and_survive_their_job(run: Run) -> None:
    fail(run, "p")
    run.finish()
    run.conn.execute("DELETE FROM crawl_jobs")
    assert len(open_failures(run)) == 1
    domains.remove(run.conn, HOST)
    assert count(run.conn, "SELECT count(*) FROM failed_pages") == 0


def test_a_person_makes_every_open_failure_due_permanent_ones_too(run: Run) -> None:
    """R-A17: on demand."""
    fail(run, "waits")
    fail(run, "permanent", kind="permanent.not_html")
    fail(run, "done")
    resolve(run, "done")
    assert due(run) == []
    assert failed_pages.make_due(run.conn, run.claim.domain_id) == 2
    assert due(run) == ["waits", "permanent"]
    assert failed_pages.make_due(run.conn, run.claim.domain_id) == 2, "twice is as good as once"


def test_only_the_asked_stage_and_domain_are_made_due(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    fail(run, "p")
    fail(run, "p", stage="embed", kind="permanent.input_refused")
    fail(other, "p")
    assert failed_pages.make_due(run.conn, run.claim.domain_id, stage="embed") == 1
    assert (due(run), due(other)) == ([], [])
    assert failed_pages.make_due(run.conn) == 3, "without a domain: all of them"
    assert due(other) != []


def test_a_failure_that_was_made_due_and_fails_again_waits_again(run: Run) -> None:
    fail(run, "p", kind="permanent.gone_wrong")
    failed_pages.make_due(run.conn, run.claim.domain_id)
    fail(run, "p", kind="permanent.gone_wrong")
    (failure,) = open_failures(run)
    assert (failure.attempts, failure.next_try_at) == (2, None)


def test_failures_are_listed_and_counted_over_all_domains_or_by_stage(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    fail(run, "p", "q")
    fail(run, "p", stage="clean")
    fail(other, "r")
    hosts = [failure.host for failure in failed_pages.list_open(run.conn)]
    assert hosts == [HOST, HOST, HOST, "b.test"]
    only = failed_pages.list_open(run.conn, run.claim.domain_id, stage="clean", limit=None)
    assert [(failure.host, failure.stage) for failure in only] == [(HOST, "clean")]
    assert failed_pages.count_open(run.conn) == {"clean": 1, "fetch": 3}
    assert failed_pages.count_open(run.conn, other.claim.domain_id) == {"fetch": 1}
