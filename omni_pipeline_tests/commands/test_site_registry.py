"""`omni domains`: registered, paused, resumed, removed, each said in one line."""

import json
from dataclasses import replace
from typing import Any

import pytest

from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import Domain, NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.store.conftest import start_run

HOST = "a.test"


def test_a_domain_is_added_once_with_its_configuration(
    omni: CommandLine, database: Database
) -> None:
    """R-A2, R-C2."""
    arguments = ("domains", "add", "https://docs.example.com/start", "--max-pages", "50")
    first = omni.run(*arguments, "--delay", "2", "--exclude", "/private/*", "--no-sitemap")
    assert "docs.example.com is registered" in first.stdout
    assert "nothing changed" in omni.run(*arguments).stdout
    with database.connect() as conn:
        row = conn.execute(
            b"SELECT host, start_url, page_limit, delay_seconds, exclude_patterns, use_sitemap"
            b" FROM domains"
        ).fetchall()
    start_url = "https://docs.example.com/start"
    assert row == [("docs.example.com", start_url, 50, 2.0, ["/private/*"], False)]


def test_a_domain_is_paused_resumed_and_removed(omni: CommandLine, database: Database) -> None:
    omni.run("domains", "add", "docs.example.com")
    for verb, status in (("pause", "paused"), ("resume", "active")):
        assert omni.run("domains", verb, "docs.example.com").returncode == 0
        [domain] = json.loads(omni.run("domains", "list", "--json").stdout)
        assert domain["status"] == status
    assert omni.run("domains", "remove", "docs.example.com", "--yes").returncode == 0
    with database.connect() as conn:
        assert conn.execute(b"SELECT count(*) FROM domains").fetchone() == (0,)


def test_removing_asks_first(omni: CommandLine) -> None:
    omni.run("domains", "add", "docs.example.com")
    assert omni.run("domains", "remove", "docs.example.com").returncode != 0
    assert json.loads(omni.run("domains", "list", "--json").stdout)


def test_an_unknown_domain_is_refused_by_every_verb(omni: CommandLine) -> None:
    for verb in ("pause", "resume", "remove", "show", "confirm-removals"):
        result = omni.run("domains", verb, "nowhere.example.com")
        assert result.returncode == 1
        assert "not a registered domain" in result.stderr


def register(database: Database, **options: Any) -> Domain:
    """A registered domain, without Dagster, which takes its time."""
    with database.connect() as conn:
        domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/", **options))
        return domains.get(conn, HOST)


def read(database: Database) -> Domain:
    with database.connect() as conn:
        return domains.get(conn, HOST)


def test_what_is_set_changes_and_the_rest_stays(omni: CommandLine, database: Database) -> None:
    """R-C2: a list is replaced, and emptied by one empty value."""
    before = register(database, include_patterns=("/docs/*",), browser_hosts=("cdn.test",))
    options = ("--max-pages", "none", "--render", "browser", "--concurrency", "2", "--no-sitemap")
    start = ("--start-url", f"{HOST}/start")
    result = omni.run("domains", "set", HOST, *options, *start, "--include", "")
    assert "no limit" in result.stdout
    assert f"omni refresh {HOST}" in result.stdout
    assert read(database) == replace(
        before,
        start_url=f"https://{HOST}/start",
        page_limit=None,
        render_mode="browser",
        concurrency=2,
        use_sitemap=False,
        include_patterns=[],
    )


def test_the_whole_configuration_is_shown(omni: CommandLine, database: Database) -> None:
    domain = register(database, exclude_patterns=("/private/*",), browser_hosts=("cdn.test",))
    shown = omni.run("domains", "show", HOST).stdout
    assert all(word in shown for word in (domain.start_url, "5,000", "/private/*", "cdn.test"))
    listed = json.loads(omni.run("domains", "show", HOST, "--json").stdout)
    assert set(listed) == set(vars(domain))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ["omni domains set --help"]),
        (("--delay", "9", "--browser-host", "https://cdn.test/"), ["https://cdn.test/", "a host"]),
        (("--delay", "9", "--start-url", "https://b.test/"), ["b.test", "omni domains add"]),
    ],
)
def test_a_bad_change_is_one_line_and_changes_nothing(
    omni: CommandLine, database: Database, options: tuple[str, ...], words: list[str]
) -> None:
    before = register(database)
    result = omni.run("domains", "set", HOST, *options)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert all(word in result.stderr for word in words)
    assert read(database) == before


def test_losses_too_large_to_be_believed_are_shown_and_confirmed(
    omni: CommandLine, database: Database
) -> None:
    """R-A12: by an operator, who sees what it is about."""

    def waiting() -> dict[str, int]:
        with database.connect() as conn:
            return held_pages.count_unconfirmed(conn, run.claim.domain_id)

    with database.connect() as conn:
        run = start_run(conn, HOST)
        with run.fenced():
            lost = {f"https://{HOST}/{number}": "missing" for number in range(7)}
            held_pages.hold(conn, run.claim, lost | {f"https://{HOST}/m": "moved"})
    assert f"omni domains confirm-removals {HOST}" in omni.run("status", HOST).stdout
    asked = omni.run("domains", "confirm-removals", HOST)
    assert asked.returncode != 0, "nobody answered"
    assert "7 answered 404 or 410" in asked.stdout
    assert asked.stdout.count(f"https://{HOST}/") == 6, "five examples and the one that moved"
    assert waiting() == {"missing": 7, "moved": 1}
    confirmed = omni.run("domains", "confirm-removals", HOST, "--yes")
    assert f"omni refresh {HOST}" in confirmed.stdout
    assert waiting() == {}
    assert "is confirmed" in omni.run("domains", "confirm-removals", HOST).stdout


def test_nothing_held_is_said_so(omni: CommandLine, database: Database) -> None:
    register(database)
    result = omni.run("domains", "confirm-removals", HOST, "--yes")
    assert f"Nothing of {HOST} is held" in result.stdout
