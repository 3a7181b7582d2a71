"""Alerts: what is wrong is compared with what people were told, and they are told the difference.

Wrong is what the tables say (`sync_with_tables`) and what was reported of runs and checks
(`note_reports`). Everything here may run twice, and in several processes at once.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from psycopg import Connection

from omni_pipeline.domain.alert_kinds import kinds_found_in
from omni_pipeline.domain.alert_messages import Condition, Message, compose
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import OmniError
from omni_pipeline.gateways.notify.targets import Target
from omni_pipeline.settings import Settings
from omni_pipeline.steps.checks.plausibility import MAX_FAILED_SHARE, MIN_FAILED
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.monitoring.alert_ledger import Limits, NotificationPolicy
from omni_pipeline.store.postgres.session import Session

FORGOTTEN_AFTER_DAYS = 7

# A run that failed for these reasons is told of by the alert about the reason.
NOTIFIED_BY_ANOTHER = (
    "permanent.check_failed",
    "permanent.invariant_broken",
    "permanent.mass_gone",
    "permanent.mass_shrunk",
    "transient.budget",
)

# A tick of Dagster's has a minute for all targets; who comes too late is next in the next one.
SECONDS_FOR_ALL_TARGETS = 30.0


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How many alerts opened, and how many are over."""

    opened: int
    recovered: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run or check reported: the condition, and whether it holds (or is over)."""

    condition: Condition
    is_wrong: bool
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of sending to one target; ``error`` None means that it accepted."""

    target: str
    alerts: int
    error: str | None


def limits_of(settings: Settings) -> Limits:
    """From when on something is told; the failure rate's limits are those of its check."""
    return Limits(
        stale_hours=settings.fresh_hours,
        min_failed=MIN_FAILED,
        max_failed_share=MAX_FAILED_SHARE,
    )


def sync_with_tables(session: Session, redactor: Redactor, limits: Limits) -> Changes:
    """Open what is wrong now by what the tables say, and end what is not any more."""

    def sync(conn: Connection) -> Changes:
        with conn.transaction():
            alert_ledger.lock(conn)
            found = _redacted(alert_ledger.find_conditions(conn, limits), redactor)
            opened = alert_ledger.raise_all(conn, found)
            over = alert_ledger.recover_others(
                conn, found, of_kinds=kinds_found_in("tables", "server")
            )
            over += alert_ledger.recover_outdated(
                conn, of_kinds=kinds_found_in("reports"), days=FORGOTTEN_AFTER_DAYS
            )
        return Changes(opened=len(opened), recovered=len(over))

    return session.run(sync)


def note_reports(session: Session, redactor: Redactor, reports: Iterable[Report]) -> Changes:
    """Open and end alerts by reports in the order in which they were made: the newest counts."""
    newest = {(r.condition.kind, r.condition.subject): r for r in reports}

    def note(conn: Connection) -> Changes:
        with conn.transaction():
            alert_ledger.lock(conn)
            explained = [_explained(conn, r) for r in newest.values() if r.is_wrong]
            wrong = _redacted([condition for condition in explained if condition], redactor)
            opened = alert_ledger.raise_all(conn, wrong)
            fine = [named for named, report in newest.items() if not report.is_wrong]
            over = alert_ledger.recover(conn, fine)
        return Changes(opened=len(opened), recovered=len(over))

    return session.run(note) if newest else Changes(opened=0, recovered=0)


def _explained(conn: Connection, report: Report) -> Condition | None:
    """With the words of the job that failed; None if another alert tells of it."""
    error = alert_ledger.find_error_of_run(conn, report.run_id) if report.run_id else None
    if error is None:
        return report.condition
    kind, message = error
    return None if kind in NOTIFIED_BY_ANOTHER else replace(report.condition, message=message)


def _redacted(conditions: Sequence[Condition], redactor: Redactor) -> list[Condition]:
    return [
        replace(
            condition,
            message=redactor.line(condition.message),
            details={
                name: redactor.line(value) if isinstance(value, str) else value
                for name, value in condition.details.items()
            },
        )
        for condition in conditions
    ]


def deliver(
    session: Session,
    targets: Sequence[Target],
    policy: NotificationPolicy = NotificationPolicy(),  # noqa: B008 - frozen
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[Delivery]:
    """Tell every target what it does not know yet, unless its time has not come.

    A message is sent once, except by a sender that dies between the target's answer and writing it
    down: then again, under the same id.
    """
    end = clock() + SECONDS_FOR_ALL_TARGETS
    deliveries = [_deliver_to(session, t, policy) for t in targets if clock() < end]
    return [delivery for delivery in deliveries if delivery]


def _deliver_to(session: Session, target: Target, policy: NotificationPolicy) -> Delivery | None:
    name = target.name
    if not session.run(lambda conn: alert_ledger.list_due(conn, name, policy)):
        return None
    if not session.run(lambda conn: alert_ledger.claim_target(conn, name)):
        return None
    due = session.run(lambda conn: alert_ledger.list_due(conn, name, policy))
    if not due:  # somebody else was faster
        session.run(lambda conn: alert_ledger.release_target(conn, name))
        return None
    error = send(target, compose(due))
    if error is None:
        session.run(lambda conn: alert_ledger.note_delivered(conn, name, due, policy))
    else:
        session.run(lambda conn: alert_ledger.note_failed(conn, name, error))
    return Delivery(target=name, alerts=len(due), error=error)


def describe_deliveries(
    session: Session, targets: Sequence[Target], deliveries: Sequence[Delivery]
) -> str:
    """What was sent, and which targets do not accept, also where their next try is not yet due."""
    if not targets:
        return "OMNI_ALERT_URLS is not set: nobody is told"
    names = [target.name for target in targets]
    states = session.run(lambda conn: alert_ledger.list_targets(conn, names))
    accepted = sum(delivery.error is None for delivery in deliveries)
    failing = [state.error for state in states if state.error]
    sent = f"sent to {accepted} of {len(targets)} targets"
    return f"{sent}; {len(failing)} failing: {' '.join(failing)}" if failing else sent


def send(target: Target, message: Message) -> str | None:
    """Send to one target; returns what went wrong, in words, or None."""
    try:
        target.send(message)
    except OmniError as error:
        return str(error)
    return None


def notify_of_outage(before: str, error: str | None, targets: Sequence[Target]) -> str:
    """Tell of a database that is away, where alerts are otherwise kept (R-A20).

    Args:
        before: What this returned the last time: "" (it was there), "away" (once: it may just have
            been restarted) or "told".
        error: Why it cannot be reached; None means that it can.
        targets: Told when it stays away, and when it is back.
    """
    if error is None:
        is_news = before == "told"
        text = "The database can be reached again."
    else:
        is_news = before == "away"
        text = f"Nothing is refreshed until it is back. {error}"
    if not is_news:
        return before if error and before else "away" if error else ""
    after = "told" if error else ""
    message = Message(id=uuid4().hex, title="omni: database", text=text)
    results = [send(target, message) for target in targets]
    return after if not targets or None in results else before
