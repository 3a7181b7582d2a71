"""Schedule, sensors, queue and backfill of a real daemon, with the shipped dagster.yaml."""

import os
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
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
)
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from omni_pipeline.commands.processes import ProcessGroup, wait_for_socket
from omni_pipeline.defs.instance import add_partition, dagster_environment, open_instance
from omni_pipeline.defs.run import PARTITION_TAG, SCHEDULED_FOR_TAG
from omni_pipeline.settings import read_settings
from omni_pipeline.store import domains
from omni_pipeline.store.database import Database
from omni_pipeline.store.domains import NewDomain
from omni_pipeline_tests.defs.conftest import VARIABLES
from omni_pipeline_tests.sites import ScriptedSite

SECONDS = 420.0

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
  launchPartitionBackfill(backfillParams: $params) { __typename }
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
    ) -> None:
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
        origin = self._schedule_origin()
        data = ScheduleInstigatorData("0 2 * * *", moment.timestamp())
        self.instance.add_instigator_state(
            InstigatorState(
                origin, dg_type_schedule(), InstigatorStatus.DECLARED_IN_CODE, data
            )
        )

    def _schedule_origin(self) -> RemoteInstigatorOrigin:
        location = self.workspace.get_code_location("omni_pipeline")
        return location.get_repository("__repository__").get_schedule(
            "daily_refresh"
        ).get_remote_origin()

    def ticks(self) -> list[datetime]:
        schedule = self._schedule_origin()
        location = self.workspace.get_code_location("omni_pipeline")
        selector = location.get_repository("__repository__").get_schedule("daily_refresh")
        ticks = self.instance.get_ticks(schedule.get_id(), selector.selector_id)
        return [datetime.fromtimestamp(tick.timestamp, UTC) for tick in ticks]

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
