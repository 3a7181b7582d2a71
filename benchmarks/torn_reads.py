"""Torn reads: do readers ever meet a page that is half of one version and half of another?

    python -m benchmarks.torn_reads --peers-python PEERS/bin/python

Readers in processes of their own take one page after another, its chunks with their vectors in one
statement, while a writer rewrites the pages without a pause: 1,000 rewrites or more, until the
readers have taken their 100,000 snapshots. Beside it CocoIndex keeps a table of the same pages on
the same Postgres, with the same readers: 40 rewrites, each started when the last one is done.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from psycopg import Connection, sql

from benchmarks.bulk_write import digest, own_database
from benchmarks.contenders import ROOT
from benchmarks.torn_pages import DIMENSIONS, MAX_EXACT, texts_of, vector_of, version_of
from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import NewBody
from omni_pipeline.store.index import chunks, embedding_models, embeddings
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database, parse_url

HOST = "bench.test"
PAGES = 20
MAX_AT_ONCE = 5
COCOINDEX = ROOT / "benchmarks" / "peers" / "cocoindex_rewrites.py"

OURS = """
SELECT text, embedding FROM live_chunks WHERE url = %s
"""
PEERS = """
SELECT text, embedding::halfvec FROM {} WHERE page = %s
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one reader saw."""

    snapshots: int
    torn: int
    changes: int


def page_name(page: int) -> str:
    return f"https://{HOST}/{page}"


def read(url: str, maximum: int, seed: int) -> Seen:
    """Take snapshots of our pages, as many as asked for."""
    chance = random.Random(seed)
    last: dict[int, int | None] = {}
    torn = changes = 0
    with closing(Database(url=url).connect()) as conn:
        for _ in range(maximum):
            page = chance.randrange(PAGES)
            version = look(conn, OURS, page, page_name(page))
            torn += version is None
            changes += last.get(page, version) != version
            last[page] = version
    return Seen(snapshots=maximum, torn=torn, changes=changes)


def look(conn: Connection, query: str, page: int, name: str) -> int | None:
    """One snapshot of one page: its version, or None if it is torn."""
    rows = conn.execute(query.encode(), [name]).fetchall()
    return version_of(page, [(text, vector.to_list()) for text, vector in rows])


class Writer:
    """Rewrites pages the way the steps do: stage, keep vectors, publish."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/"))
        request = Request(run_id=None, worker="benchmark")
        self._claim = crawl_jobs.claim(conn, domains.get(conn, HOST).id, HOST, request)
        self._model = embedding_models.ensure(
            conn, name="bench", dimensions=DIMENSIONS, is_lexical=False
        )
        with crawl_jobs.fenced(conn, self._claim):
            raw_pages.save(conn, self._claim, [_body(page) for page in range(PAGES)])
        ids = conn.execute("SELECT url, id FROM raw_pages").fetchall()
        id_by_name: dict[str, int] = dict(ids)
        self._ids = [id_by_name[page_name(page)] for page in range(PAGES)]

    def rewrite(self, pages: Sequence[int], version: int) -> None:
        revisions = [self._revision(page, version) for page in pages]
        texts = [chunk for revision in revisions for chunk in revision.chunks]
        vectors = np.array([vector_of(chunk.text) for chunk in texts], np.float32)
        with crawl_jobs.fenced(self._conn, self._claim):
            chunks.stage(
                self._conn, self._claim, revisions, model_id=self._model.id, chunker="bench"
            )
        with crawl_jobs.fenced(self._conn, self._claim):
            hashes = [chunk.text_hash for chunk in texts]
            embeddings.stage(self._conn, self._claim, self._model, hashes, vectors)
        staged = chunks.staged_pages(
            self._conn, self._claim, model_id=self._model.id, after_id=0, maximum=PAGES
        )
        with crawl_jobs.fenced(self._conn, self._claim):
            ids = [page.revision_id for page in staged]
            published = chunks.publish(self._conn, self._claim, ids)
            embeddings.forget_staged(self._conn, self._claim)
        assert published.pages == len(pages)

    def _revision(self, page: int, version: int) -> NewRevision:
        return NewRevision(
            page_id=self._ids[page],
            content_hash=digest(f"{page}/{version}"),
            title="t",
            language="en",
            chunks=tuple(_chunk(n, text) for n, text in enumerate(texts_of(page, version))),
        )


def _chunk(position: int, text: str) -> Chunk:
    return Chunk(
        position=position,
        text=text,
        text_hash=digest(text),
        heading_path=(),
        start_offset=position,
        token_count=250,
    )


def _body(page: int) -> NewBody:
    return NewBody(
        url=page_name(page),
        etag=None,
        last_modified=None,
        content_type="text/html",
        charset="utf-8",
        html="<p>",
        body_hash=digest(str(page)),
    )


def measure_ours(conn: Connection, *, rewrites: int, snapshots: int, readers: int) -> None:
    writer = Writer(conn)
    writer.rewrite(range(PAGES), 0)
    start = time.perf_counter()
    share = -(-snapshots // readers)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(readers, mp_context=spawn) as pool:
        jobs = [pool.submit(read, conn.info.dsn, share, seed) for seed in range(readers)]
        done = _rewrite_until(writer, jobs, rewrites)
        seen = [job.result() for job in jobs]
    print(
        f"ours: {sum(one.torn for one in seen)} of {sum(one.snapshots for one in seen):,} "
        f"snapshots torn during {done:,} rewrites of pages; readers met "
        f"{sum(one.changes for one in seen):,} changes, in {time.perf_counter() - start:.0f} s"
    )


def _rewrite_until(writer: Writer, jobs: list[Future[Seen]], minimum: int) -> int:
    """Rewrite until the readers are done, and often enough; returns how many pages that were."""
    chance = random.Random(7)
    done = 0
    for version in itertools.count(1):
        if done >= minimum and all(job.done() for job in jobs):
            return done
        pages = chance.sample(range(PAGES), chance.randint(1, MAX_AT_ONCE))
        writer.rewrite(pages, version % MAX_EXACT)
        done += len(pages)
    raise AssertionError("the versions end")


def measure_cocoindex(conn: Connection, python: Path, *, key: str, rewrites: int) -> None:
    table = f"cocoindex_{key}"
    query = PEERS.format(table)
    torn_rewrites = torn = snapshots = 0
    spans: list[float] = []
    with _cocoindex(conn, python, table, key) as rewrite, ThreadPoolExecutor(1) as pool:
        rewrite(0, 0)
        for version in range(1, rewrites + 1):
            job = pool.submit(rewrite, 0, version)
            looks: list[tuple[float, int | None]] = []
            while not job.done():
                looks.append((time.perf_counter(), look(conn, query, 0, "0")))
            assert look(conn, query, 0, "0") == version
            torn_at = [moment for moment, seen in looks if seen is None]
            torn_rewrites += bool(torn_at)
            torn += len(torn_at)
            snapshots += len(looks)
            spans += [torn_at[-1] - torn_at[0]] if torn_at else []
    middle = statistics.median(spans) * 1000 if spans else 0.0
    print(
        f"CocoIndex, rows keyed by {key}: {torn_rewrites} of {rewrites} rewrites torn, {torn:,} of "
        f"{snapshots:,} snapshots, for {middle:.1f} ms each (median)"
    )


@contextmanager
def _cocoindex(
    conn: Connection, python: Path, table: str, key: str
) -> Iterator[Callable[[int, int], None]]:
    """Call it with a page and a version; it returns when the index is up to date."""
    place = parse_url(conn.info.dsn)
    url = f"postgresql://{place['user']}@/{place['dbname']}?host={place['host']}"
    with TemporaryDirectory(prefix="omni-bench-") as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        with subprocess.Popen(
            [python, COCOINDEX, pages, url, table, key],
            env=os.environ | {"PYTHONPATH": str(ROOT), "COCOINDEX_DISABLE_USAGE_TRACKING": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:

            def rewrite(page: int, version: int) -> None:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{page} {version}\n")
                process.stdin.flush()
                assert process.stdout.readline() == "done\n"

            yield rewrite
            assert process.stdin is not None
            process.stdin.close()
    conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers-python", type=Path, help="has benchmarks/peers/requirements.txt")
    parser.add_argument("--rewrites", type=int, default=1_000)
    parser.add_argument("--snapshots", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--peer-rewrites", type=int, default=40)
    given = parser.parse_args()
    with own_database() as conn:
        measure_ours(
            conn, rewrites=given.rewrites, snapshots=given.snapshots, readers=given.readers
        )
        if given.peers_python:
            for key in ("id", "place"):
                measure_cocoindex(conn, given.peers_python, key=key, rewrites=given.peer_rewrites)


if __name__ == "__main__":
    main()
