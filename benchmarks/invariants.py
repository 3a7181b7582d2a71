"""The standing invariants on a large index: all of it, and what one refresh has changed.

The rows are made by SQL past the triggers, as publishing a million chunks would take an hour.
Vectors are short (16 dimensions by default): those of 1,536 would add 3 GB that are read once more.
Texts are as long as real chunks are, because reading them is most of a complete look. Vectors are
of fractions: whole numbers would make many norms equal, which those of models hardly are.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from psycopg import Connection, sql

from benchmarks.bulk_write import Vectors, make_chunks, own_database
from benchmarks.process_tree import Stopwatch, adopt_orphans
from omni_pipeline.steps.checks.verification import verify
from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.index.embedding_models import StoredModel, ensure
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import get
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session

PER_PAGE = 10
CHANGED_SHARE = 0.05
BATCH = 50
CHUNKER = "md-1/400"
LEASE_SECONDS = 90.0

# A sentence with letters beyond ASCII, as most sites have some.
SENTENCE = "Gärten und other plain words, as a page of a site has them. "

FILL = (
    """
    INSERT INTO domains (organization_id, host, start_url, fence, last_success_at)
    SELECT o.id, format('d%%s.test', n), format('https://d%%s.test/', n), 1, now()
    FROM generate_series(1, %(domains)s) n, organizations o
    """,
    """
    INSERT INTO crawl_jobs (domain_id, host, status, ended_by, fence, target_url, started_at,
        heartbeat_at, finished_at, pages_discovered, pages_changed)
    SELECT id, host, 'completed', 'worker', 1, start_url, now() - interval '1 hour', now(),
        last_success_at, %(pages)s, %(pages)s
    FROM domains
    """,
    """
    INSERT INTO raw_pages (domain_id, url, status, http_status, html, body_hash, fence, fetched_at,
        checked_at)
    SELECT d.id, format('https://%%s/page/%%s', d.host, n), 'live', 200, repeat('<p>', 300),
        sha256(convert_to(format('%%s/%%s', d.id, n), 'UTF8')), 1, now(), now()
    FROM domains d, generate_series(1, %(pages)s) n
    """,
    """
    INSERT INTO cleaned_pages (page_id, domain_id, body_hash, content_hash, cleaner_version, title,
        markdown, fence)
    SELECT id, domain_id, body_hash, sha256(body_hash), 1, 'Title', 'text', 1 FROM raw_pages
    """,
    """
    INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker,
        chunk_count, title, fence, published_at)
    SELECT page_id, domain_id, %(model_id)s, 'live', content_hash, %(chunker)s, %(per_page)s, title,
        1, now()
    FROM cleaned_pages
    """,
    """
    INSERT INTO chunks (page_id, domain_id, model_id, position, text, text_hash, heading_path,
        start_offset, token_count)
    SELECT page_id, domain_id, %(model_id)s, n, text, sha256(convert_to(text, 'UTF8')),
        '{Title,Section}', n, 250
    FROM (
        SELECT p.id AS page_id, p.domain_id, n,
            rpad(format('%%s/%%s ', p.id, n), %(characters)s, %(sentence)s) AS text
        FROM raw_pages p, generate_series(0, %(per_page)s - 1) n
    ) t ORDER BY page_id, n
    """,
    """
    INSERT INTO chunk_words (domain_id, chunk_id, page_id, source_hash, words)
    SELECT domain_id, id, page_id, 0, '=m1' FROM chunks ORDER BY id
    """,
    """
    INSERT INTO embeddings (chunk_id, domain_id, model_id, dimensions, text_hash, embedding)
    SELECT id, domain_id, model_id, %(dimensions)s, text_hash, (
        SELECT array_agg((1 + get_byte(c.text_hash, i %% 32)) / 257.0)
        FROM generate_series(0, %(dimensions)s - 1) i)::halfvec
    FROM chunks c ORDER BY id
    """,
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    conn: Connection
    session: Session
    model: StoredModel

    def verify(self, *, is_complete: bool) -> int:
        """Look, and return how many domains were looked at."""
        found = verify(self.session, lease_seconds=LEASE_SECONDS, is_complete=is_complete)
        assert not found.violations, found.violations[:3]
        return found.domains_checked

    def refresh(self, host: str) -> int:
        """Edit a share of a domain's pages, as a refresh does; returns how many."""
        request = Request(run_id=None, worker="bench")
        claim = crawl_jobs.claim(self.conn, get(self.conn, host).id, host, request)
        pages = self.conn.execute(
            "SELECT id FROM raw_pages WHERE domain_id = %s ORDER BY random()", [claim.domain_id]
        ).fetchall()
        edited = [page_id for (page_id,) in pages[: int(len(pages) * CHANGED_SHARE)]]
        for start in range(0, len(edited), BATCH):
            with crawl_jobs.fenced(self.conn, claim):
                self._publish(claim, edited[start : start + BATCH])
        crawl_jobs.finish(self.conn, claim, error=None, is_whole=True)
        return len(edited)

    def _publish(self, claim: Claim, page_ids: list[int]) -> None:
        hashes: dict[int, bytes] = dict(
            self.conn.execute(
                "SELECT page_id, content_hash FROM cleaned_pages WHERE page_id = ANY (%s)",
                [page_ids],
            ).fetchall()
        )
        revisions = [
            NewRevision(
                page_id=page_id,
                content_hash=hashes[page_id],
                title="Title",
                language="en",
                chunks=make_chunks(page_id, PER_PAGE),
            )
            for page_id in page_ids
        ]
        chunks.stage(self.conn, claim, revisions, model_id=self.model.id, chunker=CHUNKER)
        texts = [chunk.text_hash for revision in revisions for chunk in revision.chunks]
        embeddings.stage(self.conn, claim, self.model, texts, self._vectors(len(texts)))
        staged = chunks.staged_pages(
            self.conn, claim, model_id=self.model.id, after_id=0, limit=BATCH
        )
        chunks.publish(self.conn, claim, [page.revision_id for page in staged])

    def _vectors(self, count: int) -> Vectors:
        return np.random.default_rng(7).random((count, self.model.dimensions), np.float32) + 1


def fill(conn: Connection, model: StoredModel, given: argparse.Namespace) -> None:
    parameters = {
        "domains": given.domains,
        "pages": given.chunks // given.domains // PER_PAGE,
        "per_page": PER_PAGE,
        "model_id": model.id,
        "dimensions": model.dimensions,
        "chunker": CHUNKER,
        "characters": given.characters,
        "sentence": SENTENCE,
    }
    conn.execute("SET statement_timeout = 0")
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        for statement in FILL:
            conn.execute(sql.SQL(statement), parameters)
    conn.execute("VACUUM ANALYZE")


def report(what: str, work: Callable[[], int]) -> None:
    watch = Stopwatch()
    domains_checked = work()
    cost = watch.read()
    print(
        f"{what}: {cost.seconds * 1000:,.0f} ms, {cost.cpu_seconds * 1000:,.0f} ms of CPU, "
        f"{domains_checked} domains (machine load {os.getloadavg()[0]:.1f})",
        flush=True,
    )


def report_slowest(conn: Connection, limit: int) -> None:
    seconds = {}
    for name in invariants.queries():
        start = time.perf_counter()
        list(invariants.look(conn, only=[name], lease_seconds=LEASE_SECONDS))
        seconds[name] = time.perf_counter() - start
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:limit]:
        print(f"    {seconds[name] * 1000:8,.0f} ms {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--domains", type=int, default=50)
    parser.add_argument("--characters", type=int, default=1000, help="of each chunk's text")
    parser.add_argument("--dimensions", type=int, default=16)
    parser.add_argument("--slowest", type=int, default=0, help="name the slowest queries")
    given = parser.parse_args()
    adopt_orphans()
    with own_database() as conn:
        database = Database(url=conn.info.dsn)
        model = ensure(conn, name="bench", dimensions=given.dimensions, is_lexical=False)
        fill(conn, model, given)
        bench = Bench(conn=conn, session=Session(database), model=model)
        report("complete, all texts read", lambda: bench.verify(is_complete=True))
        report("incremental, nothing changed", lambda: bench.verify(is_complete=False))
        for number in range(1, 4):
            edited = bench.refresh(f"d{number}.test")
            report(
                f"incremental, after a refresh that edited {edited} pages",
                lambda: bench.verify(is_complete=False),
            )
        report_slowest(conn, given.slowest)
        bench.session.close()


if __name__ == "__main__":
    main()
