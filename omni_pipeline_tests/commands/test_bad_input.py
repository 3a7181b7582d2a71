"""Bad input: one line that names the value, the rule and the remedy; exit code 1, 2 for usage."""

import pytest

from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import EmbeddingServer, failing


def refused(omni: CommandLine, *arguments: str, **changes: str) -> str:
    """The one line of an error; fails when there is more, or a traceback."""
    result = omni.run(*arguments, **changes)
    assert result.returncode == 1, result
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error ")
    return lines[0]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("unknown.example.com", ["unknown.example.com", "omni domains add"]),
        ("https://user:secret@example.com/", ["password", "***"]),
        ("https://example.com:8443/", ["8443", "OMNI_ALLOW_ADDRESSES"]),
        ("http://127.0.0.1:9/", ["127.0.0.1:9", "OMNI_ALLOW_ADDRESSES=127.0.0.1:9"]),
        ("http://169.254.169.254/", ["169.254.169.254", "OMNI_ALLOW_ADDRESSES"]),
        ("http://2130706433/", ["2130706433"]),
        ("ftp://example.com/", ["ftp", "http and https"]),
        ("x'; DROP TABLE chunks;--", ["DROP TABLE"]),
    ],
)
def test_a_bad_target_is_named_with_rule_and_remedy(
    omni: CommandLine, target: str, words: list[str]
) -> None:
    line = refused(omni, "refresh", target)
    for word in words:
        assert word in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OMNI_LEASE_SECONDS", "soon", ["OMNI_LEASE_SECONDS", "soon", "number"]),
        ("OMNI_EMBEDDING_DIMENSIONS", "many", ["OMNI_EMBEDDING_DIMENSIONS", "many"]),
        ("OMNI_EMBEDDING_BASE_URL", "http://example.com/v1", ["https", "example.com"]),
        ("OMNI_ALLOW_ADDRESSES", "localhost:80", ["OMNI_ALLOW_ADDRESSES", "localhost:80"]),
        ("OMNI_DATABASE_URL", "mysql://x/y", ["OMNI_DATABASE_URL", "postgresql://"]),
        ("OMNI_DAILY_TOKEN_BUDGET", "1k", ["OMNI_DAILY_TOKEN_BUDGET", "1k", "whole number"]),
        ("OMNI_EMBEDDING_TOKENS_PER_MINUTE", "0", ["TOKENS_PER_MINUTE", "'0'"]),
        ("OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS", "$2", ["PER_MILLION", "$2", "0.02"]),
    ],
)
def test_a_bad_setting_is_named(omni: CommandLine, name: str, value: str, words: list[str]) -> None:
    line = refused(omni, "status", **{name: value})
    for word in words:
        assert word in line


def test_an_unreachable_database_is_said_at_once(omni: CommandLine, free_port: int) -> None:
    url = f"postgresql://omni:hunter2@127.0.0.1:{free_port}/omni"
    line = refused(omni, "status", OMNI_DATABASE_URL=url)
    assert f"127.0.0.1:{free_port}" in line
    assert "hunter2" not in line


def test_a_database_that_is_behind_says_which_command_to_run(
    omni: CommandLine, empty_database: Database
) -> None:
    line = refused(omni, "status", OMNI_DATABASE_URL=empty_database.url)
    assert "omni migrate" in line


def test_an_unreachable_site_leaves_nothing_half_done(
    omni: CommandLine, database: Database, free_port: int
) -> None:
    target = f"http://127.0.0.1:{free_port}/"
    line = refused(omni, "refresh", target, OMNI_ALLOW_ADDRESSES=f"127.0.0.1:{free_port}")
    assert "robots.txt" in line
    with database.connect() as conn:
        assert conn.execute(b"SELECT count(*) FROM raw_pages").fetchone() == (0,)
        assert conn.execute(b"SELECT status FROM crawl_jobs").fetchall() == [("failed",)]


def test_a_wrong_key_is_said_before_any_page_is_fetched(
    omni: CommandLine, database: Database, embedding_server: EmbeddingServer
) -> None:
    """R-A16, S-71: and the key itself is shown nowhere."""
    embedding_server.otherwise = failing(
        401, "Incorrect API key provided: sk-test-0123456789abcdef", code="invalid_api_key"
    )
    site = f"http://{omni.environment['OMNI_ALLOW_ADDRESSES']}/"
    line = refused(omni, "refresh", site)
    assert "OPENAI_API_KEY" in line
    assert "0123456789" not in line
    with database.connect() as conn:
        assert conn.execute(b"SELECT count(*) FROM raw_pages").fetchone() == (0,)
        [(error,)] = conn.execute(b"SELECT error FROM crawl_jobs").fetchall()
        assert "0123456789" not in error


def test_a_wrong_dimension_is_said_before_any_page_is_fetched(
    omni: CommandLine, database: Database
) -> None:
    """R-A16."""
    site = f"http://{omni.environment['OMNI_ALLOW_ADDRESSES']}/"
    line = refused(omni, "refresh", site, OMNI_EMBEDDING_DIMENSIONS="7")
    assert "OMNI_EMBEDDING_DIMENSIONS" in line
    with database.connect() as conn:
        assert conn.execute(b"SELECT count(*) FROM raw_pages").fetchone() == (0,)


def test_searching_an_empty_index_says_what_to_do(omni: CommandLine) -> None:
    assert "omni refresh" in refused(omni, "search", "anything")


def test_wrong_usage_exits_with_two(omni: CommandLine) -> None:
    assert omni.run("refresh").returncode == 2
    assert omni.run("no-such-command").returncode == 2
    assert omni.run("search", "x", "-k", "0").returncode == 2
