"""Which active domains are stale, said by one check over all of them (R-C1, I39)."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from omni_pipeline.definitions import defs
from omni_pipeline.defs.lineage.stale_domains import STALE_DOMAINS, with_badge
from omni_pipeline.defs.watch import sensors
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database

# Host, status, hours since the last success (None: never), hours since it was registered.
DOMAINS = (
    ("fresh.test", "active", 25.9, 900),
    ("stale.test", "active", 26.1, 900),
    ("older.test", "active", 72.0, 900),
    ("paused.test", "paused", 500.0, 900),
    ("new.test", "active", None, 1),
    ("never.test", "active", None, 30),
)


@pytest.fixture
def stale(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
    with database.connect() as conn:
        for host, status, success, age in DOMAINS:
            domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))
            conn.execute(
                b"UPDATE domains SET status = %(status)s,"
                b" created_at = now() - make_interval(mins => (%(age)s * 60)::integer),"
                b" last_success_at = now() - make_interval(mins => (%(success)s * 60)::integer)"
                b" WHERE host = %(host)s",
                {"host": host, "status": status, "success": success, "age": age},
            )
    return database


def report_by_sensor(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    with dg.build_sensor_context(instance) as context:
        result = sensors.report_stale_domains(context)
    assert isinstance(result, dg.SensorResult)
    [evaluation] = result.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation


def test_stale_domains_are_listed_with_their_hours_the_oldest_first(
    stale: Database, instance: dg.DagsterInstance
) -> None:
    """A domain that never succeeded is as old as its registration; a paused one is not asked."""
    found = report_by_sensor(instance)
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert (found.asset_key, found.check_name) == (STALE_DOMAINS.asset_key, STALE_DOMAINS.name)
    numbers = {name: value.value for name, value in found.metadata.items()}
    assert (numbers["domains_active"], numbers["domains_stale"]) == (5, 3)
    assert (numbers["oldest_hours"], numbers["limit_hours"]) == (72.0, 26.0)
    table = found.metadata["stale_domains"]
    assert isinstance(table, dg.TableMetadataValue)
    listed = [record.data for record in table.records]
    assert [(row["domain"], row["hours"]) for row in listed] == [
        ("older.test", 72.0),
        ("never.test", 30.0),
        ("stale.test", 26.1),
    ]
    assert found.description == (
        "3 of 5 active domains were not refreshed for 26 h: "
        "older.test (72 h), never.test (30 h), stale.test (26 h)"
    )


def test_the_check_is_green_again_when_the_domains_are_refreshed(
    stale: Database, instance: dg.DagsterInstance
) -> None:
    with stale.connect() as conn:
        conn.execute(b"UPDATE domains SET last_success_at = now()")
    found = report_by_sensor(instance)
    assert found.passed
    assert found.description == "All 5 active domains were refreshed within 26 h."


def test_it_is_evaluated_again_and_again_without_a_run(
    stale: Database, instance: dg.DagsterInstance
) -> None:
    """A partitioned evaluation would work once, and break the sensor from the second on."""
    for _ in range(2):
        instance.report_runless_asset_event(report_by_sensor(instance))
    history = instance.event_log_storage.get_asset_check_execution_history(STALE_DOMAINS, limit=9)
    assert [record.run_id for record in history] == ["", ""]


def test_the_limit_is_a_setting(
    stale: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-C2: of the check, of what people are told, and of the badges."""
    monkeypatch.setenv("OMNI_FRESH_HOURS", "48")
    found = report_by_sensor(instance)
    assert (
        found.description == "1 of 5 active domains were not refreshed for 48 h: older.test (72 h)"
    )
    policy = with_badge(dg.AssetSpec("sample")).freshness_policy
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    assert policy.fail_window.to_timedelta() == timedelta(hours=48)


def test_a_person_can_run_the_check_which_no_refresh_runs(
    stale: Database, instance: dg.DagsterInstance
) -> None:
    """With it, each refresh would be judged by the state of the other domains."""
    result = (
        defs.resolve_implicit_global_asset_job_def()
        .get_subset(asset_check_selection={STALE_DOMAINS}, asset_selection=set())
        .execute_in_process(instance=instance)
    )
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    job = defs.resolve_job_def("refresh_domain")
    assert STALE_DOMAINS not in job.asset_layer.asset_graph.asset_check_keys


def test_a_check_that_cannot_look_is_an_error_and_not_green(
    stale: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-G10: no evaluation says that all is well; the sensor's tick fails where people see it."""
    monkeypatch.setenv("OMNI_DATABASE_URL", "postgresql://127.0.0.1:1/omni")
    monkeypatch.setattr(sensors, "RETRY_SECONDS", 0.1)
    with pytest.raises(Exception, match="127"):
        report_by_sensor(instance)


def test_every_asset_has_the_badge_of_its_newest_materialization() -> None:
    """The whole asset's: what is said of one domain is said by the check."""
    for spec in defs.resolve_all_asset_specs():
        assert isinstance(spec.freshness_policy, dg.FreshnessPolicy), spec.key
