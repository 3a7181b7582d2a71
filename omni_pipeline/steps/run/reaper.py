"""Ends jobs whose worker is gone: by silence, or at once where the process is seen to be dead."""

import os
import socket
import time
from functools import partial
from pathlib import Path

from omni_pipeline import faults
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import LostJob
from omni_pipeline.store.postgres.session import Session

# What a process had locked when it died is free again when the server notices: within a second. Who
# claims the domain next should not have to come back for that.
_TRIES = 10
_SECONDS_BETWEEN_TRIES = 0.2

_COLONS = 3
_START_TIME_FIELD = 19  # of the fields that follow the command name in /proc/PID/stat


def reap_lost_jobs(session: Session, *, lease_seconds: float) -> list[LostJob]:
    """End the running jobs that stopped beating, and those whose process died on this machine.

    Returns:
        The jobs ended here; the Dagster runs they name are still to be failed.
    """
    lost: list[LostJob] = []
    for _ in range(_TRIES):
        dead = _dead_jobs(session)
        lost += session.run(
            partial(crawl_jobs.reap, lease_seconds=lease_seconds, dead_job_ids=dead)
        )
        faults.point("CP15")
        if not session.run(
            partial(crawl_jobs.is_any_lost, lease_seconds=lease_seconds, dead_job_ids=dead)
        ):
            break
        time.sleep(_SECONDS_BETWEEN_TRIES)
    return lost


def _dead_jobs(session: Session) -> list[int]:
    workers = session.run(crawl_jobs.workers)
    return [job_id for job_id, worker in workers.items() if is_dead_here(worker)]


def this_worker() -> str:
    """Names this process so that another one can tell that it died.

    ``HOST:PID:STARTED:NAMESPACE``. The start time tells a process from a later one with its id, the
    process namespace tells containers apart that share a host name.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_time(pid)}:{_namespace()}"


def is_dead_here(worker: str) -> bool:
    """Whether ``worker`` was a process of this machine and namespace, and is no more.

    False whenever that cannot be told from here: then only silence counts.
    """
    if worker.count(":") != _COLONS:
        return False
    host, pid, started, namespace = worker.split(":")
    if host != socket.gethostname() or not namespace or namespace != _namespace():
        return False
    return _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(") ")[2].split()
    return "" if state == "Z" else fields[_START_TIME_FIELD - 1]


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""
