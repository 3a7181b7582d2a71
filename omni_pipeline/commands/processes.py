"""Child processes of `omni up`: restarted when they crash, stopped with all they started."""

import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from omni_pipeline.commands.console import warn
from omni_pipeline.errors import PermanentError

# Loaded before any fork: a child may not load libraries between fork and exec.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

START_SECONDS = 90.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
# What crashes more often than this within one `omni up` has a reason that restarts do not cure.
MOST_RESTARTS = 5
# sun_path holds 107 bytes; a checkout may lie deeper than that.
LONGEST_SOCKET_PATH = 100


@dataclass(kw_only=True)
class _Child:
    name: str
    arguments: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes]"
    restarts: int = 0


@dataclass
class ProcessGroup:
    """The children of one `omni up`; leaving the block stops them, last started first."""

    environment: Mapping[str, str]
    logs: Path = field(kw_only=True)
    _children: list[_Child] = field(default_factory=list, kw_only=True)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self._children[1:]:
            _signal_group(child.process, signal.SIGTERM)  # they may take their time together
        for child in reversed(self._children):
            _stop(child.process)

    def socket_path(self, name: str) -> Path:
        """A place for a unix socket that only this user reaches and that is short enough."""
        path = self.logs.parent / name
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()) / f"omni-{os.getuid()}-{digest}"
            folder.mkdir(mode=0o700, exist_ok=True)
            path = folder / name
        path.unlink(missing_ok=True)
        return path

    def start(self, name: str, module_and_arguments: Sequence[str]) -> None:
        """Run ``python -m MODULE ARGUMENTS`` with its output in a log file."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        process = self._spawn(module_and_arguments, log)
        self._children.append(
            _Child(name=name, arguments=module_and_arguments, log=log, process=process)
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
        """Restart what has crashed.

        Raises:
            PermanentError: It crashes again and again; the message names its log.
        """
        for child in self._children:
            status = child.process.poll()
            if status is None:
                continue
            if child.restarts >= MOST_RESTARTS:
                raise PermanentError(
                    f"The {child.name} ended with status {status} for the {child.restarts + 1}th "
                    f"time; the reason is at the end of {child.log}."
                )
            warn(
                f"The {child.name} ended with status {status} and is started again; see {child.log}"
            )
            child.restarts += 1
            child.process = self._spawn(child.arguments, child.log)

    def supervise(self) -> None:
        """Keep the children running until the caller is interrupted."""
        while True:
            self.check()
            time.sleep(1.0)


def wait_for_socket(path: Path, group: ProcessGroup) -> None:
    """Until somebody listens on the unix socket."""
    _wait(lambda: _answers(socket.AF_UNIX, str(path)), f"the code server on {path}", group)


def wait_for_port(host: str, port: int, group: ProcessGroup) -> None:
    """Until somebody listens on the TCP port."""
    _wait(lambda: _answers(socket.AF_INET, (host, port)), f"the webserver on port {port}", group)


def _wait(is_there: Callable[[], bool], what: str, group: ProcessGroup) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_there():
        group.check()
        if time.monotonic() > deadline:
            raise PermanentError(
                f"{what} did not answer within {START_SECONDS:.0f} s; see {group.logs}."
            )
        time.sleep(POLL_SECONDS)


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
