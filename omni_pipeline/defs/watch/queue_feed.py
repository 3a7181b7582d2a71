"""Chooses what of a due day is queued next.

Nothing is remembered here: a domain is due while the ledger has no completed job for the day, and
has been asked for when Dagster has a run for it. So a tick that is repeated, late or cut off in
the middle asks for what is missing, and for nothing twice.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import dagster as dg

from omni_pipeline.defs.instance.environment import UNFINISHED, WAITING
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.defs.runs.request import PARTITION_TAG, RESTART_TAG, SCHEDULED_FOR_TAG
from omni_pipeline.defs.watch.schedules import due_day
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.postgres.session import Session

PRIORITY_TAG = "dagster/priority"
BACKFILL_TAG = "dagster/backfill"

# Dagster reads the whole queue each time that a run ends: 0.45 CPU-s for 1,000 queued ones.
MAX_QUEUED = 50

# Who goes first where runs wait: a person's launch (0), the day's refreshes, then backfills.
DAILY_PRIORITY = "-1"
BACKFILL_PRIORITY = "-10"

# How long after its first, second failure a day's refresh is tried again; then the next day's is.
RETRY_AFTER = (timedelta(hours=1), timedelta(hours=4))


def feed(
    instance: dg.DagsterInstance, session: Session, now: datetime
) -> tuple[list[dg.RunRequest], str | None]:
    """What to queue at ``now``, or why there is nothing to queue."""
    day = due_day(instance, now)
    if day is None:
        return [], "No day is due: the schedule daily_refresh opens one at 02:00 UTC."
    due = session.run(lambda conn: crawl_jobs.unfinished_ticks(conn, day))
    if not due:
        return [], f"All refreshes of {day:%Y-%m-%d} are done or under way."
    # A domain that was registered this minute gets its partition from its own sensor.
    partitions = set(instance.get_dynamic_partitions(str(DOMAINS.name)))
    known = [host for host in due if host in partitions]
    requests = choose_requests(instance, known, scheduled_for=day, now=now)
    waiting = f"{len(due)} refreshes of {day:%Y-%m-%d} are not done; they are queued or wait."
    return requests, None if requests else waiting


def choose_requests(
    instance: dg.DagsterInstance, due: Sequence[str], *, scheduled_for: datetime, now: datetime
) -> list[dg.RunRequest]:
    """Runs for the first of the ``due`` hosts, as many as the queue has room for.

    Backfills that wait in the queue are put behind them.
    """
    unfinished = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    _put_behind(instance, unfinished)
    asked = [run for run in unfinished if SCHEDULED_FOR_TAG in run.tags]
    room = MAX_QUEUED - sum(run.status in WAITING for run in asked)
    busy = {run.tags.get(PARTITION_TAG) for run in asked}
    free = [host for host in due if host not in busy]
    return list(islice(_requests(instance, free, scheduled_for, now), max(room, 0)))


def _put_behind(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> None:
    """Dagster gives backfills the priority of everyone else; a person's own choice is kept."""
    for run in runs:
        is_waiting_backfill = run.status in WAITING and BACKFILL_TAG in run.tags
        if is_waiting_backfill and PRIORITY_TAG not in run.tags:
            instance.add_run_tags(run.run_id, {PRIORITY_TAG: BACKFILL_PRIORITY})


def _requests(
    instance: dg.DagsterInstance, hosts: Sequence[str], scheduled_for: datetime, now: datetime
) -> Iterator[dg.RunRequest]:
    """In batches, each when it is needed: on most ticks the first one fills the queue."""
    for start in range(0, len(hosts), MAX_QUEUED):
        batch = hosts[start : start + MAX_QUEUED]
        earlier = _earlier_runs(instance, batch, scheduled_for)
        for host in batch:
            if _may_start(earlier[host], now):
                yield _request(host, scheduled_for, attempt=_attempts(earlier[host]) + 1)


def _earlier_runs(
    instance: dg.DagsterInstance, hosts: Sequence[str], scheduled_for: datetime
) -> dict[str, list[dg.RunRecord]]:
    tags = {PARTITION_TAG: hosts, SCHEDULED_FOR_TAG: scheduled_for.isoformat()}
    runs: dict[str, list[dg.RunRecord]] = {host: [] for host in hosts}
    for record in instance.get_run_records(dg.RunsFilter(tags=tags)):
        runs[record.dagster_run.tags[PARTITION_TAG]].append(record)
    return runs


def _attempts(runs: Sequence[dg.RunRecord]) -> int:
    """Without the runs by which Dagster itself restarted a crashed worker."""
    return sum(RESTART_TAG not in record.dagster_run.tags for record in runs)


def _may_start(runs: Sequence[dg.RunRecord], now: datetime) -> bool:
    attempts = _attempts(runs)
    if attempts == 0:
        return True
    last_end = max(_ended_at(record) for record in runs)
    return attempts <= len(RETRY_AFTER) and now >= last_end + RETRY_AFTER[attempts - 1]


def _ended_at(record: dg.RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp
    return datetime.fromtimestamp(record.end_time, UTC)


def _request(host: str, scheduled_for: datetime, *, attempt: int) -> dg.RunRequest:
    """Dagster never uses a run key again, also not that of a run that failed: so it counts."""
    return dg.RunRequest(
        partition_key=host,
        run_key=f"{host} {scheduled_for:%Y-%m-%d %H:%M} attempt {attempt}",
        tags={SCHEDULED_FOR_TAG: scheduled_for.isoformat(), PRIORITY_TAG: DAILY_PRIORITY},
    )
