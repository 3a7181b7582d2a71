"""`omni jobs`: what ran, how it went, and why it ended (R-B1)."""

import json
import re
from collections.abc import Iterator

import pytest
from psycopg import Connection

from omni_pipeline.store.jobs import crawl_jobs, domains, reaping
from omni_pipeline.store.jobs.crawl_jobs import Counters
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.store.conftest import silence, start_run


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def test_the_ledger_tells_of_each_job_how_it_went_and_why_it_ended(
    omni: CommandLine, conn: Connection
) -> None:
    """R-B1 to R-B4: running, completed, failed, reaped and removed, the newest first."""
    failed = start_run(conn, "a.test")
    crawl_jobs.add_to_counters(
        conn, failed.claim, Counters(pages_published=2, chunks_embedded=30, tokens_embedded=4567)
    )
    failed.finish(("transient.timeout", "It took\ntoo long."))
    start_run(conn, "gone.test")
    domains.remove(conn, "gone.test")
    lost = start_run(conn, "a.test")
    reaping.reap(conn, lease_seconds=90, dead_job_ids=[lost.claim.job_id])
    assert start_run(conn, "a.test").finish()
    running = start_run(conn, "b.test")
    silence(conn, running.claim, 300)
    lines = re.sub(r"beat 3\d\d s", "beat 300 s", omni.run("jobs").stdout).splitlines()
    assert [line.split("  ")[1:] for line in lines if not line.startswith(" ")] == [
        ["b.test", "full", "running at the start, last beat 300 s ago"],
        ["a.test", "full", "completed"],
        ["a.test", "full", "failed, ended by the reaper"],
        ["gone.test", "full", "failed, ended by the domain's removal"],
        ["a.test", "full", "failed"],
    ]
    told = " ".join(" ".join(lines).split())
    assert "started 5 min ago, running for 5 min; run run-1" in told
    assert "transient.timeout: It took too long." in told
    assert "permanent.domain_removed: The domain gone.test was removed" in told
    assert "2 published; 30 chunks embedded, 0 reused; 4,567 tokens paid" in told


def test_jobs_are_chosen_by_domain_status_and_number(omni: CommandLine, conn: Connection) -> None:
    for host in ("a.test", "b.test", "a.test"):
        start_run(conn, host).finish(None if host == "a.test" else ("transient.x", "x"))

    def ids(*arguments: str) -> list[int]:
        return [job["job_id"] for job in json.loads(omni.run("jobs", *arguments, "--json").stdout)]

    assert ids("https://a.test/some/page") == [3, 1]
    assert ids("--status", "failed") == [2]
    assert "There may be older ones" in omni.run("jobs", "--limit", "1").stdout
    none = omni.run("jobs", "never.example.com", "--status", "failed").stdout
    assert "no failed job of never.example.com" in none


def test_one_job_is_shown_with_everything_that_the_ledger_has(
    omni: CommandLine, conn: Connection
) -> None:
    claim = start_run(conn, "a.test").claim
    shown = dict(
        line.split(maxsplit=1) for line in omni.run("jobs", "show", "1").stdout.splitlines()
    )
    assert (shown["host"], shown["status"], shown["run_id"]) == ("a.test", "running", "run-1")
    assert (shown["worker"], shown["error"]) == ("worker-1", "-")
    read = json.loads(omni.run("jobs", "show", "1", "--json").stdout)
    assert read["fence"] == claim.fence
    assert read.keys() == shown.keys()


def test_a_job_that_there_is_not_is_said_in_one_line(omni: CommandLine, conn: Connection) -> None:
    assert conn
    result = omni.run("jobs", "show", "7")
    assert result.returncode == 1
    assert result.stderr.strip() == "error There is no job 7: omni jobs lists those there are."


def test_the_help_names_both_ways_to_ask(omni: CommandLine) -> None:
    told = omni.run("jobs", "--help").stdout
    assert "list" in told
    assert "show" in told
