"""What is watched between runs: the domains table, the due day, lost workers, stale domains.

Shells only, like the assets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from omni_pipeline.defs.instance.environment import synchronize_partitions
from omni_pipeline.defs.lineage.job_definitions import refresh_domain
from omni_pipeline.defs.lineage.stale_domains import STALE_DOMAINS, describe_freshness
from omni_pipeline.defs.runs.lost_jobs import fail_runs_of_lost_jobs
from omni_pipeline.defs.watch.queue_feed import feed
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.checks.freshness import check_freshness
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.session import Session, open_session

RUNNING = dg.DefaultSensorStatus.RUNNING

# A tick that finds the database away fails soon and is repeated; it need not wait in its thread.
RETRY_SECONDS = 5.0


@contextmanager
def _session(name: str) -> Iterator[Session]:
    with open_session(read_settings(), f"omni {name}", retry_seconds=RETRY_SECONDS) as session:
        yield session


@dg.sensor(minimum_interval_seconds=30, default_status=RUNNING)
def reap_lost_jobs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End jobs that stopped beating and fail their runs, so that the queue admits the next one.

    Dagster's default launcher cannot tell that a run's process is gone when its code server went
    with it: such a run would stay STARTED, and its domain QUEUED, for ever.
    """
    with _session("reaper") as session:
        hosts = fail_runs_of_lost_jobs(context.instance, session, read_settings())
    return dg.SkipReason(f"ended: {', '.join(hosts)}" if hosts else "every running job beats")


@dg.sensor(minimum_interval_seconds=30, default_status=RUNNING)
def sync_domain_partitions(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Make the partitions equal to the domains table; paused domains keep theirs.

    The table is the truth: a partition that somebody added in the UI goes again. Register a domain
    with `omni domains add`.
    """
    with _session("partitions") as session:
        changes = synchronize_partitions(
            context.instance, lambda: session.run(domains.list_hosts), context.log
        )
    return dg.SkipReason(changes or "the partitions are the registered domains")


@dg.sensor(job=refresh_domain, minimum_interval_seconds=30, default_status=RUNNING)
def feed_daily_refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Queue the refreshes of the day that `daily_refresh` opened, and those that failed, again.

    A refresh that failed for a passing reason is tried again 1 h later, then 4 h after that.
    """
    with _session("feeder") as session:
        requests, reason = feed(context.instance, session, datetime.now(UTC))
    return dg.SensorResult(run_requests=requests, skip_reason=reason)


@dg.sensor(minimum_interval_seconds=600, default_status=RUNNING)
def report_stale_domains(context: dg.SensorEvaluationContext) -> dg.SensorResult:  # noqa: ARG001 - the signature that Dagster calls
    """Evaluate the check `stale_domains`, which belongs to no refresh."""
    with _session("freshness") as session:
        limit_hours = read_settings().fresh_hours
        found = describe_freshness(session.run(lambda conn: check_freshness(conn, limit_hours)))
    evaluation = dg.AssetCheckEvaluation(
        asset_key=STALE_DOMAINS.asset_key,
        check_name=STALE_DOMAINS.name,
        passed=found.passed,
        severity=found.severity,
        description=found.description,
        metadata=found.metadata,
    )
    return dg.SensorResult(asset_events=[evaluation], skip_reason=found.description)
