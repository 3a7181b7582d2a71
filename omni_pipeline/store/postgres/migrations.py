"""The schema's history: numbered SQL files, each applied once, in order, and never edited after.

Forward only. A file and its row in the ledger ``schema_migrations`` are committed together, so
that a killed migration has left nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg import Connection

from omni_pipeline.errors import SchemaError, TemporaryError
from omni_pipeline.settings import CHECKOUT
from omni_pipeline.store.postgres.database import register_vectors
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all
from omni_pipeline.store.postgres.sqlstates import classified, classify, first_line

_SQL = load_queries(__name__)

_FILE_NAME = re.compile(r"(?!0000)(\d{4})_[a-z0-9_]+\.sql")

PACKAGE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file; ``name`` is the file's name without ``.sql``, number included."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Applied:
    """One row of the ledger."""

    number: int
    name: str
    sha256: str


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """The migrations in ``folder`` (default: this project's), checked to be numbered 1, 2, 3 ...

    Raises:
        SchemaError: A file is misnamed, or the numbers have a hole or a double.
    """
    folder = folder or _own_folder()
    migrations = [_read(path) for path in sorted(folder.glob("*.sql"))]
    for expected, migration in enumerate(migrations, start=1):
        if migration.number < expected:
            twin = migrations[expected - 2].name
            raise SchemaError(
                f"{folder} has two migrations with one number, {twin} and {migration.name}: "
                "give the newer one the next free number."
            )
        if migration.number > expected:
            raise SchemaError(
                f"{folder} has no migration {expected:04} but has {migration.name}: restore the "
                "missing file, or renumber if it never was."
            )
    return migrations


def _own_folder() -> Path:
    """Inside the package when installed as a wheel, beside it in a checkout."""
    for folder in (PACKAGE / "migrations", CHECKOUT / "migrations"):
        if folder.is_dir():
            return folder
    raise SchemaError(f"{PACKAGE} was installed without its migrations: install it again.")


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise SchemaError(
            f"{path} is not named like a migration: rename it to 0001_what_changes.sql, with the "
            "next free number."
        )
    # Text mode, so that a checkout with Windows line ends has the same hash.
    return Migration(number=int(match[1]), name=path.stem, sql=path.read_text(encoding="utf-8"))


def migrate(conn: Connection, folder: Path | None = None) -> list[str]:
    """Apply what is pending and return the names; any number of processes may call this at once.

    Args:
        conn: An autocommit session outside any transaction.
        folder: Where the files are; this project's own by default.

    Raises:
        SchemaError: A file is refused by the database, or the history does not fit (see
            ``check_schema``). Files before it stay applied, nothing of it is.
        TemporaryError: A lock was not to be had, or the connection was lost.
    """
    migrations = read_migrations(folder)
    names: list[str] = []
    while (name := _apply_next(conn, migrations)) is not None:
        names.append(name)
    with classified():
        register_vectors(conn)  # the extension may be new to this session
    return names


def _apply_next(conn: Connection, migrations: Sequence[Migration]) -> str | None:
    with classified(), conn.transaction():
        _become_sole_migrator(conn)
        conn.execute(_SQL["create_ledger"])
        pending_migrations = _find_pending(migrations, _read_ledger(conn))
        if not pending_migrations:
            return None
        migration = pending_migrations[0]
        try:
            # Without parameters psycopg sends this by the simple protocol, as psql would: many
            # statements at once, and % and $$ mean nothing to it.
            conn.execute(migration.sql.encode())
        except psycopg.Error as error:
            raise _failed(migration, error) from error
        conn.execute(_SQL["record"], _row(migration))
        return migration.name


def _become_sole_migrator(conn: Connection) -> None:
    timeout = conn.execute(_SQL["lock_timeout"]).fetchone()
    assert timeout is not None
    conn.execute(_SQL["wait_for_migrators"])
    conn.execute(_SQL["be_sole_migrator"])
    conn.execute(_SQL["wait_for_locks"], {"lock_timeout": timeout[0]})


def _row(migration: Migration) -> Mapping[str, object]:
    return {"number": migration.number, "name": migration.name, "sha256": migration.sha256}


def _failed(migration: Migration, error: psycopg.Error) -> SchemaError | TemporaryError:
    meaning = classify(error)
    message = f"The migration {migration.name} failed and nothing of it was applied"
    if isinstance(meaning, TemporaryError):
        return TemporaryError(f"{message}. {meaning}", kind=meaning.kind)
    position = error.diag.statement_position
    line = f" at line {migration.sql[: int(position)].count(chr(10)) + 1}" if position else ""
    return SchemaError(f"{message}: {first_line(error)}{line}.")


def pending(conn: Connection, folder: Path | None = None) -> list[str]:
    """Names of the migrations that this database lacks, in order.

    Raises:
        SchemaError: The history does not fit: see ``check_schema``.
    """
    migrations = read_migrations(folder)
    with classified():
        has_ledger = conn.execute(_SQL["has_ledger"]).fetchone() == (True,)
        ledger = _read_ledger(conn) if has_ledger else []
    return [migration.name for migration in _find_pending(migrations, ledger)]


def check_schema(conn: Connection, folder: Path | None = None) -> None:
    """Refuse to work on a database whose schema is not exactly this code's.

    Raises:
        SchemaError: It is behind, ahead, or was made by a file that was edited since; the message
            says what to do.
    """
    if names := pending(conn, folder):
        raise SchemaError(f"The database lacks {', '.join(names)}: run `omni migrate`.")


def _read_ledger(conn: Connection) -> list[Applied]:
    return fetch_all(conn, _SQL["applied"], {}, Applied)


def _find_pending(migrations: Sequence[Migration], ledger: Sequence[Applied]) -> list[Migration]:
    known = {migration.number: migration for migration in migrations}
    for applied in ledger:
        if (migration := known.get(applied.number)) is not None:
            _check_unedited(migration, applied)
    if ahead := [applied.name for applied in ledger if applied.number not in known]:
        raise SchemaError(
            f"The database has {', '.join(ahead)}, which this code does not know: this code is "
            "older than the database, update the code."
        )
    done = {applied.number for applied in ledger}
    return [migration for migration in migrations if migration.number not in done]


def _check_unedited(migration: Migration, applied: Applied) -> None:
    if migration.name != applied.name:
        raise SchemaError(
            f"The database has {applied.name} where this code has {migration.name}.sql: applied "
            "migrations keep their names. Restore the file, or give the new one the next number."
        )
    if migration.sha256 != applied.sha256:
        raise SchemaError(
            f"{migration.name}.sql was edited after it was applied to this database: restore it "
            "and put the change into a new migration."
        )
