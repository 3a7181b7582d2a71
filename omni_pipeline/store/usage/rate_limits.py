"""How fast all runs together may ask an endpoint: one row, one UPDATE, the database's clock.

A generic cell rate algorithm that reserves instead of refusing: a caller is told its moment, and
sleeps until then without holding anything.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one

_SQL = load_queries(__name__)

# What may be sent at once, as a part of the minute: providers count in windows shorter than one.
BURST_SECONDS = 5.0

# Sent exactly at the limit, every second request would arrive a hair too early and be refused.
MARGIN = 1.02

# A limit that nobody has told is found: each refusal widens the space between requests, and each
# request narrows it again, so that at the endpoint's limit one in twenty or so is refused.
MIN_SPACING_SECONDS = 0.05
MAX_SPACING_SECONDS = 30.0
SPACING_GROWTH = 1.5
SPACING_DECAY = 0.98


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What one model of one endpoint takes in a minute; None is unlimited.

    Attributes:
        endpoint: Address and account: limits are per account.
        model: As the endpoint is asked for it.
        burst_seconds: What part of the minute's share may be sent at once.
    """

    endpoint: str
    model: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_seconds: float = BURST_SECONDS


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A moment reserved for one request, by the database's clock."""

    starts_at: datetime
    asked_at: datetime

    @property
    def wait_seconds(self) -> float:
        """How long after the reservation it starts."""
        return max(0.0, (self.starts_at - self.asked_at).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Why a request is not let in: the endpoint's own wish, or too many before it."""

    paused_until: datetime | None
    booked_seconds: float


def ensure(conn: Connection, limit: Limit) -> None:
    """Make the row that runs share."""
    conn.execute(_SQL["ensure"], _key(limit))


def reserve(conn: Connection, limit: Limit, *, tokens: int, max_wait_seconds: float) -> Turn | None:
    """The next free moment for a request of so many tokens; None if it is further away than that.

    All requests sent at their moments stay, over any time t, within burst + rate * t.
    """
    requests_rate, tokens_rate = limit.requests_per_minute, limit.tokens_per_minute
    request_seconds = MARGIN * 60.0 / requests_rate if requests_rate else 0.0
    token_seconds = MARGIN * 60.0 * tokens / tokens_rate if tokens_rate else 0.0
    # At least one request, or no request could ever be sent at once.
    requests_burst = max(limit.burst_seconds, request_seconds) if requests_rate else 0.0
    tokens_burst = limit.burst_seconds if tokens_rate else 0.0
    parameters = {
        **_key(limit),
        "request_seconds": request_seconds,
        "token_seconds": token_seconds,
        "requests_burst_seconds": requests_burst,
        "tokens_burst_seconds": tokens_burst,
        "max_wait_seconds": max_wait_seconds,
        "spacing_decay": SPACING_DECAY,
        "requests_horizon_seconds": requests_burst + max_wait_seconds,
        "tokens_horizon_seconds": tokens_burst + max_wait_seconds,
    }
    conn.execute(_SQL["follow_clock"], _key(limit))
    return fetch_one(conn, _SQL["reserve"], parameters, Turn)


def still_holds(conn: Connection, limit: Limit, turn: Turn) -> bool:
    """Whether a turn that was waited for still counts; a pause may have taken it back."""
    parameters = {**_key(limit), "starts_at": turn.starts_at}
    return bool(conn.execute(_SQL["still_holds"], parameters).rowcount)


def pause(conn: Connection, limit: Limit, *, seconds: float) -> None:
    """Let nobody ask for so long, as the endpoint wished; a longer pause is not shortened."""
    is_notified = bool(limit.requests_per_minute or limit.tokens_per_minute)
    parameters = {
        **_key(limit),
        "seconds": seconds,
        "min_spacing_seconds": MIN_SPACING_SECONDS,
        "max_spacing_seconds": 0.0 if is_notified else MAX_SPACING_SECONDS,
        "spacing_growth": SPACING_GROWTH,
    }
    conn.execute(_SQL["pause"], parameters)


def look(conn: Connection, limit: Limit) -> Queue:
    """What stands before the next request."""
    queue = fetch_one(conn, _SQL["look"], _key(limit), Queue)
    return queue or Queue(paused_until=None, booked_seconds=0.0)


def end_pauses(conn: Connection, endpoint: str) -> None:
    """Let the endpoint's models be asked again, before the time that it asked for is over."""
    conn.execute(_SQL["end_pauses"], {"endpoint": endpoint})


def _key(limit: Limit) -> dict[str, str]:
    return {"endpoint": limit.endpoint, "model": limit.model}
