"""The whole machine goes: webserver, daemon, code server and the run at work, all at once."""

import signal
import subprocess
import time
from urllib.parse import urlsplit

import psutil
import pytest

from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.commands.server.test_up import Console
from omni_pipeline_tests.embedding_server import EmbeddingServer, Exchange, ok

SECONDS = 120.0


def start_up(omni: CommandLine, port: int) -> "subprocess.Popen[str]":
    process = omni.open("up", "--port", str(port))
    assert process.stdout is not None
    assert f"http://127.0.0.1:{port}" in process.stdout.readline()
    return process


def never(exchange: Exchange) -> None:
    while exchange.pause(0.1):
        pass


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_host_that_crashes_leaves_no_domain_stuck(
    omni: CommandLine,
    site: SampleServer,
    embedding_server: EmbeddingServer,
    free_port: int,
    database: Database,
) -> None:
    """F-A16, R-B2: the job is ended, its run is failed, and the one that waits is let in."""
    domain = urlsplit(site.url).netloc
    assert omni.run("domains", "add", f"{site.url}/", "--delay", "0").returncode == 0
    embedding_server.otherwise = never
    process = start_up(omni, free_port)
    Console(free_port).launch(domain)
    deadline = time.monotonic() + SECONDS
    while not embedding_server.calls and time.monotonic() < deadline:
        time.sleep(0.1)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        member.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    embedding_server.otherwise = ok
    process = start_up(omni, free_port)
    try:
        console = Console(free_port)
        console.launch(domain)
        deadline = time.monotonic() + SECONDS
        while any(not run["endTime"] for run in console.runs()):
            assert time.monotonic() < deadline, console.runs()
            time.sleep(0.5)
        # Dagster itself starts a crashed run again, beside the one that was asked for.
        statuses = [run["status"] for run in console.runs()]
        assert sorted(set(statuses)) == ["FAILURE", "SUCCESS"]
        assert statuses.count("FAILURE") == 1
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    with database.connect() as conn:
        jobs = conn.execute(b"SELECT status, ended_by FROM crawl_jobs ORDER BY id").fetchall()
    assert jobs[0] == ("failed", "reaper")
    assert set(jobs[1:]) == {("completed", "worker")}
