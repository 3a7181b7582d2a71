"""What /proc says of processes: the one place that reads it.

psutil tells when a process started by the wall clock, which steps; the ticks that stand in
``/proc/PID/stat`` do not. (proc(5))
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_START_TICKS = 19  # of the fields behind the command's name


@dataclass(frozen=True, kw_only=True)
class ProcessStat:
    """One process: ``start_ticks`` are since the boot, ``name`` is cut at 15 characters."""

    name: str
    state: str
    parent: int
    group: int
    start_ticks: str

    @property
    def is_running(self) -> bool:
        """Whether it can still run: nothing is left of the others but an exit status."""
        return self.state not in ("Z", "X")


def pids() -> Iterator[int]:
    """All processes that can be seen from here."""
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def read_stat(pid: int) -> ProcessStat | None:
    """What is known of a process; None where there is none."""
    with suppress(OSError):
        # The name may hold spaces and brackets.
        head, _, tail = (_PROC / str(pid) / "stat").read_text().rpartition(")")
        fields = tail.split()
        return ProcessStat(
            name=head.partition("(")[2],
            state=fields[0],
            parent=int(fields[1]),
            group=int(fields[2]),
            start_ticks=fields[_START_TICKS],
        )
    return None


def read_arguments(pid: int) -> list[str]:
    """The command line of a process; empty where there is none."""
    with suppress(OSError):
        return os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    return []


def address_space_bytes() -> int:
    """How much address space this process has now."""
    return int((_PROC / "self/statm").read_text().split()[0]) * PAGE_BYTES


def resident_and_shared_pages(pid: int) -> tuple[int, int]:
    """Memory of a process in pages of ``PAGE_BYTES``; zeros where there is none."""
    with suppress(OSError):
        _, resident, shared, *_ = (_PROC / str(pid) / "statm").read_text().split()
        return int(resident), int(shared)
    return 0, 0


def pid_namespace() -> str:
    """In which namespace the pids of this process mean anything; empty where that is unknown."""
    with suppress(OSError):
        return str((_PROC / "self/ns/pid").stat().st_ino)
    return ""


def boot_id() -> str:
    """Drawn at random by each start of this machine; empty where it cannot be read."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""
