"""HNSW: fast whole-index searches that hardly miss anything, exact ones of a single domain."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.search.query import Scope
from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.store.index import chunks, embeddings, hnsw_indexes
from omni_pipeline.store.index.embedding_models import StoredModel, activate, ensure
from omni_pipeline.store.index.retrieval import search
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import (
    CHUNKER,
    Run,
    claim_domain,
    count,
    new_revision,
    register,
)

DIMENSIONS = 32
CHUNKS = 4000
CLUSTERS = 40
QUESTIONS = 50


def clustered(chance: np.random.Generator, rows: int) -> NDArray[np.float32]:
    """Vectors around a few centers, as texts lie around topics."""
    centers = np.random.default_rng(5).standard_normal((CLUSTERS, DIMENSIONS))
    near = centers[chance.integers(CLUSTERS, size=rows)]
    return (near + 0.5 * chance.standard_normal((rows, DIMENSIONS))).astype(np.float32)


def fill(conn: Connection, model: StoredModel, host: str, vectors: NDArray[np.float32]) -> None:
    """Publish one page whose chunks have these vectors."""
    register(conn, host)
    run = Run(conn=conn, claim=claim_domain(conn, host), model=model)
    texts = [f"{host} {number}" for number in range(len(vectors))]
    (page,) = run.save_pages("p")
    with run.fenced():
        revision = new_revision(page, texts)
        chunks.stage(conn, run.claim, [revision], model_id=model.id, chunker=CHUNKER)
        hashes = [text_hash(text) for text in texts]
        embeddings.stage(conn, run.claim, model, hashes, vectors)
        chunks.publish(conn, run.claim, run.staged_ids())


def make_model(conn: Connection, name: str = "clustered") -> StoredModel:
    return ensure(conn, name=name, dimensions=DIMENSIONS, is_lexical=False)


def exact(conn: Connection, vector: NDArray[np.float32], *, limit: int) -> list[int]:
    rows = conn.execute(
        "SELECT chunk_id FROM embeddings ORDER BY embedding <=> %s, chunk_id LIMIT %s",
        [HalfVector(vector), limit],
    )
    return [chunk_id for (chunk_id,) in rows]


def index_scans(conn: Connection, model: StoredModel) -> int:
    conn.execute("SELECT pg_stat_force_next_flush()")
    query = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s"
    return count(conn, query, hnsw_indexes.index_name(model.id))


def found(
    conn: Connection, vector: NDArray[np.float32], *, limit: int, host: str | None = None
) -> list[int]:
    return [answer.chunk_id for answer in search(conn, vector, limit=limit, scope=Scope(host=host))]


@pytest.fixture
def model(connection: Connection) -> StoredModel:
    """A large domain and a small one whose topics are elsewhere."""
    model = make_model(connection)
    chance = np.random.default_rng(7)
    fill(connection, model, "large.test", clustered(chance, CHUNKS))
    fill(connection, model, "small.test", -clustered(chance, 60))
    connection.execute("ANALYZE embeddings")
    return model


def test_recall_is_high_and_the_answers_are_sorted_exactly(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    """R-C5: at least 0.95 of what an exact scan finds."""
    assert hnsw_indexes.build(database, model)
    questions = clustered(np.random.default_rng(9), QUESTIONS)
    before = index_scans(connection, model)
    hits = 0
    for question in questions:
        answers = search(connection, question, limit=10)
        distances = [answer.distance or 0.0 for answer in answers]
        assert distances == sorted(distances)
        hits += len({a.chunk_id for a in answers} & set(exact(connection, question, limit=10)))
    assert index_scans(connection, model) - before == QUESTIONS
    assert hits / (10 * QUESTIONS) >= 0.95, hits


def test_a_search_that_asks_for_many_gets_as_many(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    """Without iterative scans an HNSW index would stop at ef_search rows."""
    hnsw_indexes.build(database, model)
    [question] = clustered(np.random.default_rng(9), 1)
    before = index_scans(connection, model)
    assert len(found(connection, question, limit=150)) == 150
    assert index_scans(connection, model) == before + 1


def test_a_search_of_one_domain_is_exact(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    """The index would hardly find a small domain's chunks far from the question."""
    [question] = clustered(np.random.default_rng(9), 1)
    expected = found(connection, question, limit=20, host="small.test")
    hnsw_indexes.build(database, model)
    before = index_scans(connection, model)
    assert found(connection, question, limit=20, host="small.test") == expected
    assert len(expected) == 20
    assert index_scans(connection, model) == before


@pytest.mark.parametrize("max_scanned", [1, 20_000])
def test_a_large_scope_has_as_many_answers_as_were_asked_for(
    database: Database, connection: Connection, model: StoredModel, max_scanned: int
) -> None:
    """R-C4: where the index finds too few of the scope, the search is exact after all.

    All of the scope are asked for: of fewer the index may find enough that are not the nearest.
    """
    [question] = clustered(np.random.default_rng(9), 1)
    expected = found(connection, question, limit=60, host="small.test")
    hnsw_indexes.build(database, model)
    connection.execute(
        "CREATE OR REPLACE FUNCTION is_small(scope search_scope) RETURNS boolean "
        "LANGUAGE sql STABLE RETURN false"
    )
    connection.execute("SELECT set_config('hnsw.max_scan_tuples', %s, false)", [str(max_scanned)])
    before = index_scans(connection, model)
    assert found(connection, question, limit=60, host="small.test") == expected
    assert index_scans(connection, model) == before + 1


def test_what_leaves_and_comes_after_the_build_is_searched_as_it_is(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    hnsw_indexes.build(database, model)
    new = -3 * clustered(np.random.default_rng(11), 1)
    fill(connection, model, "new.test", new)
    [newest, *_] = search(connection, new[0], limit=5)
    assert newest.host == "new.test"
    domains.remove(connection, "new.test")
    assert newest.chunk_id not in found(connection, new[0], limit=5)


def test_each_model_has_an_index_of_its_own_and_only_the_active_ones_is_asked(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    other = make_model(connection, "other")
    hnsw_indexes.build(database, model)
    hnsw_indexes.build(database, other)
    [question] = clustered(np.random.default_rng(9), 1)
    activate(connection, "other", accept_losses=True)
    assert found(connection, question, limit=5) == []
    activate(connection, model.name, accept_losses=True)
    assert len(found(connection, question, limit=5)) == 5


def test_an_index_that_was_not_finished_is_not_used_and_is_built_again(
    database: Database, connection: Connection, model: StoredModel
) -> None:
    hnsw_indexes.build(database, model)
    connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
        [hnsw_indexes.index_name(model.id)],
    )
    [question] = clustered(np.random.default_rng(9), 1)
    before = index_scans(connection, model)
    assert found(connection, question, limit=10) == exact(connection, question, limit=10)
    assert index_scans(connection, model) == before
    assert hnsw_indexes.build(database, model)
    index = hnsw_indexes.find(connection, model.id)
    assert index is not None
    assert index.is_valid


def test_the_same_index_is_built_once_and_other_options_replace_it(
    database: Database, connection: Connection
) -> None:
    model = make_model(connection)
    assert hnsw_indexes.find(connection, model.id) is None
    assert hnsw_indexes.build(database, model)
    assert not hnsw_indexes.build(database, model)
    assert hnsw_indexes.build(database, model, m=8, ef_construction=32)
    index = hnsw_indexes.find(connection, model.id)
    assert index is not None
    assert (index.is_valid, index.options) == (True, ["m=8", "ef_construction=32"])
    assert hnsw_indexes.drop(database, model.id)
    assert not hnsw_indexes.drop(database, model.id)


def test_two_index_builds_do_not_meet(database: Database, connection: Connection) -> None:
    model = make_model(connection)
    connection.execute("SELECT pg_advisory_lock(hashtextextended('hnsw_indexes', 0))")
    with pytest.raises(TemporaryError, match="being built or dropped"):
        hnsw_indexes.build(database, model)


def test_options_that_pgvector_refuses_are_refused_with_the_remedy(
    database: Database, connection: Connection
) -> None:
    model = make_model(connection)
    with pytest.raises(PermanentError, match="Say --ef-construction 64"):
        hnsw_indexes.build(database, model, m=32, ef_construction=40)


@pytest.mark.parametrize(
    ("version", "is_fit"),
    [("0.8.4", True), ("0.8.10", True), ("0.9.0", True), ("0.8.3", False), ("0.8", False)],
)
def test_an_old_pgvector_is_refused_with_the_remedy(version: str, *, is_fit: bool) -> None:
    complaint = hnsw_indexes.find_complaint(version)
    assert (complaint is None) == is_fit
    if complaint:
        assert "ALTER EXTENSION vector UPDATE" in complaint
