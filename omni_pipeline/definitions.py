"""What Dagster loads."""

import dagster as dg

from omni_pipeline.defs import assets, checks, freshness, jobs, model_builds, schedules, sensors
from omni_pipeline.defs.run import refresh_resource

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets]),
    asset_checks=dg.load_asset_checks_from_modules([checks, freshness]),
    jobs=[jobs.refresh_domain, jobs.confirm_removals, model_builds.build_model],
    schedules=[schedules.daily_refresh],
    sensors=[
        sensors.reap_lost_jobs,
        sensors.sync_domain_partitions,
        sensors.feed_daily_refresh,
        sensors.report_stale_domains,
    ],
    resources={"refresh": refresh_resource()},
    executor=dg.in_process_executor,
).map_asset_specs(func=freshness.with_badge)
