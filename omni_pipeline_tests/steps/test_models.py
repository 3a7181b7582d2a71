"""Another embedding model: built beside the old one, then flipped to (C5)."""

import numpy as np
import pytest

from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.chunks import stage_chunks
from omni_pipeline.steps.embeddings import embed_and_publish
from omni_pipeline.store import embedding_models, search

from .conftest import DIMENSIONS, Pipeline, vector_of


def build_beside(pipeline: Pipeline) -> None:
    with pipeline.database.connect() as conn:
        other = embedding_models.ensure(conn, name="other", dimensions=DIMENSIONS, is_lexical=False)
    with pipeline.open() as refresh:
        stage_chunks(refresh, other, pipeline.chunker)
        embed_and_publish(refresh, other, pipeline.door)


def answers(pipeline: Pipeline) -> set[int]:
    with pipeline.database.connect() as conn:
        found = search.search(conn, vector_of("water"), most=1000)
    return {answer.chunk_id for answer in found}


def test_a_model_built_beside_is_not_searched_until_it_is_activated(pipeline: Pipeline) -> None:
    pipeline.refresh()
    before = answers(pipeline)
    build_beside(pipeline)
    assert answers(pipeline) == before
    with pipeline.database.connect() as conn:
        embedding_models.activate(conn, "other")
    after = answers(pipeline)
    assert len(after) == len(before)
    assert not after & before
    assert pipeline.violations() == []


def test_an_incomplete_index_is_not_activated(pipeline: Pipeline) -> None:
    pipeline.refresh()
    with pipeline.database.connect() as conn:
        embedding_models.ensure(conn, name="other", dimensions=DIMENSIONS, is_lexical=False)
        with pytest.raises(PermanentError, match="lacks pages"):
            embedding_models.activate(conn, "other")
        with pytest.raises(PermanentError, match="No index was built"):
            embedding_models.activate(conn, "third")
    assert answers(pipeline)


def test_dimensions_are_never_mixed(pipeline: Pipeline) -> None:
    """A14: a vector of another length is refused by the table itself."""
    pipeline.refresh()
    with pipeline.database.connect() as conn, pytest.raises(Exception, match="has_declared"):
        conn.execute(
            b"UPDATE embeddings SET embedding = %s::halfvec",
            (str(np.ones(3).tolist()),),
        )
