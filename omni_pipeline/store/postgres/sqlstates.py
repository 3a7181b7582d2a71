"""What a failure of the database means for the caller: try again, or stop.

Only half of it is in the SQLSTATE: the commonest loss of a connection (a crash restart, a cut
COPY, a full server) arrives without one, and text that Postgres cannot hold is refused inside the
client, without one too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from omni_pipeline.errors import PermanentError, SchemaError, TemporaryError


class Meaning(NamedTuple):
    kind: str
    words: str


CONNECTION_LOST = Meaning(
    "transient.db_connection", "The connection to the database was lost or refused; try again"
)
TEXT_NOT_STORABLE = Meaning(
    "permanent.text_not_storable",
    "Postgres cannot store this text (NUL, lone surrogate or broken encoding); clean it first",
)
SCHEMA = Meaning(
    "permanent.schema", "The database does not have what this code expects; run `omni migrate`"
)
DISK_FULL = Meaning(
    "transient.disk_full", "The database's disk is full; free space, then try again"
)
OTHER = Meaning("permanent.db", "The database refused a statement")

# By SQLSTATE, else by its class (the first two characters). Reported names and numbers:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
MEANINGS = {
    "08": CONNECTION_LOST,
    "57P01": CONNECTION_LOST,
    "57P02": CONNECTION_LOST,
    "57P03": CONNECTION_LOST,
    "57P05": CONNECTION_LOST,
    "25P03": Meaning(
        "transient.db_idle_in_transaction",
        "The database ended a transaction that sat idle; nothing of it was written, try again",
    ),
    "25P04": Meaning("transient.db_timeout", "A transaction took too long; try again"),
    "57014": Meaning("transient.db_timeout", "A statement took too long; try again"),
    "55P03": Meaning("transient.db_lock_timeout", "Another session holds a lock; try again"),
    "40": Meaning("transient.db_conflict", "A concurrent transaction got in the way; try again"),
    "40P01": Meaning("transient.db_deadlock", "A deadlock was resolved against us; try again"),
    "53": Meaning("transient.db_resources", "The database is short of resources; try again"),
    "53100": DISK_FULL,
    "53300": Meaning("transient.db_connections", "The database has no free session; try again"),
    "58": Meaning("transient.db_system", "The database's system failed it; see the server's log"),
    "25006": Meaning(
        "transient.readonly", "The database is read-only (a standby?); point to the primary"
    ),
    "21000": Meaning("permanent.db_duplicate_in_batch", "A batch names one row twice"),
    "22": Meaning("permanent.value_not_storable", "The database cannot store a value"),
    "22021": TEXT_NOT_STORABLE,
    "22P02": TEXT_NOT_STORABLE,
    "22P05": TEXT_NOT_STORABLE,
    "54": Meaning("permanent.too_large", "A value is larger than the database can store or index"),
    "23": Meaning("permanent.db_constraint", "The database's rules forbid these rows"),
    "23503": Meaning("permanent.reference_gone", "A row that this one belongs to is gone"),
    "28": Meaning("permanent.db_login", "The database refused the login; check user and password"),
    "3D000": Meaning("permanent.db_login", "The database does not exist; create it"),
    "57P04": Meaning("permanent.db_login", "The database was dropped; create it"),
    "42501": Meaning("permanent.db_permission", "The database user lacks a right; grant it"),
    "42P01": SCHEMA,
    "42703": SCHEMA,
    "42704": SCHEMA,
    "42883": SCHEMA,
}

_CREDENTIALS = re.compile(r"(://)[^/@\s]*@")


def classify(error: BaseException) -> TemporaryError | PermanentError:
    """Translate any failure around the database into one of our two errors.

    The message has only the first line of Postgres's: the rest quotes row values, which may be
    crawled text.
    """
    if isinstance(error, TemporaryError | PermanentError):
        return error
    kind, words = _meaning(error)
    message = f"{words}: {first_line(error)}"
    if kind.startswith("transient."):
        return TemporaryError(message, kind=kind)
    if kind == SchemaError.kind:
        return SchemaError(message)
    return PermanentError(message, kind=kind)


@contextmanager
def classified() -> Iterator[None]:
    """Let no foreign database error out of the block: each leaves as one of ours."""
    try:
        yield
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise classify(error) from error


def first_line(error: BaseException) -> str:
    """What went wrong in one line, without credentials."""
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return _CREDENTIALS.sub(r"\1***@", line)


def _meaning(error: BaseException) -> Meaning:
    if isinstance(error, UnicodeEncodeError):
        return TEXT_NOT_STORABLE
    if not isinstance(error, psycopg.Error):
        return Meaning("permanent.unexpected", f"Unexpected {type(error).__name__}")
    state = error.sqlstate
    if state is None:
        return _meaning_without_state(error)
    if state == "XX000" and "File too large" in str(error):  # ulimit -f, a quota of sorts
        return DISK_FULL
    return MEANINGS.get(state) or MEANINGS.get(state[:2]) or OTHER


def _meaning_without_state(error: psycopg.Error) -> Meaning:
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return CONNECTION_LOST
    if isinstance(error, psycopg.DataError):
        return TEXT_NOT_STORABLE
    return OTHER
