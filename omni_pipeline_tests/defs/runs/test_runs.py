"""Whole runs of the shipped job through Dagster, recorded in Dagster's own Postgres storage."""

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation

from omni_pipeline.definitions import defs
from omni_pipeline.defs.runs.launch import RunOutcome
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline_tests.defs.conftest import Console

CHECKS = {
    "removals_are_plausible",
    "few_pages_failed",
    "changes_are_plausible",
    "staged_chunks_match_declared",
    "embeddings_match_chunks",
    "invariants_hold",
    "vectors_are_like_before",
    "delistings_are_plausible",
    "prices_are_found",
    "prices_are_sane",
}
CONTENT = ["raw_pages", "cleaned_pages", "chunks", "embeddings"]
PRODUCTS = ["companies", "price_snapshots", "products"]


def run_of(console: Console, run_id: str) -> dg.DagsterRun:
    run = console.instance.get_run_by_id(run_id)
    assert run is not None
    return run


def evaluations_of(console: Console, outcome: RunOutcome) -> dict[str, AssetCheckEvaluation]:
    """What each check said in this run, by its name."""
    events = console.instance.all_logs(
        outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    found = [entry.get_dagster_event().asset_check_evaluation_data for entry in events]
    return {evaluation.check_name: evaluation for evaluation in found}


def newest_job(console: Console) -> tuple[object, ...]:
    [job] = console.query(b"SELECT status, error_kind FROM crawl_jobs ORDER BY id DESC LIMIT 1")
    return job


def hold_domain(console: Console, *, run_id: str, silent_for: str) -> None:
    """A worker on another machine holds the domain, and last beat that long ago."""
    with console.database.connect() as conn:
        domain = domains.get(conn, console.host)
        request = Request(run_id=run_id, worker="elsewhere:1:1:1")
        crawl_jobs.claim(conn, domain.id, console.host, request)
        conn.execute(
            b"UPDATE crawl_jobs SET started_at = started_at - %(age)s::interval,"
            b" heartbeat_at = heartbeat_at - %(age)s::interval",
            {"age": silent_for},
        )


def test_a_run_materializes_both_lineages_and_passes_its_checks(console: Console) -> None:
    """R-A14: the counts are checked again by blocking checks."""
    outcome = console.refresh()
    assert outcome.error is None
    assert [name for name in outcome.metadata if name in CONTENT] == CONTENT
    assert sorted(outcome.metadata.keys() - {*CONTENT}) == PRODUCTS
    assert outcome.metadata["embeddings"]["chunks_live"] > 20
    evaluations = evaluations_of(console, outcome)
    assert evaluations.keys() == CHECKS
    assert all(evaluation.passed for evaluation in evaluations.values())
    assert console.query(b"SELECT status, run_id FROM crawl_jobs") == [
        ("completed", outcome.run_id)
    ]


def test_the_flags_of_the_run_config_reach_job_row_tags_and_log(console: Console) -> None:
    """R-A5: typed fields, seen where a person looks, off unless asked for."""
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
    """R-A5, end to end, both ways."""
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
    assert plain.metadata["embeddings"]["chunks_embedded"] == 0
    paid = first.metadata["embeddings"]["chunks_embedded"]
    assert again.metadata["embeddings"]["chunks_embedded"] == paid > 0


# When the last step begins, past the deferred constraint: what was there before, it would repair.
LOSE_A_VECTOR = b"""
DROP TRIGGER page_is_published_whole ON publication_checks;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM embeddings WHERE chunk_id = (SELECT max(chunk_id) FROM embeddings);
    RETURN NULL;
END $$;
CREATE TRIGGER lose AFTER UPDATE OF stage ON crawl_jobs FOR EACH ROW WHEN (NEW.stage = 'embeddings')
    EXECUTE FUNCTION lose();
"""


def test_a_planted_mismatch_fails_the_blocking_check_and_the_job(console: Console) -> None:
    """R-A14: the check counts rows; it does not ask the writer. The next refresh repairs it."""
    console.refresh()
    with console.database.connect() as conn:
        conn.execute(LOSE_A_VECTOR)
    outcome = console.refresh()
    assert outcome.error is not None
    assert "embeddings" in outcome.error
    run = run_of(console, outcome.run_id)
    assert run.status is dg.DagsterRunStatus.FAILURE
    status, kind = newest_job(console)
    assert status == "failed"
    assert kind in ("permanent.check_failed", "permanent.invariant_broken")
    assert "`omni refresh" in outcome.error
    with console.database.connect() as conn:
        conn.execute(b"DROP FUNCTION lose CASCADE; DELETE FROM publication_checks")
    outcome = console.refresh()
    assert outcome.error is None
    assert outcome.metadata["embeddings"]["chunks_embedded"] == 1


def test_a_planted_corruption_is_named_by_a_blocking_check(console: Console) -> None:
    """R-A14: what `omni verify` would find in this domain, the run finds before it ends."""
    console.refresh()
    [(chunk_id, url)] = console.query(
        b"UPDATE chunks c SET token_count = 9000 FROM raw_pages p WHERE p.id = c.page_id"
        b" AND c.id = (SELECT min(id) FROM chunks) RETURNING c.id, p.url"
    )
    outcome = console.refresh()
    assert outcome.error is not None
    evaluation = evaluations_of(console, outcome)["invariants_hold"]
    assert (evaluation.passed, evaluation.blocking) == (False, True)
    assert str(url) in str(evaluation.description)
    shown = evaluation.metadata
    assert shown["violations"].value == shown["I42_chunk_fits_the_model"].value == 1
    assert isinstance(shown["samples"], dg.TableMetadataValue)
    assert [sample.data["subject"] for sample in shown["samples"].records] == [str(chunk_id)]
    assert newest_job(console) == ("failed", "permanent.invariant_broken")
    console.query(b"UPDATE chunks SET token_count = 5 RETURNING id")
    assert console.refresh().error is None


def test_a_check_that_cannot_run_is_red(console: Console) -> None:
    """Nothing was found wrong, and nothing was found right: neither run nor job is a success."""
    with console.database.connect() as conn:
        conn.execute(
            b"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
            b" AS $$ BEGIN RAISE 'not today'; END $$"
        )
        conn.execute(
            b"CREATE TRIGGER refuse BEFORE INSERT ON verifications EXECUTE FUNCTION refuse()"
        )
    outcome = console.refresh()
    assert outcome.error is not None
    evaluation = evaluations_of(console, outcome)["invariants_hold"]
    assert not evaluation.passed
    assert "could not be checked" in str(evaluation.description)
    assert "not today" in str(evaluation.description)
    assert newest_job(console) == ("failed", "permanent.db")


def test_an_implausible_loss_turns_a_check_red_until_it_is_confirmed_from_the_console(
    console: Console,
) -> None:
    """R-A12, I40: nothing downstream runs; the job `confirm_removals` makes it believable."""
    console.refresh()
    for (url,) in console.query(b"SELECT url FROM raw_pages"):
        path = str(url).removeprefix(console.site.url)
        if path not in ("/", "/index.html"):
            console.site.remove(path)
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is not None
    assert f"omni domains confirm-removals {console.host}" in outcome.error
    assert list(outcome.metadata) == ["raw_pages"]
    assert newest_job(console) == ("failed", "permanent.mass_gone")
    confirmed = defs.resolve_job_def("confirm_removals").execute_in_process(
        instance=console.instance, partition_key=console.host
    )
    assert confirmed.success
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is None
    assert outcome.metadata["raw_pages"]["pages_gone"] >= 10


def test_a_run_that_meets_a_holder_fails_with_its_name(console: Console) -> None:
    """R-A8: what goes past the queue meets the lease."""
    hold_domain(console, run_id="the-other-run", silent_for="0 seconds")
    outcome = console.refresh()
    assert outcome.error is not None
    assert "the-other-run" in outcome.error
    assert not [r for r in console.site.requests if r.path.endswith(".html")]


def test_a_dead_worker_does_not_keep_its_domain(console: Console) -> None:
    """R-A19, R-B2: its job is ended, its Dagster run failed, and the refresh goes on."""
    lost = console.instance.create_run_for_job(
        job_def=defs.resolve_job_def("refresh_domain"), tags={"dagster/partition": console.host}
    )
    hold_domain(console, run_id=lost.run_id, silent_for="1 hour")
    outcome = console.refresh()
    assert outcome.error is None
    assert run_of(console, lost.run_id).status is dg.DagsterRunStatus.FAILURE
    rows = console.query(b"SELECT status, ended_by FROM crawl_jobs ORDER BY id")
    assert rows == [("failed", "reaper"), ("completed", "worker")]


def test_an_unknown_partition_is_refused(console: Console) -> None:
    """S-54: what is not registered is not crawled, whoever added the partition."""
    console.query(b"DELETE FROM domains RETURNING id")
    outcome = console.refresh()
    assert outcome.error is not None
    assert "not a registered domain" in outcome.error
