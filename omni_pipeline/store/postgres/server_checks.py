"""Is this server fit for us: recent enough, with a pgvector that computes, and writable?"""

from dataclasses import dataclass

import psycopg
from packaging.version import Version
from psycopg import Connection

from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one
from omni_pipeline.store.postgres.sqlstates import classified, first_line

_SQL = load_queries(__name__)

MIN_POSTGRES = 15
MIN_PGVECTOR = Version("0.8")
WORRYING_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Server:
    """What a server says about itself; versions as people write them.

    ``pgvector`` is what this database uses, or would use: None means not available at all.
    """

    postgres_number: int
    postgres: str
    is_read_only: bool
    pgvector: str | None
    pgvector_available: str | None


@dataclass(frozen=True, kw_only=True)
class CounterHeadroom:
    """Numbers that are handed out and come to an end: a table's ids, the transactions'."""

    name: str
    used: int
    limit: int
    remedy: str

    @property
    def share(self) -> float:
        return self.used / self.limit

    @property
    def complaint(self) -> str | None:
        """Why a person should act now; None while there is plenty."""
        if self.share < WORRYING_SHARE:
            return None
        return (
            f"{self.used:,} of {self.limit:,} are used; after the last one nothing can be written. "
            f"{self.remedy}"
        )


def list_counter_headroom(conn: Connection) -> list[CounterHeadroom]:
    """How far each supply is used up, the scarcest first (F-B17)."""
    with classified():
        headrooms = fetch_all(conn, _SQL["supplies"], {}, CounterHeadroom)
    return sorted(headrooms, key=lambda headroom: headroom.share, reverse=True)


def check_server(conn: Connection) -> Server:
    """Make sure that this server can do the job, by making it compute a vector distance.

    Raises:
        PermanentError: It cannot; the message says what to do.
        TemporaryError: It is read-only at present.
    """
    with classified():
        server = fetch_one(conn, _SQL["server"], {}, Server)
        assert server is not None
        if (complaint := find_unfitness(server)) is not None:
            raise PermanentError(complaint, kind="permanent.db_server")
        if server.is_read_only:
            raise TemporaryError(
                "The database accepts no writes at present (a standby, or read-only by setting): "
                "point OMNI_DATABASE_URL to the primary.",
                kind="transient.readonly",
            )
        _compute_distance(conn)
    return server


def find_unfitness(server: Server) -> str | None:
    """Why this server is too old or lacks pgvector; None when it is fit."""
    if server.postgres_number < MIN_POSTGRES * 10_000:
        return (
            f"The server is Postgres {server.postgres}: at least {MIN_POSTGRES} is needed. "
            "Upgrade it, or set OMNI_DATABASE_URL to another one."
        )
    if server.pgvector is None:
        return (
            f"The server (Postgres {server.postgres}) has no pgvector: install its package there "
            "(https://github.com/pgvector/pgvector#installation), for example "
            f"postgresql-{server.postgres_number // 10_000}-pgvector."
        )
    if Version(server.pgvector) >= MIN_PGVECTOR:
        return None
    if Version(server.pgvector_available or "0") >= MIN_PGVECTOR:
        remedy = "run ALTER EXTENSION vector UPDATE in this database."
    else:
        remedy = "install a newer package there, then run ALTER EXTENSION vector UPDATE."
    return f"The server has pgvector {server.pgvector}: at least {MIN_PGVECTOR} is needed; {remedy}"


def _compute_distance(conn: Connection) -> None:
    """One distance in a transaction that is rolled back, so it works before the first migration."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(_SQL["create_extension"])
            conn.execute(_SQL["distance"])
    except psycopg.errors.InsufficientPrivilege as error:
        raise PermanentError(
            "This database user may not install pgvector: have an administrator run CREATE "
            "EXTENSION vector in this database once.",
            kind="permanent.db_permission",
        ) from error
    except psycopg.OperationalError as error:
        if error.sqlstate is not None or not conn.broken:
            raise
        raise PermanentError(
            f"The server crashed while pgvector computed a distance ({first_line(error)}): its "
            "build may need instructions (AVX2) that this machine's processor lacks. Set "
            "OMNI_DATABASE_URL to a server with another build.",
            kind="permanent.db_server",
        ) from error
