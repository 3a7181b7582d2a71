"""`omni failed`: which pages, why, when again; and `--retry`, which does what it says."""

import json
from collections.abc import Iterator

import pytest
from psycopg import Connection

from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.store.conftest import Run, start_run


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def fail(run: Run, path: str, stage: str, kind: str) -> None:
    url = f"https://{run.claim.host}/{path}"
    failure = Failure(url=url, kind=kind, reason=f"{url} broke")
    with run.fenced():
        failed_pages.record(run.conn, run.claim, stage, [failure])


def test_every_failure_says_where_why_and_when_it_is_tried_again(
    omni: CommandLine, conn: Connection
) -> None:
    """R-A17"""
    run = start_run(conn, "a.test")
    fail(run, "slow", "fetch", "transient.timeout")
    fail(run, "form", "fetch", "permanent.too_large")
    fail(run, "empty", "clean", "suspicious.empty")
    fail(start_run(conn, "b.test"), "other", "fetch", "transient.status")
    lines = omni.run("failed").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["a.test", "b.test"]
    told = " ".join(" ".join(lines).split())
    assert "https://a.test/slow fetch: broke (transient.timeout) 1 attempt" in told
    assert "next try: in 60 min" in told
    assert "next try: not by itself: permanent" in told
    assert "next try: with every refresh" in told
    [only] = json.loads(omni.run("failed", "a.test", "--stage", "clean", "--json").stdout)
    assert (only["url"], only["attempts"]) == ("https://a.test/empty", 1)
    assert "1 clean, 2 fetch: omni failed a.test" in omni.run("status", "a.test").stdout


def test_retry_makes_permanent_failures_due_and_says_how_to_go_on(
    omni: CommandLine, conn: Connection
) -> None:
    """R-A17: the next crawl asks for them."""
    run = start_run(conn, "a.test")
    fail(run, "form", "fetch", "permanent.too_large")
    fail(run, "empty", "clean", "permanent.empty")
    assert failed_pages.due_for_retry(conn, run.claim, is_forced=False) == []
    told = omni.run("failed", "a.test", "--retry").stdout
    assert "next try: with the next refresh" in told
    assert "1 page is to be fetched again." in told
    assert "1 failed after the fetch" in told
    assert "omni refresh a.test" in told
    due = failed_pages.due_for_retry(conn, run.claim, is_forced=False)
    assert due == ["https://a.test/form"]


def test_no_failure_is_said_in_words(omni: CommandLine, conn: Connection) -> None:
    start_run(conn, "a.test")
    assert "No page of a.test" in omni.run("failed", "a.test").stdout
    assert "No page of any domain" in omni.run("failed", "--retry").stdout
