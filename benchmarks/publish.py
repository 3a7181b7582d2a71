"""Publishing: pages a second that become searchable, against a bare COPY of the same rows.

Ours is the whole last step of a refresh (`embed_and_publish`) with every vector paid for: fifty
pages at a time, staged rows become what search answers, fenced and counted, and what was staged is
cleared away. The floor copies the same chunks and vectors, in as many transactions, into two tables
without index or constraint. The two take turns. CPU seconds are those of client and server.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from pgvector import HalfVector

from benchmarks.bulk_write import FLOORS, RNG, copy_rows, digest, make_chunks, make_pages
from benchmarks.contenders import own_home
from benchmarks.process_tree import Cost, Stopwatch, adopt_orphans
from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.gateways.embedding.results import Embedded
from omni_pipeline.settings import Settings
from omni_pipeline.steps.index.chunks import BATCH_PAGES
from omni_pipeline.steps.index.embeddings import PUBLISH_PAGES, embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import Refresh, open_refresh
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.index import chunks, embedding_models, embeddings
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import migrate

Item = TypeVar("Item")
Row = tuple[object, ...]

HOST = "bench.test"
VECTORS_AT_ONCE = 64  # as many as come with one answer of an endpoint

FLOOR_CHUNKS = ["int8", "int4", "text", "bytea", "text[]", "int4", "int4"]
FLOOR_VECTORS = ["bytea", "halfvec"]


class ClosedClient:
    """Every vector is there already: nobody may ask."""

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        raise AssertionError((texts, tokens))


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What each round cost: ours, ours with the staging before it, and the floor."""

    ours: list[Cost] = field(default_factory=list)
    whole: list[Cost] = field(default_factory=list)
    floor: list[Cost] = field(default_factory=list)

    def show(self, name: str, pages: int) -> None:
        rounds = list(zip(self.ours, self.floor, strict=True))
        wall = [floor.seconds / ours.seconds for ours, floor in rounds]
        cpu = [floor.cpu_seconds / ours.cpu_seconds for ours, floor in rounds]
        print(
            f"{name}: {_speed(self.ours, pages)} pages/s = {_spread(wall, '.2f')} x a bare COPY of "
            f"the same rows ({_speed(self.floor, pages)}), {_spread(cpu, '.2f')} x by CPU seconds; "
            f"{_speed(self.whole, pages)} pages/s with the staging before it"
        )


def _speed(costs: list[Cost], pages: int) -> str:
    return _spread([pages / cost.seconds for cost in costs], ".0f")


def _spread(numbers: list[float], form: str) -> str:
    """The median, and from where to where the rounds went."""
    middle = statistics.median(numbers)
    return f"{middle:{form}} [{min(numbers):{form}}-{max(numbers):{form}}]"


class Bench:
    def __init__(self, settings: Settings, database: Database, *, dimensions: int) -> None:
        self._settings = settings
        self._database = database
        self._dimensions = dimensions
        with database.connect() as conn:
            conn.execute(FLOORS)
            domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/"))
            self._model: StoredModel = embedding_models.ensure(
                conn, name="bench", dimensions=dimensions, is_lexical=False
            )

    def save_pages(self, count: int) -> list[int]:
        pages = make_pages(count)
        with self._refresh() as refresh:
            for part in _parts(pages, PUBLISH_PAGES):
                refresh.write(raw_pages.save, part)
        with self._database.connect() as conn:
            return [id_ for (id_,) in conn.execute("SELECT id FROM raw_pages ORDER BY id")]

    def publish(self, revisions: list[NewRevision]) -> tuple[Cost, Cost]:
        """Publish them; what publishing cost, and what it cost with the staging before it."""
        hashes = [chunk.text_hash for page in revisions for chunk in page.chunks]
        vectors = RNG.standard_normal((len(hashes), self._dimensions), dtype=np.float32)
        with self._refresh() as refresh:
            whole = Stopwatch()
            for part in _parts(revisions, BATCH_PAGES):
                refresh.write(chunks.stage, part, model_id=self._model.id, chunker="bench")
            for number in range(0, len(hashes), VECTORS_AT_ONCE):
                some = slice(number, number + VECTORS_AT_ONCE)
                refresh.write(embeddings.stage, self._model, hashes[some], vectors[some])
            watch = Stopwatch()
            report = embed_and_publish(refresh, self._model, ClosedClient())
            costs = watch.read(), whole.read()
        assert report.pages_published == len(revisions)
        return costs

    def copy(self, revisions: list[NewRevision]) -> Cost:
        """What a bare COPY of these chunks and their vectors costs."""
        batches = [self._rows(part) for part in _parts(revisions, PUBLISH_PAGES)]
        with self._database.connect() as conn:
            watch = Stopwatch()
            for some_chunks, some_vectors in batches:
                with conn.transaction():
                    copy_rows(conn, "floor_chunks", FLOOR_CHUNKS, some_chunks)
                    copy_rows(conn, "floor_vectors", FLOOR_VECTORS, some_vectors)
            return watch.read()

    def _rows(self, revisions: list[NewRevision]) -> tuple[list[Row], list[Row]]:
        pairs = [(page.page_id, chunk) for page in revisions for chunk in page.chunks]
        vectors = RNG.standard_normal((len(pairs), self._dimensions), dtype=np.float32)
        vector_rows: list[Row] = [
            (chunk.text_hash, HalfVector(vector))
            for (_, chunk), vector in zip(pairs, vectors, strict=True)
        ]
        return [_chunk_row(*pair) for pair in pairs], vector_rows

    @contextmanager
    def _refresh(self) -> Iterator[Refresh]:
        request = Request(run_id=None, worker="benchmark")
        with open_refresh(self._database, self._settings, HOST, request) as refresh:
            yield refresh


def _chunk_row(page_id: int, chunk: Chunk) -> Row:
    path = list(chunk.heading_path)
    place = (chunk.start_offset, chunk.token_count)
    return (page_id, chunk.position, chunk.text, chunk.text_hash, path, *place)


def _parts(items: list[Item], size: int) -> list[list[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def make_edition(page_ids: list[int], *, number: int, per_page: int) -> list[NewRevision]:
    """The pages with texts that no other edition has."""
    return [
        NewRevision(
            page_id=page_id,
            content_hash=digest(f"{page_id}/{number}"),
            title="t",
            language="en",
            chunks=make_chunks(page_id + number * 1_000_000, per_page),
        )
        for page_id in page_ids
    ]


def run(bench: Bench, *, pages: int, per_page: int, rounds: int) -> None:
    contests = {"new pages": Contest(), "pages rewritten": Contest()}
    for page_ids in _parts(bench.save_pages(pages * rounds), pages):
        for number, name in enumerate(contests):
            edition = make_edition(page_ids, number=number, per_page=per_page)
            cost, with_staging = bench.publish(edition)
            contests[name].ours.append(cost)
            contests[name].whole.append(with_staging)
            contests[name].floor.append(bench.copy(edition))
    for name, contest in contests.items():
        contest.show(name, pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--chunks-per-page", type=int, default=10)
    parser.add_argument("--dimensions", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    adopt_orphans()
    with own_home() as home:
        settings = Settings(home=home)
        with open_database(settings) as database:
            with database.connect() as conn:
                migrate(conn)
            bench = Bench(settings, database, dimensions=given.dimensions)
            run(bench, pages=given.pages, per_page=given.chunks_per_page, rounds=given.rounds)


if __name__ == "__main__":
    main()
