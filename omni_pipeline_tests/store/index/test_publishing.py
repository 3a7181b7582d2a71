"""Publishing: search sees whole pages, and unchanged texts keep their rows."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
import pytest
from psycopg import Connection, sql

from omni_pipeline.errors import LeaseLostError
from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.index.chunks import Published
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.monitoring import invariants
from omni_pipeline_tests.store.conftest import HOST, Run, live_texts, start_run, wait_until_blocked

P, Q = f"https://{HOST}/p", f"https://{HOST}/q"


class Row(NamedTuple):
    """A published chunk, with where the rows of chunk and vector physically stand."""

    id: int
    text: str
    chunk_place: str
    vector_place: str
    vector_writer: int


def rows(conn: Connection, page_id: int) -> list[Row]:
    """The page's published chunks by position."""
    found = conn.execute(
        "SELECT c.id, c.text, c.ctid::text, e.ctid::text, e.xmin::text::bigint "
        "FROM chunks c JOIN embeddings e ON e.chunk_id = c.id WHERE c.page_id = %s "
        "ORDER BY c.position",
        [page_id],
    )
    return [Row(*row) for row in found]


def everything(conn: Connection) -> list[object]:
    """All that a publish may write, row by row, with the transaction that wrote it."""
    return [
        conn.execute(query).fetchall()
        for query in (
            "SELECT xmin, * FROM page_revisions ORDER BY id",
            "SELECT xmin, * FROM staged_chunks ORDER BY revision_id, position",
            "SELECT xmin, * FROM chunks ORDER BY id",
            "SELECT xmin, * FROM embeddings ORDER BY chunk_id",
        )
    ]


def stage_reembedding(run: Run) -> None:
    with run.fenced():
        chunks.stage_reembedding(run.conn, run.claim, model_id=run.model.id)


def forget_staged(run: Run) -> None:
    """As every refresh does that ends well."""
    with run.fenced():
        embeddings.forget_staged(run.conn, run.claim)


# What stays and what goes


def test_an_edit_of_one_text_leaves_the_rows_of_the_others_untouched(run: Run) -> None:
    """R-A11: same ids, and neither the chunks nor their vectors were written again."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "two", "three"]})
    one, two, three = rows(run.conn, page)
    published = run.publish({page: ["one", "edit", "three"]})
    assert published == Published(pages=1, chunks_kept=2, chunks_inserted=1, chunks_removed=1)
    first, edit, last = rows(run.conn, page)
    assert (first, last.id, last.vector_place) == (one, three.id, three.vector_place)
    assert last.vector_writer == three.vector_writer
    assert (edit.text, edit.id not in {one.id, two.id, three.id}) == ("edit", True)


def test_a_moved_chunk_keeps_its_id_and_its_vectors_row(run: Run) -> None:
    """A moved vector would cost an index entry each (MEASURED: 3.3 times with HNSW)."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "two", "three"]})
    before = {row.text: row for row in rows(run.conn, page)}
    published = run.publish({page: ["three", "new", "one", "two"]})
    assert published == Published(pages=1, chunks_kept=3, chunks_inserted=1, chunks_removed=0)
    after = {row.text: row for row in rows(run.conn, page)}
    assert list(after) == ["three", "new", "one", "two"]
    for text, old in before.items():
        assert (after[text].id, after[text].vector_place) == (old.id, old.vector_place)
        assert after[text].vector_writer == old.vector_writer


def test_a_republished_text_that_did_not_change_rewrites_nothing(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "two"]})
    before = rows(run.conn, page)
    published = run.publish({page: ["one", "two"]})
    assert published == Published(pages=1, chunks_kept=2, chunks_inserted=0, chunks_removed=0)
    assert rows(run.conn, page) == before


def test_a_text_that_stands_twice_on_a_page_has_two_chunks(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: ["same", "one", "same"]})
    first, one, second = rows(run.conn, page)
    published = run.publish({page: ["one", "same", "same", "same"]})
    assert published == Published(pages=1, chunks_kept=3, chunks_inserted=1, chunks_removed=0)
    assert [row.id for row in rows(run.conn, page)][:3] == [one.id, first.id, second.id]
    published = run.publish({page: ["same"]})
    assert published == Published(pages=1, chunks_kept=1, chunks_inserted=0, chunks_removed=3)
    assert live_texts(run.conn) == {P: ["same"]}


def test_a_page_may_shrink_to_no_chunk_and_grow_again(run: Run) -> None:
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    published = run.publish({page: []})
    assert published == Published(pages=1, chunks_kept=0, chunks_inserted=0, chunks_removed=2)
    assert live_texts(run.conn) == {Q: ["three"]}
    assert chunks.pages_with_wrong_counts(run.conn, run.claim.domain_id) == []
    run.publish({page: ["four"]})
    assert live_texts(run.conn) == {P: ["four"], Q: ["three"]}


def test_the_same_text_on_two_pages_stays_when_it_leaves_one(run: Run) -> None:
    page, other = run.save_pages("p", "q")
    run.publish({page: ["same", "one"], other: ["same"]})
    run.publish({page: ["one"]})
    assert live_texts(run.conn) == {P: ["one"], Q: ["same"]}


def test_a_text_that_is_repeated_on_its_own_page_takes_the_vector_it_has(run: Run) -> None:
    """R-A11: nothing is to be paid for, so the vector has to come from the page itself."""
    (page,) = run.save_pages("p")
    run.publish({page: ["same", "one"]})
    forget_staged(run)
    revision_ids = run.stage({page: ["same", "one", "same"]})
    assert run.pay_missing(revision_ids) == []
    run.swap(revision_ids)
    assert live_texts(run.conn) == {P: ["same", "one", "same"]}


def test_any_sequence_of_edits_is_published_as_it_was_written(run: Run) -> None:
    """R-A9, R-A11: whatever came before, and each text is paid for once."""
    chance = random.Random(11)
    pages = dict(zip(("p", "q", "r"), run.save_pages("p", "q", "r"), strict=True))
    written: dict[str, list[str]] = {path: [] for path in pages}
    bought: set[str] = set()
    for _ in range(40):
        changed = {
            path: chance.choices("abcde", k=chance.randrange(7))
            for path in chance.sample(sorted(pages), k=chance.randint(1, 3))
        }
        revision_ids = run.stage({pages[path]: texts for path, texts in changed.items()})
        paid = run.pay_missing(revision_ids)
        assert paid == sorted(set().union(*changed.values()) - bought)
        bought.update(paid)
        run.swap(revision_ids)
        forget_staged(run)
        written |= changed
        expected = {f"https://{HOST}/{path}": texts for path, texts in written.items() if texts}
        assert live_texts(run.conn) == expected
        assert invariants.find_violations(run.conn, lease_seconds=90) == []


def test_paying_again_replaces_every_vector_and_the_chunks_with_them(run: Run) -> None:
    """R-A11: `force_reembed` is the explicit way to pay again."""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["one"]})
    forget_staged(run)
    before = rows(run.conn, page) + rows(run.conn, other)
    stage_reembedding(run)
    assert live_texts(run.conn) == {P: ["one", "two"], Q: ["one"]}, "the old ones answer meanwhile"
    revision_ids = run.staged_ids()
    assert run.pay_missing(revision_ids) == ["one", "two"]
    assert run.swap(revision_ids) == Published(
        pages=2, chunks_kept=0, chunks_inserted=3, chunks_removed=3
    )
    after = rows(run.conn, page) + rows(run.conn, other)
    assert {row.id for row in after}.isdisjoint(row.id for row in before)
    assert live_texts(run.conn) == {P: ["one", "two"], Q: ["one"]}
    assert run.pay_missing(run.stage({page: ["one", "two"]})) == [], "and only once"


def test_paying_again_takes_the_new_text_of_a_page_that_changed(run: Run) -> None:
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    forget_staged(run)
    run.stage({page: ["one", "edit"]})
    stage_reembedding(run)
    revision_ids = run.staged_ids()
    assert run.pay_missing(revision_ids) == ["edit", "one", "three"]
    run.swap(revision_ids)
    assert live_texts(run.conn) == {P: ["one", "edit"], Q: ["three"]}


def test_paying_again_does_not_take_what_an_earlier_run_left_behind(run: Run) -> None:
    """R-A11: a run that fails after its first batch never comes to forgetting what it published."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    run.finish(("throttled", "the endpoint refused"))
    successor = start_run(run.conn)
    stage_reembedding(successor)
    assert successor.pay_missing(successor.staged_ids()) == ["one"]


def test_paying_again_takes_no_old_vector_by_way_of_a_new_page(run: Run) -> None:
    """R-A11: one text, on a new page and on a published one, in the order of their batches."""
    page, new_page = run.save_pages("p", "q")
    run.publish({page: ["one"]})
    forget_staged(run)
    run.stage({new_page: ["one"]})
    stage_reembedding(run)
    paid = []
    for revision_id in run.staged_ids():
        paid += run.pay_missing([revision_id])
        run.swap([revision_id])
    assert paid == ["one"]


def test_nothing_relies_on_a_cascade(connection: Connection) -> None:
    """R-A10: chunks are replaced, and leave, by deletes that are written down."""
    connection.execute("ALTER TABLE embeddings DROP CONSTRAINT embeddings_chunk_id_fkey")
    connection.execute("ALTER TABLE embeddings ADD FOREIGN KEY (chunk_id) REFERENCES chunks (id)")
    run = start_run(connection)
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    run.publish({page: ["two", "edit"]})
    with run.fenced():
        chunks.remove_pages(connection, [other])
    assert live_texts(connection) == {P: ["two", "edit"]}


# Refusals: everything stays as it was


def test_a_missing_vector_refuses_the_whole_batch_and_changes_nothing(run: Run) -> None:
    """R-A9, R-A14"""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one"], other: ["two"]})
    revision_ids = run.stage({page: ["one", "unpaid"], other: ["paid"]})
    run.pay(["paid"])
    before = everything(run.conn)
    with pytest.raises(psycopg.errors.CheckViolation, match="declares 2 chunks but has 2 chunks"):
        run.swap(revision_ids)
    assert everything(run.conn) == before
    assert live_texts(run.conn) == {P: ["one"], Q: ["two"]}


@contextmanager
def failing_deletes(conn: Connection, table: str) -> Iterator[None]:
    """No row can be deleted from the table until the block ends."""
    conn.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the delete failed'; END $$"
    )
    trigger = "CREATE TRIGGER fail BEFORE DELETE ON {} EXECUTE FUNCTION fail()"
    conn.execute(sql.SQL(trigger).format(sql.Identifier(table)))
    try:
        yield
    finally:
        conn.execute("DROP FUNCTION fail CASCADE")


@pytest.mark.parametrize("table", ["embeddings", "chunks", "page_revisions", "staged_chunks"])
def test_a_delete_that_fails_fails_the_publish_and_inserts_nothing(run: Run, table: str) -> None:
    """R-A9, R-A10: the legacy system logged a failed delete and inserted beside it."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "two"]})
    revision_ids = run.stage({page: ["three"]})
    run.pay(["three"])
    before = everything(run.conn)
    with (
        failing_deletes(run.conn, table),
        pytest.raises(psycopg.errors.RaiseException, match="the delete failed"),
    ):
        run.swap(revision_ids)
    assert everything(run.conn) == before
    assert live_texts(run.conn) == {P: ["one", "two"]}


def test_publishing_under_a_lost_fence_is_refused_and_the_successor_goes_on(run: Run) -> None:
    """R-A8, R-A9: what was staged and paid is not lost with the run that did it."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    revision_ids = run.stage({page: ["two"]})
    run.pay(["two"])
    reaping.reap(run.conn, lease_seconds=90, dead_job_ids=[run.claim.job_id])
    before = everything(run.conn)
    with pytest.raises(LeaseLostError):
        run.swap(revision_ids)
    assert everything(run.conn) == before
    successor = start_run(run.conn)
    assert successor.pay_missing(successor.staged_ids()) == []
    successor.swap(successor.staged_ids())
    assert live_texts(run.conn) == {P: ["two"]}


# Once is enough


def test_publishing_twice_changes_nothing(run: Run) -> None:
    """R-A9, F-B11: the answer to a COMMIT may be lost, and the work is repeated as a whole."""
    (page,) = run.save_pages("p")
    revision_ids = run.stage({page: ["one", "two"]})
    run.pay(["one", "two"])
    run.swap(revision_ids)
    before = everything(run.conn)
    assert run.swap(revision_ids) == Published(
        pages=0, chunks_kept=0, chunks_inserted=0, chunks_removed=0
    )
    assert everything(run.conn) == before


def test_two_simultaneous_publishes_of_a_page_leave_one_whole_set(
    run: Run, other_connection: Connection
) -> None:
    """R-A9: the second waits for the first, and then finds nothing left to do."""
    (page,) = run.save_pages("p")
    run.publish({page: ["old", "one"]})
    revision_ids = run.stage({page: ["one", "two"]})
    run.pay(["two"])
    twin = Run(conn=other_connection, claim=run.claim, model=run.model)
    with ThreadPoolExecutor() as pool:
        with run.fenced():
            chunks.publish(run.conn, run.claim, revision_ids)
            second = pool.submit(twin.swap, revision_ids)
            wait_until_blocked(run.conn, other_connection)
        second.result()
    assert live_texts(run.conn) == {P: ["one", "two"]}
    assert [row.text for row in rows(run.conn, page)] == ["one", "two"]


def test_two_publishes_of_different_pages_do_not_wait_for_each_other(
    run: Run, other_connection: Connection
) -> None:
    page, other = run.save_pages("p", "q")
    first, second = run.stage({page: ["one"], other: ["two"]})
    run.pay(["one", "two"])
    twin = Run(conn=other_connection, claim=run.claim, model=run.model)
    with run.fenced():
        chunks.publish(run.conn, run.claim, [first])
        twin.swap([second])
    assert live_texts(run.conn) == {P: ["one"], Q: ["two"]}
