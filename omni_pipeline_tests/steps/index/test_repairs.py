"""What a check finds wrong with an index, a plain refresh puts right, and pays for that alone."""

from typing import LiteralString

import pytest
from psycopg import Connection

from omni_pipeline.errors import TemporaryError
from omni_pipeline.steps.checks.counts import check_staged_counts
from omni_pipeline.steps.checks.verification import verify as look
from omni_pipeline.store.monitoring.invariants import Violation
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.steps.conftest import Pipeline

# With `replica` no constraint trigger and no foreign key looks: as a restore or a disk would write.
UNCHECKED: LiteralString = "SET session_replication_role = replica; "

PAGE_1: LiteralString = "(SELECT min(page_id) FROM page_revisions WHERE state = 'live')"
CHUNK_1: LiteralString = f"(SELECT min(id) FROM chunks WHERE page_id = {PAGE_1})"

COLUMNS: LiteralString = (
    "page_id, domain_id, model_id, position, text, text_hash, heading_path, start_offset, "
    "token_count"
)

# Corruption -> how many texts have lost their vector by it.
CORRUPTIONS: dict[str, tuple[LiteralString, int]] = {
    "a vector is missing": (f"DELETE FROM embeddings WHERE chunk_id = {CHUNK_1}", 1),
    "a vector is another text's": (
        f"UPDATE embeddings SET text_hash = sha256('another') WHERE chunk_id = {CHUNK_1}",
        1,
    ),
    "a vector is another model's": (
        (
            "INSERT INTO embedding_models (name, dimensions, status) VALUES ('b', 16, 'retired'); "
            f"UPDATE embeddings SET model_id = 2 WHERE chunk_id = {CHUNK_1}"
        ),
        1,
    ),
    "a vector is of zeros": (
        (
            "ALTER TABLE embeddings DROP CONSTRAINT is_not_zero; "
            "UPDATE embeddings SET embedding = array_fill(0, ARRAY[16])::halfvec "
            f"WHERE chunk_id = {CHUNK_1}"
        ),
        1,
    ),
    "a chunk is missing": (f"DELETE FROM chunks WHERE id = {CHUNK_1}", 0),
    "a chunk and its vector are missing": (
        (
            f"DELETE FROM embeddings WHERE chunk_id = {CHUNK_1}; "
            "DELETE FROM chunks WHERE id NOT IN (SELECT chunk_id FROM embeddings)"
        ),
        1,
    ),
    "a chunk is doubled": (
        (
            "ALTER TABLE chunks DROP CONSTRAINT chunks_page_id_model_id_position_key; "
            f"INSERT INTO chunks ({COLUMNS}) SELECT {COLUMNS} FROM chunks WHERE id = {CHUNK_1}"
        ),
        0,
    ),
    "a text is torn": (
        (
            "ALTER TABLE chunks DROP CONSTRAINT chunks_check; "
            f"UPDATE chunks SET text = 'torn' WHERE id = {CHUNK_1}"
        ),
        0,
    ),
    "a chunk bears another domain's number": (
        (
            "INSERT INTO domains (organization_id, host, start_url) "
            "VALUES (1, 'b.test', 'https://b.test/'); "
            f"UPDATE chunks SET domain_id = 2 WHERE id = {CHUNK_1}"
        ),
        0,
    ),
    "a vector bears another domain's number": (
        (
            "INSERT INTO domains (organization_id, host, start_url) "
            "VALUES (1, 'b.test', 'https://b.test/'); "
            f"UPDATE embeddings SET domain_id = 2 WHERE chunk_id = {CHUNK_1}"
        ),
        0,
    ),
    "words are missing": (f"DELETE FROM chunk_words WHERE chunk_id = {CHUNK_1}", 0),
    "words are another page's": (
        f"UPDATE chunk_words SET page_id = page_id + 1 WHERE chunk_id = {CHUNK_1}",
        0,
    ),
    "words are of no chunk": (
        (
            "INSERT INTO chunk_words (domain_id, chunk_id, page_id, source_hash, words) "
            "SELECT domain_id, -chunk_id, page_id, source_hash, words FROM chunk_words LIMIT 1"
        ),
        0,
    ),
    "a count is wrong": (
        f"UPDATE page_revisions SET chunk_count = chunk_count + 1 WHERE page_id = {PAGE_1}",
        0,
    ),
    "a revision is missing": (
        f"DELETE FROM page_revisions WHERE page_id = {PAGE_1}",
        0,
    ),
    "a revision bears another domain's number": (
        (
            "INSERT INTO domains (organization_id, host, start_url) "
            "VALUES (1, 'b.test', 'https://b.test/'); "
            f"UPDATE page_revisions SET domain_id = 2 WHERE page_id = {PAGE_1}"
        ),
        0,
    ),
}


def verify(pipeline: Pipeline) -> list[Violation]:
    session = Session(pipeline.database)
    try:
        return look(session, lease_seconds=90, fresh_hours=26).violations
    finally:
        session.close()


def corrupt(conn: Connection, corruption: LiteralString) -> None:
    conn.execute(UNCHECKED + corruption)


@pytest.mark.parametrize(("corruption", "lost"), CORRUPTIONS.values(), ids=list(CORRUPTIONS))
def test_a_plain_refresh_puts_it_right_and_pays_for_what_is_missing(
    pipeline: Pipeline, corruption: LiteralString, lost: int
) -> None:
    pipeline.refresh()
    before = pipeline.query(b"SELECT url, position, text FROM live_chunks ORDER BY url, position")
    with pipeline.database.connect() as conn:
        corrupt(conn, corruption)
    assert verify(pipeline)
    pipeline.refresh()
    assert len(pipeline.client.texts) == lost
    assert pipeline.violations() == []
    after = pipeline.query(b"SELECT url, position, text FROM live_chunks ORDER BY url, position")
    assert after == before


@pytest.mark.parametrize("name", ["a vector is missing", "words are of no chunk"])
def test_no_check_need_have_found_it(pipeline: Pipeline, name: str) -> None:
    pipeline.refresh()
    assert not verify(pipeline), "so that not every text is read again"
    corruption, lost = CORRUPTIONS[name]
    with pipeline.database.connect() as conn:
        corrupt(conn, corruption)
    pipeline.refresh()
    assert len(pipeline.client.texts) == lost
    assert pipeline.violations() == []


def test_staged_pages_that_lost_a_chunk_are_staged_anew(pipeline: Pipeline) -> None:
    """Else the check of their counts would fail every refresh after it."""
    pipeline.client.breaks_after = 0
    with pytest.raises(TemporaryError):
        pipeline.refresh()
    with pipeline.database.connect() as conn:
        corrupt(conn, "DELETE FROM staged_chunks WHERE position = 0")
        assert not check_staged_counts(conn, pipeline.host).passed
    pipeline.client.breaks_after = None
    pipeline.refresh()
    assert pipeline.violations() == []
