"""Jobs whose worker is gone, and the Dagster runs that belonged to them."""

import dagster as dg

from omni_pipeline import faults
from omni_pipeline.settings import Settings
from omni_pipeline.steps.run.reaper import reap_lost_jobs
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.postgres.session import Session


def fail_runs_of_lost_jobs(
    instance: dg.DagsterInstance, session: Session, settings: Settings
) -> list[str]:
    """Reap, and fail the Dagster runs of what was reaped, so that the queue moves (R-B2).

    Also the runs of jobs that another reaper ended, which may have died before it came to them.

    Returns:
        The hosts whose jobs were ended.
    """
    faults.arm(settings.faults)
    lost = reap_lost_jobs(session, lease_seconds=settings.lease_seconds)
    for job in session.run(crawl_jobs.reaped_lately):
        run = instance.get_run_by_id(job.run_id) if job.run_id else None
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run, f"The worker of job {job.job_id} ({job.host}) is gone; its lease was ended."
            )
    return [job.host for job in lost]
