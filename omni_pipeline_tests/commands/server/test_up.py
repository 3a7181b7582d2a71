"""`omni up`: the shipped dagster.yaml with a real webserver, daemon and code server."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from omni_pipeline.commands.server.processes import ProcessGroup, wait_for_port
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine

SECONDS = 120.0

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
FAILURES = """
query Failures($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection {
      events {
        ... on ExecutionStepFailureEvent { error { message causes { message } } }
        ... on RunFailureEvent { message }
        ... on EngineEvent { message }
      }
    }
  }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status startTime endTime } } } }"


class Console:
    """Dagster's UI as a browser sees it: GraphQL over HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            document = json.loads(answer.read())
        assert "errors" not in document, document
        return document["data"]

    def launch(self, domain: str) -> None:
        """What *Materialize* does for one partition."""
        selector = {
            "repositoryLocationName": "omni_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": "refresh_domain",
        }
        tags = [{"key": "dagster/partition", "value": domain}]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        launched = self.ask(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched

    def launch_patiently(self, domain: str) -> None:
        """As a person does while parts of it are away."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self.launch(domain)
            except (AssertionError, OSError):
                assert time.monotonic() < deadline
                time.sleep(1.0)
            else:
                return

    def explain(self, run_id: str) -> list[dict[str, Any]]:
        """What the run's page says of how it went."""
        events = self.ask(FAILURES, run=run_id)["logsForRun"]["events"]
        return [event for event in events if event]

    def runs(self) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.ask(RUNS)["runsOrError"]["results"]
        return runs


@pytest.fixture
def up(omni: CommandLine, free_port: int) -> Iterator["subprocess.Popen[str]"]:
    process = omni.open("up", "--port", str(free_port))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{free_port}" in line, line + process.communicate(timeout=60)[1]
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_three_launches_of_one_domain_run_one_after_another(
    omni: CommandLine,
    up: "subprocess.Popen[str]",
    site: SampleServer,
    free_port: int,
    database: Database,
) -> None:
    """R-A8, R-A21: the real queue admits one run per domain; every launch is accounted for."""
    domain = urlsplit(site.url).netloc
    assert omni.run("domains", "add", f"{site.url}/", "--delay", "0").returncode == 0
    console = Console(free_port)
    for _ in range(3):
        console.launch(domain)
    runs = wait_for_end(console, 3)
    assert [run["status"] for run in runs] == ["SUCCESS"] * 3
    times = sorted((run["startTime"], run["endTime"]) for run in runs)
    for (_, ended), (started, _) in pairwise(times):
        assert started >= ended
    with database.connect() as conn:
        jobs = conn.execute(b"SELECT status, count(*) FROM crawl_jobs GROUP BY 1").fetchall()
    assert jobs == [("completed", 3)]


def test_alerts_that_cannot_arrive_are_said_at_the_start(omni: CommandLine, free_port: int) -> None:
    """Nobody reads a sensor's ticks before something is wrong."""
    process = omni.open("up", "--port", str(free_port), OMNI_ALERT_URLS="http://in-clear.test/hook")
    try:
        assert process.stderr is not None
        assert "plain http would send alerts in clear" in process.stderr.readline()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def wait_for_end(console: Console, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        runs = console.runs()
        if len(runs) == count and all(run["endTime"] for run in runs):
            return runs
        time.sleep(0.5)
    raise AssertionError(f"the runs did not end: {console.runs()}")


def with_everything_of_its_own(omni: CommandLine) -> dict[str, str]:
    """The environment of an `omni up` with all the children that it may have."""
    own = {name: value for name, value in omni.environment.items() if name != "OMNI_DATABASE_URL"}
    return own | {"OMNI_WARM_RUNS": "1"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.chaos),
        pytest.param(signal.SIGKILL, marks=pytest.mark.chaos),
    ],
)
def test_the_end_of_up_leaves_no_process_behind(
    omni: CommandLine, free_port: int, number: signal.Signals
) -> None:
    """Ctrl-C, `kill` and kill -9 alike; the embedded Postgres is stopped by its last user."""
    own = with_everything_of_its_own(omni)
    process = CommandLine(environment=own).open("up", "--port", str(free_port))
    assert process.stdout is not None
    said = list(takewhile(lambda line: "http://" not in line, iter(process.stdout.readline, "")))
    assert process.poll() is None, said
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    process.send_signal(number)
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    if number != signal.SIGKILL:  # what kill -9 leaves of Postgres, its next user stops
        processes = psutil.process_iter(["cmdline"])
        assert not [p for p in processes if own["OMNI_HOME"] in _command_of(p)]
    assert CommandLine(environment=own).run("verify").returncode == 0


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_whatever_of_up_is_killed_is_started_again_and_said(
    omni: CommandLine, site: SampleServer, free_port: int, tmp_path: Path
) -> None:
    """R-A16, R-A20: every part of it, Postgres included; then a launch runs to its end."""
    own = with_everything_of_its_own(omni)
    command_line = CommandLine(environment=own)
    added = command_line.run("domains", "add", f"{site.url}/", "--delay", "0", "--max-pages", "2")
    assert added.returncode == 0, added.stderr
    process = command_line.open("up", "--port", str(free_port))
    assert process.stdout is not None
    try:
        said = list(
            takewhile(lambda line: "Ctrl-C stops" not in line, iter(process.stdout.readline, ""))
        )
        assert any("http://" in line for line in said), said
        for name, child in _find_parts(process.pid, Path(own["OMNI_HOME"])).items():
            child.kill()
            assert f"{name} " in process.stdout.readline()
        wait_for_port("127.0.0.1", free_port, ProcessGroup({}, logs=tmp_path))
        console = Console(free_port)
        console.launch_patiently(urlsplit(site.url).netloc)
        [run] = wait_for_end(console, 1)
        assert run["status"] == "SUCCESS", console.explain(run["runId"])
    finally:
        process.send_signal(signal.SIGINT)
        _, warnings = process.communicate(timeout=60)
    for name in ("code server", "run server", "daemon", "webserver"):
        assert f"The {name} was killed by SIGKILL and is started again in 1 s" in warnings
    assert "Postgres ended and is started again" in warnings


def _find_parts(up: int, home: Path) -> dict[str, psutil.Process]:
    """The parts by the word that `omni up` has for them, in the order in which to kill them."""
    modules = {
        "daemon": "dagster._daemon",
        "webserver": "dagster_webserver",
        "code server": "code-server",
        "run server": "run_server",
    }
    children = [(child, " ".join(child.cmdline())) for child in psutil.Process(up).children()]
    parts = {
        name: next(child for child, command in children if word in command)
        for name, word in modules.items()
    }
    postmaster = EmbeddedPostgres(home / "postgres").cluster.postmaster_pid()
    return {**parts, "Postgres": psutil.Process(postmaster)}


def _command_of(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])
