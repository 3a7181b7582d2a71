"""A database of the release before: what was paid for, published and under way goes on here."""

from pathlib import Path
from typing import LiteralString

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.jobs import reaping
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate, read_migrations
from omni_pipeline_tests.store.conftest import count, live_texts, start_run

FIRST_OF_THIS_RELEASE = 13

# Two domains of one organization that had paid for one text each, one of them for both; a page that
# is published, one that is staged, one that is gone; and a run that was killed.
BEFORE: LiteralString = """
INSERT INTO domains (organization_id, host, start_url, fence)
VALUES (1, 'a.test', 'https://a.test/', 1), (1, 'b.test', 'https://b.test/', 0);
INSERT INTO crawl_jobs (domain_id, host, status, fence, worker, target_url, started_at,
    heartbeat_at)
VALUES (1, 'a.test', 'running', 1, 'here:1:1:1', 'https://a.test/', now() - interval '1 hour',
    now() - interval '1 hour');
INSERT INTO embedding_models (name, dimensions, status) VALUES ('letters', 8, 'active');
INSERT INTO raw_pages (domain_id, url, status, http_status, html, body_hash, fence, fetched_at,
    checked_at, gone_at, gone_because)
SELECT 1, 'https://a.test/' || name, CASE name WHEN 'gone' THEN 'gone' ELSE 'live' END,
    CASE name WHEN 'gone' THEN 404 ELSE 200 END, CASE WHEN name <> 'gone' THEN name END,
    CASE WHEN name <> 'gone' THEN sha256(name::bytea) END, 1, now(), now(),
    CASE name WHEN 'gone' THEN now() END, CASE name WHEN 'gone' THEN 'missing' END
FROM unnest('{live,staged,gone}'::text[]) AS n (name);
INSERT INTO cleaned_pages (page_id, domain_id, body_hash, content_hash, cleaner_version, title,
    markdown, fence)
SELECT id, 1, body_hash, body_hash, 1, 'Title', html, 1 FROM raw_pages WHERE status = 'live';
INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker, chunk_count,
    title, language, fence, published_at)
SELECT id, 1, 1, html, body_hash, 'md-1/100', 1, 'Title', 'en', 1,
    CASE html WHEN 'live' THEN now() END
FROM raw_pages WHERE status = 'live';
INSERT INTO chunks (page_id, domain_id, model_id, position, text, text_hash, heading_path,
    start_offset, token_count)
VALUES (1, 1, 1, 0, 'published', sha256('published'), '{Title}', 0, 1);
INSERT INTO embeddings (chunk_id, domain_id, model_id, dimensions, text_hash, embedding)
VALUES (1, 1, 1, 8, sha256('published'), '[1,2,3,4,5,6,7,8]');
UPDATE page_revisions SET title = title WHERE state = 'live';
INSERT INTO staged_chunks (revision_id, position, text, text_hash, heading_path, start_offset,
    token_count)
SELECT id, 0, 'waiting', sha256('waiting'), '{Title}', 0, 1 FROM page_revisions
WHERE state = 'staged';
INSERT INTO staged_embeddings (domain_id, model_id, dimensions, text_hash, embedding)
VALUES (1, 1, 8, sha256('waiting'), '[8,7,6,5,4,3,2,1]'),
    (2, 1, 8, sha256('waiting'), '[8,7,6,5,4,3,2,1]'),
    (2, 1, 8, sha256('another'), '[1,1,1,1,1,1,1,1]');
"""


def test_nothing_is_lost_and_nothing_is_paid_for_again(
    empty_database: Database, tmp_path: Path
) -> None:
    for migration in read_migrations():
        if migration.number < FIRST_OF_THIS_RELEASE:
            (tmp_path / f"{migration.name}.sql").write_text(migration.sql, encoding="utf-8")
    with empty_database.connect() as conn:
        migrate(conn, tmp_path)
        with conn.transaction():
            conn.execute(BEFORE)
        assert migrate(conn)[-1] == "0015_pages_leave_last_and_vectors_stay"
        assert live_texts(conn) == {"https://a.test/live": ["published"]}
        assert count(conn, "SELECT count(*) FROM kept_embeddings") == 2
        [lost] = reaping.reap(conn, lease_seconds=90)
        assert lost.host == "a.test"
        run = start_run(conn, "a.test")
        assert run.pay_missing(run.staged_ids()) == []
        run.swap(run.staged_ids())
        assert live_texts(conn) == {
            "https://a.test/live": ["published"],
            "https://a.test/staged": ["waiting"],
        }
        other = start_run(conn, "b.test")
        other.stage({other.save_pages("p")[0]: ["another", "published", "new"]})
        assert other.pay_missing(other.staged_ids()) == ["new"]
        assert invariants.find_violations(conn, lease_seconds=90) == []
        kept = conn.execute(
            "SELECT embedding FROM kept_embeddings WHERE text_hash = %s", [text_hash("another")]
        )
        assert kept.fetchone()[0].to_list() == [1.0] * 8  # type: ignore[index]
