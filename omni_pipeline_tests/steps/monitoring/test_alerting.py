"""From what is wrong to what people read: once each, once more when it is over, never a storm."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Barrier, Thread

import pytest
from psycopg import Connection, sql

from omni_pipeline.domain.alert_messages import Condition, Message
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import SettingsError, TemporaryError
from omni_pipeline.gateways.notify.targets import NotDeliveredError
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.monitoring.alerting import (
    Changes,
    Report,
    deliver,
    limits_of,
    note_reports,
    notify_of_outage,
    sync_with_tables,
)
from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.monitoring.alert_ledger import Alert, NotificationPolicy
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session
from omni_pipeline.store.usage import circuit_breakers

HOST = "a.test"
AT_ONCE = NotificationPolicy(gap_seconds=0.0)
NOTHING = Changes(opened=0, recovered=0)
REDACTOR = Redactor(secrets=("s3cret-of-ours",))
LIMITS = limits_of(read_settings({}))


@dataclass
class Recorder:
    """A target that keeps what it is sent, and refuses while ``is_down``."""

    name: str = "recorder"
    is_down: bool = False
    seconds: float = 0.0
    messages: list[Message] = field(default_factory=list)
    refused: int = 0

    def check(self) -> None:
        """It can always be used."""

    def send(self, message: Message) -> None:
        time.sleep(self.seconds)
        if self.is_down:
            self.refused += 1
            raise NotDeliveredError("recorder did not take the message: HTTP 503")
        self.messages.append(message)

    def told(self) -> list[list[tuple[str, str, str]]]:
        return [[(a.event, a.kind, a.subject) for a in m.alerts] for m in self.messages]


@dataclass(frozen=True, kw_only=True)
class World:
    """A database with one active domain, and what may go wrong with it."""

    database: Database
    session: Session
    conn: Connection

    def sync(self) -> Changes:
        return sync_with_tables(self.session, REDACTOR, LIMITS)

    def open(self) -> list[Alert]:
        return [a for a in alert_ledger.list_recent(self.conn) if a.recovered_at is None]

    def kinds(self) -> list[str]:
        return sorted(alert.kind for alert in self.open())

    def claim(self, host: str = HOST, *, run_id: str = "run-1") -> Claim:
        domain = domains.get(self.conn, host)
        return crawl_jobs.claim(
            self.conn, domain.id, host, Request(run_id=run_id, worker="worker-1")
        )

    def refresh(
        self, *, error: tuple[str, str] | None = None, discovered: int = 0, failed: int = 0
    ) -> None:
        claim = self.claim()
        self.conn.execute(
            "UPDATE crawl_jobs SET pages_discovered = %s, pages_failed = %s, pages_unchanged = %s"
            " WHERE id = %s",
            (discovered, failed, discovered - failed, claim.job_id),
        )
        crawl_jobs.finish(self.conn, claim, error=error, is_whole=True)

    def hold(self, *paths: str) -> None:
        claim = self.claim()
        with crawl_jobs.fenced(self.conn, claim):
            held_pages.hold(self.conn, claim, {f"https://{HOST}/{p}": "missing" for p in paths})
        crawl_jobs.finish(self.conn, claim, error=("permanent.mass_gone", "held"), is_whole=False)

    def age(self, length: str) -> None:
        """As if everything so far had happened that much earlier."""
        for table, columns in (
            ("alerts", ("opened_at", "seen_at", "recovered_at")),
            ("alert_deliveries", ("notified_at",)),
            ("alert_targets", ("next_try_at",)),
            ("domains", ("last_success_at", "created_at")),
        ):
            changes = (
                sql.SQL("{0} = {0} - {1}::interval").format(sql.Identifier(column), length)
                for column in columns
            )
            self.conn.execute(
                sql.SQL("UPDATE {} SET {}").format(
                    sql.Identifier(table), sql.SQL(", ").join(changes)
                )
            )


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    session = Session(database, retry_seconds=2.0)
    with database.connect() as conn:
        domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/"))
        yield World(database=database, session=session, conn=conn)
    session.close()


def report(
    *, is_wrong: bool, subject: str = HOST, message: str = "It broke.", run_id: str | None = None
) -> Report:
    condition = Condition(
        kind="failed_run", subject=subject, host=HOST, message=message, details={}
    )
    return Report(condition=condition, is_wrong=is_wrong, run_id=run_id)


def test_a_domain_in_order_alerts_nobody(world: World) -> None:
    world.refresh(discovered=100, failed=4)
    assert world.sync() == NOTHING


def test_a_domain_without_success_for_a_day_and_two_hours_is_stale_until_it_is_refreshed(
    world: World,
) -> None:
    """R-C3"""
    world.refresh()
    world.age("25 hours")
    assert world.sync() == NOTHING
    world.age("2 hours")
    assert world.sync() == Changes(opened=1, recovered=0)
    [alert] = world.open()
    assert (alert.kind, alert.subject) == ("stale_domain", HOST)
    assert "27 h" in alert.message
    assert world.sync() == NOTHING
    world.refresh()
    assert world.sync() == Changes(opened=0, recovered=1)


def test_how_long_a_domain_is_fresh_is_a_setting(world: World) -> None:
    """R-C2"""
    world.age("27 hours")
    patient = limits_of(read_settings({"OMNI_FRESH_HOURS": "48"}))
    assert sync_with_tables(world.session, REDACTOR, patient) == NOTHING
    assert world.sync().opened == 1
    with pytest.raises(SettingsError, match=r"OMNI_FRESH_HOURS='0\.5'.*at least 1"):
        read_settings({"OMNI_FRESH_HOURS": "0.5"})


def test_a_paused_domain_is_a_persons_decision_and_ends_its_alerts(world: World) -> None:
    world.age("3 days")
    world.sync()
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    assert world.kinds() == ["failed_run", "stale_domain"]
    domains.set_status(world.conn, HOST, "paused")
    assert world.sync() == Changes(opened=0, recovered=2)


def test_alerts_of_a_removed_domain_are_over(world: World) -> None:
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    domains.remove(world.conn, HOST)
    assert world.sync() == Changes(opened=0, recovered=1)


def test_a_high_failure_rate_alerts(world: World) -> None:
    """R-A17"""
    world.refresh(discovered=100, failed=11)
    world.sync()
    [alert] = world.open()
    assert alert.kind == "many_failures"
    assert "11 of 100 pages failed" in alert.message
    world.refresh(discovered=100)
    world.sync()
    assert world.open() == []


def test_held_pages_alert_until_a_person_confirms_them(world: World) -> None:
    """R-A12: without another refresh."""
    world.hold("x", "y")
    world.sync()
    [alert] = world.open()
    assert alert.kind == "held_pages"
    assert f"omni domains confirm-removals {HOST}" in alert.message
    held_pages.confirm(world.conn, domains.get(world.conn, HOST).id)
    world.sync()
    assert world.open() == []


def test_a_budget_that_is_used_up_alerts_in_the_words_of_the_run(world: World) -> None:
    """R-C6"""
    world.refresh(error=("transient.budget", "The daily token budget of a.test, 5, is used up."))
    world.sync()
    [alert] = world.open()
    assert alert.kind == "budget_reached"
    assert alert.message == "The daily token budget of a.test, 5, is used up."


def test_a_breaker_alerts_at_once_where_a_person_must_act_and_else_when_it_stays_open(
    world: World,
) -> None:
    """F-C3: no credit left is one alert, a hiccup is none."""
    circuit_breakers.open_for(
        world.conn, "https://a", kind="permanent.quota", error="No credit.", seconds=900
    )
    circuit_breakers.open_for(
        world.conn, "https://b", kind="transient.timeout", error="Slow.", seconds=30
    )
    world.sync()
    assert [alert.subject for alert in world.open()] == ["https://a"]
    world.conn.execute("UPDATE provider_breakers SET opened_at = opened_at - interval '6 min'")
    world.sync()
    assert {alert.subject for alert in world.open()} == {"https://a", "https://b"}
    circuit_breakers.reset(world.conn, "https://a")
    world.sync()
    assert [alert.subject for alert in world.open()] == ["https://b"]


def test_ids_that_run_out_alert_at_80_percent(world: World) -> None:
    """F-B17"""
    world.conn.execute("SELECT setval('embedding_models_id_seq', 26_000)")
    assert world.sync() == NOTHING
    world.conn.execute("SELECT setval('embedding_models_id_seq', 26_300)")
    world.conn.execute("SELECT setval('chunks_id_seq', 1::bigint << 33)")
    world.sync()
    [alert] = world.open()
    assert (alert.kind, alert.subject) == ("ids_running_out", "embedding_models_id_seq")
    assert "26,300 of 32,767 are used" in alert.message
    world.conn.execute("SELECT setval('embedding_models_id_seq', 1)")
    assert world.sync() == Changes(opened=0, recovered=1)


def test_a_failed_run_speaks_in_the_words_of_its_job_without_secrets(world: World) -> None:
    """S-71"""
    world.refresh(error=("transient.x", "Login with s3cret-of-ours\nwas refused."))
    note_reports(world.session, REDACTOR, [report(is_wrong=True, run_id="run-1")])
    [alert] = world.open()
    assert alert.message == "Login with [redacted] was refused."


def test_a_run_that_failed_over_what_another_alert_tells_is_not_told_twice(world: World) -> None:
    world.hold("x")
    assert note_reports(world.session, REDACTOR, [report(is_wrong=True, run_id="run-1")]) == NOTHING


def test_of_several_reports_the_newest_counts_however_often_they_are_read(world: World) -> None:
    reports = [report(is_wrong=True), report(is_wrong=False), report(is_wrong=True)]
    assert note_reports(world.session, REDACTOR, reports).opened == 1
    assert note_reports(world.session, REDACTOR, reports) == NOTHING
    reports.append(report(is_wrong=False))
    assert note_reports(world.session, REDACTOR, reports).recovered == 1
    assert note_reports(world.session, REDACTOR, reports) == NOTHING


def test_what_nobody_reports_again_is_forgotten_after_a_week(world: World) -> None:
    broken = report(is_wrong=True, subject="confirm_removals of a.test")
    note_reports(world.session, REDACTOR, [broken])
    world.age("6 days")
    world.refresh()
    world.sync()
    assert world.kinds() == ["failed_run"]
    world.age("25 hours")
    world.sync()
    assert world.open() == []


def test_a_refresh_that_succeeded_since_ends_the_failure_of_another_run(world: World) -> None:
    """A run that met a busy domain and failed is not wrong for ever."""
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    world.refresh()
    world.sync()
    assert world.open() == []


def test_each_alert_is_sent_once_and_its_recovery_once(world: World) -> None:
    """R-C3"""
    target = Recorder()
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    for _ in range(3):
        deliver(world.session, [target], AT_ONCE)
    note_reports(world.session, REDACTOR, [report(is_wrong=False)])
    for _ in range(3):
        deliver(world.session, [target], AT_ONCE)
    assert target.told() == [
        [("opened", "failed_run", HOST)],
        [("recovered", "failed_run", HOST)],
    ]


def test_what_stays_wrong_is_told_again_once_a_day(world: World) -> None:
    target = Recorder()
    note_reports(world.session, REDACTOR, [report(is_wrong=True, subject=f"{n}") for n in "ab"])
    deliver(world.session, [target], AT_ONCE)
    world.age("13 hours")
    deliver(world.session, [target], AT_ONCE)
    note_reports(world.session, REDACTOR, [report(is_wrong=True, subject="late")])
    deliver(world.session, [target], AT_ONCE)
    world.age("11.5 hours")
    deliver(world.session, [target], AT_ONCE)
    deliver(world.session, [target], AT_ONCE)
    assert [sorted(told) for told in target.told()] == [
        [("opened", "failed_run", "a"), ("opened", "failed_run", "b")],
        [("opened", "failed_run", "late")],
        [("reminder", "failed_run", "a"), ("reminder", "failed_run", "b")],
    ]


def test_reminders_that_are_due_soon_go_with_the_first_one(world: World) -> None:
    target = Recorder()
    for subject in "ab":
        note_reports(world.session, REDACTOR, [report(is_wrong=True, subject=subject)])
        deliver(world.session, [target], AT_ONCE)
        world.age("1 hour")
    world.age("22.5 hours")
    deliver(world.session, [target], AT_ONCE)
    world.age("2 hours")
    deliver(world.session, [target], AT_ONCE)
    assert len(target.told()) == 3
    assert len(target.told()[-1]) == 2


def test_what_comes_and_goes_is_told_at_most_once_per_cool_down(world: World) -> None:
    """No storm: a flapping site does not ring all night."""
    target = Recorder()
    for is_wrong in (True, False) * 10:
        note_reports(world.session, REDACTOR, [report(is_wrong=is_wrong)])
        deliver(world.session, [target], AT_ONCE)
    assert len(target.messages) == 2
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    deliver(world.session, [target], AT_ONCE)
    assert len(target.messages) == 2
    world.age("31 minutes")
    deliver(world.session, [target], AT_ONCE)
    assert target.told()[2:] == [[("opened", "failed_run", HOST)]]
    [alert] = world.open()
    assert alert.times_opened == 11


def test_a_bad_night_of_many_domains_is_few_messages(world: World) -> None:
    """No storm: the first is told at once, what follows goes together."""
    target = Recorder()
    for number in range(200):
        note_reports(world.session, REDACTOR, [report(is_wrong=True, subject=f"{number}.test")])
        if number % 20 == 0:
            deliver(world.session, [target])
    assert [len(message.alerts) for message in target.messages] == [1]
    world.age("5 minutes")
    deliver(world.session, [target])
    assert [len(message.alerts) for message in target.messages] == [1, 100]
    assert "199 new" in target.messages[-1].title
    world.age("5 minutes")
    assert deliver(world.session, [target]) == []


def test_a_target_that_is_down_gets_one_message_when_it_is_back(world: World) -> None:
    """F-G9: kept and sent again, later each time; the others are not kept waiting."""
    down, up = Recorder("down", is_down=True), Recorder("up")
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    results = deliver(world.session, [down, up], AT_ONCE)
    assert [(d.target, d.error is None) for d in results] == [("down", False), ("up", True)]
    assert deliver(world.session, [down, up], AT_ONCE) == []
    for number in range(20):
        world.age("10 minutes")
        note_reports(world.session, REDACTOR, [report(is_wrong=True, subject=f"{number}.test")])
        deliver(world.session, [down, up], AT_ONCE)
    assert down.refused <= 10
    [state] = alert_ledger.list_targets(world.conn, ["down"])
    assert state.error is not None
    assert "503" in state.error
    down.is_down = False
    world.age("1 hour")
    deliver(world.session, [down], AT_ONCE)
    assert len(down.messages) == 1
    assert len(down.messages[0].alerts) == 21
    [state] = alert_ledger.list_targets(world.conn, ["down"])
    assert (state.failures, state.error) == (0, None)


def test_what_was_over_before_it_could_be_told_is_not_told(world: World) -> None:
    target = Recorder(is_down=True)
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    deliver(world.session, [target], AT_ONCE)
    note_reports(world.session, REDACTOR, [report(is_wrong=False)])
    target.is_down = False
    world.age("1 hour")
    assert deliver(world.session, [target], AT_ONCE) == []


def test_two_deliverers_at_once_send_one_message(world: World) -> None:
    target = Recorder(seconds=0.3)
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    barrier = Barrier(4)

    def run() -> None:
        session = Session(world.database)
        barrier.wait(timeout=10)
        deliver(session, [target], AT_ONCE)
        session.close()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(target.messages) == 1


def test_a_deliverer_that_died_is_replaced_and_says_the_same_under_the_same_id(
    world: World,
) -> None:
    """At least once: who gets it twice can tell."""
    target = Recorder()
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    assert alert_ledger.claim_target(world.conn, target.name)
    assert deliver(world.session, [target], AT_ONCE) == []
    world.age("3 minutes")
    deliver(world.session, [target], AT_ONCE)
    assert len(target.messages) == 1


def test_who_comes_too_late_in_a_round_is_left_for_the_next(world: World) -> None:
    moments = iter((0.0, 0.0, 31.0))
    slow, late = Recorder("slow"), Recorder("late")
    note_reports(world.session, REDACTOR, [report(is_wrong=True)])
    deliver(world.session, [slow, late], AT_ONCE, clock=lambda: next(moments))
    assert (len(slow.messages), len(late.messages)) == (1, 0)


def test_a_database_that_stays_away_is_told_and_that_it_is_back() -> None:
    """R-A20: alerts are kept in it, so of this people are told past it."""
    target = Recorder()
    state = ""
    for error in ("refused", "refused", "refused", None, None):
        state = notify_of_outage(state, error, [target])
    assert [message.text for message in target.messages] == [
        "Nothing is refreshed until it is back. refused",
        "The database can be reached again.",
    ]
    assert state == ""


def test_a_restart_of_the_database_is_told_nobody() -> None:
    target = Recorder()
    assert notify_of_outage(notify_of_outage("", "refused", [target]), None, [target]) == ""
    assert target.messages == []


def test_an_outage_is_told_when_the_target_is_back() -> None:
    target = Recorder(is_down=True)
    state = notify_of_outage(notify_of_outage("", "refused", [target]), "refused", [target])
    target.is_down = False
    assert notify_of_outage(state, "refused", [target]) == "told"
    assert len(target.messages) == 1


def test_a_sync_that_cannot_reach_the_database_says_so() -> None:
    away = Session(Database(url="postgresql://omni@127.0.0.1:1/omni"), retry_seconds=0.1)
    with pytest.raises(TemporaryError):
        sync_with_tables(away, REDACTOR, LIMITS)
