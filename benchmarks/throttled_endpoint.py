"""A storm of 429: ten runs share an endpoint that takes 10 requests a minute, with 100 to send.

Prints the time to drain over the theoretical minimum, with the limit told in the settings and with
nothing told, where it is found by being refused. A minute takes six seconds here (``--scale``), and
the wish to be left alone is scaled with it; so is what a late thread costs.

Another run, of a domain whose model has another endpoint, works before the storm and during it.
"""

import argparse
import logging
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from psycopg import Connection

from benchmarks.bulk_write import digest
from omni_pipeline.errors import OmniError
from omni_pipeline.gateways.embedding.client import EmbeddingClient, open_embedding_client
from omni_pipeline.gateways.embedding.retry_policy import RetryPolicy
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline.steps.services.shared_throttle import SharedThrottle
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.index import embedding_models, embeddings
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate
from omni_pipeline.store.postgres.session import Session
from omni_pipeline.store.usage.rate_limits import BURST_SECONDS, Limit
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer, Exchange

PER_MINUTE = 10
BATCHES = 100
RUNS = 10
MIN_ROUNDS = 20
HOST = "bench.test"


class Meter:
    """The endpoint's own limit: so many requests in any minute, refusals say when to come back."""

    def __init__(self, minute: float) -> None:
        self.refused = 0
        self.seen: list[float] = []  # when each request came
        self._minute = minute
        self._taken: deque[float] = deque(maxlen=PER_MINUTE)
        self._lock = threading.Lock()

    def answer(self, exchange: Exchange) -> None:
        wait = self._take()
        if wait <= 0:
            exchange.answer(exchange.vectors())
        else:
            exchange.fail(429, "slow down", retry_after_ms=str(int(wait * 1000) + 1))

    def _take(self) -> float:
        """Count a request; or how long until there is room for one."""
        with self._lock:
            now = time.monotonic()
            self.seen.append(now)
            wait = self._taken[0] + self._minute - now if len(self._taken) == PER_MINUTE else 0.0
            if wait <= 0:
                self._taken.append(now)
            else:
                self.refused += 1
            return wait


def run(
    database: Database, limit: Limit, settings: EmbeddingSettings, *, batches: int, scale: float
) -> int:
    """One run's batches, one after another; returns how many got their vectors."""
    session = Session(database)
    retry = RetryPolicy(first_seconds=0.5 / scale)
    done = 0
    throttle = SharedThrottle(session, limit)
    with open_embedding_client(settings, throttle=throttle, retry=retry) as client:
        for number in range(batches):
            try:
                client.embed([f"text {number}", f"and another {number}"])
            except OmniError:
                break
            done += 1
    session.close()
    return done


class Neighbour:
    """A run beside the storm: over and over it claims a domain, buys vectors and keeps them."""

    def __init__(self, database: Database, server: EmbeddingServer) -> None:
        self._database = database
        self._settings = settings_of(server)
        self._is_over = threading.Event()
        self.rounds: list[float] = []  # how long each took, in seconds
        with database.connect() as conn:
            domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/"))
            self._model = embedding_models.ensure(
                conn, name=MODEL, dimensions=DIMENSIONS, is_lexical=False
            )

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work, from the start of the block to its end, and for twenty rounds at least."""
        self._is_over.clear()
        self.rounds = []
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(self._work)
            try:
                yield
            finally:
                self._is_over.set()
            job.result()  # a failure of the neighbour fails the benchmark

    def _work(self) -> None:
        with closing(Session(self._database)) as session:
            throttle = SharedThrottle(session, Limit(endpoint="calm", model=MODEL))
            with open_embedding_client(self._settings, throttle=throttle) as client:
                session.run(
                    lambda conn: self._refresh(conn, client)
                )  # not counted: it imports much
                while not self._is_over.wait(0.05) or len(self.rounds) < MIN_ROUNDS:
                    start = time.perf_counter()
                    session.run(lambda conn: self._refresh(conn, client))
                    self.rounds.append(time.perf_counter() - start)

    def _refresh(self, conn: Connection, client: EmbeddingClient) -> None:
        text = f"text {len(self.rounds)}"
        request = Request(run_id=None, worker="neighbour")
        claim = crawl_jobs.claim(conn, domains.get(conn, HOST).id, HOST, request)
        vectors = client.embed([text]).vectors
        with crawl_jobs.fenced(conn, claim):
            embeddings.stage(conn, claim, self._model, [digest(text)], vectors)
        crawl_jobs.finish(conn, claim, error=None, is_whole=True)

    def middle(self) -> float:
        return statistics.median(self.rounds) * 1000


def settings_of(server: EmbeddingServer) -> EmbeddingSettings:
    return EmbeddingSettings(
        base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="benchmark"
    )


def drain(database: Database, *, is_told: bool, scale: float) -> None:
    minute = 60 / scale
    meter = Meter(minute)
    limit = Limit(
        endpoint=f"told {is_told}",
        model=MODEL,
        requests_per_minute=round(PER_MINUTE * scale) if is_told else None,
        burst_seconds=BURST_SECONDS / scale,
    )
    with EmbeddingServer(otherwise=meter.answer) as server, ThreadPoolExecutor(RUNS) as pool:
        settings, share = settings_of(server), BATCHES // RUNS
        jobs = [
            pool.submit(run, database, limit, settings, batches=share, scale=scale)
            for _ in range(RUNS)
        ]
        done = sum(job.result() for job in jobs)
        seconds = meter.seen[-1] - meter.seen[0]  # without the start of ten runs
    at_rate = BATCHES / PER_MINUTE * minute
    minimum = at_rate - minute  # this endpoint would take the first ten at once
    print(
        f"limit {'told ' if is_told else 'found'}: {done} of {BATCHES} batches in {seconds:.1f} s, "
        f"{seconds / at_rate:.2f} x that of 10 a minute ({seconds / minimum:.2f} x the least "
        f"possible); {meter.refused} requests refused",
        flush=True,
    )


def measure(database: Database, *, scale: float) -> None:
    with EmbeddingServer() as calm:
        neighbour = Neighbour(database, calm)
        with neighbour.working():
            pass
        before = neighbour.middle()
        for is_told in (True, False):
            with neighbour.working():
                drain(database, is_told=is_told, scale=scale)
            print(
                f"    a run beside it: {len(neighbour.rounds)} refreshes, none failed, "
                f"{neighbour.middle():.0f} ms each (median; {before:.0f} ms before the storm), "
                f"the longest {max(neighbour.rounds):.1f} s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=10, help="minutes of theirs in one of ours")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgres") as server:
            database = Database(url=server.url("postgres"))
            with database.connect() as conn:
                migrate(conn)
            measure(database, scale=given.scale)


if __name__ == "__main__":
    main()
