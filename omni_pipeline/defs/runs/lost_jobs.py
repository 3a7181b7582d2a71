"""Jobs whose worker is gone, and the Dagster runs that belonged to them."""

import time

import dagster as dg

from omni_pipeline import faults
from omni_pipeline.settings import Settings
from omni_pipeline.steps.run.reaper import reap_lost_jobs
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.jobs.reaping import LostJob
from omni_pipeline.store.postgres.session import Session

# A run's resources are closed after it has ended: browsers, connections, last its job.
SECONDS_TO_CLOSE = 30.0


def fail_runs_of_lost_jobs(
    instance: dg.DagsterInstance,
    session: Session,
    settings: Settings,
    *,
    claiming: str | None = None,
) -> list[str]:
    """Reap, and fail the Dagster runs of what was reaped, so that the queue moves (R-B2).

    Also the runs of jobs that another reaper ended, which may have died before it came to them.

    Args:
        instance: Where the runs are.
        session: Where the jobs are.
        settings: The lease's length.
        claiming: The host that is about to be claimed: nobody holds it whose run has ended.

    Returns:
        The hosts whose jobs were ended.
    """
    faults.arm(settings.faults)
    ended = [
        job.job_id
        for job in session.run(reaping.runs)
        if _is_over(instance, job, at_once=job.host == claiming)
    ]
    lost = reap_lost_jobs(session, lease_seconds=settings.lease_seconds, ended_job_ids=ended)
    for job in session.run(reaping.reaped_lately):
        run = instance.get_run_by_id(job.run_id) if job.run_id else None
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run, f"The worker of job {job.job_id} ({job.host}) is gone; its lease was ended."
            )
    return [job.host for job in lost]


def _is_over(instance: dg.DagsterInstance, job: LostJob, *, at_once: bool) -> bool:
    """Whether the job's Dagster run has ended without it, whichever machine it was on.

    Dagster ends a run before its resources: one that succeeded is closing its job for a moment yet.
    """
    record = instance.get_run_record_by_id(job.run_id) if job.run_id else None
    if record is None or not record.dagster_run.is_finished:
        return False
    if at_once and not record.dagster_run.is_success:
        return True
    return record.end_time is not None and time.time() - record.end_time > SECONDS_TO_CLOSE
