"""What alerts say: a line for each thing that is wrong, one message for all that is to be told."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from omni_pipeline.domain.alert_kinds import KINDS, title_of

AlertEvent = Literal["opened", "reminder", "recovered"]

# More alerts of one kind than this are counted, not listed: a bad night is one short message.
MAX_LISTED = 5
MAX_ALERTS_IN_DATA = 100
MAX_LINE = 240
# The narrowest chat that is common takes 2,000 characters.
MAX_TEXT = 1_800

_EVENTS: Mapping[AlertEvent, str] = {"opened": "new", "reminder": "still open", "recovered": "over"}

# Characters with a meaning of their own to some chat, and what stands for them (S-57): tags
# and Slack's mentions, @everyone, and the middle of a Markdown link.
_DISARMED = str.maketrans({"<": "‹", ">": "›", "@": "＠"})  # noqa: RUF001 - that is their purpose


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is wrong now.

    Attributes:
        kind: One of ``alert_kinds.KINDS``; with the subject, what an alert is known by.
        subject: A host, an endpoint, or a check and a host.
        host: The domain that it is about, if any.
        message: One line without secrets.
        details: Numbers and names for machines, as JSON.
    """

    kind: str
    subject: str
    host: str | None
    message: str
    details: Mapping[str, object]

    def __post_init__(self) -> None:
        """Refuse a kind that has no entry: nobody would know when it is over."""
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of alert: give it an entry in alert_kinds.")


@dataclass(frozen=True, kw_only=True)
class DueNotification:
    """An alert that a target is to be told of, and as what."""

    id: int
    event: AlertEvent
    kind: str
    subject: str
    message: str
    details: Mapping[str, object]
    opened_at: datetime
    recovered_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent: to people ``title`` and ``text``, to machines ``alerts`` beside them.

    Attributes:
        id: The same for the same news, so that who gets it twice can tell.
        alerts: At most ``MAX_ALERTS_IN_DATA``.
    """

    id: str
    title: str
    text: str
    alerts: tuple[DueNotification, ...] = ()


def compose(due: Sequence[DueNotification]) -> Message:
    """One message for everything that is due, new things first."""
    events = list(_EVENTS)
    ordered = sorted(due, key=lambda alert: (events.index(alert.event), alert.kind, alert.id))
    lines: list[str] = []
    for (event, kind), group in groupby(ordered, key=lambda alert: (alert.event, alert.kind)):
        lines += _describe_group(event, kind, list(group))
    known_by = "|".join(f"{a.id} {a.event} {a.opened_at.isoformat()}" for a in ordered)
    return Message(
        id=hashlib.sha256(known_by.encode()).hexdigest()[:32],
        title=_title(ordered),
        text=_bounded(lines),
        alerts=tuple(ordered[:MAX_ALERTS_IN_DATA]),
    )


def _title(due: Sequence[DueNotification]) -> str:
    counts = {event: sum(alert.event == event for alert in due) for event in _EVENTS}
    parts = (f"{count} {_EVENTS[event]}" for event, count in counts.items() if count)
    alerts = "alert" if len(due) == 1 else "alerts"
    return f"omni {alerts}: {', '.join(parts)}"


def _describe_group(
    event: AlertEvent, kind: str, group: Sequence[DueNotification]
) -> Iterable[str]:
    yield f"{title_of(kind)} ({_EVENTS[event]})"
    for alert in group[:MAX_LISTED]:
        message = "" if event == "recovered" else f": {alert.message}"
        yield shortened(f"- {alert.subject}{message}", MAX_LINE)
    if len(group) > MAX_LISTED:
        yield f"- and {len(group) - MAX_LISTED:,} more"


def _bounded(lines: Sequence[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) + len(line) > MAX_TEXT:
            kept.append("…")
            break
        kept.append(line)
    return "\n".join([*kept, "All of them: omni alerts"])


def shortened(text: str, limit: int) -> str:
    """At most so many characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def disarmed(text: str) -> str:
    """Text that no chat or mail reader takes for markup, a mention or a titled link (S-57)."""
    return text.translate(_DISARMED).replace("](", "] (")
