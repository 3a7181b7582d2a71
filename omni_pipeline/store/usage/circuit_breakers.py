"""Whether an endpoint is worth asking: one row that all runs share, so that they learn once.

Closed, it counts failures in a row. Open, nobody asks. When its time is over one caller probes
(half open) and closes it, or opens it again.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one

_SQL = load_queries(__name__)

MAX_FAILURES = 5
OPEN_SECONDS = 30.0

# A probe that has not reported by then died with its process; a request takes at most a minute.
PROBE_SECONDS = 70.0


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """An endpoint's breaker as one caller meets it.

    Attributes:
        failures: In a row, of all runs.
        opened_until: None while it is closed.
        wait_seconds: Until it may be asked about again.
        is_probe: This caller, and no other, is to send the one request that decides.
    """

    state: str
    failures: int
    opened_until: datetime | None
    error_kind: str
    error: str
    is_probe: bool
    wait_seconds: float

    @property
    def lets_in(self) -> bool:
        """Whether this caller may send a request."""
        return self.state == "closed" or self.is_probe


def ask(conn: Connection, endpoint: str) -> Breaker | None:
    """The endpoint's breaker; None if it never failed."""
    parameters = {"endpoint": endpoint, "probe_seconds": PROBE_SECONDS}
    return fetch_one(conn, _SQL["ask"], parameters, Breaker)


def close(conn: Connection, endpoint: str, *, is_probe: bool) -> None:
    """Note that the endpoint answered."""
    conn.execute(_SQL["close"], {"endpoint": endpoint, "is_probe": is_probe})


def count_failure(
    conn: Connection, endpoint: str, *, kind: str, error: str, is_probe: bool
) -> None:
    """Note that the endpoint failed; ``error`` is one line without secrets."""
    parameters = {
        "endpoint": endpoint,
        "kind": kind,
        "error": error,
        "is_probe": is_probe,
        "max_failures": MAX_FAILURES,
        "open_seconds": OPEN_SECONDS,
    }
    conn.execute(_SQL["count_failure"], parameters)


def open_for(conn: Connection, endpoint: str, *, kind: str, error: str, seconds: float) -> None:
    """Let nobody ask for so long: what is wrong is for a person to mend."""
    parameters = {"endpoint": endpoint, "kind": kind, "error": error, "open_seconds": seconds}
    conn.execute(_SQL["open"], parameters)


def reset(conn: Connection, endpoint: str) -> None:
    """Let everybody ask again: a person has seen that the endpoint answers."""
    conn.execute(_SQL["reset"], {"endpoint": endpoint})
