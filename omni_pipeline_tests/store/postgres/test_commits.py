"""Work whose COMMIT was not answered is done once, whatever had become of it (F-B11)."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres import commits
from omni_pipeline_tests.store.conftest import count


class AnswerLostError(Exception):
    """The connection broke before the end of a transaction was answered."""


def add_next(conn: Connection) -> int:
    """Adds to what it finds: done twice, it would be seen."""
    number = count(conn, "SELECT count(*) FROM domains") + 1
    domains.add(conn, NewDomain(host=f"{number}.test", start_url=f"https://{number}.test/"))
    return number


@pytest.mark.parametrize("is_committed", [True, False])
def test_it_is_repeated_unless_it_was_committed(conn: Connection, *, is_committed: bool) -> None:
    @contextmanager
    def begin(conn: Connection) -> Iterator[str]:
        with commits.numbered(conn) as transaction_id:
            begun.append(transaction_id)
            yield transaction_id
            if len(begun) == 1 and not is_committed:
                raise AnswerLostError
        if len(begun) == 1:
            raise AnswerLostError

    begun: list[str] = []
    attempt = commits.once(begin, add_next)
    with pytest.raises(AnswerLostError):
        attempt(conn)
    assert attempt(conn) == 1
    assert count(conn, "SELECT count(*) FROM domains") == 1
    assert len(begun) == (1 if is_committed else 2)


def test_what_the_server_is_still_at_is_waited_for(
    conn: Connection, other_connection: Connection
) -> None:
    """It has not noticed that nobody listens: what becomes of the work is open."""

    @contextmanager
    def begin(conn: Connection) -> Iterator[str]:
        conn.execute("BEGIN")
        yield str(conn.execute("SELECT pg_current_xact_id()::text").fetchall()[0][0])
        raise AnswerLostError

    attempt = commits.once(begin, add_next)
    with pytest.raises(AnswerLostError):
        attempt(other_connection)
    with pytest.raises(psycopg.OperationalError, match="not over yet"):
        attempt(conn)
    other_connection.execute("COMMIT")
    assert attempt(conn) == 1
    assert count(conn, "SELECT count(*) FROM domains") == 1
