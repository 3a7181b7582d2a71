"""Forgets old runs: Dagster itself keeps every run with its 70 KB of events for ever."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from omni_pipeline.defs.runs.request import PARTITION_TAG

KEPT = timedelta(days=30)

# A tick has a minute, and a run takes some 50 ms to delete: 28,000 a day.
MAX_DELETED = 200
MAX_LOOKED_AT = 1_000


@dg.sensor(minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
def forget_old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Delete runs that ended 30 days ago, but for the newest success of each domain.

    With that one would go what Dagster shows of the domain: its partitions' status is in the
    events of their runs. What was crawled is in tables of our own, of which nothing is deleted.
    """
    count, cursor = forget(context.instance, before=datetime.now(UTC) - KEPT, after=context.cursor)
    context.update_cursor(cursor)
    return dg.SkipReason(f"{count} old runs were deleted")


def forget(instance: dg.DagsterInstance, *, before: datetime, after: str | None) -> tuple[int, str]:
    """Delete what ended ``before`` and was succeeded by a success, the oldest first.

    Args:
        instance: Whose runs.
        before: Later ends are kept.
        after: The run to go on behind, as returned by the last call; "" starts from the oldest.

    Returns:
        How many were deleted, and where to go on: "" at the end.
    """
    old = dg.RunsFilter(statuses=FINISHED_STATUSES, updated_before=before)
    records = instance.get_run_records(
        old, limit=MAX_LOOKED_AT, ascending=True, cursor=after or None
    )
    deleted, passed = 0, after or ""
    for record in records:
        if deleted == MAX_DELETED:
            return deleted, passed
        run_id = record.dagster_run.run_id
        if _is_newest_success(instance, record):
            passed = run_id
            continue
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        deleted += 1
    return deleted, passed if len(records) == MAX_LOOKED_AT else ""


def _is_newest_success(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    run = record.dagster_run
    if run.status is not dg.DagsterRunStatus.SUCCESS:
        return False
    tags = {PARTITION_TAG: run.tags[PARTITION_TAG]} if PARTITION_TAG in run.tags else {}
    successes = dg.RunsFilter(
        job_name=run.job_name, tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS]
    )
    [newest] = instance.get_run_records(successes, limit=1)
    return newest.storage_id == record.storage_id
