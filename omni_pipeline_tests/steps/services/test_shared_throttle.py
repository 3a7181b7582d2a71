"""The embedding client as all runs share it: what one run is told, the others need not ask.

Each run is a thread with a session of its own: to Postgres and to the endpoint, a process.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from omni_pipeline.domain.embedding.lexical_vectors import LEXICAL_DIMENSIONS
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.embedding.client import EmbeddingClient, open_embedding_client
from omni_pipeline.gateways.embedding.retry_policy import RetryPolicy
from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.steps.services.model_services import ModelServices
from omni_pipeline.steps.services.shared_throttle import (
    SharedThrottle,
    endpoint_of,
    open_throttle,
    reopen,
)
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session
from omni_pipeline.store.usage import rate_limits
from omni_pipeline.store.usage.circuit_breakers import MAX_FAILURES
from omni_pipeline.store.usage.rate_limits import Limit
from omni_pipeline_tests import embedding_server as behave
from omni_pipeline_tests.embedding_server import (
    DIMENSIONS,
    MODEL,
    Behaviour,
    EmbeddingServer,
    Exchange,
)

KEY = "canary-9f8a7b6c5d"
TEXTS = ["alpha one", "beta two"]

QUICK = RetryPolicy(attempts=5, first_seconds=0.01, max_seconds=0.05, total_seconds=10.0)


@dataclass(kw_only=True)
class Runs:
    """Opens the client for one run after another."""

    database: Database
    resources: ExitStack
    server: EmbeddingServer
    arrivals: list[float] = field(default_factory=list)

    def settings(self, *, key: str = KEY, per_minute: int | None = None) -> EmbeddingSettings:
        return EmbeddingSettings(
            base_url=self.server.base_url,
            model=MODEL,
            dimensions=DIMENSIONS,
            api_key=key,
            requests_per_minute=per_minute,
        )

    def open(
        self, *, key: str = KEY, per_minute: int | None = None, max_breaker_seconds: float = 0.0
    ) -> EmbeddingClient:
        settings = self.settings(key=key, per_minute=per_minute)
        session = Session(self.database)
        self.resources.callback(session.close)
        limit = Limit(endpoint=endpoint_of(settings), model=MODEL, requests_per_minute=per_minute)
        throttle = SharedThrottle(session, limit, max_breaker_seconds=max_breaker_seconds)
        client = open_embedding_client(settings, throttle=throttle, retry=QUICK)
        return self.resources.enter_context(client)

    def behave(self, *script: Behaviour, otherwise: Behaviour = behave.ok) -> None:
        """What the endpoint does from now on; ``arrivals`` gets the moment of every call."""

        def noted(behaviour: Behaviour) -> Behaviour:
            def act(exchange: Exchange) -> None:
                self.arrivals.append(time.monotonic())
                behaviour(exchange)

            return act

        self.arrivals.clear()
        self.server.script(map(noted, script), otherwise=noted(otherwise))

    def execute(self, statement: bytes) -> None:
        with self.database.connect() as conn:
            conn.execute(statement)

    def texts_of_breakers(self) -> str:
        with self.database.connect() as conn:
            return str(conn.execute(b"SELECT * FROM provider_breakers").fetchall())

    def let_breaker_rest(self) -> None:
        """The time for which the breaker is open is over."""
        self.execute(b"UPDATE provider_breakers SET opened_until = clock_timestamp()")


@pytest.fixture
def runs(database: Database) -> Iterator[Runs]:
    with EmbeddingServer() as server, ExitStack() as resources:
        yield Runs(database=database, resources=resources, server=server)


def failure_of(act: Callable[[], object]) -> OmniError:
    with pytest.raises(OmniError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return caught.value


def outcome_of(client: EmbeddingClient) -> str:
    """The kind of the error, or fine."""
    try:
        client.embed(TEXTS)
    except OmniError as error:
        return error.kind
    return "fine"


# Too many requests


def test_when_one_run_is_told_to_wait_no_run_asks_before(runs: Runs) -> None:
    """F-C1: the limit is lowered for all; the server sees each run's attempts and no others."""
    runs.behave(behave.throttled(retry_after_ms="700"))
    clients = [runs.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(outcome_of, clients[0])
        while not runs.arrivals:
            time.sleep(0.005)
        time.sleep(0.1)
        outcomes = [*pool.map(outcome_of, clients[1:]), first.result()]
    assert outcomes == ["fine"] * 4
    told, *others = runs.arrivals
    assert len(others) == 4
    assert all(0.7 <= moment - told < 3.0 for moment in others)


def test_a_long_wish_to_be_left_alone_parks_every_run_without_a_request(runs: Runs) -> None:
    """F-C2."""
    runs.behave(otherwise=behave.throttled(retry_after="3600"))
    started = time.monotonic()
    for _ in range(3):
        client = runs.open()
        error = failure_of(lambda client=client: client.embed(TEXTS))  # type: ignore[misc]
        assert isinstance(error, TemporaryError)
        assert error.kind == "throttled"
        assert error.retry_after_seconds is not None
        assert error.retry_after_seconds > 3590
    assert "asked to be left alone until" in str(error)
    assert "is kept" in str(error)
    assert len(runs.arrivals) == 1
    assert time.monotonic() - started < 5


def test_a_429_that_says_no_time_pauses_all_runs_for_a_moment(runs: Runs) -> None:
    runs.behave(behave.throttled())
    assert outcome_of(runs.open()) == "fine"
    assert runs.arrivals[1] - runs.arrivals[0] >= 0.9


def test_the_endpoint_never_sees_more_than_its_limit_and_no_time_is_wasted(runs: Runs) -> None:
    """F-C21: ten runs, 600 requests a minute: 10 a second, and those of a burst."""
    runs.behave()
    clients = [runs.open(per_minute=600) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda client: [outcome_of(client) for _ in range(7)], clients))
    assert outcomes == [["fine"] * 7] * 10
    first, *_, last = runs.arrivals
    for number, moment in enumerate(runs.arrivals, 1):
        assert number <= 50 + 10 * (moment - first) + 2
    assert last - first < (70 - 50) / 10 + 1.5


def test_a_queue_that_is_too_long_is_not_joined(runs: Runs) -> None:
    runs.behave()
    session = Session(runs.database)
    runs.resources.callback(session.close)
    limit = Limit(endpoint="e", model="m", tokens_per_minute=1000)
    throttle = SharedThrottle(session, limit, max_wait_seconds=60.0)
    error = failure_of(lambda: throttle.enter(5_000))
    assert error.kind == "throttled"
    assert "OMNI_EMBEDDING_TOKENS_PER_MINUTE" in str(error)


def test_a_turn_that_a_pause_took_back_is_waited_for_again(runs: Runs) -> None:
    """F-C1: also a run that had its place in the queue asks no earlier than the endpoint wished."""
    session = Session(runs.database)
    runs.resources.callback(session.close)
    limit = Limit(endpoint="e", model="m", requests_per_minute=10)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        if not waits:
            session.run(lambda conn: rate_limits.pause(conn, limit, seconds=40))
        waits.append(seconds)

    throttle = SharedThrottle(session, limit, sleep=sleep)
    throttle.enter(1)
    throttle.enter(1)
    assert waits == pytest.approx([6, 40], abs=1)


# An endpoint that fails


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_after_five_failures_nobody_asks_until_one_probe_has_answered(
    runs: Runs, status: int
) -> None:
    """F-C4."""
    runs.behave(otherwise=behave.failing(status))
    assert outcome_of(runs.open()) == "transient.embed_server"
    assert len(runs.arrivals) == MAX_FAILURES

    others = [runs.open() for _ in range(5)]
    assert [outcome_of(client) for client in others] == ["transient.embed_breaker"] * 5
    assert len(runs.arrivals) == MAX_FAILURES, "the rate while it is open is 0"

    runs.let_breaker_rest()
    assert outcome_of(others[0]) == "transient.embed_breaker"
    assert len(runs.arrivals) == MAX_FAILURES + 1, "one probe, and it opened the breaker again"

    runs.behave()
    runs.let_breaker_rest()
    assert [outcome_of(client) for client in others] == ["fine"] * 5


def test_failures_of_several_runs_count_together(runs: Runs) -> None:
    """F-C4: ten processes need not learn it ten times."""
    runs.behave(otherwise=behave.failing(503))
    with ThreadPoolExecutor(10) as pool:
        outcomes = set(pool.map(outcome_of, [runs.open() for _ in range(10)]))
    assert outcomes <= {"transient.embed_server", "transient.embed_breaker"}
    assert MAX_FAILURES <= len(runs.arrivals) <= MAX_FAILURES + 9, "9 may be under way"


def test_a_run_outlives_an_outage_of_half_a_minute(runs: Runs) -> None:
    """R-A15: it waits for the probe of whoever is first, and goes on."""
    runs.behave(otherwise=behave.failing(503))
    assert outcome_of(runs.open()) == "transient.embed_server"
    runs.behave()
    runs.execute(
        b"UPDATE provider_breakers SET opened_until = clock_timestamp() + interval '0.4 s'"
    )
    clients = [runs.open(max_breaker_seconds=10.0) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(outcome_of, clients)) == ["fine"] * 5


def test_an_endpoint_that_cannot_be_reached_opens_the_breaker_too(runs: Runs) -> None:
    """F-C5."""
    runs.behave(otherwise=behave.cut)
    assert outcome_of(runs.open()) == "transient.embed_unreachable"
    assert outcome_of(runs.open()) == "transient.embed_breaker"


def test_a_refused_text_says_nothing_against_the_endpoint(runs: Runs) -> None:
    """F-C17."""
    runs.behave(otherwise=behave.refusing(lambda text: text == TEXTS[0]))
    for _ in range(MAX_FAILURES):
        assert [one.kind for one in runs.open().embed(TEXTS).refused] == [
            "permanent.input_too_long"
        ]


# What a person must mend


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (
            behave.failing(429, "You exceeded your quota", code="insufficient_quota"),
            "permanent.embed_quota",
            "Add credit",
        ),
        (behave.wrong_key, "permanent.embed_key", "OPENAI_API_KEY"),
    ],
)
def test_ten_runs_ask_an_endpoint_that_refuses_the_account_once(
    runs: Runs, behaviour: Behaviour, kind: str, words: str
) -> None:
    """F-C3, F-C18: all of them are told why, none of them is told the key (S-71)."""
    runs.behave(otherwise=behaviour)
    for _ in range(10):
        client = runs.open()
        error = failure_of(lambda client=client: client.embed(TEXTS))  # type: ignore[misc]
        assert isinstance(error, PermanentError)
        assert error.kind == kind
        assert words in str(error)
        assert KEY not in str(error)
    assert "omni doctor" in str(error)
    assert len(runs.arrivals) == 1
    assert KEY not in runs.texts_of_breakers()


def test_ten_runs_at_the_same_moment_ask_at_most_once_each(runs: Runs) -> None:
    """F-C3."""
    runs.behave(otherwise=behave.failing(429, "no", code="insufficient_quota"))
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(outcome_of, [runs.open() for _ in range(10)]))
    assert outcomes == ["permanent.embed_quota"] * 10
    assert 1 <= len(runs.arrivals) <= 10
    before = len(runs.arrivals)
    assert outcome_of(runs.open()) == "permanent.embed_quota"
    assert len(runs.arrivals) == before


def test_new_runs_pick_up_a_rotated_key_at_once(runs: Runs) -> None:
    """F-C19: the breaker that the old key opened is not in the new one's way."""

    def only_new(exchange: Exchange) -> None:
        is_new = exchange.call.headers["authorization"] == "Bearer new-key-0123456789"
        (behave.ok if is_new else behave.wrong_key)(exchange)

    runs.behave(otherwise=only_new)
    assert outcome_of(runs.open()) == "permanent.embed_key"
    assert outcome_of(runs.open(key="new-key-0123456789")) == "fine"
    assert outcome_of(runs.open()) == "permanent.embed_key"


def test_what_a_person_saw_mended_every_run_may_ask_again(runs: Runs) -> None:
    runs.behave(behave.failing(402), behave.throttled(retry_after="3600"))
    assert outcome_of(runs.open()) == "permanent.embed_quota"
    with runs.database.connect() as conn:
        conn.execute(b"UPDATE provider_breakers SET state = 'closed'")
    assert outcome_of(runs.open()) == "throttled"
    session = Session(runs.database)
    runs.resources.callback(session.close)
    reopen(session, runs.settings())
    assert outcome_of(runs.open()) == "fine"


def test_another_model_than_the_endpoint_has_closes_it_to_nobody(runs: Runs) -> None:
    runs.behave(behave.failing(404, "no such model"))
    assert outcome_of(runs.open()) == "permanent.embed_model"
    assert outcome_of(runs.open()) == "fine"


# Slow, and local


def test_an_endpoint_thirty_times_slower_is_waited_for(runs: Runs) -> None:
    """F-C23: slowness alone is no failure."""

    def slow(exchange: Exchange) -> None:
        time.sleep(0.3)  # a pause would hang up afterwards
        behave.ok(exchange)

    runs.behave(otherwise=slow)
    client = runs.open()
    assert [outcome_of(client) for _ in range(MAX_FAILURES + 1)] == ["fine"] * 6
    assert runs.texts_of_breakers() == "[]"


def test_the_model_inside_the_process_asks_neither_limit_nor_breaker(tmp_path: Path) -> None:
    nowhere = Session(Database(url="postgresql://127.0.0.1:1/none"), retry_seconds=0.0)
    settings = Settings(
        home=tmp_path,
        embedding=EmbeddingSettings(model=f"lexical-hash-{LEXICAL_DIMENSIONS}"),
    )
    with ExitStack() as resources:
        services = ModelServices(settings, nowhere, resources)
        assert services.embed(TEXTS).requests == 1


def test_the_limits_of_an_endpoint_come_from_the_settings(runs: Runs) -> None:
    session = Session(runs.database)
    runs.resources.callback(session.close)
    settings = replace(runs.settings(), requests_per_minute=60, tokens_per_minute=70)
    open_throttle(session, settings, MODEL).enter(5)
    with runs.database.connect() as conn:
        [(endpoint, model)] = conn.execute(b"SELECT endpoint, model FROM rate_limits").fetchall()
    assert model == MODEL
    assert runs.server.base_url in endpoint
    assert KEY not in endpoint
