"""Cleans pages on all cores, each within a budget that no page can break.

A page over its budget costs its worker, which is replaced, and is unreadable; its neighbours do
not notice. The workers see nothing of the environment: what is parsed comes from strangers.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable, clean
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.cleaning.worker import (
    EXIT_OUT_OF_MEMORY,
    decode,
    read_frame,
    write_frame,
)

MAX_WORKERS = 4

# The words for a page over its budget, for one that the cleaner itself fails on, and for one whose
# worker was lost through no fault of the page's that can be told.
OVER_BUDGET = "permanent.over_budget"
CLEANER_FAILED = "permanent.cleaner_failed"
WORKER_LOST = "transient.cleaner_lost"

# Without memory, Rust aborts, and C may take what was not there.
_NO_MEMORY = (EXIT_OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGSEGV)


@dataclass(frozen=True, kw_only=True)
class CleaningLimits:
    """What one page may take, and when workers are worth their start (a quarter of a second each).

    Attributes:
        cpu_seconds: For one page. The slowest of 1,200 pages of documentation takes 0.7.
        memory_bytes: For one page, above what the worker has anyway.
        fewest_bytes: HTML that waits; less is cleaned without workers.
        largest_bytes: HTML of one page; where one is larger, workers are started in any case.
    """

    cpu_seconds: float = 10.0
    memory_bytes: int = 768 * 1024 * 1024
    min_bytes: int = 8 * 1024 * 1024
    largest_bytes: int = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """A page to be cleaned: its HTML, and the URL that references in it start from."""

    url: str
    html: str


class Cleaner(Protocol):
    """Cleans pages; the answers are in the order of the pages."""

    def clean(self, pages: Sequence[PageSource]) -> list[CleanedPage | Unreadable]: ...


@contextmanager
def open_cleaner(
    *, total_bytes: int, largest_bytes: int, limits: CleaningLimits
) -> Iterator[Cleaner]:
    """The cleaner for so much HTML: this process, or workers that end with the block."""
    if total_bytes < limits.min_bytes and largest_bytes <= limits.largest_bytes:
        yield HereCleaner()
        return
    pool = CleaningPool(limits)
    try:
        yield pool
    finally:
        pool.close()


class HereCleaner:
    """Cleans in this process. The limits on markup alone bound what a page takes."""

    def clean(self, pages: Sequence[PageSource]) -> list[CleanedPage | Unreadable]:
        return [clean(page.html, url=page.url) for page in pages]


class CleaningPool:
    """Workers, one for each core, started when the first pages come."""

    def __init__(self, limits: CleaningLimits, *, workers: int | None = None) -> None:
        count = workers or min(len(os.sched_getaffinity(0)), MAX_WORKERS)
        self._slots = [_Slot(limits) for _ in range(count)]
        self._idle: SimpleQueue[_Slot] = SimpleQueue()
        for slot in self._slots:
            self._idle.put(slot)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="cleaning")

    @property
    def pids(self) -> list[int]:
        """The worker processes."""
        return [slot.pid for slot in self._slots if slot.pid is not None]

    def clean(self, pages: Sequence[PageSource]) -> list[CleanedPage | Unreadable]:
        """Clean them on all workers.

        Raises:
            TemporaryError: No worker can be started.
        """
        return list(self._threads.map(self._clean, pages))

    def _clean(self, page: PageSource) -> CleanedPage | Unreadable:
        slot = self._idle.get()
        try:
            return slot.clean(page)
        finally:
            self._idle.put(slot)

    def close(self) -> None:
        """End the workers, whatever they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for slot in self._slots:
            slot.close()
        self._threads.shutdown()


class _Slot:
    """The place of one worker; whoever stands in it is replaced when it dies."""

    def __init__(self, limits: CleaningLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def clean(self, page: PageSource) -> CleanedPage | Unreadable:
        is_fresh = self._process is None
        answer = self._ask(page)
        if isinstance(answer, _Lost) and not is_fresh and not answer.is_timeout:
            answer = self._ask(page)  # another page may have left too little memory to this one
        return self._verdict(answer) if isinstance(answer, _Lost) else answer

    def _ask(self, page: PageSource) -> "CleanedPage | Unreadable | _Lost":
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        message = None
        with suppress(BrokenPipeError):
            write_frame(process.stdin, {"url": page.url, "html": page.html})
            message = read_frame(process.stdout)
        if message is not None:
            return decode(message)
        self._end()
        return _Lost(exit_code=process.returncode)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._is_closed:
            raise TemporaryError("The cleaning of pages was ended.", kind="transient.interrupted")
        if self._process is None:
            self._process = _start(self._limits)
        return self._process

    def _verdict(self, lost: "_Lost") -> Unreadable:
        limits, code = self._limits, lost.exit_code
        if lost.is_timeout:
            reason = f"it takes more than {limits.cpu_seconds:g} s of computing to clean"
            return Unreadable(kind=OVER_BUDGET, reason=reason)
        if code in _NO_MEMORY:
            megabytes = limits.memory_bytes >> 20
            reason = f"it takes more than {megabytes:,} MB of memory to clean, or breaks the parser"
            return Unreadable(kind=OVER_BUDGET, reason=reason)
        reason = f"its worker ended while it was cleaned (exit code {code})"
        return Unreadable(kind=CLEANER_FAILED if code > 0 else WORKER_LOST, reason=reason)

    def close(self) -> None:
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        """Wait for a worker that is dying, so that its reason is known; end any other."""
        process, self._process = self._process, None
        if process is None:
            return
        if not self._is_closed:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1.0)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(OSError):  # what was written to it is lost with it
                stream.close()


@dataclass(frozen=True, kw_only=True)
class _Lost:
    """A worker that did not answer."""

    exit_code: int

    @property
    def is_timeout(self) -> bool:
        return self.exit_code == -signal.SIGPROF


def _start(limits: CleaningLimits) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(  # noqa: S603 - this very interpreter, and two numbers
        [
            *(sys.executable, "-m", "omni_pipeline.gateways.cleaning.worker"),
            *(str(limits.cpu_seconds), str(limits.memory_bytes)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    if read_frame(process.stdout) is None:
        process.kill()
        raise TemporaryError(
            f"A worker that cleans pages could not be started (exit code {process.wait()}). Is "
            "there memory left on this machine?",
            kind="transient.cleaner_lost",
        )
    return process
