"""What the database itself refuses to commit, whoever asks (R-A9, R-A10, R-A14)."""

from typing import LiteralString

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.store.index import chunks
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import HOST, Run, count, live_texts

P, Q = f"https://{HOST}/p", f"https://{HOST}/q"
PUBLISHED = {P: ["one", "two"], Q: ["three"]}


TAKE_A_CHUNK_ELSEWHERE: LiteralString = (
    "WITH wider AS (UPDATE page_revisions SET chunk_count = 2 WHERE page_id = 2) "
    "UPDATE chunks SET page_id = 2, position = 1 WHERE id = 2"
)
GIVE_A_CHUNK_AWAY: LiteralString = (
    "WITH narrower AS (UPDATE page_revisions SET chunk_count = 1 WHERE page_id = 1) "
    "UPDATE chunks SET page_id = 2, position = 1 WHERE id = 2"
)
MAKE_EMPTY_REVISION_LIVE: LiteralString = (
    "INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker, "
    "chunk_count, title, fence, published_at) SELECT 3, domain_id, model_id, state, content_hash, "
    "chunker, 5, title, fence, now() FROM page_revisions WHERE page_id = 1"
)
ADD_A_CHUNK: LiteralString = (
    "INSERT INTO chunks (page_id, domain_id, model_id, position, text, text_hash, heading_path, "
    "start_offset, token_count) SELECT page_id, domain_id, model_id, position + 2, text, "
    "text_hash, heading_path, 0, 1 FROM chunks WHERE id = 1"
)


@pytest.fixture
def published(run: Run) -> Run:
    """Pages 1 and 2 with chunks 1 to 3, page 3 without any, and page 4 staged."""
    page, other, _, staged = run.save_pages("p", "q", "r", "s")
    run.publish({page: ["one", "two"], other: ["three"]})
    run.stage({staged: ["four"]})
    return run


def commit(conn: Connection, statement: LiteralString) -> None:
    with conn.transaction():
        conn.execute(statement)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("DELETE FROM embeddings WHERE chunk_id = 1", "2 chunks, 2 positions and 1 matching"),
        ("DELETE FROM chunks WHERE id = 1", "declares 2 chunks but has 1 chunks"),
        ("DELETE FROM chunks WHERE id = 2", "declares 2 chunks but has 1 chunks"),
        ("DELETE FROM chunks WHERE page_id = 1", "declares 2 chunks but has 0 chunks"),
        ("UPDATE chunks SET position = 7 WHERE id = 2", "2 chunks, 8 positions"),
        ("UPDATE chunks SET domain_id = 2 WHERE id = 1", "1 matching embeddings"),
        (
            "UPDATE chunks SET text = 'new', text_hash = sha256('new') WHERE id = 1",
            "1 matching embeddings",
        ),
        ("UPDATE embeddings SET text_hash = sha256('new') WHERE chunk_id = 1", "1 matching"),
        ("UPDATE embeddings SET domain_id = 2 WHERE chunk_id = 1", "1 matching"),
        ("UPDATE page_revisions SET chunk_count = 3 WHERE page_id = 1", "declares 3 chunks"),
        ("UPDATE page_revisions SET chunk_count = 0 WHERE page_id = 1", "declares 0 chunks"),
        ("DELETE FROM page_revisions WHERE page_id = 1", "declares 0 chunks but has 2 chunks"),
        (ADD_A_CHUNK, "declares 2 chunks but has 3 chunks"),
        (MAKE_EMPTY_REVISION_LIVE, "page 3 declares 5 chunks but has 0 chunks"),
        (GIVE_A_CHUNK_AWAY, "page 2 declares 1 chunks but has 2 chunks"),
        (
            "UPDATE page_revisions SET state = 'live', published_at = now() WHERE page_id = 4",
            "page 4 declares 1 chunks but has 0 chunks",
        ),
    ],
)
def test_a_page_that_would_not_be_whole_is_refused_at_commit(
    published: Run, statement: LiteralString, complaint: str
) -> None:
    published.conn.execute(
        "INSERT INTO domains (organization_id, host, start_url) VALUES (1, 'b.test', 'http://b')"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match=complaint) as refusal:
        commit(published.conn, statement)
    assert refusal.value.diag.constraint_name == "page_is_published_whole"
    assert live_texts(published.conn) == PUBLISHED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE page_revisions SET state = 'staged', published_at = NULL WHERE page_id = 1",
        TAKE_A_CHUNK_ELSEWHERE,
    ],
    ids=["a revision that stops being live", "a chunk that moves to another page"],
)
def test_a_page_that_something_was_taken_from_by_an_update_is_refused_too(
    published: Run, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        commit(published.conn, statement)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE chunks SET text_hash = sha256('other') WHERE id = 1", "chunks_check"),
        ("UPDATE chunks SET text = 'torn' WHERE id = 1", "chunks_check"),
        (
            "UPDATE chunks SET text = '', text_hash = sha256('') WHERE id = 1",
            "chunks_text_check",
        ),
        ("UPDATE embeddings SET embedding = '[1,2]' WHERE chunk_id = 1", "has_declared_dimensions"),
        (
            "UPDATE embeddings SET embedding = '[0,0,0,0,0,0,0,0]' WHERE chunk_id = 1",
            "is_not_zero",
        ),
    ],
)
def test_a_row_that_contradicts_itself_is_refused_at_once(
    published: Run, statement: LiteralString, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refusal, published.conn.transaction():
        published.conn.execute(statement)
    assert refusal.value.diag.constraint_name == constraint


def test_a_second_set_beside_the_first_is_refused(published: Run) -> None:
    """R-A10: what a swap that forgot the deletes, or the page's lock, would leave."""
    with pytest.raises(
        psycopg.errors.UniqueViolation, match="chunks_page_id_model_id_position_key"
    ):
        commit(
            published.conn,
            "INSERT INTO chunks (page_id, domain_id, model_id, position, text, text_hash,"
            " heading_path, start_offset, token_count) SELECT page_id, domain_id, model_id,"
            " position, text, text_hash, heading_path, start_offset, token_count FROM chunks",
        )


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("TRUNCATE embeddings", "TRUNCATE of embeddings"),
        ("TRUNCATE chunks CASCADE", "TRUNCATE of chunks"),
        ("TRUNCATE page_revisions CASCADE", "TRUNCATE of page_revisions"),
        ("TRUNCATE raw_pages CASCADE", "half published"),
        ("TRUNCATE domains CASCADE", "half published"),
    ],
)
def test_emptying_a_table_past_the_check_is_refused(
    published: Run, statement: LiteralString, complaint: str
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match=complaint) as refusal:
        commit(published.conn, statement)
    assert refusal.value.diag.message_hint == "Remove domains with: omni domains remove DOMAIN"
    assert live_texts(published.conn) == PUBLISHED


def test_pages_may_leave_whole(published: Run) -> None:
    """The twins of the refusals: what the check must let pass."""
    commit(published.conn, "DELETE FROM raw_pages WHERE id = 1")
    assert live_texts(published.conn) == {Q: ["three"]}
    with published.fenced():
        chunks.remove_pages(published.conn, [2])
    assert live_texts(published.conn) == {}
    assert count(published.conn, "SELECT count(*) FROM embeddings") == 0


def test_a_page_may_be_torn_inside_a_transaction_that_mends_it(published: Run) -> None:
    """The check is deferred: only what is committed has to be whole."""
    with published.conn.transaction():
        published.conn.execute("UPDATE chunks SET position = 1 - position WHERE page_id = 1")
        published.conn.execute("UPDATE page_revisions SET chunk_count = 9 WHERE page_id = 1")
        published.conn.execute("UPDATE page_revisions SET chunk_count = 2 WHERE page_id = 1")
    assert live_texts(published.conn) == {P: ["two", "one"], Q: ["three"]}


def test_one_torn_page_is_found_among_many(run: Run) -> None:
    """A batch of pages costs one check, which must look at each of them."""
    pages = run.save_pages(*(f"p{number:02}" for number in range(30)))
    run.publish({page: ["one", "two"] for page in pages})
    with pytest.raises(psycopg.errors.CheckViolation, match=f"page {pages[17]} declares 2"):
        commit(
            run.conn,
            "WITH touched AS (UPDATE chunks SET start_offset = 0) "
            "DELETE FROM embeddings WHERE chunk_id = "
            "(SELECT id FROM chunks ORDER BY page_id, position OFFSET 35 LIMIT 1)",
        )


def test_the_notes_of_a_commit_do_not_survive_it(published: Run) -> None:
    assert count(published.conn, "SELECT count(*) FROM publication_checks") == 0


def test_two_transactions_check_their_own_pages(published: Run, shared: Database) -> None:
    """A torn page of one transaction is refused there, and not in the other."""
    with shared.connect() as other:
        other.execute("BEGIN")
        other.execute("DELETE FROM embeddings WHERE chunk_id = 3")
        commit(published.conn, "UPDATE chunks SET start_offset = 0 WHERE page_id = 1")
        with pytest.raises(psycopg.errors.CheckViolation, match="page 2 declares 1"):
            other.execute("COMMIT")
        assert live_texts(other) == PUBLISHED
        assert invariants.find_violations(other, lease_seconds=90) == []
