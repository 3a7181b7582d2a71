"""The processes of one Chromium, as /proc shows them: found, weighed, killed.

Playwright starts Chromium as the leader of a process group of its own, and its zygotes, renderers
and services stay in that group whatever becomes of their parents.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def find_marked(mark: str) -> int | None:
    """The pid of the process that has this argument."""
    return next((pid for pid in _pids() if mark in _arguments(pid)), None)


def argument_of(pid: int, name: str) -> str | None:
    """The value of ``name=value`` among the arguments of a process."""
    values = (argument.partition("=") for argument in _arguments(pid))
    return next((value for key, _, value in values if key == name), None)


def parent_of(pid: int) -> int | None:
    with suppress(OSError):
        return _parent_and_group(pid)[0]
    return None


def group_members(group: int) -> list[int]:
    """The pids of a process group; zombies, which hold nothing any more, are not counted."""
    return [pid for pid in _pids() if _belongs(pid, group)]


def group_bytes(group: int) -> int:
    """Memory of a process group: what each has for itself, and the most that one shares.

    Nearly the sum of PSS, as all share the same program. The kernel walks every page for PSS, a
    fifth of a second of CPU for a whole Chromium, and keeps it to root for sandboxed renderers.
    """
    sizes = [_resident_and_shared(pid) for pid in group_members(group)]
    own = sum(resident - shared for resident, shared in sizes)
    return (own + max((shared for _, shared in sizes), default=0)) * _PAGE_BYTES


def kill_group(group: int) -> None:
    """End every process of the group, stopped and spinning ones too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_process(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _arguments(pid: int) -> list[str]:
    with suppress(OSError):
        return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    return []


def _belongs(pid: int, group: int) -> bool:
    with suppress(OSError):
        return _parent_and_group(pid)[1] == group
    return False


def _parent_and_group(pid: int) -> tuple[int, int]:
    """From /proc/PID/stat, whose second field may hold spaces and brackets.

    Raises:
        OSError: There is no such process, or nothing is left of it but its exit status.
    """
    state, parent, group, *_ = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    if state == "Z":
        raise ProcessLookupError(pid)
    return int(parent), int(group)


def _resident_and_shared(pid: int) -> tuple[int, int]:
    """In pages of memory."""
    with suppress(OSError):
        _, resident, shared, *_ = (_PROC / str(pid) / "statm").read_text().split()
        return int(resident), int(shared)
    return 0, 0
