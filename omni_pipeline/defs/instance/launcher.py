"""Launches runs: Dagster's way, or forked from a warm process where OMNI_WARM_RUNS says so.

A cold run spends seconds on imports. The warm process is
`omni_pipeline.commands.server.run_server`; it is needed to start runs only. A
run that it forked names its process in a tag, so whoever reads the tag
on the same machine can tell whether that process lives, and can interrupt it.
"""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.errors import DagsterLaunchFailedError, DagsterUserCodeUnreachableError
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from omni_pipeline.defs.instance.sockets import RUN_SERVER, socket_path
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.run.reaper import is_dead_here, is_of_here

WORKER_TAG = "omni/worker"

ANSWER_SECONDS = 10.0


class RunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, and the warm one for runs that it forked."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - there is nothing to configure
    ) -> Self:
        """Dagster's constructor."""
        return cls(inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process; where nobody does so now, the queue tries again in 10 s.

        Raises:
            DagsterUserCodeUnreachableError: The server that starts runs is away, or on its way out.
        """
        settings = read_settings()
        if not settings.warm_runs:
            self._launch_cold(context)
            return
        path = socket_path(settings.home / "dagster", RUN_SERVER)
        try:
            ask_for_process(path, context.dagster_run.run_id)
        except OSError as error:
            raise DagsterUserCodeUnreachableError(
                f"The run server on {path} does not start runs ({error}): `omni up` runs it where "
                "OMNI_WARM_RUNS=1 is set; its log is beside those of the daemon."
            ) from error

    def _launch_cold(self, context: LaunchRunContext) -> None:
        try:
            super().launch_run(context)
        except DagsterLaunchFailedError as error:
            # A code server that was shutting down: Dagster would fail the run.
            raise DagsterUserCodeUnreachableError(str(error)) from error

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, which then closes its job and reports itself cancelled."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or WORKER_TAG not in run.tags:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]  # Dagster's
        self._instance.report_run_canceling(run)
        return interrupt(run.tags[WORKER_TAG])

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Failed where the run's process was on this machine and is gone; else nothing is known."""
        worker = run.tags.get(WORKER_TAG)
        if worker is not None and is_dead_here(worker):
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its process ({worker}) is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def ask_for_process(path: Path, run_id: str) -> int:
    """Have the server on ``path`` fork a process for the run; returns its id.

    Raises:
        OSError: Nobody listens, or it did not answer with a process.
    """
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        connection.sendall(f"{run_id}\n".encode())
        answer = connection.makefile().readline().strip()
    if not answer.isdigit():
        raise OSError(answer or "it went away without an answer")
    return int(answer)


def interrupt(worker: str) -> bool:
    """Send SIGINT to the process that the tag names; False when it is not there to be found."""
    if not is_of_here(worker):
        return False
    try:
        process = os.pidfd_open(int(worker.split(":")[1]))
    except OSError:
        return False
    try:
        # Looked at once it is held: its number cannot become another process's from here on.
        if is_dead_here(worker):
            return False
        signal.pidfd_send_signal(process, signal.SIGINT)
    finally:
        os.close(process)
    return True
