"""Runs reduced to their writes: a claimed domain whose pages are staged, paid and published."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection, Cursor, sql
from psycopg.rows import dict_row

from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import NewBody, RemovalEvidence
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.index.chunks import NewRevision, Published
from omni_pipeline.store.index.embedding_models import StoredModel, ensure
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline.store.text.cleaned_pages import NewText
from omni_pipeline_tests.conftest import execute

SHARED = "shared"

HOST = "a.test"
CHUNKER = "md-1/100"
CLEANER = 1
DIMENSIONS = 8

MISSING = RemovalEvidence(reason="missing", http_status=410)

REQUEST = Request(run_id="run-1", worker="worker-1")


def vector_of(text: str) -> NDArray[np.float32]:
    """A vector of this text's own."""
    digest = hashlib.sha256(text.encode()).digest()
    return np.frombuffer(digest[:DIMENSIONS], np.uint8).astype(np.float32) + 1


def new_body(url: str, html: str) -> NewBody:
    return NewBody(
        url=url,
        etag=f'"{len(html)}"',
        last_modified=None,
        content_type="text/html",
        charset="utf-8",
        html=html,
        body_hash=text_hash(html),
    )


def new_text(page_id: int, html: str, markdown: str) -> NewText:
    return NewText(
        page_id=page_id,
        body_hash=text_hash(html),
        content_hash=text_hash(markdown),
        title="Title",
        description=None,
        language="en",
        canonical_url=None,
        markdown=markdown,
    )


def new_revision(page_id: int, texts: Sequence[str]) -> NewRevision:
    """The revision of a page whose chunks are these texts."""
    offsets = [sum(len(text) + 2 for text in texts[:number]) for number in range(len(texts))]
    return NewRevision(
        page_id=page_id,
        content_hash=text_hash("\n\n".join(texts)),
        title="Title",
        language="en",
        chunks=tuple(
            Chunk(
                position=position,
                text=text,
                text_hash=text_hash(text),
                heading_path=("Title",),
                start_offset=offsets[position],
                token_count=max(1, len(text) // 4),
            )
            for position, text in enumerate(texts)
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """A refresh at work; every method is one transaction behind its fence."""

    conn: Connection
    claim: Claim
    model: StoredModel

    def fenced(self) -> AbstractContextManager[str]:
        return crawl_jobs.fenced(self.conn, self.claim)

    def save_pages(self, *paths: str) -> list[int]:
        """Fetch and clean pages; the ids are in the order of ``paths``."""
        urls = [f"https://{self.claim.host}/{path}" for path in paths]
        with self.fenced():
            raw_pages.save(self.conn, self.claim, [new_body(url, url) for url in urls])
            ids = page_ids(self.conn, self.claim.domain_id)
            self.clean({ids[url]: url for url in urls}, {ids[url]: url for url in urls})
        return [ids[url] for url in urls]

    def clean(self, html_by_page: Mapping[int, str], markdown_by_page: Mapping[int, str]) -> int:
        texts = [
            new_text(page_id, html_by_page[page_id], markdown)
            for page_id, markdown in markdown_by_page.items()
        ]
        return cleaned_pages.save(self.conn, self.claim, texts, cleaner_version=CLEANER)

    def stage(self, texts_by_page: Mapping[int, Sequence[str]]) -> list[int]:
        """Stage a revision of each page, saying the text that it was made from; returns the ids."""
        with self.fenced():
            revisions = [new_revision(page, texts) for page, texts in texts_by_page.items()]
            self._write_markdown(texts_by_page)
            chunks.stage(self.conn, self.claim, revisions, model_id=self.model.id, chunker=CHUNKER)
        return self.staged_ids()

    def _write_markdown(self, texts_by_page: Mapping[int, Sequence[str]]) -> None:
        html: dict[int, str] = dict(
            self.conn.execute(
                "SELECT id, html FROM raw_pages WHERE id = ANY (%s)", [list(texts_by_page)]
            ).fetchall()
        )
        self.clean(html, {page: "\n\n".join(texts) for page, texts in texts_by_page.items()})

    def staged_ids(self) -> list[int]:
        pages = chunks.staged_pages(
            self.conn, self.claim, model_id=self.model.id, after_id=0, limit=1000
        )
        return [page.revision_id for page in pages]

    def pay(self, texts: Sequence[str]) -> None:
        """Keep a vector for each text."""
        vectors = np.array([vector_of(text) for text in texts], np.float32)
        hashes = [text_hash(text) for text in texts]
        with self.fenced():
            embeddings.stage(self.conn, self.claim, self.model, hashes, vectors)

    def pay_missing(self, revision_ids: Sequence[int]) -> list[str]:
        """Keep a vector for each text that lacks one; returns those texts, sorted."""
        missing = [text.text for text in chunks.texts_to_embed(self.conn, revision_ids)]
        if missing:
            self.pay(missing)
        return sorted(missing)

    def swap(self, revision_ids: Sequence[int]) -> Published:
        with self.fenced():
            return chunks.publish(self.conn, self.claim, revision_ids)

    def publish(self, texts_by_page: Mapping[int, Sequence[str]]) -> Published:
        """Stage, pay for what is missing, and make it live."""
        revision_ids = self.stage(texts_by_page)
        self.pay_missing(revision_ids)
        return self.swap(revision_ids)

    def finish(self, error: tuple[str, str] | None = None, *, is_whole: bool = True) -> bool:
        return crawl_jobs.finish(self.conn, self.claim, error=error, is_whole=is_whole)


def register(conn: Connection, host: str = HOST) -> int:
    """The id of a registered domain."""
    domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))
    return domains.get(conn, host).id


def claim_domain(conn: Connection, host: str = HOST, request: Request = REQUEST) -> Claim:
    return crawl_jobs.claim(conn, domains.get(conn, host).id, host, request)


def start_run(conn: Connection, host: str = HOST) -> Run:
    """Register the domain where that is missing, and claim it."""
    register(conn, host)
    model = ensure(conn, name="letters", dimensions=DIMENSIONS, is_lexical=False)
    return Run(conn=conn, claim=claim_domain(conn, host), model=model)


def page_ids(conn: Connection, domain_id: int) -> dict[str, int]:
    query = "SELECT url, id FROM raw_pages WHERE domain_id = %s"
    return dict(conn.execute(query, [domain_id]).fetchall())


def live_texts(conn: Connection) -> dict[str, list[str]]:
    """What readers see: the texts of each page, in their order."""
    rows = conn.execute(
        "SELECT url, array_agg(text ORDER BY position) FROM live_chunks GROUP BY url ORDER BY url"
    )
    return dict(rows.fetchall())


def count(conn: Connection, query: LiteralString, *values: object) -> int:
    """The one number that a query returns."""
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def read_job(conn: Connection, claim: Claim) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        job = cursor.execute("SELECT * FROM crawl_jobs WHERE id = %s", [claim.job_id]).fetchone()
    assert job is not None
    return job


def silence(conn: Connection, claim: Claim, seconds: float) -> None:
    """Make the job's last beat (and its start) that much older, by the database's clock."""
    conn.execute(
        "UPDATE crawl_jobs SET started_at = started_at - make_interval(secs => %(seconds)s), "
        "heartbeat_at = clock_timestamp() - make_interval(secs => %(seconds)s) "
        "WHERE id = %(job_id)s",
        {"seconds": seconds, "job_id": claim.job_id},
    )


def wait_until_blocked(watcher: Connection, waiting: Connection) -> None:
    """Return once ``waiting`` waits for a lock that another session holds."""
    for _ in range(1000):
        if count(watcher, "SELECT cardinality(pg_blocking_pids(%s))", waiting.info.backend_pid):
            return
        time.sleep(0.005)
    raise AssertionError("it was never blocked")


@contextmanager
def recorded(conn: Connection) -> Iterator[list[str]]:
    """The statements that the block sends, without BEGIN and COMMIT."""
    statements: list[str] = []

    class Recorder(Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> "Recorder":
            statements.append(_text(query))
            return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
            rows = list(params_seq)
            statements.extend([_text(query)] * len(rows))
            super().executemany(query, rows, **kwargs)

        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            statements.append(_text(statement))
            return super().copy(statement, *args, **kwargs)

    factory, conn.cursor_factory = conn.cursor_factory, Recorder
    try:
        yield statements
    finally:
        conn.cursor_factory = factory


def _text(query: object) -> str:
    return query.decode() if isinstance(query, bytes) else str(query)


@pytest.fixture(scope="session")
def shared_name(postgres: EmbeddedPostgres, template: str) -> str:
    """One database for all tests that leave only rows behind: emptying it is cheaper by far."""
    execute(postgres, "CREATE DATABASE {} TEMPLATE {}", SHARED, template)
    return SHARED


@pytest.fixture
def shared(postgres: EmbeddedPostgres, shared_name: str) -> Database:
    """The shared database, as it is after its migrations."""
    database = Database(url=postgres.url(shared_name), application_name="test")
    with database.connect() as conn, conn.transaction():
        _empty(conn)
    return database


def _empty(conn: Connection) -> None:
    """Take all rows out, past the triggers that would refuse it, and number new ones from 1."""
    conn.execute("SET LOCAL session_replication_role = replica")
    tables = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind = 'r' AND relname <> 'schema_migrations'"
    ).fetchall()
    delete = sql.SQL("DELETE FROM {}")
    conn.execute(sql.SQL("; ").join(delete.format(sql.Identifier(table)) for (table,) in tables))
    conn.execute("SELECT setval(sequencename::regclass, 1, false) FROM pg_sequences")
    conn.execute("INSERT INTO organizations (name) VALUES ('default')")


@pytest.fixture
def conn(shared: Database) -> Iterator[Connection]:
    with shared.connect() as connection:
        yield connection


@pytest.fixture
def run(conn: Connection) -> Run:
    """A claimed domain, nothing in it."""
    return start_run(conn)


@pytest.fixture
def other_connection(shared: Database) -> Iterator[Connection]:
    with shared.connect() as connection:
        yield connection
