"""A refresh that is asked to end, as a deploy or a machine's shutdown asks."""

import signal
import threading
import time

import pytest

from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import EmbeddingServer, Exchange, ok

SECONDS = 60.0


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.chaos)])
def test_sigterm_ends_a_refresh_soon_and_the_next_one_goes_on(
    omni: CommandLine,
    host: str,
    embedding_server: EmbeddingServer,
    database: Database,
    times: int,
) -> None:
    """F-A17, F-A18: the domain is given back; who asks twice may cut that short."""
    may_end = threading.Event()

    def behave(exchange: Exchange) -> None:
        is_preflight = len(embedding_server.calls) == 1
        while not (is_preflight or may_end.is_set()) and exchange.pause(0.05):
            pass
        ok(exchange)

    embedding_server.otherwise = behave
    refresh = omni.start("refresh", host)
    deadline = time.monotonic() + SECONDS
    while len(embedding_server.calls) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    for _ in range(times):
        refresh.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    may_end.set()
    started = time.monotonic()
    refresh.communicate()
    assert time.monotonic() - started < 20
    assert refresh.returncode != 0
    again = omni.run("refresh", host)
    assert again.returncode == 0, again.stderr
    with database.connect() as conn:
        jobs = conn.execute(b"SELECT status, error_kind FROM crawl_jobs ORDER BY id").fetchall()
    assert jobs[0] in {("failed", "transient.interrupted"), ("failed", "transient.worker_lost")}
    assert times > 1 or jobs[0] == ("failed", "transient.interrupted")
    assert jobs[1:] == [("completed", None)]
