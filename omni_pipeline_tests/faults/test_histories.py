"""Writers are killed, frozen and cut off at random: what was acknowledged stays (Jepsen's idea)."""

import os
import random
import re
import signal
import time
from collections.abc import Mapping
from itertools import count
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import pytest

from omni_pipeline.errors import DomainBusyError, LeaseLostError, TemporaryError
from omni_pipeline.store.index import embeddings
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.faults.histories import (
    Journal,
    Outcome,
    Publish,
    Version,
    anomalies,
    read_history,
)
from omni_pipeline_tests.faults.watchers import Texts, Watcher, published_texts
from omni_pipeline_tests.faults.workers import FORKS
from omni_pipeline_tests.store.conftest import Run, start_run

PATHS = ("p", "q", "r")
WRITERS = 3
# Short, so that a frozen writer loses its domain: nobody beats here.
LEASE_SECONDS = 0.4

VERSION = re.compile(r"version (\d+)\.(\d+)")

# The checker


def judge(outcomes: Mapping[Version, Outcome], live: Version | None) -> list[str]:
    history = [Publish(page="p", version=v, outcome=end) for v, end in outcomes.items()]
    return anomalies(history, {"p": live})


@pytest.mark.parametrize(
    ("outcomes", "live"),
    [
        ({}, None),
        ({(1, 1): "fail"}, None),
        ({(1, 1): "unknown"}, None),
        ({(1, 1): "unknown"}, (1, 1)),
        ({(1, 1): "ok"}, (1, 1)),
        ({(1, 1): "ok", (2, 1): "unknown"}, (1, 1)),
        ({(1, 1): "ok", (2, 1): "unknown"}, (2, 1)),
        ({(1, 1): "ok", (2, 1): "fail"}, (1, 1)),
    ],
)
def test_what_the_writers_saw_may_be_so(
    outcomes: Mapping[Version, Outcome], live: Version | None
) -> None:
    assert judge(outcomes, live) == []


@pytest.mark.parametrize(
    ("outcomes", "live", "problem"),
    [
        ({(1, 1): "ok"}, None, "acknowledged and is lost"),
        ({(1, 1): "ok"}, (7, 7), "nobody published it"),
        ({(1, 1): "fail"}, (1, 1), "was refused"),
        ({(1, 1): "ok", (2, 1): "ok"}, (1, 1), r"though \(2, 1\) was acknowledged"),
        ({(1, 1): "unknown", (1, 2): "ok"}, (1, 1), r"though \(1, 2\) was acknowledged"),
    ],
)
def test_what_cannot_be_so_is_reported(
    outcomes: Mapping[Version, Outcome], live: Version | None, problem: str
) -> None:
    """The checker itself has teeth."""
    [found] = judge(outcomes, live)
    assert re.search(problem, found)


# The writers


def texts_of(path: str, version: Version) -> list[str]:
    """A page's texts say which version they are; the first stands in all of them."""
    fence, number = version
    size = 2 + (fence + number) % 3
    parts = (f"{path} version {fence}.{number} part {part} of {size}" for part in range(size))
    return [f"{path} introduction", *parts]


def write(database: Database, path: Path, is_over: Event) -> None:
    """Take the domain, publish a few versions of its pages, give it back; again and again."""
    journal = Journal(path)
    while not is_over.is_set():
        try:
            with database.connect() as conn:
                reaping.reap(conn, lease_seconds=LEASE_SECONDS)
                publish_some(start_run(conn), journal)
        except (DomainBusyError, LeaseLostError, TemporaryError, psycopg.Error):
            time.sleep(0.02)


def publish_some(run: Run, journal: Journal) -> None:
    pages = dict(zip(PATHS, run.save_pages(*PATHS), strict=True))
    for number in range(1, 6):
        version = (run.claim.fence, number)
        chosen = random.sample(PATHS, k=2)
        for path in chosen:
            journal.begin(path, version)
        try:
            run.publish({pages[path]: texts_of(path, version) for path in chosen})
        except LeaseLostError:
            for path in chosen:
                journal.end(path, version, "fail")
            raise
        for path in chosen:
            journal.end(path, version, "ok")
        with run.fenced():
            embeddings.forget_staged(run.conn, run.claim)
    run.finish()


class Writers:
    """Some writers at work, and what can happen to them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._is_over = FORKS.Event()
        self._started = 0
        self._processes = [self._start() for _ in range(WRITERS)]

    def _start(self) -> BaseProcess:
        self._started += 1
        path = self._folder / f"{self._started:04}.jsonl"
        process = FORKS.Process(target=write, args=(self._database, path, self._is_over))
        process.start()
        return process

    def kill(self) -> None:
        victim = random.randrange(WRITERS)
        self._processes[victim].kill()
        self._processes[victim].join()
        self._processes[victim] = self._start()

    def freeze(self) -> None:
        """Long enough that another writer takes the domain."""
        pid = random.choice(self._processes).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 2)
        os.kill(pid, signal.SIGCONT)

    def cut_off(self) -> None:
        """End a session from the server's side, wherever it is."""
        with self._database.connect() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'writer' "
                "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for process in self._processes:
            process.join(30)
            process.kill()


def version_of(texts: Texts) -> Version:
    """Which version the page's texts say that they are."""
    match = VERSION.search(texts[1])
    assert match is not None
    return int(match[1]), int(match[2])


def find_torn(pages: Mapping[str, Texts]) -> list[str]:
    return [
        url
        for url, texts in pages.items()
        if list(texts) != texts_of(url.rpartition("/")[2], version_of(texts))
    ]


def live_versions(database: Database) -> dict[str, Version | None]:
    with database.connect() as conn:
        pages = published_texts(conn)
    found = {url.rpartition("/")[2]: version_of(texts) for url, texts in pages.items()}
    return {path: found.get(path) for path in PATHS}


def was_rough(history: list[Publish], incidents: int) -> bool:
    """Whether enough happened to the writers; on a busy machine many incidents meet no publish."""
    ends = {publish.outcome for publish in history}
    fences = {publish.version[0] for publish in history}
    return ends >= {"ok", "unknown"} and len(fences) > incidents / 4


@pytest.mark.parametrize(
    "incidents", [8, pytest.param(300, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])]
)
def test_what_was_acknowledged_stays_whatever_happens_to_its_writers(
    database: Database, tmp_path: Path, incidents: int
) -> None:
    """F-A18, F-A19, F-A24, F-B4, F-B11; R-A8, R-A9, R-A19."""
    with database.connect() as conn:
        start_run(conn).finish()
    watcher = Watcher(database, find_torn, lease_seconds=30)
    writers = Writers(Database(url=database.url, application_name="writer"), tmp_path)
    with watcher, writers:
        for number in count(1):
            time.sleep(random.random() * 0.15)
            random.choice([writers.kill, writers.cut_off, writers.freeze])()
            if number >= incidents and was_rough(read_history(tmp_path), incidents):
                break
    history = read_history(tmp_path)
    watcher.check()
    assert anomalies(history, live_versions(database)) == []
    with database.connect() as conn:
        assert invariants.find_violations(conn, lease_seconds=30) == []
