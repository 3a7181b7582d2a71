"""Staging, what is to be paid for, and what is counted: everything around a publish."""

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.index import chunks
from omni_pipeline.store.index.chunks import Backlog, NewRevision, Published, PublishedCounts
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline_tests.store.conftest import (
    CHUNKER,
    HOST,
    MISSING,
    Run,
    count,
    live_texts,
    start_run,
)

P, Q = f"https://{HOST}/p", f"https://{HOST}/q"


# Staging


def test_staged_chunks_are_invisible_until_they_are_published(run: Run) -> None:
    """R-A9: readers meet published rows only."""
    (page,) = run.save_pages("p")
    revision_ids = run.stage({page: ["one", "two"]})
    run.pay(["one", "two"])
    assert live_texts(run.conn) == {}
    backlog = chunks.count_staged(run.conn, run.claim, model_id=run.model.id)
    assert backlog == Backlog(pages=1, chunks=2)
    assert run.swap(revision_ids) == Published(
        pages=1, chunks_kept=0, chunks_inserted=2, chunks_removed=0
    )
    assert live_texts(run.conn) == {P: ["one", "two"]}
    backlog = chunks.count_staged(run.conn, run.claim, model_id=run.model.id)
    assert backlog == Backlog(pages=0, chunks=0)
    assert count(run.conn, "SELECT count(*) FROM staged_chunks") == 0


def test_staging_again_replaces_what_was_staged(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.stage({page: ["one", "two", "three"]})
    backlog = chunks.count_staged(run.conn, run.claim, model_id=run.model.id)
    assert backlog == Backlog(pages=1, chunks=3)
    run.stage({page: ["four"]})
    backlog = chunks.count_staged(run.conn, run.claim, model_id=run.model.id)
    assert backlog == Backlog(pages=1, chunks=1)
    assert count(run.conn, "SELECT count(*) FROM staged_chunks") == 1


def test_a_chunk_keeps_its_place_and_heading(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "tw\N{SNOWMAN} {\\}\t,\"'"]})
    found = run.conn.execute(
        "SELECT position, text, heading_path, start_offset, token_count FROM chunks ORDER BY id"
    ).fetchall()
    assert found == [
        (0, "one", ["Title"], 0, 1),
        (1, "tw\N{SNOWMAN} {\\}\t,\"'", ["Title"], 5, 2),
    ]


def test_staged_pages_come_in_batches_oldest_first(run: Run) -> None:
    pages = run.save_pages("a", "b", "c", "d", "e")
    run.stage({page: ["text"] for page in pages})
    seen: list[int] = []
    after_id = 0
    while batch := chunks.staged_pages(
        run.conn, run.claim, model_id=run.model.id, after_id=after_id, limit=2
    ):
        assert len(batch) <= 2
        seen += [staged.page_id for staged in batch]
        after_id = batch[-1].revision_id
    assert seen == pages


def test_revisions_that_declare_other_counts_than_were_staged_are_found(run: Run) -> None:
    """R-A14: counted before anything is paid for."""
    page, other = run.save_pages("p", "q")
    run.stage({page: ["one", "two"], other: ["three"]})
    assert chunks.staged_with_wrong_counts(run.conn, run.claim.domain_id) == []
    run.conn.execute("DELETE FROM staged_chunks WHERE text = 'two'")
    assert chunks.staged_with_wrong_counts(run.conn, run.claim.domain_id) == [(P, 2, 1)]


# What is to be paid for


def test_a_text_is_asked_for_once_however_often_it_stands(run: Run) -> None:
    """R-A11"""
    page, other = run.save_pages("p", "q")
    revision_ids = run.stage({page: ["same", "same", "one"], other: ["same", "two"]})
    assert run.pay_missing(revision_ids) == ["one", "same", "two"]
    assert run.pay_missing(revision_ids) == [], "what was paid is not asked for again"


def test_an_edit_asks_for_the_changed_text_alone(run: Run) -> None:
    """R-A11: unchanged paragraphs of the page are not paid for again."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one", "two", "three"]})
    assert run.pay_missing(run.stage({page: ["three", "TWO", "one"]})) == ["TWO"]


def test_the_revisions_that_hold_a_text_are_found(run: Run) -> None:
    page, other = run.save_pages("p", "q")
    first, second = run.stage({page: ["bad", "one"], other: ["two"]})
    hashes = [text_hash("bad"), text_hash("never staged")]
    assert chunks.revisions_with_texts(run.conn, [first, second], hashes) == {first}


# Leaving and counting


def remove_pages(run: Run, url: str) -> None:
    with run.fenced():
        ids = raw_pages.remove_pages(run.conn, run.claim, {url: MISSING})
        chunks.remove_pages(run.conn, ids)
        cleaned_pages.remove(run.conn, ids)


def test_a_page_that_is_gone_leaves_with_its_chunks_and_vectors(run: Run) -> None:
    """R-A12: published or staged, in the transaction that retires it."""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    revision_ids = run.stage({page: ["four"]})
    run.pay(["four"])
    remove_pages(run, P)
    assert live_texts(run.conn) == {Q: ["three"]}
    assert run.swap(revision_ids).pages == 0, "what was staged for it is published no more"
    assert live_texts(run.conn) == {Q: ["three"]}
    assert count(run.conn, "SELECT count(*) FROM embeddings") == 1
    assert count(run.conn, "SELECT count(*) FROM staged_chunks") == 0
    assert invariants.find_violations(run.conn, lease_seconds=90) == []


def test_what_is_published_is_counted_from_the_rows(run: Run) -> None:
    """R-A14"""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["one", "two"], other: ["three"]})
    counted = chunks.count_published(run.conn, run.claim.domain_id)
    assert counted == PublishedCounts(chunks=3, embeddings=3, pages=2)
    assert chunks.pages_with_wrong_counts(run.conn, run.claim.domain_id) == []
    with run.conn.transaction():
        run.conn.execute("SET LOCAL session_replication_role = replica")  # without triggers
        run.conn.execute("DELETE FROM embeddings WHERE text_hash = %s", [text_hash("two")])
    counted = chunks.count_published(run.conn, run.claim.domain_id)
    assert counted == PublishedCounts(chunks=3, embeddings=2, pages=2)
    wrong = chunks.pages_with_wrong_counts(run.conn, run.claim.domain_id)
    assert wrong == [chunks.WrongCounts(url=P, declared=2, chunks=2, embeddings=1)]


def test_a_page_that_declares_no_chunks_is_counted_right(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: []})
    assert chunks.pages_with_wrong_counts(run.conn, run.claim.domain_id) == []


def test_publishing_touches_no_other_domain(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    other.publish({other.save_pages("p")[0]: ["theirs"]})
    run.publish({run.save_pages("p")[0]: ["mine"]})
    assert live_texts(run.conn) == {P: ["mine"], "https://b.test/p": ["theirs"]}
    domains.remove(run.conn, HOST)
    assert live_texts(run.conn) == {"https://b.test/p": ["theirs"]}


def test_an_empty_batch_is_no_work(run: Run) -> None:
    nothing: list[NewRevision] = []
    with run.fenced():
        assert (
            chunks.stage(run.conn, run.claim, nothing, model_id=run.model.id, chunker=CHUNKER) == 0
        )
    assert run.swap([]).pages == 0
