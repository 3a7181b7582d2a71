"""`omni cost`: what was paid, saved, and not known; `omni doctor` lets runs ask again."""

import json

from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests import embedding_server as behave
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import EmbeddingServer

PRICE = {"OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS": "2.5"}


def test_the_cost_of_a_refresh_is_shown_by_domain_and_day(
    omni: CommandLine, host: str, database: Database
) -> None:
    """R-C6"""
    assert "Nothing was embedded" in omni.run("cost").stdout
    assert omni.run("refresh", host, "--max-pages", "3", **PRICE).returncode == 0
    report = json.loads(omni.run("cost", host, "--json").stdout)
    [day] = report["days"]
    with database.connect() as conn:
        row = conn.execute(b"SELECT sum(tokens), sum(cost_usd) FROM token_usage").fetchone()
    assert row is not None
    assert (day["tokens"], float(day["cost_usd"])) == (row[0], float(row[1]))
    assert report["total"] == report["domains"][host]
    assert float(report["total"]["cost_usd"]) == report["total"]["tokens"] * 2.5 / 1_000_000 > 0

    shown = omni.run("cost", "--days", "1").stdout
    assert host in shown
    assert f"{day['tokens']:,}" in shown
    assert "$" in shown


def test_a_price_that_is_not_known_is_not_shown_as_nothing(omni: CommandLine, host: str) -> None:
    omni.run("refresh", host, "--max-pages", "2")
    result = omni.run("cost")
    assert "unknown" in result.stdout
    assert "OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS" in result.stderr


def test_the_doctor_lets_runs_ask_an_endpoint_again_that_was_mended(
    omni: CommandLine, host: str, embedding_server: EmbeddingServer
) -> None:
    """F-C3: an open breaker does not outlast what a person has mended."""
    embedding_server.script([], otherwise=behave.failing(429, "no", code="insufficient_quota"))
    arguments = ("refresh", host, "--max-pages", "2")
    assert "Add credit" in omni.run(*arguments).stderr
    embedding_server.script([], otherwise=behave.ok)
    asked = len(embedding_server.calls)
    assert "omni doctor" in omni.run(*arguments).stderr
    assert len(embedding_server.calls) == asked
    assert "model" in omni.run("doctor").stdout
    assert omni.run(*arguments).returncode == 0
