"""Ends jobs whose worker is gone: by silence, or at once where the process is seen to be dead."""

import os
import socket
import time
from collections.abc import Collection
from functools import partial

from omni_pipeline import faults
from omni_pipeline.proc import boot_id, pid_namespace, read_stat
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.jobs.reaping import LostJob
from omni_pipeline.store.postgres.session import Session

# What a process had locked when it died is free again when the server notices: within a second. Who
# claims the domain next should not have to come back for that.
_TRIES = 10
_SECONDS_BETWEEN_TRIES = 0.2

_COLONS = 4


def reap_lost_jobs(
    session: Session, *, lease_seconds: float, ended_job_ids: Collection[int] = ()
) -> list[LostJob]:
    """End the running jobs that stopped beating, and those whose process died on this machine.

    Args:
        session: Where.
        lease_seconds: How long a job may be silent.
        ended_job_ids: Jobs that are over by what else is known of them.

    Returns:
        The jobs ended here; the Dagster runs they name are still to be failed.
    """
    lost: list[LostJob] = []
    for _ in range(_TRIES):
        dead = [*_dead_jobs(session), *ended_job_ids]
        lost += session.run(partial(reaping.reap, lease_seconds=lease_seconds, dead_job_ids=dead))
        faults.point("CP15")
        if not session.run(
            partial(reaping.is_any_lost, lease_seconds=lease_seconds, dead_job_ids=dead)
        ):
            break
        time.sleep(_SECONDS_BETWEEN_TRIES)
    return lost


def _dead_jobs(session: Session) -> list[int]:
    workers = session.run(reaping.workers)
    return [job_id for job_id, worker in workers.items() if is_dead_here(worker)]


def this_worker() -> str:
    """Names this process so that another one can tell that it died.

    ``HOST:PID:STARTED:BOOT:NAMESPACE``. The start time tells a process from a later one with its
    id, the process namespace tells containers apart that share a host name. The first namespace of
    every Linux has the same number: machines of one name are told apart by their boot.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_time(pid)}:{boot_id()}:{pid_namespace()}"


def is_dead_here(worker: str) -> bool:
    """Whether ``worker`` was a process of this machine, boot and namespace, and is no more.

    False whenever that cannot be told from here: then only silence counts.
    """
    if worker.count(":") != _COLONS:
        return False
    pid, started = worker.split(":")[1:3]
    return is_of_here(worker) and _start_time(int(pid)) != started


def is_of_here(worker: str) -> bool:
    """Whether ``worker`` is or was a process whose number means something in this one."""
    if worker.count(":") != _COLONS:
        return False
    host, _, _, boot, namespace = worker.split(":")
    here = (socket.gethostname(), boot_id(), pid_namespace())
    return all(here) and (host, boot, namespace) == here


def _start_time(pid: int) -> str:
    stat = read_stat(pid)
    return stat.start_ticks if stat is not None and stat.is_running else ""
