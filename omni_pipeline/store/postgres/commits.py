"""Transactions that count once, also when the answer to their COMMIT is lost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import psycopg
from psycopg import Connection

from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)

Result = TypeVar("Result")


@contextmanager
def numbered(conn: Connection) -> Iterator[str]:
    """A transaction; yields its id, by which the server can be asked what became of it."""
    with conn.transaction():
        row = conn.execute(_SQL["transaction_id"]).fetchone()
        assert row is not None
        yield row[0]


def once(
    begin: Callable[[Connection], AbstractContextManager[str]],
    work: Callable[[Connection], Result],
) -> Callable[[Connection], Result]:
    """``work`` as ``Session.run`` may repeat it, although it adds to what it finds.

    A connection that breaks between a COMMIT and its answer leaves open whether the work was done
    (F-B11). Before it is repeated, the server is asked.

    Args:
        begin: Opens the work's transaction and yields its id.
        work: What to do in it.
    """
    tried: list[tuple[str, Result]] = []

    def attempt(conn: Connection) -> Result:
        if tried and _was_committed(conn, tried[-1][0]):
            return tried[-1][1]
        with begin(conn) as transaction_id:
            result = work(conn)
            tried.append((transaction_id, result))
        return result

    return attempt


def _was_committed(conn: Connection, transaction_id: str) -> bool:
    """What became of a transaction whose connection is lost.

    Raises:
        psycopg.OperationalError: The server has not noticed yet that nobody listens; ask later.
    """
    try:
        row = conn.execute(_SQL["status"], {"transaction_id": transaction_id}).fetchone()
    except psycopg.errors.InvalidParameterValue:
        # A server that took over without the newest transactions has not come so far yet.
        return False
    assert row is not None
    if row[0] == "in progress":
        raise psycopg.OperationalError(f"transaction {transaction_id} is not over yet")
    return bool(row[0] == "committed")
