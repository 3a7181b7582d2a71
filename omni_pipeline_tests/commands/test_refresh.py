"""`omni refresh` in a process of its own: the whole way, killed in the middle, twice at once."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from omni_pipeline.commands import refresh as command
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.steps.text.cleaned_pages import CleanedPagesReport
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import Behaviour, EmbeddingServer, Exchange, ok

SECONDS = 60.0


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def report_of(result: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, int]]:
    assert result.returncode == 0, result.stderr
    report: dict[str, dict[str, int]] = json.loads(result.stdout)
    return report


def slow(exchange: Exchange) -> None:
    exchange.pause(0.3)
    ok(exchange)


def held_until(may_end: threading.Event) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        while not may_end.is_set() and exchange.pause(0.05):
            pass
        ok(exchange)

    return behave


def test_a_url_is_registered_refreshed_and_searchable(
    omni: CommandLine, site: SampleServer
) -> None:
    """One command, from web site to searchable index."""
    report = report_of(omni.run("refresh", f"{site.url}/", "--json"))
    assert report["embeddings"]["chunks_live"] == report["embeddings"]["embeddings_live"] > 20
    assert omni.run("verify").stdout.startswith("0 violations")
    [answer] = json.loads(omni.run("search", "soil moisture", "-k", "1", "--json").stdout)
    assert answer["url"].startswith(site.url)
    [status] = json.loads(omni.run("status", "--json").stdout)
    assert status["job_status"] == "completed"


def test_a_refresh_tells_in_words_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup in what a site wrote is shown, not obeyed."""
    line = "changed: https://s.example.test/tides (under [bold]Ebb[/], Flood)"
    report = CleanedPagesReport(
        pages_cleaned=1, pages_changed=1, pages_failed=0, pages_held=0, changes=(line,)
    )
    command._print_changes(report)
    assert f"  {line}\n" in capsys.readouterr().out


def test_kill_while_embedding_loses_nothing_that_was_paid_for(
    omni: CommandLine,
    site: SampleServer,
    host: str,
    embedding_server: EmbeddingServer,
    database: Database,
) -> None:
    """R-A19: clean at once, the old revision still answers, nothing is paid for twice."""
    report_of(omni.run("refresh", host, "--json"))
    for path in ("/docs/watering.html", "/docs/sensors.html", "/faq.html", "/pricing.html"):
        words = site.read(path)
        site.pages[path] = words.replace("the", "thy").replace("a ", "one ")
    with database.connect() as conn:
        before = conn.execute(b"SELECT id, text_hash FROM chunks ORDER BY id").fetchall()
    embedding_server.calls.clear()
    embedding_server.otherwise = slow
    refresh = omni.start("refresh", host, "--force-rescrape", OMNI_CHUNK_TOKENS="64")
    wait_until(lambda: len(embedding_server.calls) >= 3)
    refresh.send_signal(signal.SIGKILL)
    refresh.communicate()
    paid = [text for call in embedding_server.calls[:-1] for text in call.texts]
    assert omni.run("verify").returncode == 0
    with database.connect() as conn:
        assert conn.execute(b"SELECT id, text_hash FROM chunks ORDER BY id").fetchall() == before
        kept = conn.execute(b"SELECT count(*) FROM kept_embeddings").fetchone()
    assert kept is not None
    assert kept[0] > 0
    assert omni.run("search", "water").returncode == 0
    embedding_server.otherwise = ok
    embedding_server.calls.clear()
    report = report_of(omni.run("refresh", host, "--json", OMNI_CHUNK_TOKENS="64"))
    assert report["embeddings"]["pages_published"] > 0
    again = [text for call in embedding_server.calls for text in call.texts]
    assert not set(again) & set(paid)
    assert omni.run("verify").returncode == 0


def test_of_two_refreshes_at_once_one_runs_and_the_other_is_told(
    omni: CommandLine, host: str, embedding_server: EmbeddingServer
) -> None:
    """R-A8: both went past the queue; the lease tells the second who holds the domain."""
    may_end = threading.Event()
    embedding_server.otherwise = held_until(may_end)
    first = omni.start("refresh", host)
    wait_until(lambda: len(embedding_server.calls) >= 1)
    second = omni.run("refresh", host)
    may_end.set()
    assert second.returncode == 1
    assert "already being refreshed by run" in second.stderr
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert omni.run("verify").returncode == 0


def test_ctrl_c_ends_a_refresh_with_one_line_and_a_closed_job(
    omni: CommandLine, host: str, embedding_server: EmbeddingServer, database: Database
) -> None:
    """F-A17: the lease is given back at once, and the job row says why."""
    may_end = threading.Event()
    hold = held_until(may_end)

    def behave(exchange: Exchange) -> None:
        is_preflight = len(embedding_server.calls) == 1
        (ok if is_preflight else hold)(exchange)

    embedding_server.otherwise = behave
    refresh = omni.start("refresh", host)
    wait_until(lambda: len(embedding_server.calls) >= 2)
    refresh.send_signal(signal.SIGINT)
    time.sleep(0.5)
    may_end.set()
    _, errors = refresh.communicate()
    assert refresh.returncode == 1
    assert errors.strip().startswith("error The refresh was interrupted.")
    with database.connect() as conn:
        rows = conn.execute(b"SELECT status, ended_by, error_kind FROM crawl_jobs").fetchall()
    assert rows == [("failed", "worker", "transient.interrupted")]
