"""SQL in files: every query exists, is asked for, fits the migrated database, and takes a batch."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from psycopg import Connection

from omni_pipeline import store
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import failed_pages, frontier, raw_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline_tests.store.conftest import (
    CHUNKER,
    CLEANER,
    MISSING,
    Run,
    new_body,
    new_revision,
    new_text,
    page_ids,
    recorded,
    start_run,
    vector_of,
)

FOLDER = Path(store.__file__).parent
PARAMETER = re.compile(r"%\((\w+)\)[sbt]")

# Statements about the whole database; the tests of migrations and of the server run them.
UTILITIES = {
    ("omni_pipeline.store.postgres.migrations", "create_ledger"),
    ("omni_pipeline.store.postgres.server_checks", "create_extension"),
}


def module_of(path: Path) -> str:
    """The module beside which a file of queries stands."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(("omni_pipeline.store", *parts))


def all_queries() -> Iterator[tuple[str, str]]:
    for path in sorted(FOLDER.rglob("*.sql")):
        for name in load_queries(module_of(path)):
            yield module_of(path), name


def asked_for(module: Path) -> set[str]:
    """The names inside ``_SQL[...]`` of one module."""
    subscripts = (
        node.slice
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "_SQL"
    )
    constants = (inner for node in subscripts for inner in ast.walk(node))
    return {
        node.value
        for node in constants
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


# Names


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.sql")), ids=lambda path: path.stem)
def test_each_query_of_a_file_has_a_name_of_its_own_and_only_one_statement(path: Path) -> None:
    text = path.read_text()
    names = re.findall(r"^-- name: (.*)$", text, re.MULTILINE)
    assert list(load_queries(module_of(path))) == names, "no name is taken twice, none is misspelt"
    assert text.startswith("-- name: ") or path.stem == "invariants"
    for name, query in load_queries(module_of(path)).items():
        code = re.sub(rb"^--.*$|'[^']*'", b"", query, flags=re.MULTILINE)
        assert code.strip(), f"{name} is empty"
        assert b";" not in code, f"{name} is one statement"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.stem)
def test_every_query_that_a_module_asks_for_is_in_its_file(path: Path) -> None:
    """R-A6: what the code calls exists."""
    names = asked_for(path)
    loads = re.findall(r"^_SQL = load_queries\(__name__\)$", path.read_text(), re.MULTILINE)
    assert len(loads) == (1 if names or path.stem == "invariants" else 0)
    if names:
        assert names <= set(load_queries(module_of(path)))


def test_every_query_in_a_file_is_asked_for() -> None:
    asked = {(module_of(path), name) for path in FOLDER.rglob("*.py") for name in asked_for(path)}
    unused = set(all_queries()) - asked
    assert {query for query in unused if not query[0].endswith(".invariants")} == set()


# Against the migrated database


@pytest.fixture
def migrated(conn: Connection) -> Connection:
    return conn


def plan_or_run(conn: Connection, query: bytes) -> None:
    """Have the query planned; what EXPLAIN does not take is run, with no rows to write."""
    if re.search(rb"^COPY ", query, re.MULTILINE):
        with conn.cursor().copy(query):
            pass
    elif re.search(rb"^LOCK ", query, re.MULTILINE):
        conn.execute(query)
    else:
        nothing = dict.fromkeys(PARAMETER.findall(query.decode()))
        conn.execute(b"EXPLAIN " + query, nothing)


def test_every_query_can_be_planned_on_the_migrated_database(migrated: Connection) -> None:
    """R-A6: functions, tables and columns that do not exist are found here, not in mid-crawl."""
    planned = 0
    for module, name in all_queries():
        query = load_queries(module)[name]
        if (module, name) in UTILITIES:
            continue
        with migrated.transaction(force_rollback=True):
            plan_or_run(migrated, query)
        planned += 1
    assert planned > 90


def test_a_query_of_something_that_does_not_exist_cannot_be_planned(migrated: Connection) -> None:
    """The test above sees what there is to see."""
    for broken in (b"SELECT bulk_insert(%(x)s)", b"SELECT nope FROM chunks", b"SELECT 1 FROM nope"):
        with pytest.raises(Exception, match="does not exist"):
            migrated.execute(b"EXPLAIN " + broken, {"x": None} if b"%" in broken else None)


# One statement per batch


class Batches:
    """The writes of a refresh in their order, each with a whole batch of pages."""

    def __init__(self, run: Run, size: int) -> None:
        self.run = run
        self.urls = [f"https://{run.claim.host}/{number:03}" for number in range(size)]
        self.texts = [f"{url} {letter}" for url in self.urls for letter in "ab"]

    @property
    def pages(self) -> dict[str, int]:
        return page_ids(self.run.conn, self.run.claim.domain_id)

    def save_bodies(self) -> None:
        bodies = [new_body(url, url) for url in self.urls]
        raw_pages.save(self.run.conn, self.run.claim, bodies)

    def save_bodies_half_of_them_changed(self) -> None:
        bodies = [
            new_body(url, f"{url} changed" if number % 2 else url)
            for number, url in enumerate(self.urls)
        ]
        raw_pages.save(self.run.conn, self.run.claim, bodies)

    def save_texts(self) -> None:
        texts = [new_text(page_id, "html", url) for url, page_id in self.pages.items()]
        cleaned_pages.save(self.run.conn, self.run.claim, texts, cleaner_version=CLEANER)

    def stage_chunks(self) -> None:
        revisions = [
            new_revision(page_id, [f"{url} a", f"{url} b"]) for url, page_id in self.pages.items()
        ]
        chunks.stage(
            self.run.conn, self.run.claim, revisions, model_id=self.run.model.id, chunker=CHUNKER
        )

    def keep_vectors(self) -> None:
        hashes = [text_hash(text) for text in self.texts]
        vectors = np.stack([vector_of(text) for text in self.texts])
        embeddings.stage(self.run.conn, self.run.claim, self.run.model, hashes, vectors)

    def find_vectors(self) -> None:
        hashes = [text_hash(text) for text in self.texts]
        embeddings.have_vectors(self.run.conn, self.run.claim, self.run.model, hashes)

    def publish(self) -> None:
        ids = self.run.conn.execute(
            "SELECT id FROM page_revisions WHERE domain_id = %s", [self.run.claim.domain_id]
        )
        chunks.publish(self.run.conn, self.run.claim, [id_ for (id_,) in ids])

    def queue_urls(self) -> None:
        frontier.add_urls(
            self.run.conn,
            self.run.claim,
            dict.fromkeys(self.urls, 1),
            source="link",
            is_forced=False,
            page_limit=None,
        )

    def settle_urls(self) -> None:
        outcomes = dict.fromkeys(self.urls, "changed")
        frontier.settle(self.run.conn, self.run.claim, outcomes)

    def record_failures(self) -> None:
        failures = [Failure(url=url, kind="transient.x", reason="r") for url in self.urls]
        failed_pages.record(self.run.conn, self.run.claim, "fetch", failures)

    def retire_pages(self) -> None:
        evidence = dict.fromkeys(self.urls, MISSING)
        ids = raw_pages.remove_pages(self.run.conn, self.run.claim, evidence)
        chunks.remove_pages(self.run.conn, ids)
        cleaned_pages.remove(self.run.conn, ids)


def count_statements(batches: Batches) -> dict[str, int]:
    """How many statements each write sends, in the order of a refresh."""
    counts = {}
    for name, write in vars(Batches).items():
        if inspect.isfunction(write) and not name.startswith("_"):
            with batches.run.fenced(), recorded(batches.run.conn) as statements:
                write(batches)
            counts[name] = len(statements)
    return counts


def test_a_batch_of_fifty_pages_takes_as_many_statements_as_one_of_two(run: Run) -> None:
    """R-A6: set-based writes, and no row-by-row path to fall back to."""
    other = start_run(run.conn, "b.test")
    fifty = count_statements(Batches(run, 50))
    assert fifty == count_statements(Batches(other, 2))
    assert len(fifty) == 11, fifty
    for name in ("find_vectors", "queue_urls", "settle_urls", "record_failures"):
        assert fifty[name] == 1
