"""What is watched between runs: jobs whose worker is gone."""

import dagster as dg

from omni_pipeline.defs.run import fail_runs_of_lost_jobs
from omni_pipeline.settings import read_settings
from omni_pipeline.store.database import open_database
from omni_pipeline.store.session import Session


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def reap_lost_jobs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End jobs that stopped beating and fail their runs, so that the queue admits the next one.

    Dagster's default launcher cannot tell that a run's process is gone when its code server went
    with it: such a run would stay STARTED, and its domain QUEUED, for ever.
    """
    settings = read_settings()
    with open_database(settings, application_name="omni reaper") as database:
        session = Session(database)
        try:
            hosts = fail_runs_of_lost_jobs(context.instance, session, settings)
        finally:
            session.close()
    return dg.SkipReason(f"ended: {', '.join(hosts)}" if hosts else "every running job beats")
