"""An answer is used whole or not at all (R-A14, F-C8 to F-C16)."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.embedding.validation import (
    EmbeddingResponse,
    UnusableAnswerError,
    read_answer,
)
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError

TEXTS = ("one", "two", "three")
VECTORS = ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])


def row(index: object, embedding: object) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


def document(rows: object = None, **fields: object) -> dict[str, object]:
    if rows is None:
        rows = [row(index, vector) for index, vector in enumerate(VECTORS)]
    return {"model": "m", "data": rows, "usage": {"total_tokens": 3}, **fields}


def read(answer: object, texts: Sequence[str] = TEXTS) -> EmbeddingResponse:
    return read_answer(answer, texts, model="m", dimensions=2)


def kind_of(answer: object, texts: Sequence[str] = TEXTS) -> str:
    with pytest.raises(OmniError) as caught:
        read(answer, texts)
    assert "\n" not in str(caught.value)
    return caught.value.kind


def in_base64(values: Sequence[float]) -> str:
    return base64.b64encode(np.array(values, dtype="<f4").tobytes()).decode()


@pytest.mark.parametrize("encode", [list, in_base64])
def test_a_whole_answer_is_read(encode: Any) -> None:
    answer = read(document([row(i, encode(v)) for i, v in enumerate(VECTORS)]))
    assert answer.vectors.dtype == np.float32
    assert answer.vectors.tolist() == [list(vector) for vector in VECTORS]
    assert answer.tokens == 3


@given(st.permutations(range(3)))
def test_shuffled_rows_are_put_in_order(order: list[int]) -> None:
    """F-C11."""
    answer = read(document([row(index, VECTORS[index]) for index in order]))
    assert answer.vectors.tolist() == [list(vector) for vector in VECTORS]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(0, VECTORS[0]), row(1, VECTORS[1])],
        [row(i, [1.0, 0.0]) for i in range(4)],
        [row(min(i, 2), [1.0, 0.0]) for i in range(4)],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(1, VECTORS[2])],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(3, VECTORS[2])],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(None, VECTORS[2])],
        [row(index=False, embedding=VECTORS[0]), row(1, VECTORS[1]), row(2, VECTORS[2])],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), "third"],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, None)],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, "no base64!")],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, "AAAA")],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, "AACA!PwAAgD8=")],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, [[1.0], [2.0]])],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, ["x", "y"])],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, {"a": 1})],
        [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, [[1.0], 2.0])],
    ],
)
def test_rows_that_do_not_fit_the_texts_refuse_the_answer(rows: list[object]) -> None:
    """F-C9, F-C10, F-C12."""
    assert kind_of(document(rows)) == "transient.embed_shape"


@pytest.mark.parametrize("encode", [list, in_base64])
@pytest.mark.parametrize(
    "vector", [[np.nan, 1], [1, np.inf], [-np.inf, 1], [0.0, 0.0], [7e4, 1], [1e-9, 0]]
)
def test_a_vector_that_cannot_be_compared_or_stored_leaves_the_others(
    vector: list[float], encode: Any
) -> None:
    """F-C13, F-C14: in half precision, 70,000 is infinite and 1e-9 is nothing."""
    rows = [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, encode(vector))]
    answer = read(document(rows))
    assert list(answer.unusable) == [2]
    assert np.isnan(answer.vectors[2]).all()
    assert answer.vectors[:2].tolist() == [list(vector) for vector in VECTORS[:2]]


def test_rows_without_any_index_are_in_the_order_of_the_texts() -> None:
    """Some endpoints number nothing."""
    answer = read(document([{"embedding": list(vector)} for vector in VECTORS]))
    assert answer.vectors.tolist() == [list(vector) for vector in VECTORS]


@pytest.mark.parametrize("number", [1e39, -1e300, 10**400])
def test_a_number_too_large_for_float32_is_not_used(number: float) -> None:
    """F-C13."""
    rows = [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, [number, 1.0])]
    with suppress(UnusableAnswerError):
        assert list(read(document(rows)).unusable) == [2]


@pytest.mark.parametrize("vector", [[1.0], [1.0, 0.0, 0.0], []])
def test_another_dimension_is_permanent_also_for_one_vector_of_many(vector: list[float]) -> None:
    """F-C15."""
    rows = [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, vector)]
    assert kind_of(document(rows)) == "permanent.embed_dims"


@pytest.mark.parametrize("answer", [None, [], "x", 3, {}, {"data": None}, {"data": {}}])
def test_json_that_is_no_answer_may_be_one_later(answer: object) -> None:
    """F-C8."""
    assert kind_of(answer) == "transient.embed_answer"


def test_one_vector_for_different_texts_refuses_the_answer() -> None:
    """F-C14."""
    rows = [row(index, [1.0, 0.0]) for index in range(2)]
    assert kind_of(document(rows), ["a cat", "a dog"]) == "transient.embed_vector"


@pytest.mark.parametrize(
    "texts", [("Same", "same"), ("a  b", "b a"), ("…", "!!"), ("x" * 200, "y" * 200), ("one",)]
)
def test_one_vector_may_stand_for_texts_that_a_model_may_not_tell_apart(
    texts: tuple[str, ...],
) -> None:
    answer = read(document([row(i, [1.0, 0.0]) for i in range(len(texts))]), texts)
    assert len(answer.vectors) == len(texts)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("text-embedding-ada-002", "text-embedding-ada-002-v2"),
        ("BAAI/bge-m3", "bge-m3"),
        ("nomic-embed-text", "nomic-embed-text:latest"),
        ("m", ""),
        ("m", None),
    ],
)
def test_a_models_name_may_come_back_dressed_up(asked: str, answered: object) -> None:
    """F-C16."""
    read_answer(document(model=answered), TEXTS, model=asked, dimensions=2)


def test_an_answer_of_another_model_is_refused() -> None:
    """F-C16."""
    with pytest.raises(PermanentError, match="OMNI_EMBEDDING_MODEL") as caught:
        read_answer(
            document(model="text-embedding-3-large"),
            TEXTS,
            model="text-embedding-3-small",
            dimensions=2,
        )
    assert caught.value.kind == "permanent.embed_model"


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": -1}, {"total_tokens": "9"}, 7])
def test_an_answer_without_usable_usage_is_still_an_answer(usage: object) -> None:
    assert read(document(usage=usage)).tokens is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(json_values, json_values)
def test_no_json_at_all_makes_it_fail_in_another_way(embedding: object, usage: object) -> None:
    rows = [row(0, VECTORS[0]), row(1, VECTORS[1]), row(2, embedding)]
    with suppress(TemporaryError, PermanentError):
        read(document(rows, usage=usage))
