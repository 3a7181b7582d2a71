"""What is real when a queue is tested: code server, daemon and the shipped dagster.yaml."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
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

from omni_pipeline.commands.server.processes import ProcessGroup, wait_for_socket
from omni_pipeline.commands.server.up import code_server
from omni_pipeline.defs.instance.environment import dagster_environment, open_instance
from omni_pipeline.defs.instance.sockets import RUN_SERVER
from omni_pipeline.defs.runs.request import PARTITION_TAG
from omni_pipeline.settings import read_settings
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database

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


class Machinery:
    """A code server over some domains, and what is started beside it."""

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

    def launch(self, host: str, *, job: str = "refresh_domain") -> None:
        """As *Launch run* of a person who chose one partition."""
        tags = [{"key": PARTITION_TAG, "value": host}]
        params = {
            "selector": SELECTOR | {"pipelineName": job},
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

    def start_run_server(self) -> None:
        """What runs are forked from where OMNI_WARM_RUNS is set."""
        sock = self._group.socket_path(RUN_SERVER)
        self._group.start("run server", ["omni_pipeline.commands.server.run_server", str(sock)])
        wait_for_socket(sock, self._group)

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


@contextmanager
def open_machinery(
    database: Database, hosts: list[str], *, module: str = "omni_pipeline.definitions"
) -> Iterator[Machinery]:
    """The code server of ``module``, under the OMNI_HOME of this process's environment."""
    settings = read_settings()
    register(database, hosts)
    environment = dagster_environment(settings, database)
    folder = settings.home / "dagster"
    with ExitStack() as stack:
        instance = stack.enter_context(open_instance(environment))
        group = stack.enter_context(ProcessGroup(environment, logs=folder / "logs"))
        workspace = stack.enter_context(start_code_server(instance, group, folder, module))
        yield Machinery(instance, database, workspace.create_request_context(), hosts, group)


def register(database: Database, hosts: Sequence[str]) -> None:
    with database.connect() as conn:
        for host in hosts:
            domains.add(conn, NewDomain(host=host, start_url=f"http://{host}/", delay_seconds=0))
        conn.execute(b"UPDATE domains SET created_at = now() - interval '9 days'")


def start_code_server(
    instance: dg.DagsterInstance, group: ProcessGroup, folder: Path, module: str
) -> WorkspaceProcessContext:
    """One code server for daemon and test, as `omni up` has it."""
    sock = group.socket_path("code-server.sock")
    group.start("code server", code_server(sock, module))
    wait_for_socket(sock, group)
    (folder / "workspace.yaml").write_text(
        f"load_from:\n  - grpc_server: {{socket: '{sock}', location_name: omni_pipeline}}\n"
    )
    target = GrpcServerTarget(
        host="localhost", port=None, socket=str(sock), location_name="omni_pipeline"
    )
    return WorkspaceProcessContext(instance, target)
