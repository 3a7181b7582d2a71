"""Watches a database from a process of its own while faults happen: is any snapshot wrong?"""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Self

import psycopg
from psycopg import Connection

from omni_pipeline.errors import OmniError, TemporaryError
from omni_pipeline.store import invariants
from omni_pipeline.store.database import Database
from omni_pipeline_tests.faults.workers import FORKS

Texts = tuple[str, ...]

FEWEST_SNAPSHOTS = 50


class Watcher(AbstractContextManager["Watcher"]):
    """Takes snapshots back to back while the block runs, and at the end says what was wrong.

    Each snapshot is checked against the standing invariants and against ``whole_pages``: every
    text of a page belongs to one and the same of its versions. From one snapshot to the next, no
    fence goes back.

    Args:
        database: What to watch.
        whole_pages: By URL, all that the published texts of the page may be.
        lease_seconds: How long a running job may be silent, twice.
    """

    def __init__(
        self, database: Database, whole_pages: Mapping[str, set[Texts]], *, lease_seconds: float
    ) -> None:
        self._is_over = FORKS.Event()
        self._answers, self._answer = FORKS.Pipe(duplex=False)
        arguments = (database, dict(whole_pages), lease_seconds, self._is_over, self._answer)
        self._process = FORKS.Process(target=_watch, args=arguments)
        self.snapshots = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        self._process.start()
        self._answer.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self.snapshots, self.wrong = self._answers.recv()
        self._process.join()

    def check(self) -> None:
        """Fail unless all snapshots were right, and enough of them were taken."""
        assert self.wrong == []
        assert self.snapshots >= FEWEST_SNAPSHOTS


class _Look:
    """What one watcher has seen."""

    def __init__(self, whole_pages: Mapping[str, set[Texts]], lease_seconds: float) -> None:
        self.snapshots = 0
        self.wrong: list[str] = []
        self._whole_pages = whole_pages
        self._lease_seconds = lease_seconds
        self._fences: dict[str, int] = {}

    def take(self, conn: Connection) -> None:
        found = invariants.find_violations(conn, lease_seconds=self._lease_seconds)
        self.wrong += [f"{one.invariant}: {one.subject}: {one.detail}" for one in found]
        for url, texts in published_texts(conn).items():
            if url in self._whole_pages and texts not in self._whole_pages[url]:
                self.wrong.append(f"torn: {url}: {texts}")
        self._compare_fences(conn)
        self.snapshots += 1

    def _compare_fences(self, conn: Connection) -> None:
        rows = conn.execute(
            "SELECT 'domain ' || host, fence FROM domains "
            "UNION ALL SELECT 'page ' || url, fence FROM raw_pages"
        ).fetchall()
        went_back = [name for name, fence in rows if fence < self._fences.get(name, 0)]
        self.wrong += [f"the fence went back: {name}" for name in went_back]
        self._fences = dict(rows)


def published_texts(conn: Connection) -> dict[str, Texts]:
    """What search may answer: the texts of each page, in their order."""
    texts: dict[str, list[str]] = defaultdict(list)
    for url, text in conn.execute("SELECT url, text FROM live_chunks ORDER BY url, position"):
        texts[url].append(text)
    return {url: tuple(found) for url, found in texts.items()}


def _watch(
    database: Database,
    whole_pages: Mapping[str, set[Texts]],
    lease_seconds: float,
    is_over: Event,
    answer: "Pipe[object, object]",
) -> None:
    look = _Look(whole_pages, lease_seconds)
    while not is_over.is_set() or look.snapshots < FEWEST_SNAPSHOTS:
        try:
            with database.connect() as conn:
                while not is_over.is_set() or look.snapshots < FEWEST_SNAPSHOTS:
                    look.take(conn)
        except (TemporaryError, psycopg.OperationalError):
            time.sleep(0.02)  # the server is away: it is what some tests do to it
        except OmniError as error:
            look.wrong.append(str(error))
            break
    answer.send((look.snapshots, look.wrong))
