"""Refreshes in processes of their own, to be killed, frozen and cut off.

They are forked from a process that has everything imported: that takes milliseconds where a fresh
interpreter takes seconds, so that a test can afford many. A worker does what a Dagster run does,
step by step; Dagster itself is in the tests of `defs` and `commands`.
"""

import atexit
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from omni_pipeline import faults
from omni_pipeline.errors import OmniError
from omni_pipeline.settings import Settings
from omni_pipeline.steps.catalogue.price_snapshots import snapshot_prices
from omni_pipeline.steps.catalogue.products import extract
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import open_refresh
from omni_pipeline.steps.run.reaper import reap_lost_jobs, this_worker
from omni_pipeline.steps.services.preflight import check_embedding
from omni_pipeline.steps.services.services import Services
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.postgres.database import open_database
from omni_pipeline.store.postgres.migrations import check_schema
from omni_pipeline.store.postgres.session import Session

SECONDS = 90.0

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "openai",
        "pytest",
        "omni_pipeline_tests.faults.workers",
        "omni_pipeline_tests.faults.watchers",
    ]
)


class Worker:
    """A process that refreshes one domain once; it starts at once."""

    def __init__(self, settings: Settings, host: str) -> None:
        self._answers, answer = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_refresh_and_tell, args=(settings, host, answer))
        self._process.start()
        answer.close()
        atexit.register(self._process.kill)  # a frozen one would be waited for, for ever

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def outcome(self, seconds: float = SECONDS) -> str | None:
        """Wait for the end; None is success, else the error's kind, or ``killed``."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"worker {self.pid} did not end"
        if self._process.exitcode == -signal.SIGKILL:
            return "killed"
        kind: str | None = self._answers.recv()
        return kind

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def await_freeze(self) -> None:
        """Return once the process stands still."""
        wait_until(lambda: _state(self.pid) == "T")


def wait_until(is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def refresh(settings: Settings, host: str) -> None:
    """Refresh a registered domain as a run does, and raise what stopped it."""
    faults.arm(settings.faults)
    with ExitStack() as resources:
        database = resources.enter_context(open_database(settings, application_name=f"run {host}"))
        session = Session(database)
        resources.callback(session.close)
        session.run(check_schema)
        reap_lost_jobs(session, lease_seconds=settings.lease_seconds)
        request = Request(run_id=None, worker=this_worker())
        claimed = resources.enter_context(open_refresh(database, settings, host, request))
        services = Services(settings, session, resources)
        model = services.models.configured
        check_embedding(model, session)
        crawl(claimed, services.web(claimed.domain).web, user_agent=services.user_agent)
        clean_pages(claimed)
        stage_chunks(claimed, model.stored_model, model.chunker)
        embed_and_publish(claimed, model.stored_model, model)
        extract(claimed)
        snapshot_prices(claimed)


def _refresh_and_tell(settings: Settings, host: str, answer: "Pipe[str | None, object]") -> None:
    try:
        refresh(settings, host)
    except OmniError as error:
        answer.send(error.kind)
    except BaseException as error:
        answer.send(f"unexpected {type(error).__name__}: {error}")
        raise
    else:
        answer.send(None)
