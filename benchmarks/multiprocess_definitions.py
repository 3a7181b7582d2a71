"""Our definitions with Dagster's usual executor: a process for each step of a run."""

import dagster as dg

from omni_pipeline.definitions import defs as ours

refresh_in_processes = dg.define_asset_job(
    "refresh_in_processes",
    selection=dg.AssetSelection.groups("content", "products"),
    executor_def=dg.multiprocess_executor,
)

defs = dg.Definitions.merge(ours, dg.Definitions(jobs=[refresh_in_processes]))
