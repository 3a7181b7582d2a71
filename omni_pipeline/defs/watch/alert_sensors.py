"""What tells people: checks and runs that failed, what the tables say, and the messages about it.

A failed check does not fail its run, and Dagster itself alerts nobody of either.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from omni_pipeline.defs.lineage.stale_domains import STALE_DOMAINS
from omni_pipeline.defs.runs.request import PARTITION_TAG
from omni_pipeline.domain.alert_messages import Condition
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.notify.targets import open_targets
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.monitoring.alerting import (
    Report,
    deliver,
    describe_deliveries,
    limits_of,
    note_reports,
    notify_of_outage,
    sync_with_tables,
)
from omni_pipeline.store.postgres.migrations import check_schema
from omni_pipeline.store.postgres.session import Session, open_session

WATCHED = (
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_SUCCESS,
)

# Ids are handed out before they are committed: one that was missing may appear behind the cursor.
OVERLAP = 500
MAX_EVENTS = 2_000
FIRST_LOOK_SECONDS = 24 * 3_600

# These say what the tables say, which is known also when it is over without another refresh.
CHECKS_OF_TABLES = (
    "removals_are_plausible",
    "changes_are_plausible",
    "few_pages_failed",
    STALE_DOMAINS.name,
)

# Runs of the lineage are about their domain; those of other jobs have a subject of their own.
LINEAGE_JOBS = ("refresh_domain", "__ASSET_JOB")
WILL_RETRY_TAG = "dagster/will_retry"

# The tick has a minute in all.
RETRY_SECONDS = 5.0


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def watch_runs_and_checks(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Note which checks and runs failed, and which went well again."""
    records, cursor = read_events(context.instance, context.cursor)
    reports = list(_reports(context.instance, records))
    settings = read_settings()
    with _opened(settings) as session:
        changes = note_reports(session, Redactor.of_settings(settings), reports)
    context.update_cursor(cursor)
    return dg.SkipReason(f"{changes.opened} alerts opened, {changes.recovered} are over")


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def send_alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the tables for what is wrong, and send to each target what it does not know yet."""
    settings = read_settings()
    targets = open_targets(settings)
    before = context.cursor or ""
    try:
        with _opened(settings) as session:
            sync_with_tables(session, Redactor.of_settings(settings), limits_of(settings))
            deliveries = deliver(session, targets)
            summary = describe_deliveries(session, targets, deliveries)
    except TemporaryError as error:
        context.update_cursor(notify_of_outage(before, str(error), targets))
        return dg.SkipReason(f"The database is away: {error}")
    context.update_cursor(notify_of_outage(before, None, targets))
    for delivery in deliveries:
        if delivery.error:
            context.log.error(f"{delivery.alerts} alerts could not be sent: {delivery.error}")
        else:
            context.log.info(f"{delivery.target}: told of {delivery.alerts} alerts")
    return dg.SkipReason(summary)


@contextmanager
def _opened(settings: Settings) -> Iterator[Session]:
    with open_session(settings, "omni alerts", retry_seconds=RETRY_SECONDS) as session:
        session.run(check_schema)
        yield session


def read_events(
    instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[dg.EventLogRecord], str | None]:
    """The watched events since the cursor, a few of those before it, and the next cursor.

    Without a cursor, those of the last day.
    """
    after = max(0, int(cursor) - OVERLAP) if cursor else None
    since = None if cursor else time.time() - FIRST_LOOK_SECONDS
    batches = [
        instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(event_type=kind, after_cursor=after, after_timestamp=since),
            limit=MAX_EVENTS,
            ascending=True,
        )
        for kind in WATCHED
    ]
    # Where a batch is cut, later events of the others would be taken out of turn.
    end = min((b[-1].storage_id for b in batches if len(b) == MAX_EVENTS), default=None)
    records = sorted(
        (r for batch in batches for r in batch if end is None or r.storage_id <= end),
        key=lambda record: record.storage_id,
    )
    return records, str(records[-1].storage_id) if records else cursor


def _reports(
    instance: dg.DagsterInstance, records: Sequence[dg.EventLogRecord]
) -> Iterator[Report]:
    ends = {record.run_id for record in records if not _is_check(record)}
    runs = instance.get_runs(dg.RunsFilter(run_ids=list(ends))) if ends else []
    run_by_id = {run.run_id: run for run in runs}
    for record in records:
        if _is_check(record):
            yield from _report_check(record)
        elif run := run_by_id.get(record.run_id):
            yield from _report_run(record, run)


def _is_check(record: dg.EventLogRecord) -> bool:
    event = record.event_log_entry.get_dagster_event()
    return event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION


def _report_check(record: dg.EventLogRecord) -> Iterator[Report]:
    evaluation = record.event_log_entry.get_dagster_event().asset_check_evaluation_data
    if evaluation.check_name in CHECKS_OF_TABLES:
        return
    host = evaluation.partition
    check = f"{evaluation.asset_key.to_user_string()}.{evaluation.check_name}"
    condition = Condition(
        kind="failed_check",
        subject=f"{check} of {host}" if host else check,
        host=host,
        message=evaluation.description or "It says no more.",
        details={"check": check, "run_id": record.run_id},
    )
    yield Report(condition=condition, is_wrong=not evaluation.passed)


def _report_run(record: dg.EventLogRecord, run: dg.DagsterRun) -> Iterator[Report]:
    event = record.event_log_entry.get_dagster_event()
    is_wrong = event.event_type is dg.DagsterEventType.RUN_FAILURE
    if is_wrong and run.tags.get(WILL_RETRY_TAG) == "true":
        return
    host = run.tags.get(PARTITION_TAG)
    whose = (host,) if host and run.job_name in LINEAGE_JOBS else (run.job_name, host)
    condition = Condition(
        kind="failed_run",
        subject=" of ".join(filter(None, whose)),
        host=host,
        message=_why(event) if is_wrong else "",
        details={"job": run.job_name, "run_id": run.run_id},
    )
    yield Report(condition=condition, is_wrong=is_wrong, run_id=run.run_id)


def _why(event: dg.DagsterEvent) -> str:
    """How a run failed that never came to its job's row: it could not start, or found it taken."""
    ended = event.job_failure_data if event.event_specific_data else None
    step = ended.first_step_failure_event if ended else None
    failure = step.step_failure_data if step else None
    if failure and failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return event.message or "It did not say why; its log is in the Dagster UI."
