"""What a run was asked to do, read of its tags and its configuration."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from omni_pipeline.defs.runs.config import EmbeddingsConfig, RawPagesConfig
from omni_pipeline.domain.crawl.selection import name_part
from omni_pipeline.domain.web.urls import check_partition_key
from omni_pipeline.errors import OmniError, SettingsError
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.store.jobs.crawl_jobs import Request

PARTITION_TAG = "dagster/partition"
RANGE_TAG = "dagster/asset_partition_range_start"
SCHEDULED_FOR_TAG = "omni/scheduled_for"
# On every re-execution; the second only where Dagster restarted a crashed worker by itself.
PARENT_TAG = "dagster/parent_run_id"
RESTART_TAG = "dagster/retry_number"

Config = TypeVar("Config", bound=dg.Config)


class OneDomainError(OmniError):
    """A run must be about exactly one domain."""

    kind = "permanent.one_domain"


def read_refresh(run: dg.DagsterRun) -> Request:
    """What a refresh was asked to do, for its job's row.

    Raises:
        SettingsError: The part of the site that it names is none.
    """
    pages = configured(run, "raw_pages", RawPagesConfig)
    part = name_part(pages.job_type, pages.only)
    return Request(
        job_type=part.job_type,
        part=part,
        run_id=run.run_id,
        worker=this_worker(),
        force_rescrape=pages.force_rescrape,
        force_reembed=configured(run, "embeddings", EmbeddingsConfig).force_reembed,
        page_limit=pages.max_pages,
        scheduled_for=scheduled_time(run),
    )


def configured(run: dg.DagsterRun, op: str, config: type[Config]) -> Config:
    """The configuration of one asset or op, as the asset or op itself is given it."""
    asked: dict[str, Any] = dict(run.run_config)
    return config(**asked.get("ops", {}).get(op, {}).get("config", {}))


def partition_of(run: dg.DagsterRun) -> str:
    """The one domain that a run is about.

    Raises:
        SettingsError: It names none, or a range of them: such a run holds no place in the queue for
            any single domain.
    """
    if RANGE_TAG in run.tags or PARTITION_TAG not in run.tags:
        raise OneDomainError(
            "This run names no single domain: launch one run per partition (a backfill without a "
            "backfill policy does), so that the queue admits one run per domain."
        )
    return check_partition_key(run.tags[PARTITION_TAG])


def scheduled_time(run: dg.DagsterRun) -> datetime | None:
    """The time of the schedule that asked for the run; None for what a person launched.

    Who re-executes a scheduled run by hand wants it done again, whatever the schedule has seen; a
    crashed worker that Dagster restarts goes on for its schedule.
    """
    stamp = run.tags.get(SCHEDULED_FOR_TAG)
    is_by_hand = PARENT_TAG in run.tags and RESTART_TAG not in run.tags
    if stamp is None or is_by_hand:
        return None
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except ValueError as error:
        raise SettingsError(
            f"The run's tag {SCHEDULED_FOR_TAG}={stamp[:40]!r} is no time: it is set by the daily "
            "refresh alone. Launch the run without it."
        ) from error
