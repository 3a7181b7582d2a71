"""A few rows of each table, the newest first: what a person looks at to see that all is well.

Rows are mappings here, by the names that head the columns where they are shown.
"""

from psycopg import Connection
from psycopg.rows import dict_row

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

Rows = list[dict[str, object]]

# Whoever shows them keeps them for good.
MOST_ROWS = 5
MOST_CHARACTERS = 120

_SQL = load_queries(__name__)


def raw_pages(conn: Connection, holding: Claim) -> Rows:
    """Live pages whose bodies arrived last."""
    return _read(conn, holding, _SQL["raw_pages"])


def cleaned_pages(conn: Connection, holding: Claim) -> Rows:
    """Pages that were cleaned last."""
    return _read(conn, holding, _SQL["cleaned_pages"])


def staged_chunks(conn: Connection, holding: Claim) -> Rows:
    """Chunks that wait for their vectors."""
    return _read(conn, holding, _SQL["staged_chunks"])


def published_pages(conn: Connection, holding: Claim) -> Rows:
    """Pages that search has answered from for the shortest time."""
    return _read(conn, holding, _SQL["published_pages"])


def _read(conn: Connection, holding: Claim, query: bytes) -> Rows:
    limits = {"most": MOST_ROWS, "characters": MOST_CHARACTERS}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, {**vars(holding), **limits}).fetchall()
