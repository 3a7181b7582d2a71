"""Dagster's home and instance for processes that this project starts."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.domain.web.urls import check_partition_key
from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import CHECKOUT, Settings
from omni_pipeline.store.postgres.database import Database, dagster_url

WAITING = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]
UNFINISHED = [
    *WAITING,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def dagster_environment(settings: Settings, database: Database) -> dict[str, str]:
    """What Dagster's processes need in their environment; makes DAGSTER_HOME on the way.

    DAGSTER_HOME lies under OMNI_HOME, with a copy of the project's dagster.yaml, so that what
    Dagster leaves there stays out of the checkout.
    """
    home = settings.home / "dagster"
    state = home / "state"
    state.mkdir(parents=True, exist_ok=True)
    _copy_if_changed(_dagster_yaml(), home / "dagster.yaml")
    return {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "OMNI_DAGSTER_STATE": str(state),
        "OMNI_DAGSTER_STORAGE_URL": dagster_url(settings, database),
        "OMNI_HOME": str(settings.home),
    }


def _dagster_yaml() -> Path:
    in_checkout = CHECKOUT / "dagster.yaml"
    return in_checkout if in_checkout.is_file() else Path(__file__).parents[2] / "dagster.yaml"


def _copy_if_changed(source: Path, target: Path) -> None:
    if not target.is_file() or target.read_bytes() != source.read_bytes():
        shutil.copyfile(source, target)


@contextmanager
def open_instance(environment: Mapping[str, str]) -> Iterator[dg.DagsterInstance]:
    """The instance that dagster.yaml describes, with its tables made when missing."""
    os.environ.update(environment)
    with dg.DagsterInstance.get() as instance:
        yield instance


def add_partition(instance: dg.DagsterInstance, host: str) -> None:
    """Make the domain a partition; nothing happens when it is one."""
    instance.add_dynamic_partitions(str(DOMAINS.name), [host])


def remove_partition(instance: dg.DagsterInstance, host: str) -> bool:
    """Cancel the domain's queued runs and take its partition away; False: not yet.

    Dagster fails a run whose partition is gone with a message about keys. A run in progress finds
    by its fence that the domain is gone, and says so; the next look takes the partition.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags={"dagster/partition": host}))
    for run in runs:
        if run.status in WAITING:
            instance.report_run_canceling(run, message=f"{host} is not a registered domain.")
            instance.report_run_canceled(run)
    if any(run.status not in WAITING for run in runs):
        return False
    if instance.has_dynamic_partition(str(DOMAINS.name), host):
        instance.delete_dynamic_partition(str(DOMAINS.name), host)
    return True


def synchronize_partitions(
    instance: dg.DagsterInstance, list_hosts: Callable[[], Sequence[str]], log: logging.Logger
) -> str:
    """Make the partitions equal to the registered hosts; returns what changed, in one line.

    The partitions are read first: who registers a domain writes its row before its partition, so
    that a partition found here without a row is one too many.
    """
    found = set(instance.get_dynamic_partitions(str(DOMAINS.name)))
    hosts = {host for host in list_hosts() if _is_key(host, log)}
    added = sorted(hosts - found)
    instance.add_dynamic_partitions(str(DOMAINS.name), added)
    removed = [key for key in sorted(found - hosts) if _is_removed(instance, key, log)]
    changes = (("added", added), ("removed", removed))
    return "; ".join(f"{what}: {', '.join(keys)}" for what, keys in changes if keys)


def _is_key(host: str, log: logging.Logger) -> bool:
    try:
        check_partition_key(host)
    except SettingsError as error:
        log.warning(f"A row of the domains table gets no partition: {error}")
        return False
    return True


def _is_removed(instance: dg.DagsterInstance, key: str, log: logging.Logger) -> bool:
    is_removed = remove_partition(instance, key)
    end = "was removed" if is_removed else "is removed when its run has ended"
    log.warning(f"The partition {key!r} is no registered domain and {end}.")
    return is_removed
