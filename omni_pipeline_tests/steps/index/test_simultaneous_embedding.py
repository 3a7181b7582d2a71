"""Two runs that need the same texts at once: one asks, the other waits for its answer."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from omni_pipeline.domain.chunks.chunking import Chunker
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.embedding.results import Embedded
from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.steps.index.liveness import Liveness
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.conftest import CountingClient, Pipeline
from omni_pipeline_tests.steps.crawl.test_moves import make_site

PAID = EmbeddingSettings(
    base_url="https://embeddings.test/v1", model="counting", price_per_million=Decimal(2)
)


@dataclass(kw_only=True)
class SlowClient(CountingClient):
    """Answers once it is told to, and then for ever."""

    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        self.asked.set()
        assert self.answers.wait(30)
        if self.fails:
            raise TemporaryError("the endpoint went away", kind="transient.embed_down")
        return super().embed(texts, tokens=tokens)


def make_pipeline(
    database: Database, chunker: Chunker, site: ScriptedSite, home: Path, client: CountingClient
) -> Pipeline:
    host = f"127.0.0.1:{site.port}"
    with database.connect() as conn:
        domains.add(conn, NewDomain(host=host, start_url=site.url, delay_seconds=0))
    settings = Settings(home=home, allow_addresses=site.allowed, embedding=PAID, lease_seconds=90)
    return Pipeline(
        database=database,
        settings=settings,
        host=host,
        site=site,  # type: ignore[arg-type] # the pipeline only crawls it
        chunker=chunker,
        client=client,
    )


@pytest.fixture
def twins(database: Database, chunker: Chunker, tmp_path: Path) -> Iterator[list[Pipeline]]:
    """Two domains with the same pages; nobody is answered yet."""
    with ScriptedSite(make_site()) as one, ScriptedSite(make_site()) as other:
        yield [
            make_pipeline(database, chunker, site, tmp_path, SlowClient()) for site in (one, other)
        ]


def clients(twins: list[Pipeline]) -> list[SlowClient]:
    return [twin.client for twin in twins if isinstance(twin.client, SlowClient)]


def test_texts_of_two_domains_are_paid_for_once_in_all(twins: list[Pipeline]) -> None:
    first, second = clients(twins)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(twins[0].refresh)
        assert first.asked.wait(30)
        other = pool.submit(twins[1].refresh)
        first.answers.set()
        second.answers.set()
        reports = [one.result().embeddings, other.result().embeddings]
    paid = [*first.texts, *second.texts]
    assert len(paid) == len(set(paid)) == sum(report.chunks_embedded for report in reports)
    assert {report.chunks_live for report in reports} == {len(paid)}
    [(billed,)] = twins[0].query(b"SELECT sum(texts) FROM token_usage")
    assert billed == len(paid)
    assert twins[0].query(b"SELECT count(*) FROM embedding_orders") == [(0,)]
    assert twins[0].violations() == []


def test_what_one_run_was_not_answered_the_other_asks_for(twins: list[Pipeline]) -> None:
    first, second = clients(twins)
    first.fails = True
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(twins[0].refresh)
        assert first.asked.wait(30)
        other = pool.submit(twins[1].refresh)
        first.answers.set()
        second.answers.set()
        with pytest.raises(TemporaryError):
            one.result()
        assert other.result().embeddings.chunks_embedded == len(second.texts) > 0


def test_a_run_that_died_while_it_asked_keeps_nobody_waiting(twins: list[Pipeline]) -> None:
    first, second = clients(twins)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(twins[0].refresh)
        assert first.asked.wait(30)
        [(job_id,)] = twins[0].query(b"SELECT id FROM crawl_jobs")
        with twins[0].database.connect() as conn:
            reaping.reap(conn, lease_seconds=90, dead_job_ids=[int(str(job_id))])
        second.answers.set()
        twins[1].refresh()
        assert second.texts
        first.answers.set()
        with pytest.raises(Exception, match="no longer holds"):
            one.result()


def test_who_beats_is_waited_for_and_who_falls_silent_is_given_up() -> None:
    """By this process's clock: that of the database may be set back, or ahead."""
    seconds = [0.0]
    liveness = Liveness(60.0, clock=lambda: seconds[0])
    start = datetime(2030, 1, 1, tzinfo=UTC)
    for beat in range(10):
        seconds[0] += 30
        liveness.look({1: start + timedelta(seconds=-beat), 2: start})
    assert liveness.given_up == {2}
