"""Crash points: named places at which a test makes this process die, freeze or fail. Else inert.

``OMNI_FAULTS=CP08:3:KILL`` acts when the process passes CP08 for the third time; ``STOP`` freezes
it until it gets SIGCONT, ``STOP:2.5`` for so many seconds, ``RAISE`` raises a temporary error.
The points are real code and not mocks, so what is tested is what is shipped.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass

from omni_pipeline.errors import SettingsError, TemporaryError

POINTS = {
    "CP01": "the domain is claimed",
    "CP02": "robots.txt is fetched",
    "CP03": "a body is half read",
    "CP04": "raw pages are committed",
    "CP05": "texts are cleaned and committed, not chunked",
    "CP06": "between two requests to the embedding endpoint",
    "CP07": "paid vectors are in hand, and nowhere else",
    "CP08": "in the publish: old rows are deleted, new ones not inserted",
    "CP09": "in the publish: all is written, not committed",
    "CP10": "the publish is committed, nobody was told",
    "CP11": "price snapshots are written, not committed",
    "CP12": "before the sweep: pages are marked gone, their chunks still there",
    "CP13": "the crawl's totals are computed, not written",
    "CP14": "the job is closed, the run is not",
    "CP15": "in the reaper: jobs are ended, their runs are not",
}

_SPECIFICATION = re.compile(
    r"(CP\d\d):([1-9]\d{0,5}):(KILL|STOP|RAISE)(?::(\d{1,4}(?:\.\d{1,3})?))?"
)


@dataclass(kw_only=True)
class _Fault:
    action: str
    seconds: str | None
    passes_left: int


_armed: dict[str, _Fault] = {}


class InjectedFaultError(TemporaryError):
    """Raised on purpose, at a crash point."""

    kind = "transient.injected"


def arm(specification: str | None) -> None:
    """Set what the points of this process do from now on; None makes all of them inert.

    Raises:
        SettingsError: The specification names no point, or cannot be read.
    """
    _armed.clear()
    if specification is None:
        return
    match = _SPECIFICATION.fullmatch(specification)
    if match is None or match[1] not in POINTS or (match[4] and match[3] != "STOP"):
        raise SettingsError(
            f"OMNI_FAULTS={specification!r}: it must be POINT:PASS:ACTION, for example CP08:1:KILL "
            f"or CP08:3:STOP:2.5; actions are KILL, STOP and RAISE, points {', '.join(POINTS)}. It "
            "is for tests: leave it unset."
        )
    _armed[match[1]] = _Fault(action=match[3], seconds=match[4], passes_left=int(match[2]))


def point(name: str) -> None:
    """Pass a crash point; nothing happens unless this very one is armed."""
    if fault := _armed.get(name):
        fault.passes_left -= 1
        if fault.passes_left == 0:
            _act(name, fault)


def _act(name: str, fault: _Fault) -> None:
    if fault.action == "RAISE":
        raise InjectedFaultError(f"OMNI_FAULTS made {name} fail ({POINTS[name]}).")
    if fault.action == "KILL":
        signal.raise_signal(signal.SIGKILL)
    if fault.seconds is not None:
        wake = 'sleep "$1" && kill -CONT "$2"'
        # Nobody else is there to wake a process whose every thread is frozen.
        subprocess.Popen(["/bin/sh", "-c", wake, "sh", fault.seconds, str(os.getpid())])  # noqa: S603 - digits only
    signal.raise_signal(signal.SIGSTOP)
