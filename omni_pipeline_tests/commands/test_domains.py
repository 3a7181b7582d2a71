"""`omni domains`: registered, paused, resumed, removed, each said in one line."""

import json

from omni_pipeline.store.database import Database

from .conftest import CommandLine


def test_a_domain_is_added_once_with_its_configuration(
    omni: CommandLine, database: Database
) -> None:
    """A2, C2."""
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
    for verb in ("pause", "resume", "remove"):
        result = omni.run("domains", verb, "nowhere.example.com")
        assert result.returncode == 1
        assert "not a registered domain" in result.stderr
