"""A storm of 429: ten runs share an endpoint that takes 10 requests a minute, with 100 to send.

Prints the time to drain over the theoretical minimum, with the limit told in the settings and with
nothing told, where it is found by being refused. A minute takes six seconds here, and the wish to
be left alone is scaled with it; so is what a late thread costs.
"""

import argparse
import logging
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from omni_pipeline.errors import OmniError
from omni_pipeline.gateways.embedding import open_embedding_door
from omni_pipeline.gateways.embedding_retries import RetryPolicy
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline.steps.embedding_turnstile import SharedTurnstile
from omni_pipeline.store.database import Database
from omni_pipeline.store.embedded_postgres import EmbeddedPostgres
from omni_pipeline.store.migrations import migrate
from omni_pipeline.store.rate_limits import BURST_SECONDS, Limit
from omni_pipeline.store.session import Session
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer, Exchange

PER_MINUTE = 10
BATCHES = 100
RUNS = 10
SCALE = 10  # so many of the endpoint's minutes pass in one of ours
MINUTE = 60 / SCALE


class Meter:
    """The endpoint's own limit: so many requests in any minute, refusals say when to come back."""

    def __init__(self) -> None:
        self.refused = 0
        self.seen: list[float] = []  # when each request came
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
            wait = self._taken[0] + MINUTE - now if len(self._taken) == PER_MINUTE else 0.0
            if wait <= 0:
                self._taken.append(now)
            else:
                self.refused += 1
            return wait


def run(database: Database, limit: Limit, settings: EmbeddingSettings, batches: int) -> int:
    """One run's batches, one after another; returns how many got their vectors."""
    session = Session(database)
    retry = RetryPolicy(first_seconds=0.5 / SCALE)
    done = 0
    turnstile = SharedTurnstile(session, limit)
    with open_embedding_door(settings, turnstile=turnstile, retry=retry) as door:
        for number in range(batches):
            try:
                door.embed([f"text {number}", f"and another {number}"])
            except OmniError:
                break
            done += 1
    session.close()
    return done


def drain(database: Database, *, is_told: bool) -> None:
    meter = Meter()
    with EmbeddingServer(otherwise=meter.answer) as server, ThreadPoolExecutor(RUNS) as pool:
        settings = EmbeddingSettings(
            base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="benchmark"
        )
        limit = Limit(
            endpoint=f"told {is_told}",
            model=MODEL,
            requests_per_minute=PER_MINUTE * SCALE if is_told else None,
            burst_seconds=BURST_SECONDS / SCALE,
        )
        jobs = [pool.submit(run, database, limit, settings, BATCHES // RUNS) for _ in range(RUNS)]
        done = sum(job.result() for job in jobs)
        seconds = meter.seen[-1] - meter.seen[0]  # without the start of ten runs
    at_rate = BATCHES / PER_MINUTE * MINUTE
    least = at_rate - MINUTE  # this endpoint would take the first ten at once
    print(
        f"limit {'told ' if is_told else 'found'}: {done} of {BATCHES} batches in {seconds:.1f} s, "
        f"{seconds / at_rate:.2f} x that of 10 a minute ({seconds / least:.2f} x the least "
        f"possible); {meter.refused} requests refused"
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgres") as server:
            database = Database(url=server.url("postgres"))
            with database.connect() as conn:
                migrate(conn)
            for is_told in (True, False):
                drain(database, is_told=is_told)


if __name__ == "__main__":
    main()
