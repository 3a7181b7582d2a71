"""The client against an endpoint that fails in every way we know of (R-A7, R-A14, R-A15, R-A16)."""

import os
import resource
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest

from omni_pipeline.errors import OmniError, PermanentError, SettingsError, TemporaryError
from omni_pipeline.gateways.embedding.client import (
    MAX_UNUSABLE,
    REQUEST_ITEMS,
    EmbeddingClient,
    open_embedding_client,
)
from omni_pipeline.gateways.embedding.installed import load_tokenizer, resolve_model
from omni_pipeline.gateways.embedding.results import SUSPICIOUS_REFUSALS
from omni_pipeline.gateways.embedding.retry_policy import RetryPolicy
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline_tests import embedding_server as behave
from omni_pipeline_tests.embedding_server import Behaviour, EmbeddingServer, vector_of

KEY = "canary-9f8a7b6c5d"
TEXTS = ["alpha one", "beta two", "gamma three", "delta four"]

QUICK = RetryPolicy(attempts=2, first_seconds=0.01, max_seconds=2.0, total_seconds=10.0)


def settings_of(server: EmbeddingServer) -> EmbeddingSettings:
    return EmbeddingSettings(
        base_url=server.base_url, model=server.model, dimensions=server.dimensions, api_key=KEY
    )


@contextmanager
def client_to(
    *script: Behaviour,
    otherwise: Behaviour = behave.ok,
    retry: RetryPolicy = QUICK,
    deadline_seconds: float = 5.0,
) -> Iterator[tuple[EmbeddingClient, EmbeddingServer]]:
    with (
        EmbeddingServer(script, otherwise=otherwise) as server,
        open_embedding_client(
            settings_of(server), retry=retry, deadline_seconds=deadline_seconds
        ) as client,
    ):
        yield client, server


def failure_of(behaviour: Behaviour, *, deadline_seconds: float = 5.0) -> tuple[OmniError, int]:
    """The error after an endpoint that does this for ever, and how often it was asked."""
    with (
        client_to(otherwise=behaviour, deadline_seconds=deadline_seconds) as (client, server),
        pytest.raises(OmniError) as caught,
    ):
        client.embed(TEXTS)
    assert "\n" not in str(caught.value)
    return caught.value, len(server.calls)


def assert_vectors_belong_to(texts: list[str], vectors: np.ndarray) -> None:
    assert vectors.dtype == np.float32
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_array_equal(vector, vector_of(text))


@pytest.mark.parametrize("behaviour", [behave.ok, behave.as_numbers, behave.shuffled])
def test_each_text_gets_its_own_vector(behaviour: Behaviour) -> None:
    """F-C11: also when the endpoint answers in another order, or not in base64."""
    with client_to(otherwise=behaviour) as (client, server):
        embedded = client.embed(TEXTS)
    np.testing.assert_allclose(embedded.vectors, [vector_of(text) for text in TEXTS], rtol=1e-6)
    assert embedded.tokens_billed == 8
    assert embedded.requests == 1
    assert embedded.refused == ()
    assert server.calls[0].path == "/v1/embeddings"
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.calls[0].body["encoding_format"] == "base64"
    assert "dimensions" not in server.calls[0].body


def test_many_texts_go_in_few_requests_and_come_back_in_order() -> None:
    texts = [f"text number {number}" for number in range(2 * REQUEST_ITEMS + 3)]
    with client_to() as (client, server):
        embedded = client.embed(texts, tokens=[5] * len(texts))
    assert_vectors_belong_to(texts, embedded.vectors)
    assert [len(call.texts) for call in server.calls] == [REQUEST_ITEMS, REQUEST_ITEMS, 3]
    assert server.texts == texts


def test_long_texts_share_a_request_only_as_far_as_its_tokens_go() -> None:
    with client_to() as (client, server):
        client.embed(TEXTS, tokens=[20_000, 10_000, 5_000, 100_000])
    assert [len(call.texts) for call in server.calls] == [2, 1, 1]


def test_no_texts_are_no_request() -> None:
    with client_to() as (client, server):
        assert client.embed([]).vectors.shape == (0, server.dimensions)
    assert server.calls == []


def test_a_text_with_half_a_character_does_not_fail_its_neighbours() -> None:
    with client_to() as (client, server):
        client.embed(["fine", "cut \ud83d"])
    assert server.texts == ["fine", "cut ?"]


def test_fewer_dimensions_are_asked_for_where_the_model_can_shorten() -> None:
    with (
        EmbeddingServer(model="text-embedding-3-small", dimensions=64) as server,
        open_embedding_client(settings_of(server), retry=QUICK) as client,
    ):
        assert client.embed(TEXTS).vectors.shape == (4, 64)
    assert server.calls[0].body["dimensions"] == 64


# Failures that pass ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        behave.failing(500),
        behave.failing(502),
        behave.failing(503),
        behave.failing(529),
        behave.failing(408),
        behave.throttled(retry_after="0"),
        behave.cut,
        behave.login_page,
        behave.short,
        behave.one_too_many,
        behave.doubled_index,
        behave.poisoned(float("nan")),
        behave.zeros,
        behave.identical,
    ],
)
def test_a_failure_that_passes_costs_one_more_request(behaviour: Behaviour) -> None:
    """F-C4, F-C8 to F-C14: nothing of the bad answer is used, everything of the next one is."""
    with client_to(behaviour) as (client, server):
        embedded = client.embed(TEXTS)
    assert_vectors_belong_to(TEXTS, embedded.vectors)
    assert embedded.requests == len(server.calls) == 2


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (behave.failing(500), "transient.embed_server"),
        (behave.throttled(retry_after="0"), "throttled"),
        (behave.cut, "transient.embed_unreachable"),
        (behave.login_page, "transient.embed_answer"),
    ],
)
def test_a_failure_that_stays_is_temporary_and_ends_after_the_attempts(
    behaviour: Behaviour, kind: str
) -> None:
    """F-C4, F-C8 to F-C14: the server sees our attempts and not the library's on top of them."""
    error, calls = failure_of(behaviour)
    assert isinstance(error, TemporaryError)
    assert (error.kind, calls) == (kind, QUICK.attempts)


@pytest.mark.parametrize(
    "behaviour",
    [behave.short, behave.one_too_many, behave.doubled_index, behave.identical, behave.all_zeros],
)
def test_answers_that_are_paid_for_and_useless_are_not_bought_without_end(
    behaviour: Behaviour,
) -> None:
    """F-C9 to F-C14: a few, and then a person must act."""
    patient = replace(QUICK, attempts=9)
    with (
        client_to(*[behaviour] * 9, retry=patient) as (client, server),
        pytest.raises(PermanentError, match="the bill") as caught,
    ):
        client.embed(TEXTS)
    assert (caught.value.kind, len(server.calls)) == ("permanent.embed_unusable", MAX_UNUSABLE)


@pytest.mark.parametrize(
    "behaviour",
    [
        behave.poisoned(float("nan")),
        behave.poisoned(float("nan"), as_base64=False),
        behave.poisoned(float("inf")),
        behave.poisoned(1e39, as_base64=False),
        behave.poisoned(7e4),
        behave.tiny,
        behave.zeros,
    ],
)
def test_a_vector_that_cannot_be_kept_does_not_cost_the_others_theirs(
    behaviour: Behaviour,
) -> None:
    """F-C13, F-C14: asked for twice, then refused by itself."""
    with client_to(*[behaviour] * 3) as (client, server):
        embedded = client.embed(TEXTS)
    [refusal] = embedded.refused
    assert refusal.kind == "permanent.embed_vector"
    assert np.isnan(embedded.vectors).any(axis=1).sum() == 1
    others = [n for n in range(len(TEXTS)) if n != refusal.index]
    assert_vectors_belong_to([TEXTS[n] for n in others], embedded.vectors[others])
    assert [len(call.texts) for call in server.calls] == [len(TEXTS), 1]


def test_an_endpoint_without_base64_is_asked_for_numbers_from_then_on() -> None:
    with client_to(*[behave.without_base64] * 9) as (client, server):
        for _ in range(2):
            assert_vectors_belong_to(TEXTS, client.embed(TEXTS).vectors)
    formats = [call.body["encoding_format"] for call in server.calls]
    assert formats == ["base64", "float", "float"]


def test_an_endpoint_that_numbers_nothing_is_understood() -> None:
    with client_to(behave.without_index) as (client, _):
        assert_vectors_belong_to(TEXTS, client.embed(TEXTS).vectors)


def test_an_answer_with_many_headers_is_read() -> None:
    with client_to(behave.with_headers(160_000)) as (client, _):
        assert_vectors_belong_to(TEXTS, client.embed(TEXTS).vectors)


def test_an_answer_that_is_no_http_is_bought_once() -> None:
    with (
        client_to(*[behave.with_headers(2_000_000)] * 9) as (client, server),
        pytest.raises(PermanentError, match="no HTTP"),
    ):
        client.embed(TEXTS)
    assert len(server.calls) == 1


def test_retry_after_is_kept_and_not_overslept() -> None:
    """F-C1."""
    with client_to(behave.throttled(retry_after="1")) as (client, server):
        started = time.monotonic()
        client.embed(TEXTS)
    assert 1.0 <= time.monotonic() - started < 2.5
    assert len(server.calls) == 2


def test_retry_after_may_come_in_milliseconds() -> None:
    with client_to(behave.throttled(retry_after_ms="300")) as (client, _):
        started = time.monotonic()
        client.embed(TEXTS)
    assert 0.3 <= time.monotonic() - started < 1.5


@pytest.mark.parametrize("wish", ["3600", "Sun, 22 Nov 2093 02:00:00 GMT"])
def test_a_long_retry_after_is_handed_on_instead_of_slept_through(wish: str) -> None:
    """F-C2."""
    started = time.monotonic()
    error, calls = failure_of(behave.throttled(retry_after=wish))
    assert time.monotonic() - started < 3.0
    assert isinstance(error, TemporaryError)
    assert (error.kind, calls) == ("throttled", 1)
    assert error.retry_after_seconds is not None
    assert error.retry_after_seconds >= 3600


def test_pauses_double_are_jittered_and_end() -> None:
    policy = RetryPolicy()
    error = TemporaryError("no")
    for attempt, longest in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0)]:
        waits = {policy.wait_seconds(attempt, error, spent_seconds=0.0) for _ in range(50)}
        assert None not in waits
        assert len(waits) > 10
        assert all(wait and longest / 2 <= wait <= longest for wait in waits)
    assert policy.wait_seconds(5, error, spent_seconds=0.0) is None
    patient = TemporaryError("no", retry_after_seconds=60.0)
    assert policy.wait_seconds(1, patient, spent_seconds=0.0) is not None
    impatient = TemporaryError("no", retry_after_seconds=61.0)
    assert policy.wait_seconds(1, impatient, spent_seconds=0.0) is None
    assert policy.wait_seconds(1, error, spent_seconds=180.0) is None


def test_a_closed_port_is_temporary_and_named() -> None:
    """F-C5."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = EmbeddingSettings(
        base_url=f"http://127.0.0.1:{port}/v1", model="m", dimensions=8, api_key=KEY
    )
    with (
        open_embedding_client(settings, retry=QUICK) as client,
        pytest.raises(TemporaryError, match=f"127.0.0.1:{port}.*could not be reached") as caught,
    ):
        client.probe()
    assert caught.value.kind == "transient.embed_unreachable"


@pytest.mark.parametrize("base_url", ["https://nowhere.invalid/v1", "https://127.0.0.1:{port}/v1"])
def test_a_name_that_does_not_resolve_and_a_broken_handshake_are_temporary(base_url: str) -> None:
    """F-C5: DNS and TLS."""
    with EmbeddingServer() as server:  # speaks no TLS
        port = urlsplit(server.base_url).port
        settings = replace(settings_of(server), base_url=base_url.format(port=port))
        with (
            open_embedding_client(settings, retry=QUICK) as client,
            pytest.raises(TemporaryError, match="could not be reached") as caught,
        ):
            client.embed(TEXTS)
    assert caught.value.kind == "transient.embed_unreachable"
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


# The clock and the size --------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [behave.silent, behave.dripping_body, behave.dripping_head])
def test_an_answer_that_does_not_end_is_cut_off_by_the_clock(behaviour: Behaviour) -> None:
    """F-C6, F-C7: the library's own timeout is per read, which a drip outlives."""
    started = time.monotonic()
    error, calls = failure_of(behaviour, deadline_seconds=0.3)
    assert time.monotonic() - started < 0.3 * QUICK.attempts + 1.5
    assert (error.kind, calls) == ("transient.embed_timeout", QUICK.attempts)


def test_an_answer_without_end_is_cut_off_by_its_size() -> None:
    """F-C22: at most 32 MiB are read, once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error, calls = failure_of(behave.endless)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (error.kind, calls) == ("permanent.embed_answer", 1)
    assert grown < 100


def test_a_compressed_answer_is_not_inflated() -> None:
    """S-45: nobody asked for it, and three layers of it are a bomb."""
    error, _ = failure_of(behave.compressed)
    assert error.kind == "permanent.embed_answer"


# Failures that stay ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "kind", "remedy"),
    [
        (behave.wrong_key, "permanent.embed_key", "OPENAI_API_KEY"),
        (behave.failing(403), "permanent.embed_key", "OPENAI_API_KEY"),
        (behave.failing(402), "permanent.embed_quota", "credit"),
        (
            behave.failing(429, "You exceeded your quota", code="insufficient_quota"),
            "permanent.embed_quota",
            "credit",
        ),
        (behave.failing(404), "permanent.embed_model", "OMNI_EMBEDDING_MODEL"),
        (behave.failing(405), "permanent.embed_request", "OMNI_EMBEDDING_BASE_URL"),
        (behave.wrong_dimensions, "permanent.embed_dims", "OMNI_EMBEDDING_DIMENSIONS"),
        (behave.mixed_dimensions, "permanent.embed_dims", "OMNI_EMBEDDING_DIMENSIONS"),
        (behave.from_model("bge-m3"), "permanent.embed_model", "bge-m3"),
    ],
)
def test_what_a_person_must_mend_is_asked_once_and_says_what(
    behaviour: Behaviour, kind: str, remedy: str
) -> None:
    """F-C3, F-C15, F-C16, F-C18."""
    error, calls = failure_of(behaviour)
    assert isinstance(error, PermanentError)
    assert (error.kind, calls) == (kind, 1)
    assert remedy in str(error)


def test_a_redirect_is_not_followed() -> None:
    """F-C20: the key goes to no second host."""
    with EmbeddingServer() as other:
        error, calls = failure_of(behave.redirect(f"{other.base_url}/embeddings"))
    assert (error.kind, calls) == ("permanent.config", 1)
    assert other.calls == []


# Inputs that are refused -------------------------------------------------------------------------


def test_one_text_that_is_too_long_does_not_cost_the_others_their_vectors() -> None:
    """F-C17."""
    texts = [f"text {number}" for number in range(REQUEST_ITEMS)]
    texts[37] = "far too long"
    with client_to(otherwise=behave.refusing(lambda text: text == texts[37])) as (client, server):
        embedded = client.embed(texts)
    (refusal,) = embedded.refused
    assert (refusal.index, refusal.kind) == (37, "permanent.input_too_long")
    assert "input is too long" in refusal.reason
    assert np.isnan(embedded.vectors[37]).all()
    assert_vectors_belong_to(texts[:37], embedded.vectors[:37])
    assert_vectors_belong_to(texts[38:], embedded.vectors[38:])
    assert embedded.requests == len(server.calls) == 13  # 6 halvings of 64


def test_what_was_answered_before_a_failure_is_handed_over_with_it() -> None:
    """F-C17: halves of a refused batch are paid for one by one; one that fails loses no other."""
    texts = [f"text {number}" for number in range(8)]
    refusing = behave.refusing(lambda text: text == texts[7])
    with client_to(refusing, behave.ok, otherwise=behave.failing(401, "no such key")) as (
        client,
        _,
    ):
        embedded = client.embed(texts)
    assert_vectors_belong_to(texts[:4], embedded.vectors[:4])
    assert np.isnan(embedded.vectors[4:]).all()
    assert (embedded.tokens_billed, embedded.refused) == (8, ())
    assert embedded.failure is not None
    assert embedded.failure.kind == "permanent.embed_key"


def test_several_refused_texts_are_all_found() -> None:
    """F-C17."""
    texts = [f"text {number}" for number in range(20)]
    with client_to(otherwise=behave.refusing(lambda text: text.endswith("3"))) as (client, _):
        embedded = client.embed(texts)
    assert [refusal.index for refusal in embedded.refused] == [3, 13]
    assert np.isnan(embedded.vectors).any(axis=1).sum() == 2


def test_an_endpoint_that_refuses_everything_is_not_asked_about_every_text() -> None:
    texts = [f"text {number}" for number in range(REQUEST_ITEMS)]
    with (
        client_to(otherwise=behave.failing(400, "unknown parameter")) as (client, server),
        pytest.raises(PermanentError, match="unknown parameter") as caught,
    ):
        client.embed(texts)
    assert caught.value.kind == "permanent.embed_request"
    assert len(server.calls) < 4 * SUSPICIOUS_REFUSALS


# Before work starts ------------------------------------------------------------------------------


def test_the_probe_is_one_tiny_request() -> None:
    """R-A16."""
    with client_to() as (client, server):
        client.probe()
    assert len(server.calls) == 1
    assert sum(map(len, server.texts)) < 100


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (behave.wrong_key, "permanent.embed_key"),
        (behave.wrong_dimensions, "permanent.embed_dims"),
        (behave.from_model("other"), "permanent.embed_model"),
        (behave.identical, "transient.embed_vector"),
        (behave.failing(400, "no such model"), "permanent.embed_request"),
        (behave.failing(500), "transient.embed_server"),
    ],
)
def test_the_probe_finds_what_would_fail_the_refresh(behaviour: Behaviour, kind: str) -> None:
    """R-A16."""
    with client_to(otherwise=behaviour) as (client, server), pytest.raises(OmniError) as caught:
        client.probe()
    assert caught.value.kind == kind
    assert len(server.calls) <= 2


def test_the_probe_does_not_insist() -> None:
    """R-A16: it is there to fail fast."""
    patient = RetryPolicy(attempts=5, first_seconds=0.01)
    with client_to(otherwise=behave.failing(500), retry=patient) as (client, server):
        with pytest.raises(TemporaryError):
            client.probe()
        assert len(server.calls) == 2


def test_settings_that_name_no_model_are_refused_before_anything_is_asked() -> None:
    with EmbeddingServer() as server:
        settings = replace(settings_of(server), dimensions=None)
        with pytest.raises(SettingsError, match="OMNI_EMBEDDING_DIMENSIONS"):
            open_embedding_client(settings)
    assert server.calls == []


def test_an_endpoint_without_login_needs_no_key() -> None:
    with (
        EmbeddingServer() as server,
        open_embedding_client(replace(settings_of(server), api_key=None), retry=QUICK) as client,
    ):
        client.probe()
    assert len(server.calls) == 1


def test_tokens_of_an_endpoints_model_are_counted_by_name() -> None:
    """R-A13."""
    model = resolve_model(EmbeddingSettings(api_key=KEY, model="text-embedding-3-large"))
    assert load_tokenizer(model) == "text-embedding-3-small"


# Secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        behave.wrong_key,
        behave.failing(500, f"trace: key={KEY}"),
        behave.failing(400, f"Bearer {KEY} said no"),
        behave.from_model("other"),
        behave.silent,
    ],
)
def test_the_key_is_in_no_message_traceback_or_local_variable(behaviour: Behaviour) -> None:
    """S-71."""
    with (
        client_to(otherwise=behaviour, deadline_seconds=0.3) as (client, _),
        pytest.raises(OmniError) as caught,
    ):
        client.probe()
    error = caught.value
    assert error.__traceback__ is not None
    below_this_test = error.__traceback__.tb_next
    report = traceback.TracebackException(type(error), error, below_this_test, capture_locals=True)
    assert KEY not in "".join(report.format())
    assert KEY not in f"{client!r} {vars(client)!r}"


def test_the_address_and_key_of_the_environment_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S-72: the library would obey both without a word."""
    with EmbeddingServer() as chosen, EmbeddingServer() as attacker:
        monkeypatch.setenv("OPENAI_BASE_URL", attacker.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
        settings = replace(settings_of(chosen), api_key=None)
        with open_embedding_client(settings, retry=QUICK) as client:
            client.probe()
    assert attacker.calls == []
    assert "from-the-environment" not in str(chosen.calls[0].headers)


def test_the_librarys_debug_log_shows_neither_key_nor_text() -> None:
    """S-73: measured so with openai 3.54; it may change."""
    code = (
        "from omni_pipeline.gateways.embedding.client import open_embedding_client\n"
        "from omni_pipeline.settings import read_settings\n"
        "with open_embedding_client(read_settings().embedding) as client:\n"
        "    client.embed(['a-private-text'])\n"
    )
    with EmbeddingServer() as server:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "OPENAI_LOG": "debug",
                "OPENAI_API_KEY": KEY,
                "OMNI_EMBEDDING_BASE_URL": server.base_url,
                "OMNI_EMBEDDING_MODEL": server.model,
                "OMNI_EMBEDDING_DIMENSIONS": str(server.dimensions),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert server.texts == ["a-private-text"]
    assert "DEBUG" in ran.stderr
    assert KEY not in ran.stdout + ran.stderr
    assert "a-private-text" not in ran.stdout + ran.stderr
