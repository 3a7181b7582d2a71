"""Sessions with Postgres: which database, and the rules that every session has.

What a failure means is in ``database_errors``, whether a server is fit for us in
``database_server``, and starting our own in ``embedded_postgres``.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import psycopg
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types import TypeInfo

from omni_pipeline.errors import PermanentError, SettingsError, TemporaryError
from omni_pipeline.settings import Settings
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.sqlstates import CONNECTION_LOST, classified

_SQL = load_queries(__name__)

# Every session's rules; `options` in the URL come after these and win (P-8, F-B6, F-B7).
SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "TimeZone": "UTC",
}

# A server that vanished without a word is noticed within a minute; the URL's own values win.
NETWORK: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

EMBEDDED_DATABASE = "omni"
EMBEDDED_DAGSTER_DATABASE = "dagster"

# libpq reports a refused login without an SQLSTATE, so its words are all there is. Other
# languages fall through to "try again", which costs a few attempts.
_REFUSALS = (
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "authentication failed",
    "permission denied for database",
    "SSL was required",
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """How to reach one database.

    Attributes:
        url: A libpq URL; may hold a password, so it is never printed.
        application_name: How this process's sessions are called in ``pg_stat_activity``.
    """

    url: str = field(repr=False)
    application_name: str = "omni"

    def connect(self) -> Connection:
        """Open a session: autocommit, our timeouts, ``halfvec`` as ``pgvector.HalfVector``.

        Raises:
            SettingsError: The URL cannot be read.
            PermanentError: The server refused the login.
            TemporaryError: The server cannot be reached, or has no free session.
        """
        parameters = parse_url(self.url)
        rules = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        own = {
            "options": f"{rules} {parameters.get('options', '')}".rstrip(),
            "application_name": self.application_name,
            "client_encoding": "UTF8",
        }
        conninfo = make_conninfo("", **{**NETWORK, **parameters, **own})
        with classified(), ExitStack() as unless_ready:
            try:
                connection = Connection.connect(conninfo, autocommit=True)
            except psycopg.OperationalError as error:
                raise _cannot_connect(describe(self.url), error) from error
            unless_ready.callback(connection.close)
            register_vectors(connection)
            unless_ready.pop_all()
        return connection


def parse_url(url: str) -> dict[str, str]:
    """A libpq URL's parts.

    Raises:
        SettingsError: It cannot be read. libpq's own message would quote a part of the password.
    """
    with suppress(psycopg.ProgrammingError):
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        ports = parts.get("port", "").split(",")
        is_split_wrongly = "@" in parts.get("host", "") + parts.get("dbname", "")
        if not is_split_wrongly and all(port == "" or port.isdigit() for port in ports):
            return parts
    raise SettingsError(
        "The database URL cannot be read: it must look like "
        "postgresql://user:password@host:5432/omni, with @ : / % ? # inside the password written "
        "as %40 %3A %2F %25 %3F %23."
    )


def describe(url: str) -> str:
    """Which database a URL means, in words that may be printed."""
    parts = parse_url(url)
    login = parts.get("user", "") + (":***" if "password" in parts else "")
    host, port = parts.get("host", parts.get("hostaddr", "")), parts.get("port", "")
    address = f"{host}:{port}" if port else host
    return f"postgresql://{login}@{address}/{parts.get('dbname', '')}"


def _cannot_connect(place: str, error: psycopg.OperationalError) -> TemporaryError | PermanentError:
    message = " ".join(str(error).split())
    if any(words in message for words in _REFUSALS):
        return PermanentError(
            f"{place} refused the login ({message}): check user, password and database name in "
            "OMNI_DATABASE_URL.",
            kind="permanent.db_login",
        )
    return TemporaryError(
        f"{place} cannot be reached ({message}): check that the server runs, and "
        "OMNI_DATABASE_URL where that names it.",
        kind=CONNECTION_LOST.kind,
    )


def register_vectors(conn: Connection) -> None:
    """Teach a session ``halfvec``, alone and in arrays; nothing happens without the extension.

    ``vector`` and bare numpy arrays stay unknown on purpose: sent as ``vector`` they compare
    against a ``halfvec`` column through a cast, past its index.
    """
    row = conn.execute(_SQL["vector_type"]).fetchone()
    if row is not None:
        register_halfvec_info(conn, TypeInfo("halfvec", *row))


@contextmanager
def open_database(settings: Settings, *, application_name: str = "omni") -> Iterator[Database]:
    """The database that the settings name, for as long as the block lasts.

    Without a URL that is the embedded server under ``settings.home``, started when needed and
    stopped by its last user.
    """
    if settings.database_url is not None:
        parse_url(settings.database_url)
        yield Database(url=settings.database_url, application_name=application_name)
        return
    with EmbeddedPostgres(settings.home / "postgres", os_user=settings.pg_os_user) as server:
        _create_database(Database(url=server.url("postgres")), EMBEDDED_DATABASE)
        yield Database(url=server.url(EMBEDDED_DATABASE), application_name=application_name)


def dagster_url(settings: Settings, database: Database) -> str:
    """Where Dagster keeps its own storage, as SQLAlchemy reads it; created when missing.

    Always psycopg2: on psycopg 3, SQLAlchemy 2.1's default, dagster-postgres dies at its first
    NOTIFY. Always a database of its own: Dagster migrates its tables itself.

    Raises:
        PermanentError: The database is missing and this user may not create it.
    """
    if settings.dagster_database_url is not None:
        return _sqlalchemy_url(parse_url(settings.dagster_database_url))
    parts = parse_url(database.url)
    if settings.database_url is None:
        name = EMBEDDED_DAGSTER_DATABASE
    elif "dbname" in parts:
        name = f"{parts['dbname']}_dagster"
    else:
        raise SettingsError(
            f"OMNI_DATABASE_URL={describe(database.url)} names no database: end it with one, "
            "for example /omni."
        )
    _create_database(database, name)
    return _sqlalchemy_url({**parts, "dbname": name})


def _sqlalchemy_url(parts: dict[str, str]) -> str:
    rest = dict(parts)
    login = quote(rest.pop("user", ""), safe="")
    if "password" in rest:
        login += f":{quote(rest.pop('password'), safe='')}"
    name = quote(rest.pop("dbname", ""), safe="")
    # Host and port go into the query, where sockets, IPv6 and lists of hosts need no syntax.
    return f"postgresql+psycopg2://{login}@/{name}?{urlencode(rest, quote_via=quote, safe='')}"


def _create_database(database: Database, name: str) -> None:
    with database.connect() as conn, classified():
        if conn.execute(_SQL["has_database"], {"name": name}).fetchone():
            return
        try:
            # UniqueViolation is how the loser of two simultaneous creations learns of it.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise PermanentError(
                f"The database {name!r} is missing and {describe(database.url)} may not create "
                f"it: create it there, or set OMNI_DAGSTER_DATABASE_URL to another one.",
                kind="permanent.db_permission",
            ) from error
