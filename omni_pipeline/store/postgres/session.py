"""One connection that mends itself: work is repeated as a whole after a fault that may pass."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

import psycopg
import stamina
from psycopg import Connection

from omni_pipeline.errors import TemporaryError
from omni_pipeline.settings import Settings
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.sqlstates import classified

Result = TypeVar("Result")

RETRY_SECONDS = 30.0

# Where structlog is installed (Dagster brings it), stamina's default hook prints each retry to
# standard output, into the middle of a --json report.
stamina.instrumentation.set_on_retry_hooks([])

# These pass when a person has acted, not within seconds: asking on would only be noise.
_PASSES_SLOWLY = ("transient.disk_full", "transient.readonly")


class Session:
    """Runs pieces of work against Postgres, one at a time, whichever threads they come from.

    A piece of work may run more than once, so it must make the rows equal to what it wants instead
    of adding to what it finds (a restart of the server can cut the answer to a COMMIT that
    succeeded).
    """

    def __init__(self, database: Database, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._database = database
        self._retry_seconds = retry_seconds
        self._connection: Connection | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """``work(connection)``, repeated with backoff while a fault of the database may pass.

        What ``work`` itself raises is passed on at once, temporary or not.

        Raises:
            TemporaryError: The fault outlasted the retries.
            PermanentError: The database refused for a reason that trying again cannot change.
        """
        for attempt in stamina.retry_context(
            on=_may_pass, attempts=None, timeout=self._retry_seconds
        ):
            with attempt, self._lock:
                return self._once(work)
        raise AssertionError("stamina leaves its loop by returning or raising")

    def _once(self, work: Callable[[Connection], Result]) -> Result:
        with classified():
            return work(self._connected())

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
        return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def open_session(
    settings: Settings, application_name: str, *, retry_seconds: float = RETRY_SECONDS
) -> Iterator[Session]:
    """A session with the database that the settings name, for as long as the block lasts."""
    with (
        open_database(settings, application_name=application_name) as database,
        Session(database, retry_seconds=retry_seconds) as session,
    ):
        yield session


def _may_pass(error: Exception) -> bool:
    return (
        isinstance(error, TemporaryError)
        and isinstance(error.__cause__, psycopg.Error)
        and error.kind not in _PASSES_SLOWLY
    )
