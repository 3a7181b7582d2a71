"""The registered web sites: added once, found by host, removed with all that is theirs."""

from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql

from omni_pipeline.domain.companies.profile import Company
from omni_pipeline.domain.crawl.options import OPTIONS
from omni_pipeline.errors import UnknownDomainError
from omni_pipeline.store.catalogue import companies, llm_answers, price_snapshots
from omni_pipeline.store.catalogue.llm_answers import Key
from omni_pipeline.store.catalogue.price_snapshots import HeldPrice
from omni_pipeline.store.crawl import (
    failed_pages,
    frontier,
    held_pages,
    non_pages,
    raw_pages,
    render_decisions,
    robots_files,
)
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import DomainOverview, NewDomain
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Batch, Bill
from omni_pipeline_tests.store.catalogue.product_fixtures import list_product, price
from omni_pipeline_tests.store.conftest import HOST, MISSING, Run, register, start_run

# Rows of these outlive their domain, as the record of what was done and paid.
LEDGERS = {"crawl_jobs", "token_usage"}

OF_THE_CONTENT_LINEAGE = {
    "crawl_jobs",
    "crawl_frontier",
    "raw_pages",
    "cleaned_pages",
    "page_revisions",
    "staged_chunks",
    "chunks",
    "chunk_words",
    "embeddings",
    "token_usage",
    "failed_pages",
    "robots_files",
    "render_decisions",
    "held_pages",
    "non_pages",
    "postponed_urls",
}

NOT_OF_DOMAINS = {
    "domains",
    "organizations",
    "embedding_models",
    "schema_migrations",
    "publication_checks",
    "provider_breakers",
    "rate_limits",
}


def test_a_domain_keeps_its_configuration(conn: Connection) -> None:
    """R-A2"""
    wanted = NewDomain(
        host="docs.test:8080",
        start_url="http://docs.test:8080/start",
        use_sitemap=False,
        page_limit=70,
        render_mode="browser",
        delay_seconds=2.5,
        concurrency=2,
        browser_hosts=("cdn.test",),
        has_products=False,
        default_currency="CHF",
        daily_price_points=True,
        include_patterns=("/docs/*", "/it's \\ {odd}*"),
        exclude_patterns=("/docs/old/*",),
    )
    assert domains.add(conn, wanted)
    found = domains.get(conn, "docs.test:8080")
    stored = vars(found) | {
        "include_patterns": tuple(found.include_patterns),
        "exclude_patterns": tuple(found.exclude_patterns),
        "browser_hosts": tuple(found.browser_hosts),
    }
    assert stored | vars(wanted) == stored
    assert (found.status, found.last_success_at) == ("active", None)


def test_adding_a_domain_again_says_so_and_changes_nothing(conn: Connection) -> None:
    register(conn)
    before = domains.get(conn, HOST)
    assert not domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/other"))
    assert domains.get(conn, HOST) == before


def test_adding_a_domain_for_an_unknown_organization_is_an_error(conn: Connection) -> None:
    with pytest.raises(Exception, match="nobody"):
        domains.add(
            conn,
            NewDomain(host=HOST, start_url=f"https://{HOST}/", organization="nobody"),
        )


@pytest.mark.parametrize(
    "host",
    ["", "A.test", "x'; DROP TABLE chunks;--", "../../etc", "a\nb", "a b", "ä.test", "a" * 264],
)
def test_a_host_outside_the_grammar_is_refused_by_the_database_too(
    conn: Connection, host: str
) -> None:
    """S-54: a partition key is typed by people; this is the last of its doors."""
    with pytest.raises(psycopg.errors.CheckViolation, match="domains_host_check"):
        domains.add(conn, NewDomain(host=host, start_url="https://a.test/"))


@pytest.mark.parametrize("start_url", ["file:///etc/passwd", "javascript:x", "a.test", ""])
def test_a_start_page_that_is_not_on_the_web_is_refused(conn: Connection, start_url: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="domains_start_url_check"):
        domains.add(conn, NewDomain(host=HOST, start_url=start_url))


def test_an_unknown_domain_is_named_with_the_remedy(conn: Connection) -> None:
    assert domains.find(conn, "nope.test") is None
    expected = r"'nope\.test' is not a registered domain\. Register it with: omni domains add nope"
    with pytest.raises(UnknownDomainError, match=expected):
        domains.get(conn, "nope.test")
    with pytest.raises(UnknownDomainError, match=expected):
        domains.set_status(conn, "nope.test", "paused")
    with pytest.raises(UnknownDomainError, match=expected):
        domains.remove(conn, "nope.test")


def test_a_paused_domain_is_listed_but_not_among_the_active(conn: Connection) -> None:
    """R-C2"""
    for host in ("b.test", "c.test", "a.test"):
        register(conn, host)
    domains.set_status(conn, "b.test", "paused")
    assert domains.list_hosts(conn) == ["a.test", "b.test", "c.test"]
    assert domains.list_hosts(conn, only_active=True) == ["a.test", "c.test"]
    domains.set_status(conn, "b.test", "active")
    assert domains.list_hosts(conn, only_active=True) == ["a.test", "b.test", "c.test"]


def fill_every_table(run: Run) -> None:
    """Leave rows of this domain in every table that knows domains."""
    page, other = run.save_pages("p", "q")
    run.publish({page: ["text"]})
    run.stage({other: ["staged"]})
    run.pay(["staged"])
    product = list_product(run, page, "lamp")
    price(run, product, "39.90")
    with run.fenced():
        held = HeldPrice(product_id=product, price_amount=Decimal(1), price_currency="EUR")
        price_snapshots.hold(run.conn, run.claim, [held])
        companies.save(run.conn, run.claim, Company(name="Fernhill"))
        batch = Batch(id=uuid4(), model=run.model, price_per_million=None)
        token_usage.settle(run.conn, run.claim, batch, Bill(requests=1, texts=1, tokens=9))
        failed_pages.record(
            run.conn, run.claim, "fetch", [Failure(url="u", kind="transient.x", reason="r")]
        )
        frontier.open_crawl(run.conn, run.claim, is_forced=True, recency_seconds=60)
        robots_files.keep(run.conn, run.claim, "https://gone.test", "User-agent: *")
        render_decisions.record(run.conn, run.claim, {"/a": True})
        held_pages.hold(run.conn, run.claim, {"u": "missing"})
        non_pages.record(run.conn, run.claim, {"https://gone.test/a": 1})
        later = f"https://{HOST}/later"
        frontier.add_urls(
            run.conn, run.claim, {later: 1}, source="link", is_forced=True, page_limit=None
        )
        frontier.postpone(run.conn, run.claim, [later])
        key = Key(text_hash=bytes(32), question_version=1, model="chat")
        llm_answers.keep(run.conn, run.claim, key, None)


def rows_by_table(conn: Connection) -> dict[str, int]:
    """How many rows each table has that holds what belongs to domains."""
    tables = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind = 'r' AND relname <> ALL (%s)",
        [list(NOT_OF_DOMAINS)],
    )
    counts = {}
    for (table,) in tables.fetchall():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        row = conn.execute(query).fetchone()
        assert row is not None
        counts[table] = row[0]
    return counts


def test_removing_a_domain_leaves_nothing_of_it_but_the_ledgers(conn: Connection) -> None:
    """R-B3"""
    fill_every_table(start_run(conn, "gone.test"))
    full = {table for table, rows in rows_by_table(conn).items() if rows}
    assert full >= OF_THE_CONTENT_LINEAGE, "each of them had a row to lose"
    assert domains.remove(conn, "gone.test") == "run-1"
    left = {table for table, rows in rows_by_table(conn).items() if rows}
    assert left == LEDGERS | {"kept_embeddings"}, "what was paid for is kept for a while"
    for table in LEDGERS:
        query = sql.SQL("SELECT host, domain_id FROM {}").format(sql.Identifier(table))
        assert conn.execute(query).fetchall() == [("gone.test", None)]


def test_every_table_that_knows_domains_forgets_them_by_its_own_definition(
    conn: Connection,
) -> None:
    """R-B3: a row goes with its domain, or with what it belongs to and what does; ledgers stay."""
    rows = conn.execute(
        "SELECT c.relname, (SELECT string_agg(DISTINCT f.confdeltype::text, '') "
        "FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f') "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'domain_id' "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    on_delete = {str(table): str(actions or "") for table, actions in rows}
    on_delete["chunk_words"] = "c"  # with its chunk, by a trigger
    assert set(on_delete) >= OF_THE_CONTENT_LINEAGE - {"staged_chunks"}
    lasting = {table for table, actions in on_delete.items() if "c" not in actions}
    assert lasting <= LEDGERS | {"alerts"}
    assert all("n" in on_delete[table] for table in lasting)


def test_removing_a_domain_touches_no_other(conn: Connection) -> None:
    stays, goes = start_run(conn, "stays.test"), start_run(conn, "goes.test")
    fill_every_table(stays)
    before = rows_by_table(conn)
    fill_every_table(goes)
    goes.finish()
    assert domains.remove(conn, "goes.test") is None, "no run was ended by it"
    after = rows_by_table(conn)
    assert {table: rows for table, rows in after.items() if table not in LEDGERS} == {
        table: rows for table, rows in before.items() if table not in LEDGERS
    }
    with stays.fenced():
        pass


# One look


def test_the_overview_counts_what_is_live_and_shows_the_newest_job(run: Run) -> None:
    page, other, gone = run.save_pages("p", "q", "gone")
    run.publish({page: ["one", "two"], other: ["three"]})
    with run.fenced():
        failure = Failure(url="u", kind="transient.x", reason="r")
        failed_pages.record(run.conn, run.claim, "clean", [failure])
        failed_pages.resolve(run.conn, run.claim, ["u"], "clean")
        raw_pages.remove_pages(run.conn, run.claim, {f"https://{HOST}/gone": MISSING})
        cleaned_pages.remove(run.conn, [gone])
    run.finish()
    newest = start_run(run.conn)
    fill_every_table(newest)
    (seen,) = domains.overview(run.conn, HOST)
    assert (seen.host, seen.status, seen.organization) == (HOST, "active", "default")
    assert (seen.pages, seen.chunks, seen.open_failures, seen.tokens_today) == (2, 2, 1, 9)
    assert (seen.job_id, seen.job_status) == (newest.claim.job_id, "running")
    assert seen.last_success_at is not None
    assert seen.beat_age_seconds is not None
    assert 0 <= seen.beat_age_seconds < 30


def test_a_domain_without_a_job_has_an_overview_too(conn: Connection) -> None:
    register(conn, "b.test")
    register(conn, "a.test")
    first, second = domains.overview(conn)
    assert (first.host, second.host) == ("a.test", "b.test")
    assert (first.pages, first.chunks, first.open_failures, first.job_id) == (0, 0, 0, None)
    assert domains.overview(conn, "nope.test") == []


def test_the_numbers_of_an_overview_are_of_the_declared_types(run: Run) -> None:
    fill_every_table(run)
    (seen,) = domains.overview(run.conn)
    wrong = {
        name: type(getattr(seen, name)).__name__
        for name, declared in DomainOverview.__annotations__.items()
        if declared in (int, int | None) and not isinstance(getattr(seen, name), int | None)
    }
    assert wrong == {}


def test_the_overview_of_a_domain_counts_no_other_domains_rows(run: Run) -> None:
    fill_every_table(start_run(run.conn, "b.test"))
    (mine,) = domains.overview(run.conn, HOST)
    assert (mine.pages, mine.chunks, mine.open_failures, mine.tokens_today) == (0, 0, 0, 0)


# Changes


def test_what_is_named_changes_and_everything_else_stays(conn: Connection) -> None:
    """R-A2, R-C2"""
    register(conn)
    register(conn, "b.test")
    before, bystander = domains.get(conn, HOST), domains.get(conn, "b.test")
    changes = {
        "page_limit": None,
        "render_mode": "browser",
        "concurrency": 2,
        "include_patterns": ("/docs/*", "/it's {odd}*"),
        "browser_hosts": ("cdn.test",),
    }
    domains.configure(conn, HOST, changes)
    assert vars(domains.get(conn, HOST)) == vars(before) | {
        **changes,
        "include_patterns": ["/docs/*", "/it's {odd}*"],
        "browser_hosts": ["cdn.test"],
    }
    domains.configure(conn, HOST, {"include_patterns": ()}, start_url=f"https://{HOST}/start")
    after = domains.get(conn, HOST)
    assert (after.include_patterns, after.browser_hosts) == ([], ["cdn.test"])
    assert after.start_url == f"https://{HOST}/start"
    assert domains.get(conn, "b.test") == bystander


def test_a_change_that_breaks_a_rule_changes_nothing(conn: Connection) -> None:
    register(conn)
    before = domains.get(conn, HOST)
    with pytest.raises(psycopg.errors.CheckViolation):
        domains.configure(conn, HOST, {"delay_seconds": 1.0, "concurrency": 99})
    assert domains.get(conn, HOST) == before
    with pytest.raises(UnknownDomainError, match="omni domains add"):
        domains.configure(conn, "nope.test", {"concurrency": 2})


def test_a_change_of_something_that_is_no_option_is_an_error_and_changes_nothing(
    conn: Connection,
) -> None:
    register(conn)
    before = domains.get(conn, HOST)
    for name in ("status", "fence", 'x" = 1 --'):
        with pytest.raises(KeyError):
            domains.configure(conn, HOST, {"concurrency": 2, name: 1})
    assert domains.get(conn, HOST) == before
    domains.configure(conn, HOST, {})
    assert domains.get(conn, HOST) == before


def test_an_options_default_is_that_of_its_column(conn: Connection) -> None:
    register(conn)
    conn.execute(
        "INSERT INTO domains (organization_id, host, start_url)"
        " SELECT organization_id, 'b.test', 'https://b.test/' FROM domains"
    )
    by_option, by_column = vars(domains.get(conn, HOST)), vars(domains.get(conn, "b.test"))
    assert {name: by_option[name] for name in OPTIONS} == {
        name: by_column[name] for name in OPTIONS
    }


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.bounds])
def test_a_number_below_an_options_bound_is_refused_by_its_column_too(
    conn: Connection, name: str
) -> None:
    register(conn)
    least, _ = OPTIONS[name].bounds or (0, 0)
    domains.configure(conn, HOST, {name: least})
    with pytest.raises(psycopg.errors.CheckViolation):
        domains.configure(conn, HOST, {name: least - 1})


def test_the_overview_counts_the_lost_pages_that_wait_for_a_person(run: Run) -> None:
    """R-A12"""
    with run.fenced():
        held_pages.hold(run.conn, run.claim, {"https://a.test/x": "missing"})
    (seen,) = domains.overview(run.conn, HOST)
    assert seen.pages_held == 1
    held_pages.confirm(run.conn, run.claim.domain_id)
    (seen,) = domains.overview(run.conn, HOST)
    assert seen.pages_held == 0
