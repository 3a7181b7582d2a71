"""Embedding models: the first is active at once, others are built beside it."""

from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import pytest
from psycopg import Connection
from psycopg.errors import RestrictViolation

from omni_pipeline.errors import PermanentError
from omni_pipeline.store.index import chunks, embedding_models
from omni_pipeline.store.index.embedding_models import (
    ModelOverview,
    StoredModel,
    activate,
    ensure,
    find_active,
    roll_back,
)
from omni_pipeline_tests.store.conftest import (
    CHUNKER,
    Run,
    count,
    new_revision,
    start_run,
    wait_until_blocked,
)


def ensure_named(conn: Connection, name: str, dimensions: int = 8) -> StoredModel:
    return ensure(conn, name=name, dimensions=dimensions, is_lexical=False)


def test_the_first_model_of_all_is_active_and_later_ones_are_being_built(conn: Connection) -> None:
    """R-C5"""
    assert find_active(conn) is None
    first = ensure_named(conn, "first")
    assert (first.status, first.name, first.dimensions) == ("active", "first", 8)
    assert ensure_named(conn, "second").status == "building"
    assert find_active(conn) == first


def test_a_model_is_known_by_its_name_and_its_dimensions(conn: Connection) -> None:
    """R-A7: a model asked for fewer dimensions gives other vectors."""
    first = ensure_named(conn, "first")
    assert ensure_named(conn, "first") == first
    shortened = ensure_named(conn, "first", dimensions=4)
    assert (shortened.id != first.id, shortened.status) == (True, "building")


def test_of_two_first_models_at_once_one_becomes_active(
    conn: Connection, other_connection: Connection
) -> None:
    """R-A21: ten domains may be refreshed at once on the very first day."""
    with ThreadPoolExecutor() as pool:
        with conn.transaction():
            first = ensure_named(conn, "first")
            later = pool.submit(ensure_named, other_connection, "later")
            wait_until_blocked(conn, other_connection)
        assert later.result().status == "building"
    assert find_active(conn) == first


def test_an_endpoint_counts_as_probed_for_a_day(conn: Connection) -> None:
    """R-A16"""
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
    builder = Run(conn=run.conn, claim=run.claim, model=successor)
    builder.publish({page: ["one\n\ntwo"]})
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
        endpoint=None,
        activated_at=None,
        pages_published=1,
        chunks=1,
        pages_lacking=1,
    )


def test_an_index_that_lacks_pages_is_not_activated(two_indexes: tuple[Run, Run]) -> None:
    """R-C5: search would lose them."""
    run, _ = two_indexes
    other = start_run(run.conn, "b.test")
    other.publish({other.save_pages("p")[0]: ["four"]})
    with pytest.raises(PermanentError, match=r"next lacks pages of a\.test \(1\), b\.test \(1\)\."):
        activate(run.conn, "next")
    assert find_active(run.conn) == run.model


def status_of(conn: Connection, model: StoredModel) -> str:
    return embedding_models.get(conn, model.name).status


def test_a_complete_index_takes_over_and_the_one_before_it_is_kept(
    two_indexes: tuple[Run, Run],
) -> None:
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    activate(run.conn, "next")
    active = find_active(run.conn)
    assert active is not None
    assert (active.name, active.status) == ("next", "active")
    assert status_of(run.conn, run.model) == "previous"
    assert embedding_models.kept_beside(run.conn, active.id)[0].name == run.model.name


def test_a_rollback_returns_to_the_previous_model_and_may_be_taken_back(
    two_indexes: tuple[Run, Run],
) -> None:
    """R-C5: one command."""
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    activate(run.conn, "next")
    for expected in (run.model.name, "next", run.model.name):
        roll_back(run.conn)
        active = find_active(run.conn)
        assert active is not None
        assert active.name == expected


def test_there_is_no_rollback_without_a_previous_model(run: Run) -> None:
    with pytest.raises(PermanentError, match="no previous model"):
        roll_back(run.conn)


def test_a_rollback_to_an_index_with_older_texts_is_refused_with_the_remedy(
    two_indexes: tuple[Run, Run],
) -> None:
    """A page that changed since, and is built for the new model only, would show its old text."""
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    activate(run.conn, "next")
    builder.publish({1: ["one\n\ntwo and a half"]})
    name = run.model.name
    with pytest.raises(
        PermanentError, match=rf"{name} lacks pages of a\.test \(1\).*models build {name}"
    ):
        roll_back(run.conn)
    run.publish({1: ["one", "two and a half"]})
    builder.publish({1: ["one\n\ntwo and a half"]})
    roll_back(run.conn)
    assert find_active(run.conn) == run.model


def test_an_older_model_than_the_previous_one_is_retired_until_it_is_built_again(
    two_indexes: tuple[Run, Run],
) -> None:
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    activate(run.conn, "next")
    third = Run(conn=run.conn, claim=run.claim, model=ensure_named(run.conn, "third", 4))
    activate(run.conn, "third", accept_losses=True)
    assert status_of(run.conn, run.model) == "retired"
    assert [m.name for m in embedding_models.kept_beside(run.conn, third.model.id)] == ["next"]
    embedding_models.take_up(run.conn, run.model.name)
    assert status_of(run.conn, run.model) == "building"


def test_a_page_published_during_the_check_is_not_overlooked(
    two_indexes: tuple[Run, Run], other_connection: Connection
) -> None:
    """The flip waits for publications under way: else it would lose what they are publishing."""
    run, builder = two_indexes
    builder.publish({2: ["three"]})
    (page,) = run.save_pages("r")
    revision_ids = run.stage({page: ["new"]})
    run.pay(["new"])
    with ThreadPoolExecutor() as pool, run.fenced():
        chunks.publish(run.conn, run.claim, revision_ids)
        flip = pool.submit(activate, other_connection, "next")
        wait_until_blocked(run.conn, other_connection)
    with pytest.raises(PermanentError, match=r"lacks pages of a\.test \(1\)"):
        flip.result()


def test_several_models_of_one_name_are_told_apart_by_their_dimensions(conn: Connection) -> None:
    ensure_named(conn, "first")
    short = ensure_named(conn, "first", dimensions=4)
    with pytest.raises(PermanentError, match="first@4, first@8"):
        embedding_models.get(conn, "first")
    assert embedding_models.get(conn, "first@4") == short


def test_where_a_model_is_asked_is_remembered(conn: Connection) -> None:
    for asked, remembered in (("a", "a"), (None, "a"), ("b", "b")):
        model = ensure(conn, name="first", dimensions=8, is_lexical=False, endpoint=asked)
        assert model.endpoint == remembered


# Dropping


def rows_of(conn: Connection, model: StoredModel) -> list[int]:
    staged: LiteralString = (
        "SELECT count(*) FROM staged_chunks WHERE revision_id IN "
        "(SELECT id FROM page_revisions WHERE model_id = %s)"
    )
    queries: tuple[LiteralString, ...] = (
        "SELECT count(*) FROM page_revisions WHERE model_id = %s",
        "SELECT count(*) FROM chunks WHERE model_id = %s",
        "SELECT count(*) FROM embeddings WHERE model_id = %s",
        "SELECT count(*) FROM kept_embeddings WHERE model_id = %s",
        staged,
    )
    return [count(conn, query, model.id) for query in queries]


def drop(conn: Connection, name: str) -> int:
    model = embedding_models.mark_dropped(conn, name)
    return embedding_models.remove_index(conn, model.id)


def test_a_dropped_model_leaves_nothing_and_the_active_one_whole(
    two_indexes: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch by batch, each of them whole pages."""
    monkeypatch.setattr(embedding_models, "DROP_PAGES", 1)
    monkeypatch.setattr(embedding_models, "DROP_VECTORS", 1)
    run, builder = two_indexes
    builder.stage({1: ["staged", "too"]})
    builder.pay(["staged", "too", "kept"])
    before = rows_of(run.conn, run.model)
    assert min(rows_of(run.conn, builder.model)) > 0
    assert drop(run.conn, "next") == 1
    assert rows_of(run.conn, builder.model) == [0, 0, 0, 0, 0]
    assert rows_of(run.conn, run.model) == before
    assert [model.name for model in embedding_models.overview(run.conn)] == [run.model.name]
    assert count(run.conn, "SELECT count(*) FROM staged_chunks") == 0


def test_the_model_that_search_answers_from_is_not_dropped(run: Run) -> None:
    with pytest.raises(PermanentError, match="Search answers from letters"):
        embedding_models.mark_dropped(run.conn, "letters")


def test_a_dropped_model_cannot_be_activated_or_built_but_begun_anew(
    two_indexes: tuple[Run, Run],
) -> None:
    run, _ = two_indexes
    drop(run.conn, "next")
    for act in (activate, embedding_models.take_up):
        with pytest.raises(PermanentError, match="was dropped: `omni models add next`"):
            act(run.conn, "next")
    assert ensure_named(run.conn, "next").status == "building"


def test_a_run_still_at_work_on_a_dropped_model_leaves_nothing_behind(
    two_indexes: tuple[Run, Run],
) -> None:
    run, builder = two_indexes
    revision_ids = builder.stage({2: ["three"]})
    builder.pay(["three"])
    drop(run.conn, "next")
    assert builder.swap(revision_ids).pages == 0
    with pytest.raises(RestrictViolation, match="the index of next was dropped"):
        builder.stage({2: ["three"]})
    assert rows_of(run.conn, builder.model)[:3] == [0, 0, 0]


def test_a_drop_waits_for_a_writer_under_way_and_takes_its_rows_too(
    two_indexes: tuple[Run, Run], other_connection: Connection
) -> None:
    run, builder = two_indexes
    revision = new_revision(2, ["three"])
    with ThreadPoolExecutor() as pool:
        with run.fenced():
            chunks.stage(
                run.conn, run.claim, [revision], model_id=builder.model.id, chunker=CHUNKER
            )
            dropped = pool.submit(drop, other_connection, "next")
            wait_until_blocked(run.conn, other_connection)
        assert dropped.result() == 2
    assert rows_of(run.conn, builder.model)[:2] == [0, 0]


def test_a_model_without_an_index_cannot_be_activated(run: Run) -> None:
    with pytest.raises(PermanentError, match="No index was built with 'nope'"):
        activate(run.conn, "nope")
