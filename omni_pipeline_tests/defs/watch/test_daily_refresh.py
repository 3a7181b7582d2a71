"""One refresh per domain and day, with a clock of the test's own: schedule, feeder and ledger."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from omni_pipeline.definitions import defs
from omni_pipeline.defs.instance.environment import WAITING
from omni_pipeline.defs.runs.request import PARTITION_TAG, SCHEDULED_FOR_TAG
from omni_pipeline.defs.watch import queue_feed, sensors
from omni_pipeline.defs.watch.queue_feed import MAX_QUEUED, feed
from omni_pipeline.defs.watch.schedules import daily_refresh, due_day
from omni_pipeline.errors import OmniError
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session

TWO = datetime(2026, 10, 20, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOSTS = ["a.test", "b.test", "c.test"]


@dg.job(name="refresh_domain")
def stand_in() -> None:
    """Runs of it are queued and ended here, and never executed."""


class Days:
    """Domains, a queue that nobody empties unless told, and the ticks of any moment."""

    def __init__(self, instance: dg.DagsterInstance, database: Database) -> None:
        self.instance = instance
        self.database = database
        self.session = Session(database, retry_seconds=0.1)
        self.used_keys: set[str] = set()

    def register(self, *hosts: str) -> None:
        with self.database.connect() as conn:
            for host in hosts:
                domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))
            conn.execute(b"UPDATE domains SET created_at = '2020-01-01'")
        self.instance.add_dynamic_partitions("domains", list(hosts))

    def tick(self, scheduled_for: datetime) -> None:
        """What the daemon does when the schedule is due, whenever that may be."""
        with dg.build_schedule_context(
            self.instance, scheduled_execution_time=scheduled_for
        ) as context:
            daily_refresh(context)

    def feed(self, now: datetime, *, limit: int = 1_000) -> list[str]:
        """Queue what the sensor asks for, as the daemon does: a run key is used once, for ever."""
        requests, _ = feed(self.instance, self.session, now)
        fresh = [r for r in requests[:limit] if r.run_key not in self.used_keys]
        for request in fresh:
            self.used_keys.add(str(request.run_key))
            self._queue(request)
        return [str(request.partition_key) for request in fresh]

    def _queue(self, request: dg.RunRequest) -> None:
        tags = {**request.tags, PARTITION_TAG: str(request.partition_key)}
        self.queue(tags)

    def queue(self, tags: dict[str, str]) -> dg.DagsterRun:
        return self.instance.create_run_for_job(stand_in, tags=tags)

    def waiting(self) -> list[dg.DagsterRun]:
        """The queue, oldest first."""
        return list(reversed(self.instance.get_runs(dg.RunsFilter(statuses=WAITING))))

    def refresh(self, run: dg.DagsterRun, error: tuple[str, str] | None = None) -> None:
        """The run claims its domain and ends, with the ledger and Dagster told of it."""
        host = run.tags[PARTITION_TAG]
        with self.database.connect() as conn:
            claim = crawl_jobs.claim(conn, domains.get(conn, host).id, host, request_of(run))
            crawl_jobs.finish(conn, claim, error=error, is_whole=True)
        self.end(run, failed=error is not None)

    def end(self, run: dg.DagsterRun, *, failed: bool) -> None:
        """Dagster's side alone: all that is known of a run that failed before it claimed."""
        kind = dg.DagsterEventType.RUN_FAILURE if failed else dg.DagsterEventType.RUN_SUCCESS
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)

    def refresh_all(self) -> None:
        for run in self.waiting():
            self.refresh(run)

    def jobs(self) -> Counter[tuple[str, str | None]]:
        """How many jobs each domain has, by the time they were scheduled for."""
        with self.database.connect() as conn:
            rows = conn.execute(b"SELECT host, scheduled_for FROM crawl_jobs").fetchall()
            violations = invariants.find_violations(conn, lease_seconds=90.0)
        assert not [found for found in violations if found.invariant == "I27_one_job_per_tick"]
        return Counter(
            (host, time and time.astimezone(UTC).strftime("%d %H:%M")) for host, time in rows
        )


def request_of(run: dg.DagsterRun) -> Request:
    scheduled_for = datetime.fromisoformat(run.tags[SCHEDULED_FOR_TAG])
    return Request(run_id=run.run_id, worker="w", scheduled_for=scheduled_for)


@pytest.fixture
def days(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Days]:
    monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
    days = Days(instance, database)
    days.register(*HOSTS)
    yield days
    days.session.close()


def test_every_active_domain_is_refreshed_once_a_day_for_two_days(days: Days) -> None:
    """R-A1"""
    for tick in (TWO, TWO + DAY):
        days.tick(tick)
        assert sorted(days.feed(tick)) == HOSTS
        days.refresh_all()
        for hour in range(24):
            assert days.feed(tick + hour * HOUR) == []
    assert days.jobs() == {(host, f"{day} 02:00"): 1 for host in HOSTS for day in (20, 21)}


def test_the_schedule_is_at_two_utc_runs_by_default_and_is_never_moved_by_summer_time() -> None:
    """R-A1, F-G3: 2026-10-25 has two 02:00 in Europe, and one in UTC."""
    schedule = defs.resolve_schedule_def("daily_refresh")
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    for sensor in defs.sensors or ():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name


def test_before_two_there_is_nothing_and_the_day_before_is_caught_up(days: Days) -> None:
    days.tick(TWO)
    assert days.feed(TWO - HOUR) == []
    assert sorted(days.feed(TWO + 23 * HOUR)) == HOSTS


def test_a_daemon_back_at_nine_catches_up_once(days: Days) -> None:
    """F-G1: Dagster fires the missed tick with the time for which it was scheduled."""
    days.tick(TWO)
    assert sorted(days.feed(TWO + 7 * HOUR)) == HOSTS
    days.refresh_all()
    assert days.feed(TWO + 8 * HOUR) == []
    assert days.jobs() == {(host, "20 02:00"): 1 for host in HOSTS}


def test_after_three_days_away_only_the_newest_day_is_caught_up(days: Days) -> None:
    """F-G2: also where the sensor looks before the schedule has fired."""
    days.tick(TWO)
    back = TWO + 3 * DAY + 7 * HOUR
    assert days.feed(back) == []
    days.tick(TWO + 3 * DAY)
    assert sorted(days.feed(back)) == HOSTS
    days.refresh_all()
    assert days.feed(back + HOUR) == []
    assert days.jobs() == {(host, "23 02:00"): 1 for host in HOSTS}


def test_a_tick_that_fires_twice_or_late_changes_nothing(days: Days) -> None:
    """F-G3, R-A1: two daemons, a restart inside the tick, yesterday's tick after today's."""
    for tick in (TWO, TWO, TWO - DAY):
        days.tick(tick)
        days.feed(TWO + HOUR)
    assert due_day(days.instance, TWO + HOUR) == TWO
    assert len(days.waiting()) == 3
    days.refresh_all()
    days.tick(TWO)
    assert days.feed(TWO + 2 * HOUR) == []


def test_two_daemons_that_both_queued_a_domain_refresh_it_once(days: Days) -> None:
    """F-G3, I27: the second run finds the day done, says so, and nothing was written."""
    days.tick(TWO)
    days.feed(TWO)
    first = days.waiting()[0]
    second = days.queue(dict(first.tags))
    days.refresh(first)
    host = first.tags[PARTITION_TAG]
    before = days.jobs()
    with pytest.raises(crawl_jobs.TickDoneError, match=rf"{host} was already refreshed for 2026"):
        days.refresh(second)
    assert days.jobs() == before


def test_a_feed_cut_off_in_the_middle_goes_on_with_the_others(days: Days) -> None:
    """F-G4: killed after 5 of 20 run requests; the other 15 start, the 5 not again."""
    hosts = [f"d{number:02}.test" for number in range(20)]
    with days.database.connect() as conn:
        conn.execute(b"DELETE FROM domains")
    days.register(*hosts)
    days.tick(TWO)
    first = days.feed(TWO, limit=5)
    rest = days.feed(TWO)
    assert (len(first), len(rest)) == (5, 15)
    assert sorted(first + rest) == hosts
    days.refresh_all()
    assert days.jobs() == {(host, "20 02:00"): 1 for host in hosts}


def test_a_database_that_is_away_delays_the_day_and_drops_no_domain(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-B13; F-G5, R-A20: the tick itself needs no database of ours; the sensor asks on."""
    days.tick(TWO)
    monkeypatch.setattr(days.session, "_database", Database(url="postgresql://127.0.0.1:1/omni"))
    for _ in range(3):
        with pytest.raises(OmniError):
            days.feed(TWO)
    days.session = Session(days.database)
    assert sorted(days.feed(TWO + HOUR)) == HOSTS


def test_many_domains_are_fed_a_few_at_a_time_the_longest_waiting_first(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-G8: a queue of thousands would be read again each time that a run ends."""
    monkeypatch.setattr(queue_feed, "MAX_QUEUED", 2)
    with days.database.connect() as conn:
        conn.execute(b"UPDATE domains SET last_success_at = '2026-10-19' WHERE host = 'a.test'")
        conn.execute(b"UPDATE domains SET last_success_at = '2026-10-18' WHERE host = 'b.test'")
    days.tick(TWO)
    assert days.feed(TWO) == ["c.test", "b.test"]
    assert days.feed(TWO) == []
    days.refresh(days.waiting()[0])
    assert days.feed(TWO) == ["a.test"]
    assert MAX_QUEUED == 50


def test_paused_unregistered_and_later_registered_domains_are_not_refreshed(days: Days) -> None:
    """R-C2: a domain that was registered after 02:00 waits for the next day."""
    with days.database.connect() as conn:
        domains.set_status(conn, "a.test", "paused")
        domains.remove(conn, "b.test")
        conn.execute(b"UPDATE domains SET created_at = '2026-10-20 02:01Z' WHERE host = 'c.test'")
    days.tick(TWO)
    assert days.feed(TWO + HOUR) == []
    with days.database.connect() as conn:
        domains.set_status(conn, "a.test", "active")
    assert days.feed(TWO + HOUR) == ["a.test"]
    days.tick(TWO + DAY)
    assert days.feed(TWO + DAY) == ["c.test"]


# What failed


def now() -> datetime:
    return datetime.now(UTC)


def fail_first(days: Days, kind: str) -> dg.DagsterRun:
    """A day in which a.test's first refresh has just failed; the others are done."""
    days.tick(now() - HOUR)
    days.feed(now())
    failing, *others = sorted(days.waiting(), key=lambda run: run.tags[PARTITION_TAG])
    for run in others:
        days.refresh(run)
    days.refresh(failing, (kind, "It failed."))
    return failing


def test_a_refresh_that_failed_for_a_passing_reason_is_tried_twice_more_that_day(
    days: Days,
) -> None:
    """F-G7: each time under a new run key, since Dagster never uses one again."""
    fail_first(days, "transient.timeout")
    assert days.feed(now() + HOUR / 2) == []
    assert days.feed(now() + HOUR) == ["a.test"]
    days.refresh(days.waiting()[0], ("transient.timeout", "It failed again."))
    assert days.feed(now() + 2 * HOUR) == []
    assert days.feed(now() + 4 * HOUR) == ["a.test"]
    days.refresh(days.waiting()[0], ("transient.timeout", "And again."))
    assert days.feed(now() + 20 * HOUR) == []
    by_host = Counter(host for host, time in days.jobs() if time is not None)
    assert by_host == {"a.test": 1, "b.test": 1, "c.test": 1}
    assert len(days.used_keys) == 5


def test_a_retry_that_succeeds_ends_the_day(days: Days) -> None:
    """F-G7, I27: of all attempts one is the day's refresh: the failed ones left it their time."""
    fail_first(days, "transient.worker_lost")
    days.feed(now() + HOUR)
    days.refresh_all()
    assert days.feed(now() + 20 * HOUR) == []
    assert sum(count for (host, time), count in days.jobs().items() if time) == 3
    assert days.jobs()["a.test", None] == 1


def test_what_a_person_must_mend_is_not_tried_again_that_day(days: Days) -> None:
    fail_first(days, "permanent.mass_gone")
    assert days.feed(now() + 20 * HOUR) == []


def test_a_run_that_failed_before_it_claimed_its_domain_is_tried_again(days: Days) -> None:
    """F-G7, R-A20: the ledger does not know of it; Dagster does."""
    days.tick(now() - HOUR)
    days.feed(now())
    run = next(run for run in days.waiting() if run.tags[PARTITION_TAG] == "b.test")
    days.end(run, failed=True)
    assert days.feed(now() + HOUR / 2) == []
    assert days.feed(now() + HOUR) == ["b.test"]


def test_restarts_by_dagster_itself_use_up_no_attempt(days: Days) -> None:
    """F-F10: one counter, whoever tries again."""
    failed = fail_first(days, "transient.worker_lost")
    tags = {**failed.tags, "dagster/parent_run_id": failed.run_id, "dagster/retry_number": "1"}
    days.refresh(days.queue(tags), ("transient.worker_lost", "It crashed again."))
    assert days.feed(now() + HOUR) == ["a.test"]
    days.refresh(days.waiting()[0], ("transient.timeout", "It failed."))
    assert days.feed(now() + 5 * HOUR) == ["a.test"]


def test_a_run_that_waits_in_the_queue_for_hours_is_not_queued_again(days: Days) -> None:
    days.tick(now() - HOUR)
    assert sorted(days.feed(now())) == HOSTS
    assert days.feed(now() + 12 * HOUR) == []


# Who goes first


def test_people_go_before_the_daily_refresh_and_backfills_after_it(days: Days) -> None:
    """F-F7: a backfill of every domain fills the slots that nobody else wants."""
    backfill = days.queue({PARTITION_TAG: "a.test", "dagster/backfill": "b"})
    chosen = days.queue({PARTITION_TAG: "a.test", "dagster/backfill": "c", "dagster/priority": "7"})
    person = days.queue({PARTITION_TAG: "a.test"})
    days.tick(TWO)
    days.feed(TWO)
    by_id = {run.run_id: run for run in days.waiting()}
    daily = next(run for run in by_id.values() if SCHEDULED_FOR_TAG in run.tags)
    priorities = [
        int(by_id[run.run_id].tags.get("dagster/priority", "0"))
        for run in (chosen, person, daily, backfill)
    ]
    assert priorities == [7, 0, -1, -10]
    assert by_id[backfill.run_id].tags[PARTITION_TAG] == "a.test"


def test_the_sensor_itself_asks_for_runs_of_the_job_with_partition_key_and_time(
    days: Days,
) -> None:
    days.tick(now() - HOUR)
    with dg.build_sensor_context(
        days.instance, repository_def=defs.get_repository_def()
    ) as context:
        result = sensors.feed_daily_refresh(context)
    assert isinstance(result, dg.SensorResult)
    assert result.run_requests is not None
    assert sorted(str(request.partition_key) for request in result.run_requests) == HOSTS
    assert sensors.feed_daily_refresh.job_name == "refresh_domain"
