"""What a process and everything that it started costs, as /proc shows it: CPU and memory."""

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

_PROC = Path("/proc")
_OWN_STATUS = Path("/proc/self/status")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 2.0


class _Process(NamedTuple):
    pid: int
    parent: int
    ticks: int


def adopt_orphans() -> None:
    """Make this process the parent of what its descendants leave behind, such as a daemon.

    Without it, Postgres and the children of a killed Chromium would count for nobody.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cpu_seconds(root: int) -> float:
    """User and system time of a process and its descendants, those that ended included.

    A process that ends hands its time to the one that reaps it, so this never goes down.
    """
    return sum(process.ticks for process in _tree(root)) / _TICKS


def peak_megabytes() -> float:
    """The most memory that this process ever held.

    Not ``ru_maxrss``: that starts at what the parent held when it started this process.
    """
    (line,) = (line for line in _OWN_STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


class PeakMemory:
    """The most memory of a process tree while the ``with`` block runs, in megabytes.

    Shared pages are counted once (PSS): Chromium's processes share most of theirs. Sampled, so
    shorter peaks are missed.

    Attributes:
        cpu_seconds: Spent by all weighing: a quarter of a second for one Chromium, which no
            contender is to be charged with.
    """

    cpu_seconds: ClassVar[float] = 0.0

    def __init__(self, root: int) -> None:
        self._root = root
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_done.wait(SAMPLE_SECONDS):
            began = time.thread_time()
            kilobytes = sum(_proportional_kilobytes(process.pid) for process in _tree(self._root))
            self.megabytes = max(self.megabytes, kilobytes / 1024)
            PeakMemory.cpu_seconds += time.thread_time() - began


class Cost(NamedTuple):
    """One stretch of work: wall seconds, and CPU seconds of the whole tree."""

    seconds: float
    cpu_seconds: float


class Stopwatch:
    """Times work of this process and of all that it starts, but for weighing them."""

    def __init__(self) -> None:
        self._cpu = _work_seconds()
        self._wall = time.perf_counter()

    def read(self) -> Cost:
        wall = time.perf_counter() - self._wall
        return Cost(wall, _work_seconds() - self._cpu)


def _work_seconds() -> float:
    return cpu_seconds(os.getpid()) - PeakMemory.cpu_seconds


def _tree(root: int) -> list[_Process]:
    """The process and its descendants."""
    children: dict[int, list[_Process]] = {}
    found: list[_Process] = []
    for process in _processes():
        children.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:  # grows while it is walked
        found.extend(children.get(process.pid, ()))
    return found


def _processes() -> Iterator[_Process]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # The second field is a name that may hold spaces and brackets.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks = sum(int(field) for field in fields[11:15])
                yield _Process(int(entry.name), int(fields[1]), ticks)


def _proportional_kilobytes(pid: int) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
