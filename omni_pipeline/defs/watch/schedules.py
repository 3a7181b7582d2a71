"""The daily refresh: says which day is due; what is queued of it, and when, is the feeder's."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from omni_pipeline.defs.lineage.job_definitions import refresh_domain

# In Dagster's own storage: the tick needs that one in any case, so no second database can lose it.
_OPEN_DAY = "omni/daily_refresh"

DAY = timedelta(days=1)


@dg.schedule(
    job=refresh_domain,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Every day at 02:00 UTC each active domain is due. The sensor `feed_daily_refresh` queues "
        "them, a few at a time; switched off, this schedule opens no further day."
    ),
)
def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.SkipReason:
    """Open the day. Its runs come from the sensor: a tick with 1,000 of them took 390 s.

    After an outage Dagster fires the newest missed tick only, so that a week is caught up by one
    refresh.
    """
    day = open_day(context.instance, context.scheduled_execution_time)
    return dg.SkipReason(
        f"The refreshes of {day:%Y-%m-%d %H:%M %Z} are due: feed_daily_refresh queues them."
    )


def open_day(instance: dg.DagsterInstance, scheduled_for: datetime) -> datetime:
    """Make the day of ``scheduled_for`` the due one; a tick that fires late never goes back."""
    newest = max(scheduled_for.astimezone(UTC), _opened(instance) or scheduled_for)
    instance.daemon_cursor_storage.set_cursor_values({_OPEN_DAY: newest.isoformat()})
    return newest


def due_day(instance: dg.DagsterInstance, now: datetime) -> datetime | None:
    """The day whose refreshes are due, or None: yesterday's are not caught up any more."""
    day = _opened(instance)
    return day if day is not None and day <= now < day + DAY else None


def _opened(instance: dg.DagsterInstance) -> datetime | None:
    stored = instance.daemon_cursor_storage.get_cursor_values({_OPEN_DAY}).get(_OPEN_DAY)
    return datetime.fromisoformat(stored) if stored else None
