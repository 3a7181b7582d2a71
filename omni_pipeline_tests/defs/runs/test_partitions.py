"""The partitions follow the domains table, and the domains table alone (R-C2)."""

import dagster as dg
import pytest

from omni_pipeline.defs.instance.environment import add_partition, remove_partition
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.defs.watch import sensors
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database


@dg.job(name="refresh_domain")
def stand_in() -> None:
    """Runs of it are queued and ended here, and never executed."""


class Partitions:
    """The partitions of an instance beside the domains of a database."""

    def __init__(self, instance: dg.DagsterInstance, database: Database) -> None:
        self.instance = instance
        self.database = database

    def register(self, *hosts: str) -> None:
        with self.database.connect() as conn:
            for host in hosts:
                domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))

    def remove(self, host: str) -> None:
        with self.database.connect() as conn:
            domains.remove(conn, host)

    def sync(self) -> str:
        with dg.build_sensor_context(self.instance) as context:
            result = sensors.sync_domain_partitions(context)
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    def keys(self) -> list[str]:
        return sorted(self.instance.get_dynamic_partitions(str(DOMAINS.name)))

    def launch(self, host: str) -> dg.DagsterRun:
        return self.instance.create_run_for_job(stand_in, tags={"dagster/partition": host})

    def start(self, run: dg.DagsterRun) -> None:
        self._report(run, dg.DagsterEventType.RUN_START)

    def finish(self, run: dg.DagsterRun) -> None:
        self._report(run, dg.DagsterEventType.RUN_FAILURE)

    def _report(self, run: dg.DagsterRun, kind: dg.DagsterEventType) -> None:
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)

    def status(self, run: dg.DagsterRun) -> dg.DagsterRunStatus:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status


@pytest.fixture
def partitions(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Partitions:
    monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
    return Partitions(instance, database)


def test_partitions_become_what_the_table_says_and_stay_so(partitions: Partitions) -> None:
    """R-C2: added, removed and paused in the table; a second look changes nothing."""
    partitions.register("a.test", "b.test", "c.test:8080")
    assert partitions.sync() == "added: a.test, b.test, c.test:8080"
    with partitions.database.connect() as conn:
        domains.set_status(conn, "a.test", "paused")
    partitions.remove("b.test")
    assert partitions.sync() == "removed: b.test"
    assert partitions.keys() == ["a.test", "c.test:8080"]
    assert partitions.sync() == "the partitions are the registered domains"
    partitions.register("b.test")
    assert partitions.sync() == "added: b.test"


@pytest.mark.parametrize("typed", ["example.org", "169.254.169.254", "'; DROP TABLE domains; --"])
def test_a_key_that_somebody_typed_in_the_ui_goes_and_its_runs_with_it(
    partitions: Partitions, typed: str
) -> None:
    """S-54: nothing that is not registered is crawled, whoever added the partition."""
    partitions.register("a.test")
    add_partition(partitions.instance, typed)
    run = partitions.launch(typed)
    assert partitions.sync() == f"added: a.test; removed: {typed}"
    assert partitions.keys() == ["a.test"]
    assert partitions.status(run) is dg.DagsterRunStatus.CANCELED
    messages = [entry.message for entry in partitions.instance.all_logs(run.run_id)]
    assert any("is not a registered domain" in message for message in messages)


def test_a_row_whose_host_breaks_the_grammar_gets_no_partition(partitions: Partitions) -> None:
    """S-54: rows can be written past the CLI; the others get their partition all the same."""
    with partitions.database.connect() as conn:
        conn.execute(
            b"INSERT INTO domains (organization_id, host, start_url)"
            b" VALUES (1, 'a..test', 'https://a/'), (1, 'b.test', 'https://b.test/')"
        )
    assert partitions.sync() == "added: b.test"


def test_a_domain_removed_in_mid_run_keeps_its_partition_until_the_run_has_ended(
    partitions: Partitions,
) -> None:
    """R-C2: without its partition Dagster fails the run over keys; its fence ends it anyway."""
    partitions.register("a.test")
    partitions.sync()
    running, queued = partitions.launch("a.test"), partitions.launch("a.test")
    partitions.start(running)
    partitions.remove("a.test")
    assert not remove_partition(partitions.instance, "a.test")
    assert partitions.keys() == ["a.test"]
    assert partitions.status(queued) is dg.DagsterRunStatus.CANCELED
    assert partitions.status(running) is dg.DagsterRunStatus.STARTED
    partitions.finish(running)
    assert partitions.sync() == "removed: a.test"
    assert partitions.keys() == []


def test_a_domain_registered_while_the_sensor_looks_keeps_its_partition(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is written before the partition, and read after it."""
    partitions.register("a.test")
    read = domains.list_hosts

    def register_first(*args: object, **kwargs: object) -> list[str]:
        partitions.register("late.test")
        add_partition(partitions.instance, "late.test")
        with partitions.database.connect() as conn:
            return read(conn)

    monkeypatch.setattr(domains, "list_hosts", register_first)
    partitions.sync()
    assert partitions.keys() == ["a.test", "late.test"]
