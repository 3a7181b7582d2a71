"""What readers see while pages are rewritten, and while writers are killed: whole pages, always."""

import itertools
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from psycopg import Connection

from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.index.retrieval import search
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import HOST, Run, live_texts, start_run, vector_of

PATHS = ("p", "q", "r")
VERSION = re.compile(r"(\w+) version (\d+) chunk (\d+) of (\d+)")


def texts_of(path: str, version: int) -> list[str]:
    """Two to five chunks that say which page, which version and how many they are.

    The first one stands in every version, so that a rewrite keeps some rows and replaces others.
    """
    size = 2 + version % 4
    changed = [f"{path} version {version} chunk {n} of {size}" for n in range(1, size)]
    return [f"{path} introduction", *changed]


class Reader:
    """Polls with one statement until told to stop; remembers what was not a whole page."""

    def __init__(self, database: Database) -> None:
        self.looks = 0
        self.torn: list[object] = []
        self.versions: dict[str, set[int]] = defaultdict(set)
        self._database = database
        self._is_over = threading.Event()

    def look(self, conn: Connection) -> None:
        raise NotImplementedError

    def poll(self) -> None:
        with self._database.connect() as conn:
            while not self._is_over.is_set():
                self.look(conn)
                self.looks += 1

    def stop(self) -> None:
        self._is_over.set()

    def take(self, path: str, texts: list[str]) -> None:
        """Check one page's texts; all but the introduction name their version and number."""
        matches = [VERSION.fullmatch(text) for text in texts[1:]]
        version = int(matches[0][2]) if matches and matches[0] else -1
        self.versions[path].add(version)
        if texts != texts_of(path, version):
            self.torn.append(texts)


class PageReader(Reader):
    """Reads all pages in the order of their chunks."""

    def look(self, conn: Connection) -> None:
        pages = live_texts(conn)
        if sorted(pages) != [f"https://{HOST}/{path}" for path in PATHS]:
            self.torn.append(sorted(pages))
        for url, texts in pages.items():
            self.take(url.rpartition("/")[2], texts)


class SearchReader(Reader):
    """Asks the search function, as applications do."""

    def look(self, conn: Connection) -> None:
        texts = defaultdict(list)
        for answer in search(conn, vector_of("question"), limit=100):
            texts[answer.url.rpartition("/")[2]].append(answer.text)
        for path in PATHS:
            self.take(path, sorted(texts[path]))


class Inspector(Reader):
    """Runs the standing invariants, each time on one snapshot."""

    def look(self, conn: Connection) -> None:
        self.torn += invariants.find_violations(conn, lease_seconds=90)


@contextmanager
def polling(*readers: Reader) -> Iterator[None]:
    with ThreadPoolExecutor(len(readers)) as pool:
        polls = [pool.submit(reader.poll) for reader in readers]
        try:
            yield
        finally:
            for reader in readers:
                reader.stop()
        for poll in polls:
            poll.result()


def forget_staged(run: Run) -> None:
    with run.fenced():
        embeddings.forget_staged(run.conn, run.claim)


def test_readers_meet_whole_pages_during_two_hundred_rewrites(shared: Database, run: Run) -> None:
    """R-A9: never none, never a mix, never both; also not for the standing invariants."""
    chance = random.Random(3)
    pages = dict(zip(PATHS, run.save_pages(*PATHS), strict=True))
    run.publish({page: texts_of(path, 0) for path, page in pages.items()})
    readers = (PageReader(shared), SearchReader(shared), Inspector(shared))
    rewrites = 0
    with polling(*readers):
        for version in itertools.count(1):
            batch = chance.sample(PATHS, k=chance.randint(1, 3))
            run.publish({pages[path]: texts_of(path, version) for path in batch})
            forget_staged(run)
            rewrites += len(batch)
            if rewrites >= 200:
                break
    assert [reader.torn for reader in readers] == [[], [], []]
    assert all(reader.looks >= 20 for reader in readers), "they did look meanwhile"
    assert all(len(versions) >= 5 for versions in readers[0].versions.values())


def test_a_reader_of_a_delete_followed_by_an_insert_would_see_the_gap(
    shared: Database, run: Run
) -> None:
    """The reader above sees what there is to see: this mutant swaps in two transactions."""
    pages = dict(zip(PATHS, run.save_pages(*PATHS), strict=True))
    run.publish({page: texts_of(path, 0) for path, page in pages.items()})
    reader = PageReader(shared)
    with polling(reader):
        for version in range(1, 6):
            with run.fenced():
                chunks.remove_pages(run.conn, [pages["p"]])
            time.sleep(0.01)
            run.publish({pages["p"]: texts_of("p", version)})
    assert ["https://a.test/q", "https://a.test/r"] in reader.torn


# Killed writers

# A publish in a process of its own. It says how far it is, and goes on at the next line it is sent.
WRITER = """
import json, sys
from omni_pipeline.store.index import chunks
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.postgres.database import Database

def say(word):
    print(word, flush=True)
    sys.stdin.readline()

claim = crawl_jobs.Claim(**json.loads(sys.argv[2]))
with Database(url=sys.argv[1]).connect() as conn:
    with crawl_jobs.fenced(conn, claim):
        chunks.publish(conn, claim, json.loads(sys.argv[3]))
        say("written")
    say("committed")
"""


@contextmanager
def pause_before_inserts(conn: Connection) -> Iterator[None]:
    """Stop each publish between its deletes and its inserts, for long enough to be killed there."""
    conn.execute(
        "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$"
    )
    conn.execute("CREATE TRIGGER pause BEFORE INSERT ON chunks EXECUTE FUNCTION pause()")
    try:
        yield
    finally:
        conn.execute("DROP FUNCTION pause CASCADE")


@contextmanager
def publishing(
    database: Database, claim: Claim, revision_ids: list[int]
) -> Iterator[subprocess.Popen[str]]:
    """A process that publishes; it is killed with SIGKILL where the block ends."""
    arguments = [database.url, json.dumps(vars(claim)), json.dumps(revision_ids)]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_word(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{word}\n"


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def await_pause(conn: Connection) -> None:
    query = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    for _ in range(1000):
        if conn.execute(query).rowcount:
            return
        time.sleep(0.01)
    raise AssertionError("the publish never came to its inserts")


def recover(run: Run) -> Run:
    """What follows a kill: the reaper, as soon as the server lets go of its locks, then a run."""
    dead = [run.claim.job_id]
    while not reaping.reap(run.conn, lease_seconds=90, dead_job_ids=dead):
        time.sleep(0.02)
    return start_run(run.conn)


@pytest.fixture
def ready(run: Run) -> Run:
    """Version 0 of every page is published, version 1 is staged and paid for."""
    pages = dict(zip(PATHS, run.save_pages(*PATHS), strict=True))
    run.publish({page: texts_of(path, 0) for path, page in pages.items()})
    run.pay_missing(run.stage({page: texts_of(path, 1) for path, page in pages.items()}))
    return run


def version_seen(reader: Reader) -> set[int]:
    assert reader.torn == []
    return set.union(*reader.versions.values())


def test_a_writer_killed_between_its_deletes_and_its_inserts_changed_nothing(
    shared: Database, ready: Run
) -> None:
    """R-A9, R-A19, CP08: the legacy system's pages lost their embeddings here."""
    reader = PageReader(shared)
    with polling(reader), pause_before_inserts(ready.conn):
        with publishing(shared, ready.claim, ready.staged_ids()):
            await_pause(ready.conn)
        successor = recover(ready)
    assert version_seen(reader) == {0}
    assert_resumes(successor)


def test_a_writer_killed_before_its_commit_changed_nothing(shared: Database, ready: Run) -> None:
    """R-A9, R-A19, CP09"""
    reader = PageReader(shared)
    with polling(reader):
        with publishing(shared, ready.claim, ready.staged_ids()) as writer:
            await_word(writer, "written")
        successor = recover(ready)
    assert version_seen(reader) == {0}
    assert_resumes(successor)


def test_a_writer_killed_after_its_commit_has_published(shared: Database, ready: Run) -> None:
    """R-A9, R-A19, CP10: and the next run finds nothing left to do."""
    reader = PageReader(shared)
    with polling(reader):
        with publishing(shared, ready.claim, ready.staged_ids()) as writer:
            await_word(writer, "written")
            go_on(writer)
            await_word(writer, "committed")
        looks = reader.looks
        while reader.looks < looks + 2:
            time.sleep(0.001)
        successor = recover(ready)
    assert version_seen(reader) == {0, 1}
    assert successor.staged_ids() == []
    assert_resumes(successor)


def assert_resumes(successor: Run) -> None:
    """The next run publishes what was staged without paying for any of it again (R-A19)."""
    revision_ids = successor.staged_ids()
    assert successor.pay_missing(revision_ids) == []
    successor.swap(revision_ids)
    forget_staged(successor)
    expected = {f"https://{HOST}/{path}": texts_of(path, 1) for path in PATHS}
    assert live_texts(successor.conn) == expected
    assert successor.finish()
    assert invariants.find_violations(successor.conn, lease_seconds=90) == []
