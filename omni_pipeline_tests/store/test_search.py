"""Search: the nearest published chunks, read in one statement."""

from datetime import UTC, datetime

import numpy as np
from psycopg import Connection

from omni_pipeline.store import chunks, domains, raw_pages
from omni_pipeline.store.embedding_models import activate, ensure
from omni_pipeline.store.search import Answer, search
from omni_pipeline_tests.store.conftest import (
    DIMENSIONS,
    HOST,
    MISSING,
    Run,
    recorded,
    start_run,
    vector_of,
)

TEXTS = [f"text {number}" for number in range(30)]


def found(conn: Connection, text: str, *, most: int = 5, host: str | None = None) -> list[str]:
    return [answer.text for answer in search(conn, vector_of(text), most=most, host=host)]


def cosine_distance(one: str, other: str) -> float:
    a, b = vector_of(one), vector_of(other)
    return 1 - float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_an_answer_says_what_was_found_and_where(run: Run) -> None:
    """C4"""
    (page,) = run.save_pages("p")
    run.publish({page: ["other text", "the text"]})
    (answer,) = search(run.conn, vector_of("the text"), most=1)
    assert answer == Answer(
        chunk_id=answer.chunk_id,
        host=HOST,
        url=f"https://{HOST}/p",
        title="Title",
        heading_path=["Title"],
        text="the text",
        last_seen_at=answer.last_seen_at,
        distance=answer.distance,
    )
    assert abs(answer.distance) < 1e-6
    assert abs((datetime.now(UTC) - answer.last_seen_at).total_seconds()) < 60


def test_the_nearest_chunks_come_first_and_no_more_than_asked(run: Run) -> None:
    pages = run.save_pages("p", "q")
    run.publish({pages[0]: TEXTS[:20], pages[1]: TEXTS[20:]})
    answers = search(run.conn, vector_of("question"), most=7)
    nearest = sorted(TEXTS, key=lambda text: cosine_distance("question", text))[:7]
    assert [answer.text for answer in answers] == nearest
    for answer in answers:
        assert abs(answer.distance - cosine_distance("question", answer.text)) < 1e-3
    assert len(search(run.conn, vector_of("question"), most=100)) == 30


def test_a_search_is_one_statement(run: Run) -> None:
    """A9: two statements could see two moments."""
    run.publish({run.save_pages("p")[0]: TEXTS})
    with recorded(run.conn) as statements:
        search(run.conn, vector_of("question"), most=5, host=HOST)
    assert len(statements) == 1


def test_a_search_of_one_domain_answers_from_no_other(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    run.publish({run.save_pages("p")[0]: ["mine", "same"]})
    other.publish({other.save_pages("p")[0]: ["theirs", "same"]})
    assert sorted(found(run.conn, "same", host=HOST)) == ["mine", "same"]
    assert sorted(found(run.conn, "same")) == ["mine", "same", "same", "theirs"]


def test_a_search_of_an_unknown_domain_answers_nothing_rather_than_everything(run: Run) -> None:
    run.publish({run.save_pages("p")[0]: ["one"]})
    assert found(run.conn, "one", host="nope.test") == []


def test_what_is_staged_gone_or_removed_is_not_found(run: Run) -> None:
    page, gone, staged = run.save_pages("p", "gone", "staged")
    run.publish({page: ["here"], gone: ["gone"]})
    run.stage({staged: ["staged"], page: ["here", "added"]})
    run.pay(["staged", "added"])
    with run.fenced():
        ids = raw_pages.retire(run.conn, run.holding, {f"https://{HOST}/gone": MISSING})
        chunks.remove_pages(run.conn, ids)
    assert found(run.conn, "here") == ["here"]
    domains.remove(run.conn, HOST)
    assert found(run.conn, "here") == []


def test_only_the_active_model_answers(run: Run) -> None:
    """C5: an index that is being built beside it is not mixed in."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    second = ensure(run.conn, name="second", dimensions=DIMENSIONS, is_lexical=False)
    assert second.status == "building"
    twin = Run(conn=run.conn, holding=run.holding, model=second)
    twin.publish({page: ["one", "two"]})
    assert found(run.conn, "two") == ["one"]
    activate(run.conn, "second")
    assert found(run.conn, "two") == ["two", "one"]


def test_a_vector_of_a_model_that_is_not_active_any_more_finds_nothing(run: Run) -> None:
    """C5: rather than what another model's vectors happen to lie near."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    second = ensure(run.conn, name="second", dimensions=DIMENSIONS, is_lexical=False)
    for model, expected in ((run.model, 1), (second, 0)):
        assert len(search(run.conn, vector_of("one"), most=5, model_id=model.id)) == expected


def test_an_empty_index_answers_nothing(conn: Connection) -> None:
    assert found(conn, "one") == []
