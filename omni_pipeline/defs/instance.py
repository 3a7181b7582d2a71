"""Dagster's home and instance for processes that this project starts."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from omni_pipeline.defs.partitions import DOMAINS
from omni_pipeline.settings import CHECKOUT, Settings
from omni_pipeline.store.database import Database, dagster_url


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
    return in_checkout if in_checkout.is_file() else Path(__file__).parent.parent / "dagster.yaml"


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


def remove_partition(instance: dg.DagsterInstance, host: str) -> None:
    """Take the domain's partition away; nothing happens when it has none."""
    if instance.has_dynamic_partition(str(DOMAINS.name), host):
        instance.delete_dynamic_partition(str(DOMAINS.name), host)
