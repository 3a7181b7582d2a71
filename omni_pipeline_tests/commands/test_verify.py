"""`omni verify`: what changed, or everything; what is wrong, with an exit code to match (R-A14)."""

import json
from collections.abc import Iterator

import pytest
from psycopg import Connection

from omni_pipeline.commands.verify import MAX_SHOWN
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.store.conftest import start_run


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def test_what_changed_is_checked_once_and_everything_on_demand(
    omni: CommandLine, conn: Connection
) -> None:
    run = start_run(conn, "a.test")
    run.publish({run.save_pages("p")[0]: ["one"]})
    run.finish()
    for checked in (1, 0):
        result = omni.run("verify")
        assert result.returncode == 0
        assert result.stdout.startswith("0 violations of ")
        assert f"{checked} of 1 domains were checked" in result.stdout
    assert "All 1 domains were checked." in omni.run("verify", "--all").stdout


def test_violations_are_listed_and_make_the_command_fail(
    omni: CommandLine, conn: Connection
) -> None:
    run = start_run(conn, "a.test")
    run.publish({run.save_pages("p")[0]: [f"text {n}" for n in range(MAX_SHOWN + 5)]})
    run.finish()
    conn.execute("UPDATE chunks SET token_count = 9000")
    result = omni.run("verify")
    assert result.returncode == 1
    rows = [line for line in result.stdout.splitlines() if line.startswith("I42_chunk_fits")]
    assert len(rows) == MAX_SHOWN + 1
    assert "5 more" in rows[-1]
    assert "a.test" in rows[0]
    assert "What to do about I42_chunk_fits_the_model: `omni refresh a.test" in result.stdout
    result = omni.run("verify", "--json")
    found = json.loads(result.stdout)
    assert list(found["remedies"]) == ["I42_chunk_fits_the_model"]
    assert (result.returncode, found["domains_checked"]) == (1, 1)
    assert len(found["violations"]) == MAX_SHOWN + 5
    assert found["violations"][0].keys() == {"invariant", "host", "subject", "detail"}


def test_how_long_a_domain_is_fresh_is_the_setting_that_alerts_go_by(
    omni: CommandLine, conn: Connection
) -> None:
    domains.add(conn, NewDomain(host="a.test", start_url="https://a.test/"))
    conn.execute("UPDATE domains SET created_at = now() - interval '30 hours'")
    impatient = omni.run("verify")
    assert impatient.returncode == 1
    assert "I39_active_domain_is_fresh" in impatient.stdout
    patient = omni.run("verify", OMNI_FRESH_HOURS="72")
    assert (patient.returncode, patient.stdout[:13]) == (0, "0 violations ")
    assert omni.run("verify", OMNI_FRESH_HOURS="29.5").returncode == 1, "also half an hour counts"
