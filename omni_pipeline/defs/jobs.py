"""The job that refreshes one domain: all four assets and their checks, in one process."""

import dagster as dg

# In process: one interpreter for the run instead of one per step, and no step that outlives a
# killed run and goes on writing.
refresh_domain = dg.define_asset_job(
    "refresh_domain",
    selection=dg.AssetSelection.groups("content"),
    executor_def=dg.in_process_executor,
    description="Crawl, clean, chunk, embed and publish one domain.",
)
