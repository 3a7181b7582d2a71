"""Runs forked from a warm process: they end as runs do, and neither's death harms the other."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import dagster as dg
import psutil
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.base import WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from omni_pipeline.commands.server.processes import ProcessGroup, wait_for_socket
from omni_pipeline.commands.server.run_server import CannotForkError, check_forkable
from omni_pipeline.definitions import defs
from omni_pipeline.defs.instance.environment import dagster_environment
from omni_pipeline.defs.instance.launcher import WORKER_TAG, RunLauncher, ask_for_process, interrupt
from omni_pipeline.defs.instance.sockets import LONGEST_SOCKET_PATH, RUN_SERVER, socket_path
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline_tests.defs.conftest import Console

# Of a busy machine; a run takes one or two on an idle one.
SECONDS = 120.0

pytestmark = pytest.mark.timeout(400)
ORIGIN = JobPythonOrigin(
    job_name="refresh_domain",
    repository_origin=RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("omni_pipeline.definitions", "defs"),
    ),
)
A_FEW_PAGES = {"ops": {"raw_pages": {"config": {"max_pages": 3}}}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(kw_only=True)
class Warm:
    """A run server, and a launcher that has runs of the console's domain forked from it."""

    console: Console
    group: ProcessGroup
    clock: Clock

    @property
    def server(self) -> psutil.Process:
        [server] = [
            p
            for p in psutil.Process().children()
            if p.status() != psutil.STATUS_ZOMBIE
            and "omni_pipeline.commands.server.run_server" in p.cmdline()
        ]
        return server

    @property
    def launcher(self) -> RunLauncher:
        return cast("RunLauncher", self.console.instance.run_launcher)

    def queue(self) -> dg.DagsterRun:
        return self.console.instance.create_run_for_job(
            defs.resolve_job_def("refresh_domain"),
            run_config=A_FEW_PAGES,
            tags={"dagster/partition": self.console.host},
            job_code_origin=ORIGIN,
            status=dg.DagsterRunStatus.STARTING,
        )

    def launch(self) -> dg.DagsterRun:
        """As the queue does it: again where the server starts anew, because a file was edited."""
        run = self.queue()
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self.launch_once(run)
            except DagsterUserCodeUnreachableError:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            else:
                return run

    def launch_once(self, run: dg.DagsterRun) -> None:
        self.launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))

    def look(self, run: dg.DagsterRun) -> dg.DagsterRun:
        found = self.console.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found

    def wait(self, run: dg.DagsterRun, until: Callable[[dg.DagsterRun], bool]) -> dg.DagsterRun:
        deadline = time.monotonic() + SECONDS
        while not until(found := self.look(run)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def wait_for_crawl(self, run: dg.DagsterRun, visits: int) -> psutil.Process:
        """Until the site has been asked; returns the run's process."""
        deadline = time.monotonic() + SECONDS
        while len(self.console.site.requests) < visits:
            assert time.monotonic() < deadline
            assert not self.look(run).is_finished, self.log_of(run)
            time.sleep(0.1)
        return psutil.Process(int(self.look(run).tags[WORKER_TAG].split(":")[1]))

    def log_of(self, run: dg.DagsterRun) -> list[str]:
        return [str(entry.message) for entry in self.console.instance.all_logs(run.run_id)]

    def slow_down(self, seconds: float) -> None:
        """Let a refresh of this site take a while."""
        with self.console.database.connect() as conn:
            conn.execute("UPDATE domains SET delay_seconds = %s", [seconds])

    def restart_server(self) -> None:
        """As `omni up` does, a second after it has seen that the server is gone."""
        self.group.check()
        self.clock.now += 1
        self.group.check()
        wait_for_socket(socket_path(self.group.logs.parent, RUN_SERVER), self.group)


@pytest.fixture
def warm(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warm]:
    monkeypatch.setenv("OMNI_WARM_RUNS", "1")
    environment = dagster_environment(read_settings(), console.database)
    clock = Clock()
    with ProcessGroup(environment, logs=tmp_path / "dagster" / "logs", clock=clock) as group:
        sock = group.socket_path(RUN_SERVER)
        group.start("run server", ["omni_pipeline.commands.server.run_server", str(sock)])
        wait_for_socket(sock, group)
        yield Warm(console=console, group=group, clock=clock)


@pytest.mark.chaos
def test_runs_are_forked_from_the_server_whatever_else_it_is_asked(warm: Warm) -> None:
    sock = socket_path(warm.group.logs.parent, RUN_SERVER)
    for nonsense in ("", "no-run-id", "../../etc/passwd"):
        with pytest.raises(OSError, match="without an answer"):
            ask_for_process(sock, nonsense)
    assert sock.stat().st_mode & 0o077 == 0
    runs = [warm.launch()]
    process = warm.wait_for_crawl(runs[0], 1)
    assert process.ppid() == warm.server.pid
    warm.wait(runs[0], lambda run: run.is_finished)
    runs.append(warm.launch())
    for run in runs:
        assert warm.wait(run, lambda run: run.is_finished).status is dg.DagsterRunStatus.SUCCESS
    jobs = warm.console.query(b"SELECT run_id, status FROM crawl_jobs ORDER BY id")
    assert jobs == [(run.run_id, "completed") for run in runs]


@pytest.mark.chaos
def test_a_run_that_is_killed_fails_within_seconds_and_harms_nobody(warm: Warm) -> None:
    """R-A16: its end is seen by the server, and by whoever asks the launcher how it is."""
    warm.slow_down(3)
    killed = warm.launch()
    process = warm.wait_for_crawl(killed, 1)
    started = warm.look(killed)
    assert warm.launcher.check_run_worker_health(started).status is WorkerStatus.RUNNING
    process.kill()
    ended = warm.wait(killed, lambda run: run.is_finished)
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert any("was killed by SIGKILL" in message for message in warm.log_of(killed))
    assert warm.launcher.check_run_worker_health(started).status is WorkerStatus.FAILED
    warm.slow_down(0)
    following = warm.wait(warm.launch(), lambda run: run.is_finished)
    assert following.status is dg.DagsterRunStatus.SUCCESS


@pytest.mark.chaos
def test_a_run_that_is_terminated_ends_as_cancelled(warm: Warm) -> None:
    warm.slow_down(3)
    run = warm.launch()
    process = warm.wait_for_crawl(run, 1)
    assert warm.launcher.terminate(run.run_id)
    assert warm.wait(run, lambda run: run.is_finished).status is dg.DagsterRunStatus.CANCELED
    psutil.wait_procs([process], timeout=30)
    assert not warm.launcher.terminate(run.run_id)
    [(status,)] = warm.console.query(b"SELECT status FROM crawl_jobs")
    assert status == "failed"


def test_a_server_that_is_killed_takes_no_run_with_it_and_is_started_again(warm: Warm) -> None:
    warm.slow_down(1)
    run = warm.launch()
    warm.wait_for_crawl(run, 1)
    server = warm.server
    server.kill()
    deadline = time.monotonic() + 30
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(DagsterUserCodeUnreachableError, match="OMNI_WARM_RUNS"):
        warm.launch_once(warm.queue())
    warm.restart_server()
    assert warm.server.pid != server.pid
    assert warm.wait(run, lambda run: run.is_finished).status is dg.DagsterRunStatus.SUCCESS
    again = warm.wait(warm.launch(), lambda run: run.is_finished)
    assert again.status is dg.DagsterRunStatus.SUCCESS


def test_of_a_run_elsewhere_or_without_a_process_nothing_is_claimed(console: Console) -> None:
    """A run that is only not seen from here is not failed by the monitoring."""
    launcher = console.instance.run_launcher
    assert isinstance(launcher, RunLauncher)
    assert launcher.supports_check_run_worker_health
    for tags in ({}, {WORKER_TAG: "elsewhere:1:1:1:1"}, {WORKER_TAG: "nonsense"}):
        run = dg.DagsterRun(job_name="refresh_domain", run_id="r", tags=tags)
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_nobody_is_interrupted_but_the_very_process_that_the_tag_names() -> None:
    """A process id is used again by strangers."""
    host, pid, started, boot, namespace = this_worker().split(":")
    assert not interrupt(f"elsewhere:{pid}:{started}:{boot}:{namespace}")
    assert not interrupt(f"{host}:{pid}:{started}:another-boot:{namespace}")
    assert not interrupt(f"{host}:{pid}:{int(started) - 1}:{boot}:{namespace}")
    assert not interrupt("nonsense")
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        assert interrupt(this_worker())
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_process_with_a_second_thread_is_not_forked() -> None:
    """The pytest process has some: a fork of it could hang for ever."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(CannotForkError, match="cannot be forked safely"):
            check_forkable()
    finally:
        stop.set()
        thread.join()


def test_a_socket_in_a_deep_folder_gets_a_short_place_of_its_own(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * LONGEST_SOCKET_PATH)
    short = socket_path(deep, RUN_SERVER)
    assert len(str(short)) <= LONGEST_SOCKET_PATH
    assert short.parent.stat().st_mode & 0o077 == 0
    assert socket_path(deep, RUN_SERVER) == short
    assert socket_path(tmp_path / "e" / ("d" * LONGEST_SOCKET_PATH), RUN_SERVER) != short
