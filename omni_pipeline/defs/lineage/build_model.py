"""The job that builds one domain's index of an embedding model from its stored pages (R-C5)."""

from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg
from pydantic import Field

from omni_pipeline.defs.runs.launch import first_error
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.defs.runs.request import PARTITION_TAG, configured
from omni_pipeline.defs.runs.resource import RefreshRun, RunKind, refresh_resource
from omni_pipeline.steps.index.model_builds import build_index
from omni_pipeline.steps.run.claimed_refresh import Listener, Refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.steps.services.model_services import ModelServices
from omni_pipeline.steps.services.services import Services
from omni_pipeline.store.jobs.crawl_jobs import Request


class ModelConfig(dg.Config):
    """Which model's index to build."""

    model: str = Field(
        description="A model's name as `omni models list` shows it; NAME@DIMENSIONS where several "
        "share the name."
    )


def _read_build(run: dg.DagsterRun) -> Request:
    """A job of its own type, so that the ledger tells builds from refreshes."""
    return Request(run_id=run.run_id, worker=this_worker(), job_type="model_build")


def _choose_model(services: Services, run: dg.DagsterRun) -> ModelServices:
    return services.models.of_named(configured(run, build_domain.name, ModelConfig).model)


def _describe(refresh: Refresh) -> str:
    return f"Building {refresh.domain.host} as job {refresh.claim.job_id} without crawling"


# It claims its domain as a refresh does, and crawls nothing.
BUILD = RunKind(read_request=_read_build, choose_model=_choose_model, describe=_describe)


@dg.op
def build_domain(
    context: dg.OpExecutionContext,
    config: ModelConfig,  # noqa: ARG001 - checked here, read by the resource
    build: dg.ResourceParam[RefreshRun],
) -> None:
    """Chunk, embed and publish what the model's index of the domain lacks."""
    with build.working(context) as (claimed, _, model):
        report = build_index(claimed, model)
    context.log_event(
        dg.AssetObservation("embeddings", partition=claimed.domain.host, metadata=asdict(report))
    )


@dg.job(
    partitions_def=DOMAINS,
    executor_def=dg.in_process_executor,
    resource_defs={"build": refresh_resource(kind=BUILD)},
    description=(
        "Build a domain's index of one embedding model from its stored pages, beside the one that "
        "search answers from. What `omni models build` does, domain by domain."
    ),
)
def build_model() -> None:
    """Build one domain's index of one model."""
    build_domain()


@dataclass(frozen=True, kw_only=True)
class BuildOutcome:
    """How a build ended; ``error`` None: well, and ``report`` says what it made."""

    run_id: str
    error: str | None
    report: dict[str, Any]


def run_build(
    instance: dg.DagsterInstance, host: str, model: str, *, listener: Listener | None
) -> BuildOutcome:
    """Build one domain's index of ``model`` here and now; Dagster records it like any run."""
    result = build_model.execute_in_process(
        instance=instance,
        partition_key=host,
        tags={PARTITION_TAG: host, "omni/launched_by": "omni models build", "omni/model": model},
        run_config={
            "ops": {build_domain.name: {"config": {"model": model}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        resources={"build": refresh_resource(listener, kind=BUILD)},
        raise_on_error=False,
    )
    return BuildOutcome(
        run_id=result.run_id,
        error=None if result.success else first_error(result),
        report=_report(result),
    )


def _report(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            observation = event.asset_observation_data.asset_observation
            return {name: value.value for name, value in observation.metadata.items()}
    return {}
