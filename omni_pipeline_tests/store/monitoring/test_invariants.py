"""The standing invariants: silent on a healthy database, and each one seen to fail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection, sql

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.mass_loss import MAX_GONE_SHARE, MIN_GONE_FOR_GUARD
from omni_pipeline.store.crawl import failed_pages, frontier, raw_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.monitoring import invariants, verifications
from omni_pipeline.store.monitoring.invariants import Violation
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline_tests.conftest import execute
from omni_pipeline_tests.store.catalogue.product_fixtures import list_product, price
from omni_pipeline_tests.store.conftest import (
    MISSING,
    REQUEST,
    Run,
    claim_domain,
    count,
    new_body,
    register,
    start_run,
)

LEASE_SECONDS = 90.0

# Long enough for I33, which lets short texts share a vector.
LONG = "a text of more than forty characters, as most are: "


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A corruption that one invariant must report, and what it says about it."""

    corruption: LiteralString
    host: str | None = "a.test"
    subject: str


LEAKY_BREAKER: LiteralString = (
    "INSERT INTO provider_breakers (endpoint, state, error_kind, error) "
    "VALUES ('https://e.test', 'closed', 'x', 'Bearer abcdefghijklmnop')"
)

PAGE_1 = "https://a.test/p"
PAGE_2 = "https://a.test/q"

# In the database that `populate` makes: page 1 has chunks 1 to 3, page 2 has chunks 4 to 6, page 3
# is gone, all of a.test, whose job 1 has completed. Domain 2, b.test, is being refreshed by job 2.
# Domain 3, c.test, was never refreshed. Pages 1 and 2 sell products 1 and 2.
MUTANTS = {
    "I01_chunks_as_declared": Mutant(
        corruption="UPDATE page_revisions SET chunk_count = 4 WHERE page_id = 1", subject=PAGE_1
    ),
    "I02_chunks_have_embeddings": Mutant(
        corruption="DELETE FROM embeddings WHERE chunk_id = 2", subject="2"
    ),
    "I03_one_chunk_per_position": Mutant(
        corruption="UPDATE chunks SET position = 0 WHERE id = 3", subject=PAGE_1
    ),
    "I04_positions_without_holes": Mutant(
        corruption="UPDATE chunks SET position = 7 WHERE id = 3", subject=PAGE_1
    ),
    "I05_one_embedding_per_chunk": Mutant(
        corruption="INSERT INTO embeddings SELECT * FROM embeddings WHERE chunk_id = 1",
        subject="1",
    ),
    "I06_embedding_has_chunk": Mutant(
        corruption="UPDATE embeddings SET chunk_id = 99 WHERE chunk_id = 1", subject="99"
    ),
    "I07_chunk_has_published_page": Mutant(
        corruption="UPDATE page_revisions SET state = 'staged', published_at = NULL "
        "WHERE page_id = 2",
        subject="4",
    ),
    "I08_same_domain_and_model": Mutant(
        corruption="UPDATE embeddings SET domain_id = 2 WHERE chunk_id = 1",
        host="b.test",
        subject="1",
    ),
    "I09_vector_of_this_text": Mutant(
        corruption="UPDATE embeddings SET text_hash = '\\x00' WHERE chunk_id = 1", subject="1"
    ),
    "I10_text_matches_hash": Mutant(
        corruption="UPDATE chunks SET text = left(text, -1) WHERE id = 1", subject="1"
    ),
    "I11_published_text_is_current": Mutant(
        corruption="UPDATE cleaned_pages SET content_hash = sha256('x') WHERE page_id = 1",
        subject=PAGE_1,
    ),
    "I12_cleaned_from_current_body": Mutant(
        corruption="UPDATE raw_pages SET body_hash = sha256('x') WHERE id = 1", subject=PAGE_1
    ),
    "I13_live_page_is_published": Mutant(
        corruption="DELETE FROM page_revisions WHERE page_id = 1", subject=PAGE_1
    ),
    "I14_confirmed_losses_are_believed": Mutant(
        corruption="INSERT INTO held_pages (domain_id, url, reason, held_at, confirmed_at) SELECT "
        "1, 'https://a.test/p', 'missing', now() - interval '2 days', now() - interval '1 day'",
        subject=PAGE_1,
    ),
    "I15_gone_page_is_not_searchable": Mutant(
        corruption="UPDATE raw_pages SET status = 'gone', http_status = 404, gone_at = now(), "
        "gone_because = 'missing' WHERE id = 1",
        subject=PAGE_1,
    ),
    "I16_gone_needs_evidence": Mutant(
        corruption="UPDATE raw_pages SET http_status = 503 WHERE id = 3",
        subject="https://a.test/r",
    ),
    "I17_one_row_per_url": Mutant(
        corruption="UPDATE raw_pages SET url = 'https://a.test/p' WHERE id = 2", subject=PAGE_1
    ),
    "I18_canonical_urls": Mutant(
        corruption="UPDATE raw_pages SET url = 'https://a.test/p#top' WHERE id = 1",
        subject="https://a.test/p#top",
    ),
    "I19_live_page_has_body": Mutant(
        corruption="UPDATE raw_pages SET html = NULL WHERE id = 1", subject=PAGE_1
    ),
    "I20_one_running_job_per_domain": Mutant(
        corruption="UPDATE crawl_jobs SET domain_id = 2, host = 'b.test', status = 'running'",
        host="b.test",
        subject="2",
    ),
    "I21_running_job_beats": Mutant(
        corruption="UPDATE crawl_jobs SET started_at = now() - interval '1 hour', "
        "heartbeat_at = now() - interval '181 seconds' WHERE id = 2",
        host="b.test",
        subject="job 2",
    ),
    "I22_job_states_and_times": Mutant(
        corruption="UPDATE crawl_jobs SET finished_at = now() WHERE id = 2",
        host="b.test",
        subject="job 2",
    ),
    "I23_running_job_has_domain": Mutant(
        corruption="UPDATE crawl_jobs SET domain_id = NULL WHERE id = 2",
        host="b.test",
        subject="job 2",
    ),
    "I24_fences_unique_and_issued": Mutant(
        corruption="UPDATE crawl_jobs SET fence = 9 WHERE id = 2", host="b.test", subject="fence 9"
    ),
    "I25_nobody_wrote_with_unissued_fence": Mutant(
        corruption="UPDATE cleaned_pages SET fence = 9 WHERE page_id = 1", subject=PAGE_1
    ),
    "I26_nobody_wrote_after_the_end": Mutant(
        corruption="UPDATE cleaned_pages SET cleaned_at = now() + interval '6 seconds' "
        "WHERE page_id = 1",
        subject=PAGE_1,
    ),
    "I27_one_job_per_tick": Mutant(
        corruption="UPDATE crawl_jobs SET domain_id = 1, host = 'a.test', "
        "scheduled_for = '2026-11-22 02:00Z'",
        subject="2026-11-22 02:00:00+00",
    ),
    "I28_pages_are_accounted_for": Mutant(
        corruption="UPDATE crawl_jobs SET pages_discovered = pages_discovered + 1 WHERE id = 1",
        subject="job 1",
    ),
    "I29_failures_are_on_record": Mutant(
        corruption="UPDATE crawl_jobs SET pages_failed = pages_failed + 1, "
        "pages_discovered = pages_discovered + 1 "
        "WHERE id = (SELECT max(id) FROM crawl_jobs WHERE domain_id = 1)",
        subject="job 1",
    ),
    "I30_failures_are_scheduled_or_permanent": Mutant(
        corruption="UPDATE failed_pages SET next_try_at = NULL", subject="https://a.test/f"
    ),
    "I31_no_secret_in_errors": Mutant(
        corruption="UPDATE failed_pages SET error = 'Incorrect API key: sk-test-SECRET1234567'",
        subject="https://a.test/f",
    ),
    "I32_vectors_are_usable": Mutant(
        corruption="UPDATE embeddings SET embedding = '[0,0,0,0,0,0,0,0]' WHERE chunk_id = 1",
        subject="1",
    ),
    "I33_different_texts_have_different_vectors": Mutant(
        corruption="UPDATE embeddings SET embedding = '[1,1,1,1,1,1,1,1]' WHERE chunk_id IN (1, 3)",
        subject=PAGE_1,
    ),
    "I34_one_chunking_per_domain": Mutant(
        corruption="UPDATE page_revisions SET chunker = 'md-2/200' WHERE page_id = 1",
        subject="md-1/100, md-2/200",
    ),
    "I35_current_price_is_newest_snapshot": Mutant(
        corruption="UPDATE products SET current_price_amount = 1 WHERE id = 1", subject="product 1"
    ),
    "I36_one_snapshot_per_job": Mutant(
        corruption="INSERT INTO price_snapshots (product_id, domain_id, job_id, is_change, "
        "page_url, price_kind, price_amount, price_currency, availability) SELECT product_id, "
        "domain_id, job_id, is_change, page_url, price_kind, price_amount, price_currency, "
        "availability FROM price_snapshots WHERE product_id = 1",
        subject="product 1",
    ),
    "I37_prices_are_sane": Mutant(
        corruption="UPDATE price_snapshots SET price_amount = 'NaN' WHERE product_id = 1",
        subject="product 1",
    ),
    "I38_listed_product_has_a_live_page": Mutant(
        corruption="UPDATE products SET page_id = 3 WHERE id = 1", subject="product 1"
    ),
    "I39_active_domain_is_fresh": Mutant(
        corruption="UPDATE domains SET created_at = now() - interval '27 hours', "
        "last_success_at = NULL WHERE id = 3",
        host="c.test",
        subject="c.test",
    ),
    "I40_no_mass_loss_without_a_person": Mutant(
        corruption="INSERT INTO raw_pages (id, domain_id, url, status, http_status, gone_because, "
        "gone_at, fence, fetched_at, checked_at) OVERRIDING SYSTEM VALUE "
        "SELECT 100 + n, 1, format('https://a.test/%s', n), 'gone', 404, 'missing', now(), fence, "
        "now() - interval '1 day', now() - interval '1 day' FROM generate_series(1, 10) n, "
        "(SELECT max(fence) AS fence FROM crawl_jobs WHERE domain_id = 1) j",
        subject="job 1",
    ),
    "I41_text_is_clean": Mutant(
        corruption="UPDATE chunks SET text = text || U&'\\+0E0041', "
        "text_hash = sha256(convert_to(text || U&'\\+0E0041', 'UTF8')) WHERE id = 1",
        subject="1",
    ),
    "I42_chunk_fits_the_model": Mutant(
        corruption="UPDATE chunks SET token_count = 9000 WHERE id = 1", subject="1"
    ),
    "I43_staged_chunk_has_revision": Mutant(
        corruption="INSERT INTO staged_chunks SELECT 1, position, text, text_hash, heading_path, "
        "start_offset, token_count FROM chunks WHERE page_id = 1",
        subject="revision 1",
    ),
    "I44_staged_as_declared": Mutant(
        corruption="UPDATE page_revisions SET state = 'staged', published_at = NULL "
        "WHERE page_id = 2",
        subject=PAGE_2,
    ),
    "I45_rendered_page_has_no_validators": Mutant(
        corruption="UPDATE raw_pages SET rendered_by = 'browser' WHERE id = 1", subject=PAGE_1
    ),
    "I46_held_page_is_live": Mutant(
        corruption="INSERT INTO held_pages (domain_id, url, reason) "
        "VALUES (1, 'https://a.test/r', 'missing')",
        subject="https://a.test/r",
    ),
    "I47_nothing_is_left_to_crawl": Mutant(
        corruption="INSERT INTO crawl_frontier (id, domain_id, url, source) "
        "OVERRIDING SYSTEM VALUE VALUES (99, 1, 'https://a.test/p', 'link')",
        subject=PAGE_1,
    ),
    "I48_rows_have_a_domain": Mutant(
        corruption="UPDATE embeddings SET domain_id = 77 WHERE chunk_id = 1",
        host=None,
        subject="domain 77",
    ),
    "I49_publications_were_checked": Mutant(
        corruption="INSERT INTO publication_checks (page_id, model_id) VALUES (1, 1)",
        subject=PAGE_1,
    ),
    "I50_chunks_have_words": Mutant(
        corruption="DELETE FROM chunk_words WHERE chunk_id = 2", subject="2"
    ),
    "I51_gone_page_has_left_the_index": Mutant(
        corruption="UPDATE raw_pages SET status = 'gone', http_status = 404, gone_at = now(), "
        "gone_because = 'missing' WHERE id = 1; DELETE FROM cleaned_pages WHERE page_id = 1",
        subject=PAGE_1,
    ),
}

# Each corruption above that no constraint and no deferred check refuses: for these the invariants
# are the only witness.
UNREFUSED = {
    "I11_published_text_is_current",
    "I12_cleaned_from_current_body",
    "I14_confirmed_losses_are_believed",
    "I15_gone_page_is_not_searchable",
    "I18_canonical_urls",
    "I21_running_job_beats",
    "I24_fences_unique_and_issued",
    "I25_nobody_wrote_with_unissued_fence",
    "I26_nobody_wrote_after_the_end",
    "I28_pages_are_accounted_for",
    "I29_failures_are_on_record",
    "I31_no_secret_in_errors",
    "I33_different_texts_have_different_vectors",
    "I34_one_chunking_per_domain",
    "I38_listed_product_has_a_live_page",
    "I39_active_domain_is_fresh",
    "I40_no_mass_loss_without_a_person",
    "I42_chunk_fits_the_model",
    "I43_staged_chunk_has_revision",
    "I46_held_page_is_live",
    "I47_nothing_is_left_to_crawl",
    "I49_publications_were_checked",
    "I50_chunks_have_words",
    "I51_gone_page_has_left_the_index",
}


def populate(conn: Connection) -> None:
    """A refreshed domain with a gone page and a failed one, and a domain being refreshed."""
    run = start_run(conn, "a.test")
    with run.fenced():
        urls = {f"https://a.test/{path}": 0 for path in "pqrf"}
        frontier.add_urls(conn, run.claim, urls, source="link", is_forced=False, page_limit=None)
        frontier.settle(conn, run.claim, dict.fromkeys(urls, "changed"))
    first, second, _ = run.save_pages("p", "q", "r")
    run.publish({page: [f"{LONG}{page} {n}" for n in range(3)] for page in (first, second)})
    with run.fenced():
        failure = Failure(url="https://a.test/f", kind="transient.timeout", reason="no answer")
        failed_pages.record(conn, run.claim, "fetch", [failure])
        gone = {"https://a.test/r": MISSING}
        raw_pages.remove_pages(conn, run.claim, gone)
        conn.execute("DELETE FROM cleaned_pages WHERE page_id = 3")
        outcomes = {"https://a.test/r": "gone", "https://a.test/f": "failed"}
        frontier.settle(conn, run.claim, outcomes)
        frontier.close_crawl(conn, run.claim, is_truncated=False)
    for page, name in ((first, "lamp"), (second, "fuse")):
        price(run, list_product(run, page, name), "39.90")
    run.finish()
    start_run(conn, "b.test")
    register(conn, "c.test")


@pytest.fixture(scope="module")
def healthy(postgres: EmbeddedPostgres, template: str) -> Iterator[Connection]:
    """A populated database; its tests take back what they do to it."""
    execute(postgres, "CREATE DATABASE healthy TEMPLATE {}", template)
    with Database(url=postgres.url("healthy")).connect() as conn:
        populate(conn)
        yield conn
    execute(postgres, "DROP DATABASE healthy WITH (FORCE)")


@pytest.fixture(scope="module")
def defenceless(postgres: EmbeddedPostgres, template: str) -> Iterator[Connection]:
    """The same without any constraint, unique index or trigger, so that anything can be planted."""
    execute(postgres, "CREATE DATABASE defenceless TEMPLATE {}", template)
    with Database(url=postgres.url("defenceless")).connect() as conn:
        populate(conn)
        drop_defences(conn)
        yield conn
    execute(postgres, "DROP DATABASE defenceless WITH (FORCE)")


def drop_defences(conn: Connection) -> None:
    """Leave only the primary keys that the look itself goes by."""
    constraints = conn.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c', 'u', 'p') "
        "AND conrelid <> 0 AND conname NOT IN ('page_revisions_pkey', 'verifications_pkey') "
        "ORDER BY array_position('{f,c,u,p}', contype::text)"
    ).fetchall()
    for table, name in constraints:
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {} CASCADE")
        conn.execute(drop.format(sql.Identifier(table), sql.Identifier(name)))
    indexes = conn.execute(
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid "
        "WHERE indisunique AND NOT indisprimary AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    for (name,) in indexes:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    conn.execute("SET session_replication_role = replica")


def find_all(
    conn: Connection, domain_ids: list[int] | None = None, since: str | None = None
) -> set[Violation]:
    return set(
        invariants.look(conn, lease_seconds=LEASE_SECONDS, domain_ids=domain_ids, since=since)
    )


def find(conn: Connection, name: str) -> list[tuple[str | None, str, str]]:
    return [(v.host, v.subject, v.detail) for v in find_all(conn) if v.invariant == name]


# Each invariant can fail, and says where


def test_every_invariant_has_a_mutant() -> None:
    assert list(MUTANTS) == invariants.names()


NOT_YET = {35, 36, 37, 38}  # about products, which are not stored yet


def test_the_invariants_are_numbered_without_a_hole() -> None:
    """Each number is explained once, and none is given twice."""
    numbers = {int(name[1:3]) for name in invariants.names()}
    assert numbers == set(range(1, max(numbers) + 1))


def test_every_invariant_says_in_one_line_what_must_hold_and_when_and_where() -> None:
    line = re.compile(r"-- (I\d\d_\w+, )?(always|quiet), (by domain|everywhere): .{20,}")
    for name, query in load_queries("omni_pipeline.store.monitoring.invariants").items():
        first, *others = query.decode().split("\n")
        assert line.fullmatch(first), name
        assert name.startswith("I") or first.startswith("-- I"), name
        is_by_domain = "by domain" in first
        assert is_by_domain == ("_ids)s)" in "".join(others)), name
        assert ("%(quiet_ids)s" in query.decode()) == ("quiet, by domain" in first), name


def test_a_healthy_database_violates_nothing(healthy: Connection, defenceless: Connection) -> None:
    for conn in (healthy, defenceless):
        assert find_all(conn) == set()


@pytest.mark.parametrize("name", MUTANTS)
def test_an_invariant_reports_its_mutant(defenceless: Connection, name: str) -> None:
    mutant = MUTANTS[name]
    with defenceless.transaction(force_rollback=True):
        assert defenceless.execute(mutant.corruption).rowcount > 0, "the mutant is real"
        found = find(defenceless, name)
    assert (mutant.host, mutant.subject) in [(host, subject) for host, subject, _ in found]
    assert all(detail for _, _, detail in found)


@pytest.mark.parametrize(
    ("name", "corruption", "subjects"),
    [
        ("I08", "UPDATE cleaned_pages SET domain_id = 2 WHERE page_id = 1", {PAGE_1}),
        ("I08", "UPDATE page_revisions SET domain_id = 2 WHERE page_id = 2", {PAGE_2}),
        ("I08", "UPDATE embeddings SET model_id = 7 WHERE chunk_id = 1", {"1"}),
        ("I26", "UPDATE raw_pages SET checked_at = now() + interval '1 h' WHERE id = 1", {PAGE_1}),
        ("I26", "UPDATE page_revisions SET published_at = 'tomorrow' WHERE page_id = 1", {PAGE_1}),
        ("I32", "UPDATE embeddings SET embedding = '[1,2,3]' WHERE chunk_id = 1", {"1"}),
        ("I48", "DELETE FROM domains WHERE id = 1", {"domain 1"}),
        ("I48", "UPDATE chunk_words SET domain_id = 77 WHERE chunk_id = 1", {"domain 77"}),
        ("I50", "UPDATE chunk_words SET chunk_id = 99 WHERE chunk_id = 1", {"1", "99"}),
        (
            "I31",
            LEAKY_BREAKER,
            {"https://e.test"},
        ),
    ],
)
def test_an_invariant_about_several_tables_looks_at_each(
    defenceless: Connection, name: str, corruption: LiteralString, subjects: set[str]
) -> None:
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(corruption)
        found = {v.subject for v in find_all(defenceless) if v.invariant.startswith(name)}
    assert found == subjects


# A look at some domains is the look at all of them, restricted


@pytest.mark.parametrize("name", MUTANTS)
def test_looks_at_each_domain_together_find_what_a_look_at_all_finds(
    defenceless: Connection, name: str
) -> None:
    """So none is missed between them, and none is seen that is not there."""
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        everything = find_all(defenceless)
        elsewhere = find_all(defenceless, [])
        by_host = {f"{x}.test": find_all(defenceless, [n]) for n, x in enumerate("abc", start=1)}
    assert set.union(*by_host.values()) == everything
    for host, found in by_host.items():
        assert found - elsewhere == {v for v in everything - elsewhere if v.host == host}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_breaks_during_a_refresh_is_found_by_a_look_at_what_changed(
    defenceless: Connection, name: str
) -> None:
    """Planted after the last look, by a refresh of its domain, whichever rows it touched."""
    mutant = MUTANTS[name]
    with defenceless.transaction(force_rollback=True):
        before = verifications.due(defenceless, "basis")
        verifications.note_whole(defenceless, "basis", before)
        assert verifications.due(defenceless, "basis") == []
        refreshed = claim_domain(defenceless, "a.test", REQUEST)
        defenceless.execute(mutant.corruption)
        crawl_jobs.finish(defenceless, refreshed, error=None, is_whole=True)
        due = verifications.due(defenceless, "basis")
        assert due[0].host == "a.test"
        incremental = find_all(defenceless, [domain.domain_id for domain in due], due[0].since)
        complete = find_all(defenceless)
    assert {v for v in complete if v.host in ("a.test", None)} <= incremental <= complete
    if mutant.host in ("a.test", None):
        assert name in {violation.invariant for violation in incremental}


@pytest.mark.parametrize("name", ["I10_text_matches_hash", "I41_text_is_clean"])
def test_a_text_that_was_not_written_since_is_not_read_again(
    defenceless: Connection, name: str
) -> None:
    """A million texts take seconds to read. Who reads them all: a complete look."""
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        later = defenceless.execute("SELECT (pg_current_xact_id()::text::bigint + 1)::text")
        [(since,)] = later.fetchall()
        assert name not in {v.invariant for v in find_all(defenceless, since=since)}
        assert find(defenceless, name)


# What the database refuses itself


def is_refused(conn: Connection, corruption: LiteralString) -> bool:
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(corruption)
            conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.errors.IntegrityError:
        return True
    return False


def test_the_database_itself_refuses_all_but_these_corruptions(healthy: Connection) -> None:
    """Corruption is made impossible where it can be; a constraint that is lost shows up here."""
    refused = {name for name, mutant in MUTANTS.items() if is_refused(healthy, mutant.corruption)}
    assert set(MUTANTS) - refused == UNREFUSED


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test:8443/p",
        "http://a.test:80/p",
        "https://user@a.test/p",
        "https://A.test/p",
        "https://evil.test/p",
        "https://a.test.evil.test/p",
        "https://evil-a.test/p",
        "ftp://a.test/p",
        "https://a.test",
    ],
)
def test_a_url_that_is_not_canonical_or_not_of_the_domain_is_reported(
    defenceless: Connection, url: str
) -> None:
    """I18"""
    with defenceless.transaction(force_rollback=True):
        defenceless.execute("UPDATE raw_pages SET url = %s WHERE id = 1", [url])
        assert find(defenceless, "I18_canonical_urls")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("a.test", "https://www.a.test/p"),
        ("www.a.test", "https://a.test/p"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/p?q=1"),
        ("[::1]:8080", "http://[::1]:8080/"),
        ("xn--bcher-kva.test", "https://xn--bcher-kva.test/%C3%A4"),
    ],
)
def test_a_canonical_url_of_the_domain_is_not_reported(
    defenceless: Connection, host: str, url: str
) -> None:
    with defenceless.transaction(force_rollback=True):
        defenceless.execute("DELETE FROM raw_pages WHERE id > 1")
        defenceless.execute("UPDATE domains SET host = %s WHERE id = 1", [host])
        defenceless.execute("UPDATE raw_pages SET url = %s WHERE id = 1", [url])
        assert find(defenceless, "I18_canonical_urls") == []


# The quiet ones wait for the end of a refresh, and take an excuse

QUIET = sorted(
    invariant or query
    for query, text in load_queries("omni_pipeline.store.monitoring.invariants").items()
    for invariant in re.findall(r"^-- (?:(I\d\d_\w+), )?quiet, ", text.decode(), re.MULTILINE)
)


def test_these_invariants_hold_between_refreshes_only() -> None:
    assert QUIET == [
        "I11_published_text_is_current",
        "I12_cleaned_from_current_body",
        "I13_live_page_is_published",
        "I14_confirmed_losses_are_believed",
        "I29_failures_are_on_record",
        "I34_one_chunking_per_domain",
        "I40_no_mass_loss_without_a_person",
        "I46_held_page_is_live",
        "I47_nothing_is_left_to_crawl",
        "I51_gone_page_has_left_the_index",
    ]


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize(
    "excuse",
    [
        "UPDATE crawl_jobs SET domain_id = 1, fence = 2 WHERE id = 2",
        "UPDATE crawl_jobs SET domain_id = 1, fence = 2, finished_at = now() WHERE id = 2",
    ],
    ids=["a running job", "a job that failed"],
)
def test_a_quiet_invariant_is_silent_while_there_is_an_excuse(
    defenceless: Connection, name: str, excuse: LiteralString
) -> None:
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(excuse)
        assert find(defenceless, name) == []


@pytest.mark.parametrize("name", QUIET)
def test_a_model_that_was_built_since_is_no_excuse(defenceless: Connection, name: str) -> None:
    """R-C5: a build is a job of the domain, and leaves its pages alone."""
    build = (
        "UPDATE crawl_jobs SET domain_id = 1, fence = 2, job_type = 'model_build', "
        "status = 'failed', finished_at = now() WHERE id = 2"
    )
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(build)
        assert find(defenceless, name)


@pytest.mark.parametrize("name", [name for name in QUIET if name[:3] in "I11 I12 I13 I34"])
def test_an_open_failure_says_why_a_page_is_not_as_it_should_be(
    defenceless: Connection, name: str
) -> None:
    excuse = "UPDATE failed_pages SET url = 'https://a.test/p', stage = 'embed'"
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(excuse)
        assert find(defenceless, name) == []


def test_a_changed_text_that_is_staged_is_not_reported(defenceless: Connection) -> None:
    """I11"""
    name = "I11_published_text_is_current"
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(
            "INSERT INTO page_revisions (id, page_id, domain_id, model_id, state, content_hash,"
            " chunker, chunk_count, title, fence) OVERRIDING SYSTEM VALUE "
            "SELECT 99, page_id, domain_id, model_id, 'staged', sha256('x'), chunker, 1, title, 1 "
            "FROM page_revisions WHERE page_id = 1"
        )
        assert find(defenceless, name) == []


def test_a_run_of_the_first_asset_alone_is_no_violation(conn: Connection) -> None:
    """R-C1: whoever materializes raw_pages alone leaves pages to be cleaned, on purpose."""
    run = start_run(conn)
    run.publish({run.save_pages("p")[0]: ["one"]})
    run.finish()
    partial = start_run(conn)
    with partial.fenced():
        raw_pages.save(conn, partial.claim, [new_body(PAGE_1, "new"), new_body(PAGE_2, "new")])
    assert partial.finish(is_whole=False)
    assert invariants.find_violations(conn, lease_seconds=LEASE_SECONDS) == []


# Twins: what looks like a violation and is none


def test_texts_that_are_short_or_equal_may_share_a_vector(conn: Connection) -> None:
    """I33"""
    run = start_run(conn)
    (page,) = run.save_pages("p")
    run.publish({page: [LONG, LONG, "short", "brief"]})
    conn.execute(
        "UPDATE embeddings SET embedding = '[1,1,1,1,1,1,1,1]' WHERE text_hash = ANY (%s)",
        [[text_hash("short"), text_hash("brief")]],
    )
    assert invariants.find_violations(conn, lease_seconds=LEASE_SECONDS) == []


@pytest.mark.parametrize(
    "error",
    [
        "no answer from https://a.test/task-management-software",
        "bearer token missing",
        "the password is wrong",
        "postgresql://omni:***@db/omni cannot be reached",
        "no page at https://a.test/p",
    ],
)
def test_an_error_without_a_secret_is_not_reported(defenceless: Connection, error: str) -> None:
    """I31"""
    with defenceless.transaction(force_rollback=True):
        defenceless.execute("UPDATE failed_pages SET error = %s", [error])
        defenceless.execute("UPDATE crawl_jobs SET error = %s", [error])
        assert find(defenceless, "I31_no_secret_in_errors") == []


@pytest.mark.parametrize(
    "error",
    [
        "Authorization: Bearer abcdefghijklmnop.qrs",
        "postgresql://omni:hunter2@db/omni refused",
        "password=hunter2",
        "key sk-proj-abc_DEF-1234567890",
    ],
)
def test_a_secret_in_a_job_is_reported_too(defenceless: Connection, error: str) -> None:
    with defenceless.transaction(force_rollback=True):
        defenceless.execute("UPDATE crawl_jobs SET error = %s WHERE id = 2", [error])
        found = find(defenceless, "I31_no_secret_in_errors")
    assert [(host, subject) for host, subject, _ in found] == [("b.test", "job 2")]


def test_a_loss_that_a_person_confirmed_is_no_mass_loss(defenceless: Connection) -> None:
    """I40"""
    name = "I40_no_mass_loss_without_a_person"
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute("UPDATE crawl_jobs SET pages_confirmed = 3 WHERE id = 1")
        assert find(defenceless, name) == []


def test_the_mass_loss_that_is_reported_is_the_one_that_is_held_back() -> None:
    """I40: the same numbers stand in the rule and in its witness."""
    query = load_queries("omni_pipeline.store.monitoring.invariants")[
        "I40_no_mass_loss_without_a_person"
    ].decode()
    assert f">= {MIN_GONE_FOR_GUARD}" in query
    assert f"> {MAX_GONE_SHARE} *" in query


@pytest.mark.parametrize(
    "reason",
    [
        "UPDATE domains SET status = 'paused' WHERE id = 3",
        "UPDATE crawl_jobs SET domain_id = 3, host = 'c.test' WHERE id = 2",
        "UPDATE crawl_jobs SET domain_id = 3, host = 'c.test' WHERE id = 1",
        "UPDATE domains SET last_success_at = now() - interval '25 hours' WHERE id = 3",
    ],
    ids=["paused", "at work", "tried", "fresh"],
)
def test_an_old_domain_with_a_visible_reason_is_not_reported(
    defenceless: Connection, reason: LiteralString
) -> None:
    """I39"""
    name = "I39_active_domain_is_fresh"
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(reason)
        assert find(defenceless, name) == []


def test_a_confirmed_loss_may_stay_held_while_more_waits(defenceless: Connection) -> None:
    """I14: together they are still too many to be believed."""
    name = "I14_confirmed_losses_are_believed"
    with defenceless.transaction(force_rollback=True):
        defenceless.execute(MUTANTS[name].corruption)
        defenceless.execute(
            "INSERT INTO held_pages (domain_id, url, reason) "
            "VALUES (1, 'https://a.test/q', 'moved')"
        )
        assert find(defenceless, name) == []


# The question as a whole


def test_violations_are_reported_with_invariant_host_and_subject(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    run.conn.execute("UPDATE chunks SET token_count = 9000")
    (violation,) = invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS)
    assert violation == Violation(
        invariant="I42_chunk_fits_the_model", host="a.test", subject="1", detail=PAGE_1
    )


def test_no_more_violations_of_an_invariant_are_reported_than_asked(run: Run) -> None:
    (page,) = run.save_pages("p")
    run.publish({page: [f"text {number}" for number in range(30)]})
    run.conn.execute("UPDATE chunks SET token_count = 9000")
    found = invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS, limit=7)
    assert len(found) == 7
    assert len(invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS)) == 30


def test_looking_leaves_the_session_able_to_write(run: Run) -> None:
    """The look is read-only; what comes after it is not."""
    invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS)
    assert run.finish()


def test_all_invariants_are_read_from_one_snapshot(run: Run, other_connection: Connection) -> None:
    """What is committed after the look began is not part of it."""
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})

    class TearsAPageMeanwhile(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> "TearsAPageMeanwhile":
            if query == load_queries("omni_pipeline.store.monitoring.invariants")["chunks"]:
                other_connection.execute("SET session_replication_role = replica")
                other_connection.execute("DELETE FROM embeddings")
            return super().execute(query, *args, **kwargs)

    run.conn.cursor_factory = TearsAPageMeanwhile
    assert invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS) == []
    assert count(run.conn, "SELECT count(*) FROM embeddings") == 0
