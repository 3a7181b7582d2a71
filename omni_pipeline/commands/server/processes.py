"""Child processes of `omni up`: restarted when they crash, stopped with all they started."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from omni_pipeline.commands.console import say, warn
from omni_pipeline.defs.instance.sockets import socket_path
from omni_pipeline.errors import PermanentError

# Loaded before any fork: a child may not load libraries between fork and exec.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

START_SECONDS = 90.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
SUPERVISE_SECONDS = 1.0
# What crashes more often than this in a row has a reason that restarts do not cure. They wait 1, 2,
# 4, 8 and 16 s, so that a database that is being restarted is not what makes us give up.
MAX_RESTARTS = 5
FIRST_DELAY_SECONDS = 1.0
# A crash after this long is the first one again.
STEADY_SECONDS = 600.0


@dataclass(kw_only=True)
class _Child:
    name: str
    arguments: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes]"
    started_at: float
    crashes: int = 0
    restart_at: float | None = None


@dataclass
class ProcessGroup:
    """The children of one `omni up`; leaving the block stops them, last started first."""

    environment: Mapping[str, str]
    logs: Path = field(kw_only=True)
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _children: list[_Child] = field(default_factory=list, kw_only=True)
    # What crashed, while something that it had started goes on: the runs of a code server.
    _survived: list["subprocess.Popen[bytes]"] = field(default_factory=list, kw_only=True)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        processes = [*self._survived, *(child.process for child in self._children)]
        for process in processes[1:]:
            _signal_group(process, signal.SIGTERM)  # they may take their time together
        for process in reversed(processes):
            _stop(process)

    def socket_path(self, name: str) -> Path:
        """A place for a unix socket that only this user reaches and that is short enough."""
        path = socket_path(self.logs.parent, name)
        path.unlink(missing_ok=True)
        return path

    def start(self, name: str, module_and_arguments: Sequence[str]) -> None:
        """Run ``python -m MODULE ARGUMENTS`` with its output in a log file."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        process = self._spawn(module_and_arguments, log)
        self._children.append(
            _Child(
                name=name,
                arguments=module_and_arguments,
                log=log,
                process=process,
                started_at=self.clock(),
            )
        )

    def _spawn(self, arguments: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [sys.executable, "-m", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_be_a_child,  # noqa: PLW1509 - no threads yet
            )

    def check(self) -> None:
        """Start again what has crashed, after a pause that doubles with each crash in a row.

        Raises:
            PermanentError: It crashes again and again; the message names its log.
        """
        for child in self._children:
            if child.restart_at is None and child.process.poll() is not None:
                self._note_crash(child)
            if child.restart_at is not None and self.clock() >= child.restart_at:
                self._restart(child)
        # An empty group's number may become somebody else's: it is not kept until the end.
        self._survived = [process for process in self._survived if _signal_group(process, 0)]

    def _note_crash(self, child: _Child) -> None:
        how = describe_end(child.process.returncode)
        lived = self.clock() - child.started_at
        child.crashes = 1 if lived >= STEADY_SECONDS else child.crashes + 1
        if child.crashes > MAX_RESTARTS:
            raise PermanentError(
                f"The {child.name} {how}, for the {child.crashes}th time in a row, and is not "
                f"started again: the reason is at the end of {child.log}."
            )
        delay = FIRST_DELAY_SECONDS * 2 ** (child.crashes - 1)
        child.restart_at = self.clock() + delay
        warn(f"The {child.name} {how} and is started again in {delay:.0f} s; see {child.log}")

    def _restart(self, child: _Child) -> None:
        self._survived.append(child.process)
        child.process = self._spawn(child.arguments, child.log)
        child.started_at, child.restart_at = self.clock(), None
        say(f"The {child.name} is started again.")

    def supervise(self, look_after: Callable[[], None]) -> None:
        """Keep the children running and call ``look_after``, again and again, until interrupted."""
        while True:
            self.check()
            look_after()
            time.sleep(SUPERVISE_SECONDS)


def wait_for_socket(path: Path, group: ProcessGroup) -> None:
    """Until somebody listens on the unix socket."""
    _wait(lambda: _answers(socket.AF_UNIX, str(path)), f"the process behind {path.name}", group)


def wait_for_port(host: str, port: int, group: ProcessGroup) -> None:
    """Until somebody listens on the TCP port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    _wait(lambda: _answers(family, (host, port)), f"the webserver on port {port}", group)


def _wait(is_there: Callable[[], bool], what: str, group: ProcessGroup) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_there():
        group.check()
        if time.monotonic() > deadline:
            raise PermanentError(
                f"{what} did not answer within {START_SECONDS:.0f} s; see {group.logs}."
            )
        time.sleep(POLL_SECONDS)


def describe_end(status: int) -> str:
    """How a process ended, by its exit code as subprocess has it: below 0 it is a signal's."""
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(address) == 0


def stop_on_signals() -> None:
    """Let Ctrl-C and `kill` end this process by KeyboardInterrupt, so that it stops its children.

    A process that a script started in the background finds SIGINT ignored, and Python then leaves
    it so.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _be_a_child() -> None:
    """Default signals, and an end when the parent ends, were it by kill -9.

    Dagster copies the SIGINT handler it finds to SIGTERM: ignored, nothing would stop it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the child and whatever it started (run workers share its process group)."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        if not _signal_group(process, number):
            break
        deadline = time.monotonic() + seconds
        while _signal_group(process, 0) and time.monotonic() < deadline:
            process.poll()
            time.sleep(POLL_SECONDS)
    process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> bool:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
