"""Watches a database from a process of its own while faults happen: is any snapshot wrong?"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Self

import psycopg
from psycopg import Connection

from omni_pipeline.errors import OmniError, TemporaryError
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.faults.workers import FORKS

Texts = tuple[str, ...]
Prices = tuple[tuple[object, ...], ...]

FindTorn = Callable[[Mapping[str, Texts]], list[str]]

MIN_SNAPSHOTS = 50


class Watcher(AbstractContextManager["Watcher"]):
    """Takes snapshots back to back while the block runs, and at the end says what was wrong.

    Each snapshot is checked against the standing invariants and by ``find_torn``. From one snapshot
    to the next, no fence goes back.

    Args:
        database: What to watch.
        find_torn: Names the pages whose published texts are not all of one version.
        lease_seconds: How long a running job may be silent, twice.
    """

    def __init__(
        self, database: Database, find_torn: FindTorn, *, lease_seconds: float = 90.0
    ) -> None:
        self._is_over = FORKS.Event()
        self._answers, self._answer = FORKS.Pipe(duplex=False)
        arguments = (database, find_torn, lease_seconds, self._is_over, self._answer)
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
        assert self.snapshots >= MIN_SNAPSHOTS


class _Look:
    """What one watcher has seen."""

    def __init__(self, find_torn: FindTorn, lease_seconds: float) -> None:
        self.snapshots = 0
        self.wrong: list[str] = []
        self._find_torn = find_torn
        self._lease_seconds = lease_seconds
        self._fences: dict[str, int] = {}

    def take(self, conn: Connection) -> None:
        found = invariants.find_violations(conn, lease_seconds=self._lease_seconds)
        self.wrong += [f"{one.invariant}: {one.subject}: {one.detail}" for one in found]
        self.wrong += [f"torn: {url}" for url in self._find_torn(published_texts(conn))]
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


def neither_old_nor_new(
    before: Mapping[str, Texts], after: Mapping[str, Texts], pages: Mapping[str, Texts]
) -> list[str]:
    """Which pages are neither as they were nor as they will be."""
    return [url for url, texts in pages.items() if texts not in (before.get(url), after.get(url))]


def published_texts(conn: Connection) -> dict[str, Texts]:
    """What search may answer: the texts of each page, in their order."""
    texts: dict[str, list[str]] = defaultdict(list)
    for url, text in conn.execute("SELECT url, text FROM live_chunks ORDER BY url, position"):
        texts[url].append(text)
    return {url: tuple(found) for url, found in texts.items()}


def priced_products(conn: Connection) -> Prices:
    """What is sold: where, for how much, and every price that it had, in their order."""
    rows = conn.execute(
        "SELECT p.url, p.status, p.current_price_amount, "
        "array_agg(s.price_amount ORDER BY s.job_id) FROM products p "
        "LEFT JOIN price_snapshots s ON s.product_id = p.id AND s.is_change "
        "GROUP BY p.id ORDER BY p.url"
    )
    return tuple(rows)


def _watch(
    database: Database,
    find_torn: FindTorn,
    lease_seconds: float,
    is_over: Event,
    answer: "Pipe[object, object]",
) -> None:
    look = _Look(find_torn, lease_seconds)
    while not is_over.is_set() or look.snapshots < MIN_SNAPSHOTS:
        try:
            with database.connect() as conn:
                while not is_over.is_set() or look.snapshots < MIN_SNAPSHOTS:
                    look.take(conn)
        except (TemporaryError, psycopg.OperationalError):
            time.sleep(0.02)  # the server is away: it is what some tests do to it
        except OmniError as error:
            look.wrong.append(str(error))
            break
    answer.send((look.snapshots, look.wrong))
