"""Embedding models: the first is active at once, others are built beside it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import Connection

from omni_pipeline.errors import PermanentError
from omni_pipeline.store import embedding_models
from omni_pipeline.store.embedding_models import (
    ModelOverview,
    StoredModel,
    activate,
    ensure,
    find_active,
)
from omni_pipeline_tests.store.conftest import Run, start_run, wait_until_blocked


def ensure_named(conn: Connection, name: str, dimensions: int = 8) -> StoredModel:
    return ensure(conn, name=name, dimensions=dimensions, is_lexical=False)


def test_the_first_model_of_all_is_active_and_later_ones_are_being_built(conn: Connection) -> None:
    """C5"""
    assert find_active(conn) is None
    first = ensure_named(conn, "first")
    assert (first.status, first.name, first.dimensions) == ("active", "first", 8)
    assert ensure_named(conn, "second").status == "building"
    assert find_active(conn) == first


def test_a_model_is_known_by_its_name_and_its_dimensions(conn: Connection) -> None:
    """A7: a model asked for fewer dimensions gives other vectors."""
    first = ensure_named(conn, "first")
    assert ensure_named(conn, "first") == first
    shortened = ensure_named(conn, "first", dimensions=4)
    assert (shortened.id != first.id, shortened.status) == (True, "building")


def test_of_two_first_models_at_once_one_becomes_active(
    conn: Connection, other_connection: Connection
) -> None:
    """A21: ten domains may be refreshed at once on the very first day."""
    with ThreadPoolExecutor() as pool:
        with conn.transaction():
            first = ensure_named(conn, "first")
            later = pool.submit(ensure_named, other_connection, "later")
            wait_until_blocked(conn, other_connection)
        assert later.result().status == "building"
    assert find_active(conn) == first


def test_an_endpoint_counts_as_probed_for_a_day(conn: Connection) -> None:
    """A16"""
    model, other = ensure_named(conn, "first"), ensure_named(conn, "other")
    assert not embedding_models.was_probed_recently(conn, model.id)
    embedding_models.note_probe(conn, model.id)
    assert embedding_models.was_probed_recently(conn, model.id)
    assert not embedding_models.was_probed_recently(conn, other.id)
    conn.execute("UPDATE embedding_models SET probed_at = probed_at - interval '24 hours'")
    assert not embedding_models.was_probed_recently(conn, model.id)


# From one model to the next


@pytest.fixture
def two_indexes(run: Run) -> tuple[Run, Run]:
    """Two published pages under the active model, and the run that builds the next one's index."""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    successor = ensure_named(run.conn, "next")
    builder = Run(conn=run.conn, holding=run.holding, model=successor)
    builder.publish({page: ["one two"]})
    return run, builder


def test_the_overview_says_how_much_of_the_index_each_model_covers(
    two_indexes: tuple[Run, Run],
) -> None:
    run, _ = two_indexes
    first, second = embedding_models.overview(run.conn)
    assert (first.name, first.status, first.pages_published, first.chunks) == (
        run.model.name,
        "active",
        2,
        3,
    )
    assert second == ModelOverview(
        id=second.id,
        name="next",
        dimensions=8,
        status="building",
        activated_at=None,
        pages_published=1,
        chunks=1,
        pages_in_any=2,
    )


def test_an_index_that_lacks_pages_is_not_activated(two_indexes: tuple[Run, Run]) -> None:
    """C5: search would lose them."""
    run, _ = two_indexes
    other = start_run(run.conn, "b.test")
    other.publish({other.save_pages("p")[0]: ["four"]})
    with pytest.raises(PermanentError, match=r"next lacks pages of a\.test \(1\), b\.test \(1\)\."):
        activate(run.conn, "next")
    assert find_active(run.conn) == run.model


def test_a_complete_index_takes_over_and_may_be_left_again(two_indexes: tuple[Run, Run]) -> None:
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    activate(run.conn, "next")
    active = find_active(run.conn)
    assert active is not None
    assert (active.name, active.status) == ("next", "active")
    assert ensure_named(run.conn, run.model.name).status == "retired"
    activate(run.conn, run.model.name)
    assert find_active(run.conn) == run.model


def test_a_model_without_an_index_cannot_be_activated(run: Run) -> None:
    with pytest.raises(PermanentError, match="No index was built with 'nope'"):
        activate(run.conn, "nope")
