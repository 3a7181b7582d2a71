"""What Dagster loads."""

import dagster as dg

from omni_pipeline.defs import assets, checks, jobs, sensors
from omni_pipeline.defs.run import refresh_resource

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets]),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=[jobs.refresh_domain, jobs.confirm_removals],
    sensors=[sensors.reap_lost_jobs],
    resources={"refresh": refresh_resource()},
    executor=dg.in_process_executor,
)
