"""The job that builds a model's index, as Dagster runs and records it (R-C5)."""

from collections.abc import Iterator
from contextlib import ExitStack

import dagster as dg
import pytest

from omni_pipeline.defs.lineage.build_model import BuildOutcome, build_model, run_build
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.index.model_builds import add_model
from omni_pipeline.steps.services.model_services import Models
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.defs.conftest import Console
from omni_pipeline_tests.defs.runs.test_runs import hold_domain, run_of
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer, failing


@pytest.fixture
def server(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
    """An endpoint whose model is added to an index that was made in this process."""
    console.refresh()
    with EmbeddingServer() as server, ExitStack() as resources:
        monkeypatch.setenv("OMNI_EMBEDDING_BASE_URL", server.base_url)
        monkeypatch.setenv("OMNI_EMBEDDING_MODEL", MODEL)
        monkeypatch.setenv("OMNI_EMBEDDING_DIMENSIONS", str(DIMENSIONS))
        session = Session(console.database)
        resources.callback(session.close)
        add_model(Models(read_settings(), session, resources), MODEL, DIMENSIONS)
        server.calls.clear()
        yield server


def build(console: Console, model: str = MODEL) -> BuildOutcome:
    return run_build(console.instance, console.host, model, listener=None)


def test_a_build_is_a_run_of_its_domains_partition(
    console: Console, server: EmbeddingServer
) -> None:
    """So that the queue keeps it apart from the domain's refreshes."""
    assert build_model.partitions_def == DOMAINS
    requests = len(console.site.requests)
    outcome = build(console)
    assert outcome.error is None
    assert outcome.report["chunks_embedded"] == len(server.texts) - 2 > 20  # the pre-flight asks 2
    assert len(console.site.requests) == requests
    run = run_of(console, outcome.run_id)
    assert run.job_name == "build_model"
    assert run.tags["dagster/partition"] == console.host
    rows = console.query(
        b"SELECT job_type, status, run_id FROM crawl_jobs ORDER BY id DESC LIMIT 1"
    )
    assert rows == [("model_build", "completed", outcome.run_id)]


def test_what_was_built_is_seen_at_the_asset(console: Console, server: EmbeddingServer) -> None:
    build(console)
    [record] = console.instance.fetch_observations(dg.AssetKey("embeddings"), limit=5).records
    observation = record.asset_observation
    assert observation is not None
    assert observation.partition == console.host
    assert observation.metadata["model"].value == MODEL


def test_a_build_leaves_the_freshness_of_the_domain_as_it_was(
    console: Console, server: EmbeddingServer
) -> None:
    """It has not looked at the site."""
    before = console.query(b"SELECT last_success_at FROM domains")
    build(console)
    assert console.query(b"SELECT last_success_at FROM domains") == before


def test_a_refresh_through_dagster_keeps_the_new_index_current(
    console: Console, server: EmbeddingServer
) -> None:
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is None
    lacking = console.query(
        b"SELECT count(*) FROM embedding_models m, lacking_pages(m.id) WHERE m.status = 'building'"
    )
    assert lacking == [(0,)]
    assert "notes" not in outcome.metadata["embeddings"]


def test_what_fails_beside_is_noted_at_the_asset(console: Console, server: EmbeddingServer) -> None:
    server.otherwise = failing(401)
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is None
    [note] = outcome.metadata["embeddings"]["notes"]
    assert f"The index of {MODEL} (building) is behind" in note


def test_an_unknown_model_fails_the_run_with_one_line(console: Console) -> None:
    console.refresh()
    outcome = build(console, "nope")
    assert outcome.error is not None
    assert outcome.error.startswith("No index was built with 'nope'")
    assert run_of(console, outcome.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_build_waits_for_no_refresh_but_names_it(
    console: Console, server: EmbeddingServer
) -> None:
    """R-A8: one run per domain, of whichever job."""
    hold_domain(console, run_id="the-refresh", silent_for="0 seconds")
    outcome = build(console)
    assert outcome.error is not None
    assert "the-refresh" in outcome.error
    assert server.calls == []
