"""Vectors of words: honest ones, for they stand in an index like any other (R-A14)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.embedding.lexical_vectors import LEXICAL_DIMENSIONS, lexical_vector


@given(st.text())
def test_every_text_has_a_unit_vector(text: str) -> None:
    vector = lexical_vector(text)
    assert vector.shape == (LEXICAL_DIMENSIONS,)
    assert vector.dtype == np.float32
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5


def test_vectors_are_the_same_on_every_machine() -> None:
    """They are compared with vectors that were stored long ago."""
    nonzero = np.flatnonzero(lexical_vector("csv"))
    assert nonzero.tolist() == [83, 149, 192, 305]


def test_texts_that_share_words_are_nearer_than_texts_that_do_not() -> None:
    question = lexical_vector("how do I read a csv file")
    near = lexical_vector("The csv module reads and writes CSV files.")
    far = lexical_vector("Sockets connect two hosts over a network.")
    assert question @ near > question @ far + 0.1


def test_parts_of_words_count() -> None:
    assert lexical_vector("embedding") @ lexical_vector("embeddings") > 0.5
