"""What a refresh pays: booked before it is sent, settled once, never beyond a budget (R-C6)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import psycopg
import pytest
import stamina
from psycopg import Connection

from omni_pipeline.domain.embedding.drift import Vectors
from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.gateways.embedding.client import open_embedding_client
from omni_pipeline.gateways.embedding.results import Embedded
from omni_pipeline.gateways.embedding.retry_policy import RetryPolicy
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.steps.checks.plausibility import check_vectors
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index.budgeted_embedding import BudgetError, Embedder
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import EmbeddingsReport, embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.steps.services.shared_throttle import open_throttle
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.index import embedding_models, unusable_embeddings
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests import embedding_server as behave
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer
from omni_pipeline_tests.steps.conftest import CountingClient, Pipeline

PAID = EmbeddingSettings(
    base_url="https://embeddings.test/v1", model="counting", price_per_million=Decimal(2)
)

PAGE = "/docs/watering.html"

BILLS = (
    b"SELECT count(*), sum(requests), sum(texts), sum(tokens), sum(tokens_reused), sum(cost_usd)"
    b" FROM token_usage"
)

COUNTERS = (
    b"SELECT pages_cleaned, chunks_staged, pages_published, chunks_embedded, chunks_reused,"
    b" tokens_embedded, tokens_reused FROM crawl_jobs ORDER BY id DESC LIMIT 1"
)

FAILURES = b"SELECT url, stage, error_kind, attempts FROM failed_pages ORDER BY url, stage"


@pytest.fixture
def paid(pipeline: Pipeline) -> Pipeline:
    """The pipeline with an endpoint that has a price."""
    pipeline.settings = replace(pipeline.settings, embedding=PAID)
    return pipeline


def set_budget(pipeline: Pipeline, tokens: int | None) -> None:
    with pipeline.database.connect() as conn:
        domains.configure(conn, pipeline.host, {"daily_token_budget": tokens})


def tomorrow(pipeline: Pipeline) -> None:
    """The usage of today becomes that of yesterday."""
    with pipeline.database.connect() as conn:
        conn.execute(b"UPDATE token_usage SET used_at = used_at - interval '1 day'")


def tokens_used(pipeline: Pipeline) -> int:
    [(tokens,)] = pipeline.query(b"SELECT coalesce(sum(tokens), 0)::bigint FROM token_usage")
    return int(str(tokens))


# The bill


def test_every_batch_is_on_the_bill_with_its_price(paid: Pipeline) -> None:
    """R-C6"""
    report = paid.refresh().embeddings
    assert report.tokens_embedded > 0
    assert report.cost_usd == pytest.approx(report.tokens_embedded * 2 / 1_000_000)
    [(_, requests, texts, tokens, reused, cost)] = paid.query(BILLS)
    assert (requests, texts, tokens) == (
        paid.client.requests,
        report.chunks_embedded,
        report.tokens_embedded,
    )
    assert cost == Decimal(str(tokens)) * 2 / 1_000_000
    assert reused == report.tokens_reused
    assert paid.query(b"SELECT count(*) FROM token_usage WHERE settled_at IS NULL") == [(0,)]


def test_what_is_not_paid_again_is_counted(paid: Pipeline) -> None:
    """R-C6: text by text, those of unchanged pages not among them."""
    paid.refresh()
    edited = paid.site.read(PAGE).replace("suspends the plan", "suspends this one plan")
    paid.site.pages[PAGE] = edited
    report = paid.refresh(force_rescrape=True).embeddings
    [(chunks, tokens)] = paid.query(
        b"SELECT count(*), sum(c.token_count)::bigint FROM chunks c"
        b" JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id"
        b" WHERE r.fence = (SELECT max(fence) FROM page_revisions)"
    )
    assert report.chunks_embedded > 0
    assert report.chunks_reused == int(str(chunks)) - report.chunks_embedded > 0
    assert report.tokens_reused == int(str(tokens)) - report.tokens_embedded > 0
    [(saved,)] = paid.query(b"SELECT saved_usd FROM token_usage ORDER BY id DESC LIMIT 1")
    assert saved == Decimal(report.tokens_reused) * 2 / 1_000_000


def test_the_model_inside_the_process_costs_nothing_and_has_no_budget(pipeline: Pipeline) -> None:
    set_budget(pipeline, 1)
    pipeline.settings = replace(pipeline.settings, daily_token_budget=1)
    report = pipeline.refresh().embeddings
    assert (report.cost_usd, report.pages_failed) == (0.0, 0)
    assert report.tokens_embedded > 1


def test_an_unknown_price_is_said_to_be_unknown(paid: Pipeline) -> None:
    paid.settings = replace(paid.settings, embedding=replace(PAID, price_per_million=None))
    assert paid.refresh().embeddings.cost_usd is None


# Repeated transactions


class LossySession(Session):
    """Loses the answer to every second COMMIT, so that every piece of work runs twice."""

    _is_lost = False

    def _once(self, work: Callable[[Connection], object]) -> object:  # type: ignore[override]
        result = super()._once(work)
        self._is_lost = not self._is_lost
        if self._is_lost:
            raise TemporaryError("cut") from psycopg.OperationalError("cut")
        return result


TABLES = ("crawl_jobs", "raw_pages", "kept_embeddings", "token_usage", "failed_pages")


def fetch(refresh: Refresh, pipeline: Pipeline, *, page_limit: int | None = None) -> None:
    with pipeline.web() as web:
        crawl(refresh, web, user_agent="test", page_limit=page_limit)


def published(pipeline: Pipeline, *, is_lossy: bool) -> tuple[object, ...]:
    """A refresh from the site's first page on, what it said of itself, and what the ledgers say."""
    with pipeline.database.connect() as conn:
        for table in TABLES:
            conn.execute(f"DELETE FROM {table}".encode())
    pipeline.client = CountingClient(refuses="moisture")
    model = pipeline.model()
    with pipeline.open() as refresh:
        fetch(refresh, pipeline)
        lossy = LossySession(pipeline.database) if is_lossy else refresh.session
        opened = replace(refresh, session=lossy)
        reports = (
            clean_pages(opened),
            stage_chunks(opened, model, pipeline.chunker),
            embed_and_publish(opened, model, pipeline.client),
        )
        lossy.close()
    assert pipeline.violations() == []
    ledgers = [pipeline.query(rows) for rows in (BILLS, COUNTERS, FAILURES)]
    return *reports, *ledgers, sorted(pipeline.client.texts)


def test_a_lost_commit_is_neither_counted_nor_paid_twice(paid: Pipeline) -> None:
    """F-B11: every transaction loses its answer once, and neither ledger nor report shows it.

    A page cannot be read, and some have a text that the endpoint refuses.
    """
    paid.site.pages["/faq.html"] = ""
    with stamina.set_testing(True, attempts=2):  # no waiting between them
        lossy = published(paid, is_lossy=True)
    assert lossy == published(paid, is_lossy=False)
    assert {stage for _, stage, _, _ in paid.query(FAILURES)} == {"clean", "embed"}


def test_what_the_endpoint_did_not_answer_is_not_on_the_bill(paid: Pipeline) -> None:
    paid.client = CountingClient(breaks_after=1)
    with pytest.raises(TemporaryError):
        paid.refresh()
    assert paid.query(b"SELECT count(*) FROM token_usage") == [(1,)]


def test_what_was_answered_before_a_failure_is_kept_and_billed(paid: Pipeline) -> None:
    """F-C17: of a batch that was refused for one text, the first half is not paid for twice."""
    script = [behave.refusing(lambda _: True), behave.ok, behave.failing(401, "no such key")]
    with EmbeddingServer(script) as server:
        settings = replace(PAID, base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS)
        with open_embedding_client(settings) as client:
            with pytest.raises(PermanentError, match="401"):
                refresh_through(paid, client)
            kept = server.calls[1].texts
            assert paid.query(BILLS)[0][:3] == (1, 3, len(kept))
            assert paid.query(b"SELECT count(*) FROM kept_embeddings") == [(len(kept),)]
            server.calls.clear()
            assert refresh_through(paid, client).pages_published > 0
            assert server.texts
            assert not set(server.texts) & set(kept)


def test_a_refused_key_stops_the_embedding_alone(paid: Pipeline) -> None:
    """F-C18: asked once; what was crawled and cut is kept, and no ledger shows the key."""
    key = "canary-0123456789abcdef"
    with EmbeddingServer(otherwise=behave.wrong_key) as server:
        settings = replace(
            PAID, base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS, api_key=key
        )
        paid.settings = replace(paid.settings, embedding=settings)
        with open_embedding_client(settings) as client:
            with pytest.raises(PermanentError):
                refresh_through(paid, client)
            [(kind, error)] = paid.query(b"SELECT error_kind, error FROM crawl_jobs")
            assert (kind, len(server.calls)) == ("permanent.embed_key", 1)
            assert key not in str(error)
            assert paid.query(b"SELECT count(*) > 3 FROM staged_chunks") == [(True,)]
            assert paid.violations() == []
            server.otherwise = behave.ok
            assert refresh_through(paid, client).pages_published > 0


# Another model under the old name


class DriftingClient(CountingClient):
    """Serves another model of the same name and dimensions."""

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        embedded = super().embed(texts, tokens=tokens)
        return replace(embedded, vectors=vectors_of_another_model(embedded.vectors))


def vectors_of_another_model(vectors: Vectors) -> Vectors:
    """As long as before; every second component has the other sign."""
    signs = np.where(np.arange(vectors.shape[1]) % 2, -1, 1).astype(np.float32)
    return vectors * signs


def vectors_check(paid: Pipeline) -> CountsReport:
    with paid.database.connect() as conn:
        return check_vectors(conn, paid.host)


def test_another_model_behind_the_same_name_turns_a_check_red(paid: Pipeline) -> None:
    """F-C16: of one edited page alone, until a refresh buys what is like before."""
    paid.refresh()
    assert vectors_check(paid).passed
    edited = paid.site.read(PAGE).replace("suspends the plan", "suspends this one plan")
    paid.site.pages[PAGE] = edited
    paid.client = DriftingClient()
    assert paid.refresh(force_rescrape=True).embeddings.chunks_embedded > 0
    report = vectors_check(paid)
    assert not report.passed
    assert "another model under the old name" in report.summary
    assert "--force-reembed" in report.summary
    paid.client = CountingClient()
    paid.refresh(force_reembed=True)
    assert vectors_check(paid).passed


# Budgets


@pytest.mark.parametrize("is_domains", [True, False])
def test_a_budget_stops_a_refresh_before_it_overspends_and_the_next_day_goes_on(
    paid: Pipeline, *, is_domains: bool
) -> None:
    """R-C6, S-53: what is published stays, what is paid for is kept, nothing is paid twice."""
    paid.refresh(max_pages=3)
    published = paid.query(b"SELECT count(*) FROM embeddings")
    budget = tokens_used(paid) + 500
    if is_domains:
        set_budget(paid, budget)
    else:
        paid.settings = replace(paid.settings, daily_token_budget=budget)
    with pytest.raises(BudgetError) as caught:
        paid.refresh(force_rescrape=True)
    words = paid.host if is_domains else "OMNI_DAILY_TOKEN_BUDGET"
    assert words in str(caught.value)
    assert f"{budget:,}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert budget - 200 < tokens_used(paid) <= budget, "used to its end, not beyond"
    [(kind,)] = paid.query(b"SELECT error_kind FROM crawl_jobs ORDER BY id DESC LIMIT 1")
    assert kind == "transient.budget"
    assert paid.query(b"SELECT count(*) FROM embeddings") >= published
    assert paid.violations() == []

    first_day = list(paid.client.texts)
    for _ in range(20):
        tomorrow(paid)
        try:
            paid.refresh()
        except BudgetError:
            assert not set(paid.client.texts) & set(first_day)
            first_day += paid.client.texts
        else:
            break
    else:
        pytest.fail("it never ended")
    assert paid.query(b"SELECT count(*) FROM page_revisions WHERE state = 'staged'") == [(0,)]
    assert paid.violations() == []


def test_a_budget_smaller_than_any_text_says_so(paid: Pipeline) -> None:
    set_budget(paid, 1)
    with pytest.raises(BudgetError, match=r"omni domains set .* --daily-token-budget"):
        paid.refresh(max_pages=3)
    assert paid.client.requests == 0


# Waiting


def paid_model(pipeline: Pipeline) -> StoredModel:
    with pipeline.database.connect() as conn:
        return embedding_models.ensure(conn, name=MODEL, dimensions=DIMENSIONS, is_lexical=False)


def refresh_through(pipeline: Pipeline, client: Embedder) -> EmbeddingsReport:
    with pipeline.open() as refresh:
        fetch(refresh, pipeline, page_limit=3)
        clean_pages(refresh)
        model = paid_model(pipeline)
        stage_chunks(refresh, model, pipeline.chunker)
        return embed_and_publish(refresh, model, client)


class Watcher(threading.Thread):
    """Reaps all the time, and looks for sessions that sit in a transaction."""

    def __init__(self, pipeline: Pipeline, lease_seconds: float) -> None:
        super().__init__(daemon=True)
        self.lost: list[object] = []
        self.idle: list[object] = []
        self.over = threading.Event()
        self._pipeline = pipeline
        self._lease_seconds = lease_seconds

    def run(self) -> None:
        with self._pipeline.database.connect() as conn:
            while not self.over.wait(0.05):
                self.lost += reaping.reap(conn, lease_seconds=self._lease_seconds)
                self.idle += conn.execute(
                    b"SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                    b" AND state_change < clock_timestamp() - interval '0.5 s'"
                    b" AND datname = current_database()"
                ).fetchall()


def test_the_lease_is_renewed_and_no_transaction_open_while_a_request_waits(
    paid: Pipeline,
) -> None:
    """F-C1: a wait three times as long as the lease."""
    paid.settings = replace(paid.settings, lease_seconds=0.6, heartbeat_seconds=0.1)
    watcher = Watcher(paid, lease_seconds=0.6)
    with EmbeddingServer([behave.throttled(retry_after="2")]) as server:
        settings = replace(
            PAID, base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="k" * 20
        )
        session = Session(paid.database)
        throttle = open_throttle(session, settings, MODEL)
        with open_embedding_client(settings, throttle=throttle, retry=RetryPolicy()) as client:
            watcher.start()
            report = refresh_through(paid, client)
        session.close()
    watcher.over.set()
    watcher.join()
    assert (watcher.lost, watcher.idle) == ([], [])
    assert report.pages_published > 0
    assert paid.query(b"SELECT requests FROM token_usage WHERE requests > 1") == [(2,)]


def test_no_request_is_larger_than_what_the_endpoint_takes_in_a_minute(paid: Pipeline) -> None:
    paid.settings = replace(paid.settings, embedding=replace(PAID, tokens_per_minute=300))
    paid.refresh(max_pages=5)
    assert paid.query(b"SELECT max(tokens) <= 300, count(*) > 3 FROM token_usage") == [(True, True)]


def test_a_text_whose_vectors_are_useless_is_bought_a_few_times_and_left_alone(
    paid: Pipeline,
) -> None:
    """Its page waits; the others are published, and nothing is paid for them again."""
    spoilt: list[str] = []

    def spoil(exchange: behave.Exchange) -> None:
        texts = exchange.call.texts
        spoilt.extend(texts[-1:] if not spoilt else [])
        exchange.answer(
            vector * (1e-9 if text in spoilt else 1)
            for text, vector in zip(texts, exchange.vectors(), strict=True)
        )

    with EmbeddingServer(otherwise=spoil) as server:
        settings = replace(PAID, base_url=server.base_url, model=MODEL, dimensions=DIMENSIONS)
        with open_embedding_client(settings) as client:
            reports = [refresh_through(paid, client) for _ in range(unusable_embeddings.MAX_TIMES)]
            assert [report.pages_failed for report in reports] == [1] * len(reports)
            others = [text for text in server.texts if text not in spoilt]
            assert len(others) == len(set(others)) > 0
            server.calls.clear()
            assert refresh_through(paid, client).pages_failed == 1
            assert server.calls == []
            server.otherwise = behave.ok
            with paid.database.connect() as conn:
                conn.execute(
                    "UPDATE unusable_embeddings SET last_tried_at = now() - interval '8 days'"
                )
            assert refresh_through(paid, client).pages_failed == 0
    assert paid.query(b"SELECT count(*) FROM unusable_embeddings") == [(0,)]
