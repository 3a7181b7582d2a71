"""Writing rows: the project's store against a bare binary COPY and against row-by-row INSERT.

The floor copies the same columns into tables without indexes or constraints; the store keeps its
fence, keys and checks. Row by row means what it meant in systems that fell back to it: one INSERT,
one commit. What publishing costs is in ``publish``.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.settings import Settings
from omni_pipeline.steps.index.chunks import BATCH_PAGES
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import NewBody
from omni_pipeline.store.index import chunks, embedding_models, embeddings
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import open_database
from omni_pipeline.store.postgres.migrations import migrate

Vectors = NDArray[np.float32]

CHUNK_COLUMNS = (
    *("revision_id", "position", "text", "text_hash", "heading_path", "start_offset"),
    "token_count",
)
BATCH = 50
SINGLES = 300
RNG = np.random.default_rng(7)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def make_pages(count: int) -> list[NewBody]:
    words = ["".join(chr(97 + c) for c in row) for row in RNG.integers(0, 26, (2000, 7))]
    pages = []
    for number in range(count):
        html = f"<h1>{number}</h1>" + " ".join(words[i] for i in RNG.integers(0, 2000, 2500))
        pages.append(
            NewBody(
                url=f"https://bench.test/{number}",
                etag=f'"{number}"',
                last_modified=None,
                content_type="text/html",
                charset="utf-8",
                html=html,
                body_hash=digest(html),
            )
        )
    return pages


def make_chunks(page: int, count: int) -> tuple[Chunk, ...]:
    texts = [f"chunk {page}/{n} " + "lorem ipsum dolor sit amet " * 60 for n in range(count)]
    return tuple(
        Chunk(
            position=n,
            text=text,
            text_hash=digest(text),
            heading_path=("Title", "Section"),
            start_offset=n * 1600,
            token_count=400,
        )
        for n, text in enumerate(texts)
    )


def timed(rows: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return rows / (time.perf_counter() - start)


def copy_rows(
    conn: Connection, table: str, types: list[str], rows: Sequence[tuple[object, ...]]
) -> None:
    statement = f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()
    with conn.transaction(), conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def insert_rows(conn: Connection, table: str, rows: list[dict[str, object]]) -> None:
    """One INSERT and one commit for each row, into the very table that the store writes."""
    columns = ", ".join(rows[0])
    marks = ", ".join(f"%({name})s" for name in rows[0])
    for row in rows:
        conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})".encode(), row)


FLOORS = b"""
DROP TABLE IF EXISTS floor_pages, floor_chunks, floor_vectors;
CREATE TABLE floor_pages (url text, etag text, content_type text, charset text, html text,
    body_hash bytea);
CREATE TABLE floor_chunks (page bigint, position int, text text, text_hash bytea,
    heading_path text[], start_offset int, token_count int);
CREATE TABLE floor_vectors (text_hash bytea, embedding halfvec);
ALTER TABLE floor_vectors ALTER COLUMN embedding SET STORAGE PLAIN;
"""


class Bench:
    def __init__(self, conn: Connection, dimensions: int) -> None:
        self.conn = conn
        domains.add(conn, NewDomain(host="bench.test", start_url="https://bench.test/"))
        domain = domains.get(conn, "bench.test")
        request = Request(run_id=None, worker="bench")
        self.claim: Claim = crawl_jobs.claim(conn, domain.id, domain.host, request)
        self.model: StoredModel = embedding_models.ensure(
            conn, name="bench", dimensions=dimensions, is_lexical=False
        )

    def save_pages(self, pages: list[NewBody]) -> None:
        for start in range(0, len(pages), BATCH):
            with crawl_jobs.fenced(self.conn, self.claim):
                raw_pages.save(self.conn, self.claim, pages[start : start + BATCH])

    def stage(self, revisions: list[NewRevision]) -> None:
        for start in range(0, len(revisions), BATCH_PAGES):
            with crawl_jobs.fenced(self.conn, self.claim):
                chunks.stage(
                    self.conn,
                    self.claim,
                    revisions[start : start + BATCH_PAGES],
                    model_id=self.model.id,
                    chunker="bench",
                )

    def keep_vectors(self, hashes: list[bytes], vectors: Vectors) -> None:
        for start in range(0, len(hashes), BATCH * 10):
            part = slice(start, start + BATCH * 10)
            with crawl_jobs.fenced(self.conn, self.claim):
                embeddings.stage(self.conn, self.claim, self.model, hashes[part], vectors[part])


def run(conn: Connection, *, page_count: int, per_page: int, dimensions: int) -> None:
    conn.execute(FLOORS)
    bench = Bench(conn, dimensions)
    compare_pages(bench, make_pages(page_count))
    page_ids = [id_ for (id_,) in conn.execute(b"SELECT id FROM raw_pages ORDER BY id")]
    revisions = [make_revision(page_id, per_page) for page_id in page_ids[:page_count]]
    compare_chunks(bench, revisions)
    vectors = RNG.standard_normal((page_count * per_page, dimensions), dtype=np.float32)
    hashes = [chunk.text_hash for revision in revisions for chunk in revision.chunks]
    compare_vectors(bench, hashes, vectors)


def make_revision(page_id: int, chunk_count: int) -> NewRevision:
    return NewRevision(
        page_id=page_id,
        content_hash=digest(str(page_id)),
        title="t",
        language="en",
        chunks=make_chunks(page_id, chunk_count),
    )


def compare_pages(bench: Bench, pages: list[NewBody]) -> None:
    now = datetime.now(UTC)
    singles: list[dict[str, object]] = [
        {name: value for name, value in vars(page).items() if name != "is_rendered"}
        | {"url": f"{page.url}/single", "domain_id": bench.claim.domain_id}
        | {"status": "live", "http_status": 200, "fence": 1, "fetched_at": now, "checked_at": now}
        for page in pages[:SINGLES]
    ]
    rows: list[tuple[object, ...]] = [
        (p.url, p.etag, p.content_type, p.charset, p.html, p.body_hash) for p in pages
    ]
    types = ["text", "text", "text", "text", "text", "bytea"]
    report(
        f"raw_pages ({len(rows)} pages)",
        timed(len(rows), lambda: bench.save_pages(pages)),
        timed(len(rows), lambda: copy_rows(bench.conn, "floor_pages", types, rows)),
        timed(SINGLES, lambda: insert_rows(bench.conn, "raw_pages", singles)),
    )


def compare_chunks(bench: Bench, revisions: list[NewRevision]) -> None:
    pairs = [(revision.page_id, chunk) for revision in revisions for chunk in revision.chunks]
    rows = [
        (page, c.position, c.text, c.text_hash, list(c.heading_path), c.start_offset, c.token_count)
        for page, c in pairs
    ]
    singles: list[dict[str, object]] = [
        dict(zip(CHUNK_COLUMNS, (-row[0], *row[1:]), strict=True)) for row in rows[:SINGLES]
    ]
    types = ["int8", "int4", "text", "bytea", "text[]", "int4", "int4"]
    report(
        f"staged_chunks ({len(rows)} chunks)",
        timed(len(rows), lambda: bench.stage(revisions)),
        timed(len(rows), lambda: copy_rows(bench.conn, "floor_chunks", types, rows)),
        timed(SINGLES, lambda: insert_rows(bench.conn, "staged_chunks", singles)),
    )


def compare_vectors(bench: Bench, hashes: list[bytes], vectors: Vectors) -> None:
    def rows(limit: int) -> list[tuple[object, ...]]:
        pairs = zip(hashes[:limit], vectors[:limit], strict=True)
        return [(text_hash, HalfVector(vector)) for text_hash, vector in pairs]

    def singles() -> list[dict[str, object]]:
        keys = {
            "organization_id": bench.claim.organization_id,
            "model_id": bench.model.id,
            "host": bench.claim.host,
            "is_fresh": True,
        }
        return [
            {**keys, "dimensions": len(vectors[0]), "text_hash": digest(str(n)), "embedding": v}
            for n, (_, v) in enumerate(rows(SINGLES))
        ]

    types = ["bytea", "halfvec"]
    count = len(hashes)
    report(
        f"kept_embeddings ({count} vectors of {len(vectors[0])})",
        timed(count, lambda: bench.keep_vectors(hashes, vectors)),
        timed(count, lambda: copy_rows(bench.conn, "floor_vectors", types, rows(count))),
        timed(SINGLES, lambda: insert_rows(bench.conn, "kept_embeddings", singles())),
    )


def report(what: str, ours: float, floor: float, single: float) -> None:
    print(
        f"{what}: {ours:,.0f} rows/s = {ours / floor:.2f} x binary COPY ({floor:,.0f}), "
        f"{ours / single:.1f} x row by row ({single:,.0f})"
    )


@contextmanager
def own_database() -> Iterator[Connection]:
    """A server of the benchmark's own, with the durability of the default settings."""
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        Path(folder).chmod(0o755)
        with open_database(Settings(home=Path(folder))) as database, database.connect() as conn:
            migrate(conn)
            yield conn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--chunks-per-page", type=int, default=10)
    parser.add_argument("--dimensions", type=int, default=1536)
    given = parser.parse_args()
    with own_database() as conn:
        run(
            conn,
            page_count=given.pages,
            per_page=given.chunks_per_page,
            dimensions=given.dimensions,
        )


if __name__ == "__main__":
    main()
