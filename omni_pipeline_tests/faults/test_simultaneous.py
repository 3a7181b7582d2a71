"""Ten, then a hundred refreshes of one domain at once, and ten domains at once (R-A21)."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from omni_pipeline.errors import DomainBusyError
from omni_pipeline.settings import Settings
from omni_pipeline.steps.run.claimed_refresh import open_refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.embedding_server import Behaviour, EmbeddingServer, Exchange, ok
from omni_pipeline_tests.faults.conftest import Case, World
from omni_pipeline_tests.faults.test_crash_points import COMPLETED, assert_recovered
from omni_pipeline_tests.faults.workers import Worker, wait_until
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import site_of

MAX_SESSIONS = 3


def held_until(may_answer: threading.Event) -> Behaviour:
    """Keeps the winner at work for as long as the losers take."""

    def behave(exchange: Exchange) -> None:
        while not may_answer.is_set() and exchange.pause(0.05):
            pass
        ok(exchange)

    return behave


def test_of_ten_refreshes_at_once_one_runs_and_nine_leave(case: Case) -> None:
    """F-F1, F-F2; R-A8, R-A21: ten processes; the site and the endpoint see one refresh."""
    may_answer = threading.Event()
    case.world.endpoint.otherwise = held_until(may_answer)
    with case.watch() as watcher:
        workers = [case.start() for _ in range(10)]
        wait_until(lambda: sum(worker.is_alive() for worker in workers) == 1)
        may_answer.set()
        outcomes = [worker.outcome() for worker in workers]
    watcher.check()
    assert sorted(outcomes, key=str) == [None] + ["transient.domain_busy"] * 9
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
    texts = case.world.endpoint.texts
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.chaos)])
def test_losers_leave_within_two_seconds_and_ask_nobody(case: Case, count: int) -> None:
    """The way every run takes to its domain, each with its own sessions.

    F-F1, F-F2; R-A8, R-A21.
    """
    start = threading.Barrier(count)
    is_over = threading.Event()

    def take_domain(_: int) -> float | None:
        """How long a loser took; None is the winner, who holds the domain until all have lost."""
        start.wait()
        started = time.monotonic()
        request = Request(run_id=None, worker=this_worker())
        try:
            with open_refresh(case.database, case.settings, case.host, request):
                is_over.wait(60)
        except DomainBusyError:
            return time.monotonic() - started
        return None

    losers: list[float] = []
    with ThreadPoolExecutor(count) as pool:
        runs = [pool.submit(take_domain, number) for number in range(count)]
        while len(losers) < count - 1:
            losers = [seconds for run in runs if run.done() and (seconds := run.result())]
            time.sleep(0.02)
        is_over.set()
        winners = sum(run.result() is None for run in runs)
    assert winners == 1
    assert max(losers) < 2.0 * max(1.0, count / 25), "each thread shares its processor with all"
    assert case.world.site.requests == []
    assert case.violations() == []
    assert case.jobs() == [COMPLETED]


@pytest.fixture
def neighbours(database: Database, world: World) -> Iterator[dict[str, Settings]]:
    """The settings of ten registered domains, each with a site of its own."""
    with registered(database, world, domains_count=10, pages=20) as found:
        yield found


@contextmanager
def registered(
    database: Database, world: World, *, domains_count: int, pages: int
) -> Iterator[dict[str, Settings]]:
    with ExitStack() as resources:
        endpoint = resources.enter_context(EmbeddingServer())
        found = {}
        for _ in range(domains_count):
            site = resources.enter_context(ScriptedSite(site_of(pages)))
            host = urlsplit(site.url).netloc
            with database.connect() as conn:
                domains.add(conn, NewDomain(host=host, start_url=site.url, delay_seconds=0))
            base = world.settings(database)
            embedding = replace(base.embedding, base_url=endpoint.base_url)
            found[host] = replace(base, allow_addresses=site.allowed, embedding=embedding)
        yield found


def test_ten_domains_at_once_neither_wait_for_each_other_nor_crowd_the_server(
    database: Database, neighbours: dict[str, Settings]
) -> None:
    """F-B5, F-B10, F-F2; R-A21."""
    assert_all_refreshed(database, neighbours, pages=20)


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_ten_domains_of_two_hundred_pages_at_once(database: Database, world: World) -> None:
    """F-B5, F-B10, F-F2; R-A21."""
    with registered(database, world, domains_count=10, pages=200) as neighbours:
        assert_all_refreshed(database, neighbours, pages=200)


def assert_all_refreshed(
    database: Database, neighbours: Mapping[str, Settings], *, pages: int
) -> None:
    workers = [Worker(settings, host) for host, settings in neighbours.items()]
    limit = 0
    with database.connect() as conn:
        while any(worker.is_alive() for worker in workers):
            rows = conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name LIKE 'run %' GROUP BY application_name"
            ).fetchall()
            limit = max([limit, *(sessions for (sessions,) in rows)])
            time.sleep(0.05)
        assert [worker.outcome() for worker in workers] == [None] * len(workers)
        assert 1 <= limit <= MAX_SESSIONS
        assert invariants.find_violations(conn, lease_seconds=90) == []
        live = conn.execute("SELECT count(DISTINCT page_id) FROM chunks").fetchone()
        assert live == (len(neighbours) * (pages + 1),)
        conn.execute("SELECT pg_stat_force_next_flush()")
        deadlocks = conn.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert deadlocks == (0,)
