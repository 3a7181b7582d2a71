"""What is wrong, since when, and who was told of it.

Nothing is queued: what a target is sent is the difference between what is so and what it was told,
taken when it is sent. However long a target was down, it then gets one message.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from omni_pipeline.domain.alert_kinds import KINDS, describe_condition, own_limits
from omni_pipeline.domain.alert_messages import Condition, DueNotification
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all
from omni_pipeline.store.postgres.server_checks import list_counter_headroom

_SQL = load_queries(__name__)

# A sender that has not reported by then died; sending to one target takes less.
CLAIM_SECONDS = 120.0

Named = tuple[str, str]
"""An alert's kind and subject."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when on something is worth telling a person, as settings and checks say it."""

    stale_hours: float
    min_failed: int
    max_failed_share: float


@dataclass(frozen=True, kw_only=True)
class NotificationPolicy:
    """How often people are told.

    Attributes:
        gap_seconds: Between two messages to a target; what happens meanwhile goes together.
        cool_down_seconds: What is over and comes back is told again after this long.
        reminder_seconds: What stays wrong is told again after this long.
    """

    gap_seconds: float = 300.0
    cool_down_seconds: float = 1_800.0
    reminder_seconds: float = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert as `omni alerts` shows it; open while ``recovered_at`` is None."""

    kind: str
    subject: str
    host: str | None
    message: str
    details: dict[str, object]
    times_opened: int
    opened_at: datetime
    seen_at: datetime
    recovered_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TargetState:
    """How a target answered last; ``failures`` in a row."""

    name: str
    failures: int
    error: str | None
    delivered_at: datetime | None
    next_try_at: datetime


def lock(conn: Connection) -> None:
    """Be the only one to raise and recover until the transaction ends."""
    conn.execute(_SQL["lock"])


def find_conditions(conn: Connection, limits: Limits) -> list[Condition]:
    """What is wrong now by what the tables and the server say."""
    return [*_conditions_of_tables(conn, limits), *_scarcities(conn)]


def _conditions_of_tables(conn: Connection, limits: Limits) -> list[Condition]:
    parameters = {**own_limits(), **vars(limits)}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["conditions"], parameters).fetchall()
    return [
        Condition(**row, message=describe_condition(row["kind"], row["subject"], row["details"]))
        for row in rows
    ]


def _scarcities(conn: Connection) -> list[Condition]:
    return [
        Condition(
            kind="ids_running_out",
            subject=headroom.name,
            host=None,
            message=complaint,
            details={"used": headroom.used, "limit": headroom.limit},
        )
        for headroom in list_counter_headroom(conn)
        if (complaint := headroom.complaint)
    ]


def raise_all(conn: Connection, conditions: Sequence[Condition]) -> list[Named]:
    """Open an alert for each condition that has none open; returns what opened."""
    ordered = sorted(conditions, key=_named)
    parameters = {
        **_columns([_named(condition) for condition in ordered]),
        "hosts": [condition.host for condition in ordered],
        "messages": [condition.message for condition in ordered],
        "details": [Jsonb(dict(condition.details)) for condition in ordered],
    }
    return conn.execute(_SQL["raise"], parameters).fetchall()


def recover(conn: Connection, named: Collection[Named]) -> list[Named]:
    """These are over; returns those that were open."""
    return conn.execute(_SQL["recover"], _columns(named)).fetchall()


def recover_others(
    conn: Connection, conditions: Sequence[Condition], *, of_kinds: Collection[str]
) -> list[Named]:
    """What is of these kinds and not among the conditions is over; returns what was open."""
    still = _columns([_named(condition) for condition in conditions])
    return conn.execute(_SQL["recover_others"], {**still, "of_kinds": list(of_kinds)}).fetchall()


def recover_outdated(conn: Connection, *, of_kinds: Collection[str], days: int) -> list[Named]:
    """End alerts of runs whose recovery nobody will report; returns them."""
    ends_with_refresh = [kind for kind in of_kinds if KINDS[kind].ends_with_refresh]
    parameters = {
        "of_kinds": list(of_kinds),
        "ends_with_refresh": ends_with_refresh,
        "days": days,
    }
    return conn.execute(_SQL["recover_outdated"], parameters).fetchall()


def find_error_of_run(conn: Connection, run_id: str) -> tuple[str, str] | None:
    """Kind and message of the error with which a Dagster run's job ended, if it failed."""
    return conn.execute(_SQL["error_of_run"], {"run_id": run_id}).fetchone()


def list_due(conn: Connection, target: str, policy: NotificationPolicy) -> list[DueNotification]:
    """What a target is to be told now, the oldest first."""
    return fetch_all(conn, _SQL["due"], {"target": target, **vars(policy)}, DueNotification)


def claim_target(conn: Connection, target: str) -> bool:
    """Whether the caller may send to a target now, and nobody else."""
    parameters = {"target": target, "claim_seconds": CLAIM_SECONDS}
    return bool(conn.execute(_SQL["claim_target"], parameters).rowcount)


def release_target(conn: Connection, target: str) -> None:
    """Give a claim back unused."""
    conn.execute(_SQL["release_target"], {"target": target})


def note_delivered(
    conn: Connection, target: str, notified: Sequence[DueNotification], policy: NotificationPolicy
) -> None:
    """The target has accepted a message about these."""
    with conn.transaction():
        parameters = {
            "target": target,
            "ids": [alert.id for alert in notified],
            "are_open": [alert.event != "recovered" for alert in notified],
        }
        conn.execute(_SQL["note_notified"], parameters)
        conn.execute(_SQL["note_delivered"], {"target": target, **vars(policy)})


def note_failed(conn: Connection, target: str, error: str) -> None:
    """The target did not accept; it is left alone for longer each time."""
    conn.execute(_SQL["note_failed"], {"target": target, "error": error})


def list_recent(conn: Connection, *, recent_days: int = 7) -> list[Alert]:
    """The open alerts, and those that were over lately."""
    return fetch_all(conn, _SQL["list"], {"recent_days": recent_days}, Alert)


def list_targets(conn: Connection, names: Sequence[str]) -> list[TargetState]:
    """How these targets answered last; those that nothing was sent to yet are missing."""
    return fetch_all(conn, _SQL["targets"], {"names": list(names)}, TargetState)


def count_open(conn: Connection) -> int:
    """How many alerts are open."""
    row = conn.execute(_SQL["count_open"]).fetchone()
    return int(row[0]) if row else 0


def _named(condition: Condition) -> Named:
    return condition.kind, condition.subject


def _columns(named: Collection[Named]) -> dict[str, object]:
    return {"kinds": [kind for kind, _ in named], "subjects": [subject for _, subject in named]}
