"""Schedule, sensors, queue and backfill of a real daemon, with the shipped dagster.yaml."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_representation.external import RemoteSchedule
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
)
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from omni_pipeline.commands.processes import ProcessGroup, wait_for_socket
from omni_pipeline.defs.freshness import STALE_DOMAINS
from omni_pipeline.defs.instance import add_partition, dagster_environment, open_instance
from omni_pipeline.defs.run import PARTITION_TAG, SCHEDULED_FOR_TAG
from omni_pipeline.settings import read_settings
from omni_pipeline.store import domains
from omni_pipeline.store.database import Database
from omni_pipeline.store.domains import NewDomain
from omni_pipeline_tests.defs.conftest import VARIABLES
from omni_pipeline_tests.sites import ScriptedSite

# Eleven runs cost some 70 CPU-seconds: a minute on two idle cores, and many on busy ones.
SECONDS = 480.0

SELECTOR = {
    "repositoryLocationName": "omni_pipeline",
    "repositoryName": "__repository__",
}
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename }
}
"""
BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on PythonError { message }
  }
}
"""
PAGE = "<html lang=en><title>{0}</title><main><h1>{0}</h1><p>One page about {0}.</p></main></html>"


class Machinery:
    """A code server, and a daemon once it is started, over six sites of one page each."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        database: Database,
        workspace: WorkspaceRequestContext,
        hosts: list[str],
        group: ProcessGroup,
    ) -> None:
        self._group = group
        self.instance = instance
        self.database = database
        self.workspace = workspace
        self.hosts = hosts

    def launch(self, host: str) -> None:
        """As *Launch run* of a person who chose one partition."""
        tags = [{"key": PARTITION_TAG, "value": host}]
        params = {
            "selector": SELECTOR | {"pipelineName": "refresh_domain"},
            "mode": "default",
            "executionMetadata": {"tags": tags},
        }
        self._ask(LAUNCH, "launchRun", params, "LaunchRunSuccess")

    def backfill(self, hosts: list[str]) -> None:
        """As *Launch backfill* of a person who chose several partitions of all assets."""
        assets = ["raw_pages", "cleaned_pages", "chunks", "embeddings"]
        params = {
            "assetSelection": [{"path": [asset]} for asset in assets],
            "partitionNames": hosts,
        }
        self._ask(BACKFILL, "launchPartitionBackfill", params, "LaunchBackfillSuccess")

    def _ask(self, query: str, field: str, params: object, expected: str) -> None:
        answer = execute_dagster_graphql(self.workspace, query, {"params": params})
        assert answer.data[field]["__typename"] == expected, answer.data

    def was_away_since(self, moment: datetime) -> None:
        """The schedule has run since then, and the daemon has not."""
        origin = self._schedule().get_remote_origin()
        data = ScheduleInstigatorData("0 2 * * *", moment.timestamp())
        self.instance.add_instigator_state(
            InstigatorState(
                origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data
            )
        )

    def ticks(self) -> list[datetime]:
        """The times for which the schedule has fired."""
        schedule = self._schedule()
        found = self.instance.get_ticks(schedule.get_remote_origin().get_id(), schedule.selector_id)
        return [datetime.fromtimestamp(tick.timestamp, UTC) for tick in found]

    def _schedule(self) -> RemoteSchedule:
        location = self.workspace.get_code_location("omni_pipeline")
        return location.get_repository("__repository__").get_schedule("daily_refresh")

    def start_daemon(self) -> None:
        workspace = self._group.logs.parent / "workspace.yaml"
        self._group.start("daemon", ["dagster._daemon", "run", "-w", str(workspace)])

    def wait_for_partitions(self, hosts: list[str]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if set(self.instance.get_dynamic_partitions("domains")) == set(hosts):
                return
            time.sleep(1)
        raise AssertionError(self.instance.get_dynamic_partitions("domains"))

    def wait_for_runs(self, count: int) -> list[dg.RunRecord]:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            records = list(self.instance.get_run_records())
            if len(records) >= count and all(r.dagster_run.is_finished for r in records):
                return records
            time.sleep(2)
        raise AssertionError(
            Counter((r.dagster_run.status, r.dagster_run.tags.get(PARTITION_TAG)) for r in records)
        )


@pytest.fixture
def machinery(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machinery]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        sites = [
            stack.enter_context(ScriptedSite({"/": PAGE.format(f"site {number}")}))
            for number in range(6)
        ]
        hosts = [urlsplit(site.url).netloc for site in sites]
        monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
        monkeypatch.setenv("OMNI_HOME", str(tmp_path))
        monkeypatch.setenv("OMNI_ALLOW_ADDRESSES", " ".join(hosts))
        monkeypatch.setenv("OMNI_EMBEDDING_MODEL", "lexical-hash-384")
        register(database, hosts)
        environment = dagster_environment(read_settings(), database)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        instance = stack.enter_context(open_instance(environment))
        group = stack.enter_context(ProcessGroup(environment, logs=tmp_path / "logs"))
        workspace = stack.enter_context(start_code_server(instance, group, tmp_path))
        yield Machinery(instance, database, workspace.create_request_context(), hosts, group)


def register(database: Database, hosts: list[str]) -> None:
    with database.connect() as conn:
        for host in hosts:
            domains.add(conn, NewDomain(host=host, start_url=f"http://{host}/", delay_seconds=0))
        conn.execute(b"UPDATE domains SET created_at = now() - interval '9 days'")


def start_code_server(
    instance: dg.DagsterInstance, group: ProcessGroup, folder: Path
) -> WorkspaceProcessContext:
    """One code server for daemon and test, as `omni up` has it."""
    sock = group.socket_path("code-server.sock")
    module = ["-m", "omni_pipeline.definitions", "--location-name", "omni_pipeline"]
    group.start("code server", ["dagster", "code-server", "start", *module, "--socket", str(sock)])
    wait_for_socket(sock, group)
    (folder / "workspace.yaml").write_text(
        f"load_from:\n  - grpc_server: {{socket: '{sock}', location_name: omni_pipeline}}\n"
    )
    target = GrpcServerTarget(
        host="localhost", port=None, socket=str(sock), location_name="omni_pipeline"
    )
    return WorkspaceProcessContext(instance, target)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's GraphQL, of its own code
@pytest.mark.timeout(SECONDS + 120)
def test_a_daemon_that_was_away_for_three_days_catches_up_once_and_never_overlaps(
    machinery: Machinery,
) -> None:
    """A1, A8, A21, C2, G1, G2: five launches of one domain, by people, backfill and schedule."""
    busy, other, *_ = machinery.hosts
    for host in machinery.hosts:
        add_partition(machinery.instance, host)
    add_partition(machinery.instance, "typed.example")
    machinery.was_away_since(datetime.now(UTC) - timedelta(days=3))
    for _ in range(3):
        machinery.launch(busy)
    machinery.backfill([busy, other])
    machinery.start_daemon()

    records = machinery.wait_for_runs(len(machinery.hosts) + 3 + 2)

    assert {record.dagster_run.status for record in records} == {dg.DagsterRunStatus.SUCCESS}
    by_host = defaultdict(list)
    for record in records:
        by_host[record.dagster_run.tags[PARTITION_TAG]].append(record)
    counts = {host: len(found) for host, found in by_host.items()}
    assert counts == dict.fromkeys(machinery.hosts, 1) | {busy: 5, other: 2}
    for found in by_host.values():
        times = sorted((record.start_time or 0, record.end_time or 0) for record in found)
        assert all(started >= ended for (_, ended), (started, _) in pairwise(times))
    assert sum("dagster/backfill" in record.dagster_run.tags for record in records) == 2

    [tick] = machinery.ticks()
    assert timedelta(0) <= datetime.now(UTC) - tick < timedelta(days=1)
    assert tick.hour == 2
    scheduled = [r for r in records if SCHEDULED_FOR_TAG in r.dagster_run.tags]
    assert len(scheduled) == len(machinery.hosts)
    with machinery.database.connect() as conn:
        jobs = conn.execute(
            b"SELECT host, status FROM crawl_jobs WHERE scheduled_for = %s", [tick]
        ).fetchall()
    assert sorted(jobs) == [(host, "completed") for host in sorted(machinery.hosts)]
    machinery.wait_for_partitions(machinery.hosts)
    storage = machinery.instance.event_log_storage
    history = storage.get_asset_check_execution_history(STALE_DOMAINS, limit=100)
    assert "" in {record.run_id for record in history}, "evaluated by its sensor, without a run"
