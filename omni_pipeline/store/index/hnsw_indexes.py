"""HNSW indexes, one per model and only where somebody asked for it.

Searches of few chunks, such as a small domain's, are exact and never use them; for others
``search_chunks`` (migration 0013) takes a valid one up by its name. With one each new vector costs
about 5 ms of CPU, more than a hundred times as much as without, so it is built after the bulk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from packaging.version import Version
from psycopg import Connection, sql

from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one
from omni_pipeline.store.postgres.sqlstates import classified

_SQL = load_queries(__name__)

# Earlier ones have faults in parallel HNSW builds and in vacuuming them.
MIN_PGVECTOR = Version("0.8.4")

# m and the limits are pgvector's own. Built with twice its own ef_construction, which hardly takes
# longer, the index finds as much with half the candidates (hnsw.ef_search).
DEFAULT_M = 16
DEFAULT_EF_CONSTRUCTION = 128
MAX_M = 100
MAX_EF_CONSTRUCTION = 1000


@dataclass(frozen=True, kw_only=True)
class HnswIndex:
    """What there is; an invalid one is what a build that was broken off left behind."""

    is_valid: bool
    options: list[str]
    size_bytes: int


def find(conn: Connection, model_id: int) -> HnswIndex | None:
    """The model's HNSW index, if it has one."""
    return fetch_one(conn, _SQL["index"], {"name": index_name(model_id)}, HnswIndex)


def index_name(model_id: int) -> str:
    """As ``nearest_chunks`` in the database looks for it."""
    return f"embeddings_hnsw_{model_id}"


def build(
    database: Database,
    model: StoredModel,
    *,
    m: int = DEFAULT_M,
    ef_construction: int = DEFAULT_EF_CONSTRUCTION,
) -> bool:
    """Build the model's index beside all reading and writing; False if it stands already.

    One with other options, or a broken one, is replaced; searches are exact meanwhile.

    Raises:
        PermanentError: pgvector is too old, or the options do not fit together.
        TemporaryError: Another index is being built or dropped.
    """
    _check_options(m, ef_construction)
    with _alone(database) as conn:
        _check_pgvector(conn)
        options = [f"m={m}", f"ef_construction={ef_construction}"]
        found = find(conn, model.id)
        if found and found.is_valid and found.options == options:
            return False
        _drop(conn, model.id)
        conn.execute(_create(model, m=m, ef_construction=ef_construction))
    return True


def drop(database: Database, model_id: int) -> bool:
    """Remove the model's index beside all reading and writing; False if there is none.

    Raises:
        TemporaryError: Another index is being built or dropped.
    """
    with _alone(database) as conn:
        if find(conn, model_id) is None:
            return False
        _drop(conn, model_id)
    return True


def _create(model: StoredModel, *, m: int, ef_construction: int) -> sql.Composed:
    # Only with a fixed length can halfvec be indexed, and only the rows of one model have one.
    return sql.SQL(
        "CREATE INDEX CONCURRENTLY {name} ON embeddings "
        "USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops) "
        "WITH (m = {m}, ef_construction = {ef_construction}) WHERE model_id = {model_id}"
    ).format(
        name=sql.Identifier(index_name(model.id)),
        dimensions=sql.Literal(model.dimensions),
        m=sql.Literal(m),
        ef_construction=sql.Literal(ef_construction),
        model_id=sql.Literal(model.id),
    )


def _drop(conn: Connection, model_id: int) -> None:
    name = sql.Identifier(index_name(model_id))
    conn.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A session that is alone with such work, and has the time that it takes."""
    with classified(), database.connect() as conn:
        if conn.execute(_SQL["lock"]).fetchone() != (True,):
            raise TemporaryError(
                "Another HNSW index is being built or dropped: wait for it to end, then try again.",
                kind="transient.index_build",
            )
        conn.execute(_SQL["take_time"])
        try:
            yield conn
        finally:
            conn.execute(_SQL["unlock"])  # by itself only some time after the session's end


def _check_options(m: int, ef_construction: int) -> None:
    if ef_construction < 2 * m:
        raise PermanentError(
            f"ef_construction={ef_construction} with m={m}: pgvector wants at least twice m. "
            f"Say --ef-construction {2 * m} or more, or a smaller --m.",
            kind="permanent.index_options",
        )


def _check_pgvector(conn: Connection) -> None:
    row = conn.execute(_SQL["pgvector"]).fetchone()
    version = str(row[0]) if row else "0"
    if (complaint := find_complaint(version)) is not None:
        raise PermanentError(complaint, kind="permanent.db_server")


def find_complaint(version: str) -> str | None:
    """Why this pgvector is too old for HNSW; None when it is not."""
    if Version(version) >= MIN_PGVECTOR:
        return None
    return (
        f"The database has pgvector {version}: HNSW indexes need at least {MIN_PGVECTOR}. Install "
        "a newer package, then run ALTER EXTENSION vector UPDATE in this database. Search is exact "
        "without."
    )
