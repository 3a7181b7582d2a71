"""One connection that mends itself: work is repeated as a whole after a fault that may pass."""

from collections.abc import Callable
from typing import TypeVar

import stamina
from psycopg import Connection

from omni_pipeline.errors import TemporaryError
from omni_pipeline.store.database import Database
from omni_pipeline.store.database_errors import classified

Result = TypeVar("Result")

RETRY_SECONDS = 30.0


class Session:
    """Runs pieces of work against Postgres.

    A piece of work may run more than once, so it must make the rows equal to what it wants instead
    of adding to what it finds (a restart of the server can cut the answer to a COMMIT that
    succeeded).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """``work(connection)``, repeated with backoff for up to 30 s while the fault may pass.

        Raises:
            TemporaryError: The fault outlasted the retries.
            PermanentError: The database refused for a reason that trying again cannot change.
        """
        for attempt in stamina.retry_context(
            on=TemporaryError, attempts=None, timeout=RETRY_SECONDS
        ):
            with attempt:
                return self._once(work)
        raise AssertionError("stamina leaves its loop by returning or raising")

    def _once(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with classified():
                return work(self._connected())
        except TemporaryError:
            self._drop_if_broken()
            raise

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
        return self._connection

    def _drop_if_broken(self) -> None:
        if self._connection is not None and self._connection.broken:
            self._connection = None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
