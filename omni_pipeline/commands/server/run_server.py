"""Forks a process for each run from one that has everything imported: `python -m ... SOCKET`.

A run then costs a fork instead of an interpreter and its imports. What forks safely is a process
with one thread and no connection, so nothing here opens either, and that is checked before each
fork. Runs share nothing with the server afterwards: when it dies they go on, and when one of them
dies the server reports it.
"""

import gc
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from omni_pipeline.commands.server.processes import describe_end
from omni_pipeline.settings import CHECKOUT

# How soon the end of a run's process is seen.
LOOK_SECONDS = 0.5
REQUEST_SECONDS = 5.0
STOP_SECONDS = 15.0
ENDING = (signal.SIGINT, signal.SIGTERM)
NOBODY = (0, 0)

PACKAGE = CHECKOUT / "omni_pipeline"
# Dagster and our steps import these where they are first used.
USED_BY_RUNS = (
    "dagster_postgres.event_log",
    "dagster_postgres.run_storage",
    "dagster_postgres.schedule_storage",
    "psycopg2",
)


class CannotForkError(RuntimeError):
    """The server has become a process that must not be forked."""


@dataclass(kw_only=True)
class RunServer:
    """The listening socket, and the processes that were forked and have not ended yet."""

    listener: socket.socket
    written_at: int
    parent: int = field(default_factory=os.getppid)
    _run_by_pid: dict[int, str | None] = field(default_factory=dict)

    def serve(self) -> None:
        """Answer until this process is told to end."""
        self.listener.settimeout(LOOK_SECONDS)
        while True:
            with suppress(TimeoutError):
                connection, _ = self.listener.accept()
                with connection:
                    self._answer(connection)
            self.reap()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(REQUEST_SECONDS)
        with suppress(OSError, ValueError):  # who asks and goes away is not our trouble
            run_id = str(UUID(connection.makefile().readline().strip()))
            if newest_change(PACKAGE) != self.written_at:
                self._renew()
            pid = self._pid_of(run_id) or self._fork(run_id, partial(execute, run_id))
            connection.sendall(f"{pid}\n".encode())

    def _pid_of(self, run_id: str) -> int | None:
        """Who did not get the answer asks again: a run is never forked twice."""
        return next((pid for pid, run in self._run_by_pid.items() if run == run_id), None)

    def _renew(self) -> None:
        """Become a fresh process of the code as it is now; who asked asks again in 10 s."""
        sys.stdout.write("The code has changed: the run server starts anew.\n")
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", __spec__.name, *sys.argv[1:]])  # noqa: S606 - ourselves

    def _fork(self, run_id: str | None, work: Callable[[], None]) -> int:
        check_forkable()
        # A child that was told to end before it is a worker would end as a server does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            pid = os.fork()
            if pid == 0:
                _be_a_worker(work, self.listener, before)
            self._run_by_pid[pid] = run_id
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def reap(self) -> None:
        """Take leave of the processes that have ended; of one that crashed its run is failed."""
        # Also those from before this process started anew, of which it does not know the run.
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != NOBODY:
                pid, code = ended[0], os.waitstatus_to_exitcode(ended[1])
                run_id = self._run_by_pid.pop(pid, None)
                if run_id is not None and code != 0:
                    why = f"Its process ({pid}) {describe_end(code)}."
                    self._fork(None, partial(report_crash, run_id, why))

    def stop(self) -> None:
        """End the runs where nobody else does.

        `omni up` signals its children with all that they started. Where it died itself, this
        process is what is left to tell them.
        """
        if os.getppid() == self.parent:
            return
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._run_by_pid and time.monotonic() < deadline:
            self.reap()
            time.sleep(LOOK_SECONDS)
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: int) -> None:
        for pid in self._run_by_pid:  # not reaped yet, so the number is still theirs
            os.kill(pid, number)


def newest_change(folder: Path) -> int:
    """When a source file was last written, in nanoseconds."""
    return max(path.stat().st_mtime_ns for path in folder.rglob("*.py"))


def check_forkable() -> None:
    """A fork copies one thread and the locks of all: with a second thread it may hang for ever.

    Raises:
        CannotForkError: Something that was imported has started a thread.
    """
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise CannotForkError(f"The run server has {threads} threads and cannot be forked safely.")


def _be_a_worker(
    work: Callable[[], None], listener: socket.socket, unblocked: Iterable[int]
) -> NoReturn:
    """Do the work in a forked process, and end it without the server's way of ending."""
    code = 1
    try:
        listener.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the server's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def execute(run_id: str) -> None:
    """Do what Dagster's own run workers do (`dagster api execute_run`), in this process."""
    import dagster as dg
    from dagster._cli.api import _execute_run_command_body
    from dagster._utils.interrupts import capture_interrupts

    from omni_pipeline.defs.instance.launcher import WORKER_TAG
    from omni_pipeline.steps.run.reaper import this_worker

    with capture_interrupts(), dg.DagsterInstance.get() as instance:
        instance.add_run_tags(run_id, {WORKER_TAG: this_worker()})
        _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=False)


def report_crash(run_id: str, how: str) -> None:
    """Fail a run whose process is gone, at once; Dagster's monitoring would do so within 30 s."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, how)
        else:
            instance.report_run_failed(run, how)


def warm_up() -> None:
    """Import what runs need, and let no fork copy it only to look for garbage in it."""
    # numpy's threads would be there from its import on; several runs share the cores in any case.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for module in USED_BY_RUNS:
        import_module(module)
    from omni_pipeline.definitions import defs

    defs.get_repository_def()
    check_forkable()
    gc.collect()
    gc.freeze()


def listen(path: Path) -> socket.socket:
    """A socket that only this user reaches."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def main() -> None:
    """Serve on the socket that the one argument names."""
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    written_at = newest_change(PACKAGE)
    warm_up()
    server = RunServer(listener=listen(Path(sys.argv[1])), written_at=written_at)
    with suppress(KeyboardInterrupt):
        server.serve()
    server.stop()


if __name__ == "__main__":
    main()
