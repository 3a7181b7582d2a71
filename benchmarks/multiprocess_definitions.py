"""Our definitions with Dagster's usual executor: a process for each step of a run.

Dagster wants one `Definitions` in a module: ours is not imported by name.
"""

import dagster as dg

from omni_pipeline import definitions

refresh_in_processes = dg.define_asset_job(
    "refresh_in_processes",
    selection=dg.AssetSelection.groups("content", "products"),
    executor_def=dg.multiprocess_executor,
)

defs = dg.Definitions.merge(definitions.defs, dg.Definitions(jobs=[refresh_in_processes]))
