"""Search at scale, and how good its answers are.

Scale: 100,000 chunks in 50 domains, the largest four times the smallest, with clustered vectors of
low intrinsic dimension, as embeddings have. Recall and the number of answers are compared with an
exact search; times with an exact indexed lookup of the smallest domain in the same run.

Quality: pages of the Python documentation with their real vectors; the questions are the terms of
its own index, the answers are the pages that it names. Debian has it: apt-get install python3-doc.
"""

import argparse
import random
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from pgvector import HalfVector
from psycopg import Connection
from selectolax.lexbor import LexborHTMLParser, LexborNode

from benchmarks.bulk_write import Vectors, digest
from omni_pipeline.domain.chunks.chunking import Chunk, make_chunker
from omni_pipeline.domain.embedding.known_models import LEXICAL, MINILM
from omni_pipeline.domain.search.metrics import ndcg, recall, reciprocal_rank
from omni_pipeline.domain.search.query import EVERYWHERE, Scope
from omni_pipeline.domain.text.cleaning import CleanedPage, clean
from omni_pipeline.gateways.embedding.local_model import load_minilm_tokenizer, open_local_model
from omni_pipeline.settings import Settings
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import NewBody
from omni_pipeline.store.index import chunks, embeddings, hnsw_indexes
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.index.embedding_models import StoredModel, ensure
from omni_pipeline.store.index.retrieval import SearchResult, search
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import migrate

DIMENSIONS = 384
INTRINSIC = 32
PER_PAGE = 10
BATCH_PAGES = 50
RNG = np.random.default_rng(7)
SITE = "https://docs.test"


@dataclass(frozen=True, kw_only=True)
class Page:
    path: str
    title: str
    language: str | None
    chunks: tuple[Chunk, ...]


def read_pages(folder: Path) -> Iterator[Page]:
    """The documentation's pages, in an order that is always the same and mixes its parts."""
    chunker = make_chunker(load_minilm_tokenizer(), 250)
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*.html")]
    for path in sorted(paths, key=lambda path: zlib.crc32(path.encode())):
        if path.startswith(("genindex", "_", "search", "py-modindex", "contents", "download")):
            continue
        page = clean((folder / path).read_text(encoding="utf-8"), url=f"{SITE}/{path}")
        if isinstance(page, CleanedPage):
            yield Page(
                path=path,
                title=page.title,
                language=page.language,
                chunks=chunker.split(page.markdown),
            )


class Writer:
    """Publishes pages of one domain as a refresh does."""

    def __init__(self, conn: Connection, model: StoredModel, host: str) -> None:
        self.conn = conn
        self.model = model
        self.host = host
        self.seconds = 0.0
        domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))
        domain = domains.get(conn, host)
        request = Request(run_id=None, worker="bench")
        self.claim = crawl_jobs.claim(conn, domain.id, host, request)

    def publish(self, pages: list[Page], vectors: Vectors) -> None:
        texts = [chunk.text_hash for page in pages for chunk in page.chunks]
        vector_by_text = dict(zip(texts, vectors, strict=True))
        urls = [f"https://{self.host}/{page.path}" for page in pages]
        with crawl_jobs.fenced(self.conn, self.claim):
            raw_pages.save(self.conn, self.claim, [_body(url) for url in urls])
            id_by_url: dict[str, int] = dict(
                self.conn.execute(
                    "SELECT url, id FROM raw_pages WHERE url = ANY (%s)", [urls]
                ).fetchall()
            )
            revisions = [
                NewRevision(
                    page_id=id_by_url[url],
                    content_hash=digest(url),
                    title=page.title,
                    language=page.language,
                    chunks=page.chunks,
                )
                for url, page in zip(urls, pages, strict=True)
            ]
            chunks.stage(self.conn, self.claim, revisions, model_id=self.model.id, chunker="bench")
            embeddings.stage(
                self.conn,
                self.claim,
                self.model,
                list(vector_by_text),
                np.array(list(vector_by_text.values())),
            )
        staged = chunks.staged_pages(
            self.conn, self.claim, model_id=self.model.id, after_id=0, limit=len(pages)
        )
        start = time.perf_counter()
        with crawl_jobs.fenced(self.conn, self.claim):
            chunks.publish(self.conn, self.claim, [page.revision_id for page in staged])
        self.seconds += time.perf_counter() - start
        with crawl_jobs.fenced(self.conn, self.claim):
            embeddings.forget_staged(self.conn, self.claim)

    def finish(self) -> None:
        crawl_jobs.finish(self.conn, self.claim, error=None, is_whole=True)


def _body(url: str) -> NewBody:
    return NewBody(
        url=url,
        etag=None,
        last_modified=None,
        content_type="text/html",
        charset="utf-8",
        html=url,
        body_hash=digest(url),
    )


# Scale


class Clusters:
    """Vectors of one domain: topics around a place of its own, embedded in more dimensions."""

    plane = RNG.standard_normal((INTRINSIC, DIMENSIONS))

    def __init__(self) -> None:
        place = RNG.standard_normal(INTRINSIC)
        self.topics = place + 0.8 * RNG.standard_normal((12, INTRINSIC))

    def draw(self, count: int) -> Vectors:
        topics = self.topics[RNG.integers(0, len(self.topics), count)]
        latent = topics + 0.5 * RNG.standard_normal((count, INTRINSIC))
        noise = 0.2 * RNG.standard_normal((count, DIMENSIONS))
        return (latent @ self.plane + noise).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question of the scale benchmark; ``condition`` says the scope in plain SQL."""

    vector: Vectors
    words: str
    scope: Scope
    condition: str


@dataclass(kw_only=True)
class Timed:
    seconds: list[float] = field(default_factory=list)
    lookups: list[float] = field(default_factory=list)
    hits: int = 0
    expected: int = 0
    short: int = 0

    def ratio(self) -> float:
        return float(np.percentile(self.seconds, 95) / np.percentile(self.lookups, 95))


EXACT = """
SELECT e.chunk_id FROM embeddings e JOIN chunks c ON c.id = e.chunk_id
JOIN raw_pages p ON p.id = c.page_id JOIN domains d ON d.id = p.domain_id
JOIN page_revisions r ON r.page_id = p.id AND r.state = 'live' JOIN organizations o
ON o.id = d.organization_id WHERE {} ORDER BY e.embedding <=> %s, e.chunk_id LIMIT 10
"""


def fill(
    conn: Connection, model: StoredModel, texts: list[tuple[str, str]], *, total: int, count: int
) -> list[tuple[str, Clusters]]:
    """Fill ``count`` domains; returns their hosts and where their vectors are, smallest first."""
    sizes = np.linspace(1, 4, count)
    filled = []
    seconds = pages = 0.0
    for number, size in enumerate((sizes / sizes.sum() * total).astype(int)):
        writer = Writer(conn, model, f"d{number}.test")
        clusters = Clusters()
        for start in range(0, size, PER_PAGE * BATCH_PAGES):
            batch = [
                make_page(writer.host, texts, first, min(PER_PAGE, size - first), number)
                for first in range(start, min(size, start + PER_PAGE * BATCH_PAGES), PER_PAGE)
            ]
            writer.publish(batch, clusters.draw(sum(len(page.chunks) for page in batch)))
            pages += len(batch)
        writer.finish()
        seconds += writer.seconds
        filled.append((writer.host, clusters))
    print(f"published {pages:,.0f} pages of {PER_PAGE} chunks: {pages / seconds:,.0f} pages/s")
    return filled


def make_page(host: str, texts: list[tuple[str, str]], first: int, count: int, number: int) -> Page:
    """Real texts, each with a last line that tells it from its copies."""
    start = int(RNG.integers(0, len(texts) - PER_PAGE))
    parts = [
        (title, f"{text}\n{host} {first} {place}")
        for place, (title, text) in enumerate(texts[start : start + count])
    ]
    return Page(
        path=f"{'guide' if first % 100 else 'news'}/{first}",
        title=parts[0][0],
        language=language_of(number),
        chunks=tuple(
            Chunk(
                position=place,
                text=text,
                text_hash=digest(text),
                heading_path=(title,),
                start_offset=place,
                token_count=200,
            )
            for place, (title, text) in enumerate(parts)
        ),
    )


def make_cases(
    filled: list[tuple[str, Clusters]], words: list[str], count: int
) -> dict[str, list[Case]]:
    """Questions from inside each scope, as people ask them where they look for the answer."""
    cases: dict[str, list[Case]] = {}
    for number in range(count):
        which = number * 7 % len(filled)
        host, clusters = filled[which]
        for kind, (scope, condition) in scopes_around(host, which).items():
            cases.setdefault(kind, []).append(
                Case(
                    vector=clusters.draw(1)[0],
                    words=words[number % len(words)],
                    scope=scope,
                    condition=condition,
                )
            )
    return cases


def scopes_around(host: str, number: int) -> dict[str, tuple[Scope, str]]:
    """Scopes that a domain is in, each with its condition in plain SQL."""
    guide = f"https://{host}/guide/"
    organization, language = f"o{number % 2}", language_of(number)
    return {
        "everywhere": (EVERYWHERE, "true"),
        "one domain": (Scope(host=host), f"d.host = '{host}'"),
        "address": (Scope(url_prefix=guide), f"starts_with(p.url, '{guide}')"),
        "organization": (Scope(organization=organization), f"o.name = '{organization}'"),
        "language": (Scope(language=language), f"r.language = '{language}'"),
        "freshness": (
            Scope(seen_within=timedelta(days=7)),
            "p.checked_at > now() - interval '7 days'",
        ),
    }


def language_of(number: int) -> str:
    return "en" if number % 5 else "de"


def run_scale(
    database: Database,
    conn: Connection,
    texts: list[tuple[str, str]],
    words: list[str],
    given: argparse.Namespace,
) -> None:
    model = ensure(conn, name="bench", dimensions=DIMENSIONS, is_lexical=False)
    filled = fill(conn, model, texts, total=given.chunks, count=given.domains)
    conn.execute("INSERT INTO organizations (name) VALUES ('o0'), ('o1')")
    conn.execute(
        "UPDATE domains d SET organization_id = o.id FROM organizations o "
        "WHERE o.name = 'o' || substring(d.host FROM '[0-9]+')::int % 2"
    )
    conn.execute(
        "UPDATE raw_pages SET checked_at = checked_at - interval '30 days' WHERE id % 2 = 0"
    )
    start = time.perf_counter()
    hnsw_indexes.build(database, model)
    print(f"HNSW index built in {time.perf_counter() - start:.0f} s")
    conn.execute("VACUUM ANALYZE")
    cases = make_cases(filled, words, given.questions)
    lookups = lookups_of(conn, model, filled[0])
    for mode in ("vector", "hybrid"):
        overall = Timed()
        for kind, some in cases.items():
            timed = time_cases(conn, some, mode, lookups)
            report_scale(f"{mode}, {kind}", timed)
            overall.seconds += timed.seconds
            overall.lookups += timed.lookups
        print(f"{mode}, all of these: p95 {overall.ratio():.1f} x an exact lookup")


def lookups_of(
    conn: Connection, model: StoredModel, smallest: tuple[str, Clusters]
) -> Iterator[float]:
    """Seconds of exact indexed lookups of the smallest domain."""
    host, clusters = smallest
    domain_id = domains.get(conn, host).id
    while True:
        [vector] = clusters.draw(1)
        start = time.perf_counter()
        conn.execute(
            "SELECT chunk_id FROM embeddings WHERE model_id = %s AND domain_id = %s "
            "ORDER BY embedding <=> %s LIMIT 10",
            [model.id, domain_id, HalfVector(vector)],
        ).fetchall()
        yield time.perf_counter() - start


def time_cases(conn: Connection, cases: list[Case], mode: str, lookups: Iterator[float]) -> Timed:
    """Searches and lookups in turns, so that a busy machine is busy for both.

    What is right is found out afterwards: scans of everything leave nothing of an index in the
    processor's caches.
    """
    timed = Timed()
    ask(conn, cases[0], mode)  # the session's first question reads dictionaries
    answers = []
    for case in cases:
        timed.lookups.append(next(lookups))
        start = time.perf_counter()
        answers.append(ask(conn, case, mode))
        timed.seconds.append(time.perf_counter() - start)
    for case, found in zip(cases, answers, strict=True):
        rows = conn.execute(EXACT.format(case.condition).encode(), [HalfVector(case.vector)])
        exact = {chunk_id for (chunk_id,) in rows}
        timed.expected += len(exact)
        timed.hits += len(exact & {one.chunk_id for one in found})
        timed.short += len(found) < len(exact)
    return timed


def ask(conn: Connection, case: Case, mode: str) -> list[SearchResult]:
    question = case.words if mode == "hybrid" else None
    return search(conn, case.vector, question=question, limit=10, scope=case.scope)


def report_scale(what: str, timed: Timed) -> None:
    found = "" if what.startswith("hybrid") else f"recall@10 {timed.hits / timed.expected:.4f}, "
    print(
        f"  {what}: {found}{timed.short} answers short of k, p95 "
        f"{np.percentile(timed.seconds, 95) * 1000:.1f} ms = {timed.ratio():.1f} x an exact lookup"
    )


# Quality


def read_terms(folder: Path) -> dict[str, set[str]]:
    """The terms of the site's own index (those below others with what they stand under)."""
    tree = LexborHTMLParser((folder / "genindex-all.html").read_text(encoding="utf-8"))
    paths_by_term: dict[str, set[str]] = {}
    for entries in tree.css("table.indextable td > ul"):
        _collect(entries, "", paths_by_term)
    return paths_by_term


def _collect(entries: LexborNode, above: str, paths_by_term: dict[str, set[str]]) -> None:
    for entry in (one for one in entries.iter() if one.tag == "li"):
        links = [child for child in entry.iter() if child.tag == "a"]
        label = links[0].text() if links else (entry.text(deep=False) or "")
        term = f"{above} {label}".strip()
        paths = {(link.attributes["href"] or "").partition("#")[0] for link in links}
        paths_by_term.setdefault(term, set()).update(paths - {""})
        for below in entry.iter():
            if below.tag == "ul":
                _collect(below, term, paths_by_term)


def run_quality(
    conn: Connection, pages: list[Page], terms: dict[str, set[str]], given: argparse.Namespace
) -> None:
    model = open_local_model(MINILM)
    if model.name == LEXICAL:
        print(f"{MINILM} is not installed: no figures of quality")
        return
    stored = ensure(conn, name=MINILM, dimensions=model.dimensions, is_lexical=False)
    writer = Writer(conn, stored, "docs.test")
    for page in pages:
        writer.publish([page], model.encode([chunk.text for chunk in page.chunks]))
    writer.finish()
    conn.execute("ANALYZE")
    known = {page.path for page in pages}
    questions = sorted(term for term, paths in terms.items() if paths and paths <= known)
    random.Random(1).shuffle(questions)
    questions = questions[: given.terms]
    vectors = model.encode(questions)
    count = sum(len(page.chunks) for page in pages)
    print(f"quality: {len(questions)} terms, {len(pages)} pages, {count:,} chunks")
    for mode in ("vector", "text", "hybrid"):
        figures = []
        for question, vector in zip(questions, vectors, strict=True):
            found = search(
                conn,
                None if mode == "text" else vector,
                question=None if mode == "vector" else question,
                limit=10,
                per_page=1,
            )
            urls = [one.url for one in found]
            right = {f"{SITE}/{path}" for path in terms[question]}
            figures.append(
                (
                    recall(urls, right, limit=10),
                    ndcg(urls, right, limit=10),
                    reciprocal_rank(urls, right),
                )
            )
        means = np.mean(figures, axis=0)
        print(f"  {mode}: recall@10 {means[0]:.4f}, nDCG@10 {means[1]:.4f}, MRR {means[2]:.4f}")


@contextmanager
def own_database() -> Iterator[Database]:
    """A server of the benchmark's own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        Path(folder).chmod(0o755)
        with open_database(Settings(home=Path(folder))) as database:
            with database.connect() as conn:
                migrate(conn)
            yield database


def take_part(pages: list[Page], limit: int) -> list[Page]:
    """Whole pages with together at most that many chunks."""
    part: list[Page] = []
    for page in pages:
        if sum(len(one.chunks) for one in part) + len(page.chunks) <= limit:
            part.append(page)
    return part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default="/usr/share/doc/python3/html")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=50)
    parser.add_argument("--questions", type=int, default=100, help="of each kind of scope")
    parser.add_argument("--quality-chunks", type=int, default=3000)
    parser.add_argument("--terms", type=int, default=600)
    given = parser.parse_args()
    folder = given.folder.resolve()
    if not (folder / "genindex-all.html").is_file():
        parser.error(f"{folder} is no documentation made by Sphinx: it has no genindex-all.html")
    pages = list(read_pages(folder))
    terms = read_terms(folder)
    if given.quality_chunks:
        with own_database() as database, database.connect() as conn:
            run_quality(conn, take_part(pages, given.quality_chunks), terms, given)
    if given.chunks:
        texts = [(page.title, chunk.text) for page in pages for chunk in page.chunks]
        with own_database() as database, database.connect() as conn:
            run_scale(database, conn, texts, sorted(terms), given)


if __name__ == "__main__":
    main()
