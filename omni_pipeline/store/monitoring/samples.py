"""A few rows of each table, the newest first: what a person looks at to see that all is well.

Rows are mappings here, by the names that head the columns where they are shown.
"""

from psycopg import Connection
from psycopg.rows import dict_row

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

SampleRows = list[dict[str, object]]

# Whoever shows them keeps them for good.
MAX_ROWS = 5
MAX_CHARACTERS = 120

_SQL = load_queries(__name__)


def raw_pages(conn: Connection, claim: Claim) -> SampleRows:
    """Live pages whose bodies arrived last."""
    return _read(conn, claim, _SQL["raw_pages"])


def cleaned_pages(conn: Connection, claim: Claim) -> SampleRows:
    """Pages that were cleaned last."""
    return _read(conn, claim, _SQL["cleaned_pages"])


def staged_chunks(conn: Connection, claim: Claim) -> SampleRows:
    """Chunks that wait for their vectors."""
    return _read(conn, claim, _SQL["staged_chunks"])


def published_pages(conn: Connection, claim: Claim) -> SampleRows:
    """Pages that search has answered from for the shortest time."""
    return _read(conn, claim, _SQL["published_pages"])


def _read(conn: Connection, claim: Claim, query: bytes) -> SampleRows:
    limits = {"limit": MAX_ROWS, "characters": MAX_CHARACTERS}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, {**vars(claim), **limits}).fetchall()
