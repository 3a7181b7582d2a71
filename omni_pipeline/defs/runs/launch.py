"""Runs `refresh_domain` in this process; Dagster records it like any other run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import dagster as dg

from omni_pipeline.defs.runs.config import EmbeddingsConfig, RawPagesConfig
from omni_pipeline.defs.runs.request import PARTITION_TAG
from omni_pipeline.defs.runs.resource import INTERRUPTED, RefreshRun, refresh_resource
from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection
from omni_pipeline.errors import LeaseLostError
from omni_pipeline.steps.catalogue.companies import CompaniesReport
from omni_pipeline.steps.catalogue.price_snapshots import PriceSnapshotsReport
from omni_pipeline.steps.catalogue.products import ProductsReport
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport
from omni_pipeline.steps.index.chunks import ChunksReport
from omni_pipeline.steps.index.embeddings import EmbeddingsReport
from omni_pipeline.steps.run.claimed_refresh import Listener
from omni_pipeline.steps.text.cleaned_pages import CleanedPagesReport

# Raised by Dagster for a blocking check; its public module does not name it.
_CHECK_FAILED = "DagsterAssetCheckFailedError"


_FOR_THE_UI = (dg.TableMetadataValue, dg.MarkdownMetadataValue)


@dataclass(frozen=True, kw_only=True)
class RefreshReports:
    """What each step of a whole refresh reported."""

    raw_pages: RawPagesReport
    cleaned_pages: CleanedPagesReport
    chunks: ChunksReport
    embeddings: EmbeddingsReport
    products: ProductsReport
    price_snapshots: PriceSnapshotsReport
    companies: CompaniesReport

    @classmethod
    def of(cls, reports: Iterable[object]) -> "RefreshReports":
        """The reports of a run that succeeded, each to its place."""
        by_type: dict[Any, Any] = {type(report): report for report in reports}
        return cls(**{field.name: by_type[field.type] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        run_id: As the UI lists it.
        error: What went wrong, one line; None when all went well.
        reports: What the steps reported; None when something went wrong.
        metadata: What Dagster shows of each asset, by its name.
    """

    run_id: str
    error: str | None
    reports: RefreshReports | None
    metadata: dict[str, dict[str, Any]]


def run_refresh(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    host: str,
    *,
    force_rescrape: bool,
    force_reembed: bool,
    max_pages: int | None,
    part: CrawlSelection = WHOLE_SITE,
    listener: Listener | None,
) -> RunOutcome:
    """Run ``job`` for one domain here and now."""
    pages = RawPagesConfig(
        force_rescrape=force_rescrape,
        max_pages=max_pages,
        only=list(part.patterns),
        job_type=str(part.job_type),
    )
    config = dg.RunConfig(
        ops={"raw_pages": pages, "embeddings": EmbeddingsConfig(force_reembed=force_reembed)},
        loggers={"console": {"config": {"log_level": "CRITICAL"}}},
    )
    runs: list[RefreshRun] = []
    result = job.execute_in_process(
        instance=instance,
        partition_key=host,
        tags={PARTITION_TAG: host, "omni/launched_by": "omni refresh"},
        run_config=config,
        resources={"refresh": refresh_resource(listener, on_close=runs.append)},
        raise_on_error=False,
    )
    run: dg.DagsterRun | None = result.dagster_run
    if run is None:  # whatever Dagster's signature says: it asks its database for the run
        raise LeaseLostError(
            f"The run of {host} is not in Dagster's database any more: that was restored, or "
            "another server took over without its newest transactions. Start another: "
            f"omni refresh {host}."
        )
    return RunOutcome(
        run_id=run.run_id,
        error=None if result.success else first_error(result),
        reports=RefreshReports.of(runs[0].reports) if result.success else None,
        metadata=_metadata(result),
    )


def first_error(result: dg.ExecuteInProcessResult) -> str:
    """Why a run that failed did, as one line."""
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return failure.user_failure_data.description
            if (
                failure.error
                and failure.error.cls_name == dg.DagsterExecutionInterruptedError.__name__
            ):
                return INTERRUPTED
            is_check = failure.error and failure.error.cls_name == _CHECK_FAILED
            if failure.error and not is_check:
                return str((failure.error.cause or failure.error).message).strip()
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            return f"The check {evaluation.check_name} failed: {evaluation.description}"
    return "The run failed without naming a step; its log is in the Dagster UI."


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    by_asset: dict[str, dict[str, Any]] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            found = event.step_materialization_data.materialization
            by_asset[found.asset_key.to_user_string()] = _plain(found.metadata)
    return by_asset


def _plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {
        name: value.value
        for name, value in metadata.items()
        if not (name.startswith("dagster/") or isinstance(value, _FOR_THE_UI))
    }
