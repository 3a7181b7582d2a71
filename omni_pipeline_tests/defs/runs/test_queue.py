"""Schedule, sensors, queue and backfill of a real daemon, with the shipped dagster.yaml."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from omni_pipeline.defs.instance.environment import add_partition, dagster_environment
from omni_pipeline.defs.lineage.stale_domains import STALE_DOMAINS
from omni_pipeline.defs.runs.request import PARTITION_TAG, SCHEDULED_FOR_TAG
from omni_pipeline.settings import read_settings
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.defs.conftest import VARIABLES
from omni_pipeline_tests.defs.machinery import SECONDS, Machinery, open_machinery
from omni_pipeline_tests.sites import ScriptedSite

PAGE = "<html lang=en><title>{0}</title><main><h1>{0}</h1><p>One page about {0}.</p></main></html>"


@pytest.fixture
def machinery(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machinery]:
    """Six sites of one page each."""
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
        for name, value in dagster_environment(read_settings(), database).items():
            monkeypatch.setenv(name, value)
        yield stack.enter_context(open_machinery(database, hosts))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's GraphQL, of its own code
@pytest.mark.timeout(SECONDS + 120)
def test_a_daemon_that_was_away_for_three_days_catches_up_once_and_never_overlaps(
    machinery: Machinery,
) -> None:
    """Five launches of one domain, by people, backfill and schedule.

    R-A1, R-A8, R-A21, R-C2, F-G1, F-G2.
    """
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
