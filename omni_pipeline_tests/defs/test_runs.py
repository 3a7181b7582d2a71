"""Whole runs of the shipped job through Dagster, recorded in Dagster's own Postgres storage."""

import dagster as dg

from .conftest import Console

CHECKS = {"staged_chunks_match_declared", "embeddings_match_chunks"}


def run_of(console: Console, run_id: str) -> dg.DagsterRun:
    run = console.instance.get_run_by_id(run_id)
    assert run is not None
    return run


def test_a_run_materializes_four_assets_and_passes_its_checks(console: Console) -> None:
    """A14: the counts are checked again by blocking checks."""
    outcome = console.refresh()
    assert outcome.error is None
    assert list(outcome.reports) == ["raw_pages", "cleaned_pages", "chunks", "embeddings"]
    assert outcome.reports["embeddings"]["chunks_live"] > 20
    events = console.instance.all_logs(
        outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    evaluations = [entry.get_dagster_event().event_specific_data for entry in events]
    assert {evaluation.check_name for evaluation in evaluations} == CHECKS
    assert all(evaluation.passed for evaluation in evaluations)
    assert console.query(b"SELECT status, run_id FROM crawl_jobs") == [
        ("completed", outcome.run_id)
    ]


def test_the_flags_of_the_run_config_reach_job_row_tags_and_log(console: Console) -> None:
    """A5: typed fields, seen where a person looks, off unless asked for."""
    plain = console.refresh(max_pages=3)
    forced = console.refresh(force_rescrape=True, force_reembed=True, max_pages=3)
    for outcome, expected in ((plain, False), (forced, True)):
        tags = run_of(console, outcome.run_id).tags
        assert tags["omni/force_rescrape"] == str(expected).lower()
        assert tags["omni/force_reembed"] == str(expected).lower()
        messages = [entry.message for entry in console.instance.all_logs(outcome.run_id)]
        assert any(f"force_rescrape={expected}" in message for message in messages)
    rows = console.query(b"SELECT force_rescrape, force_reembed FROM crawl_jobs ORDER BY id")
    assert rows == [(False, False), (True, True)]


def test_force_rescrape_fetches_and_its_absence_does_not(console: Console) -> None:
    """A5, end to end, both ways."""
    console.refresh()
    console.site.requests.clear()
    console.refresh()
    assert not [r for r in console.site.requests if r.path.endswith(".html")]
    console.refresh(force_rescrape=True)
    assert [r for r in console.site.requests if r.path.endswith(".html")]


def test_force_reembed_pays_again_and_its_absence_does_not(console: Console) -> None:
    first = console.refresh()
    plain = console.refresh()
    again = console.refresh(force_reembed=True)
    assert plain.reports["embeddings"]["chunks_embedded"] == 0
    paid = first.reports["embeddings"]["chunks_embedded"]
    assert again.reports["embeddings"]["chunks_embedded"] == paid > 0


def test_a_planted_mismatch_fails_the_blocking_check_and_the_job(console: Console) -> None:
    """A14: the check counts rows; it does not ask the writer."""
    console.refresh()
    with console.database.connect() as conn:
        conn.execute(b"SET session_replication_role = replica")  # past the deferred constraint
        conn.execute(
            b"DELETE FROM embeddings WHERE chunk_id = (SELECT max(chunk_id) FROM embeddings)"
        )
    outcome = console.refresh()
    assert outcome.error is not None
    assert "embeddings" in outcome.error
    run = run_of(console, outcome.run_id)
    assert run.status is dg.DagsterRunStatus.FAILURE
    [(status, kind)] = console.query(
        b"SELECT status, error_kind FROM crawl_jobs ORDER BY id DESC LIMIT 1"
    )
    assert (status, kind) == ("failed", "permanent.check_failed")


def test_a_run_that_meets_a_holder_fails_with_its_name(console: Console) -> None:
    """A8: what goes past the queue meets the lease."""
    with console.database.connect() as conn:
        conn.execute(
            b"INSERT INTO crawl_jobs (domain_id, host, status, fence, run_id, worker, target_url,"
            b" started_at, heartbeat_at)"
            b" SELECT id, host, 'running', 1, 'the-other-run', 'elsewhere:1:1:1', start_url,"
            b" now(), now() FROM domains"
        )
    outcome = console.refresh()
    assert outcome.error is not None
    assert "the-other-run" in outcome.error
    assert not [r for r in console.site.requests if r.path.endswith(".html")]


def test_a_dead_worker_does_not_keep_its_domain(console: Console) -> None:
    """A19, B2: its job is ended, its Dagster run failed, and the refresh goes on."""
    lost = console.instance.create_run_for_job(
        job_def=_job(), tags={"dagster/partition": console.host}
    )
    with console.database.connect() as conn:
        conn.execute(
            b"INSERT INTO crawl_jobs (domain_id, host, status, fence, run_id, worker, target_url,"
            b" started_at, heartbeat_at)"
            b" SELECT id, host, 'running', 1, %s, 'elsewhere:1:1:1', start_url,"
            b" now() - interval '1 hour', now() - interval '1 hour' FROM domains",
            (lost.run_id,),
        )
    outcome = console.refresh()
    assert outcome.error is None
    assert run_of(console, lost.run_id).status is dg.DagsterRunStatus.FAILURE
    rows = console.query(b"SELECT status, ended_by FROM crawl_jobs ORDER BY id")
    assert rows == [("failed", "reaper"), ("completed", "worker")]


def _job() -> dg.JobDefinition:
    from omni_pipeline.definitions import defs  # noqa: PLC0415 - it loads every asset

    return defs.resolve_job_def("refresh_domain")


def test_an_unknown_partition_is_refused(console: Console) -> None:
    """S54: what is not registered is not crawled, whoever added the partition."""
    console.query(b"DELETE FROM domains RETURNING id")
    outcome = console.refresh()
    assert outcome.error is not None
    assert "not a registered domain" in outcome.error
