"""The processes of one Chromium, as /proc shows them: found, weighed, killed.

Playwright starts Chromium as the leader of a process group of its own, and its zygotes, renderers
and services stay in that group whatever becomes of their parents.
"""

import os
import signal
from contextlib import suppress

from omni_pipeline.proc import (
    PAGE_BYTES,
    pids,
    read_arguments,
    read_stat,
    resident_and_shared_pages,
)


def find_marked(mark: str) -> int | None:
    """The pid of the process that has this argument."""
    return next((pid for pid in pids() if mark in read_arguments(pid)), None)


def argument_of(pid: int, name: str) -> str | None:
    """The value of ``name=value`` among the arguments of a process."""
    values = (argument.partition("=") for argument in read_arguments(pid))
    return next((value for key, _, value in values if key == name), None)


def parent_of(pid: int) -> int | None:
    stat = read_stat(pid)
    return stat.parent if stat is not None and stat.is_running else None


def group_members(group: int) -> list[int]:
    """The pids of a process group; zombies, which hold nothing any more, are not counted."""
    return [pid for pid in pids() if _belongs(pid, group)]


def group_bytes(group: int) -> int:
    """Memory of a process group: what each has for itself, and the most that one shares.

    Nearly the sum of PSS, as all share the same program. The kernel walks every page for PSS, a
    fifth of a second of CPU for a whole Chromium, and keeps it to root for sandboxed renderers.
    """
    sizes = [resident_and_shared_pages(pid) for pid in group_members(group)]
    own = sum(resident - shared for resident, shared in sizes)
    return (own + max((shared for _, shared in sizes), default=0)) * PAGE_BYTES


def kill_group(group: int) -> None:
    """End every process of the group, stopped and spinning ones too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_process(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _belongs(pid: int, group: int) -> bool:
    stat = read_stat(pid)
    return stat is not None and stat.is_running and stat.group == group
