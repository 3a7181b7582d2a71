"""What Dagster loads."""

import dagster as dg

from omni_pipeline.defs.lineage import (
    assets,
    build_model,
    checks,
    job_definitions,
    product_assets,
    product_checks,
    stale_domains,
)
from omni_pipeline.defs.runs.resource import refresh_resource
from omni_pipeline.defs.watch import (
    alert_sensors,
    domain_health,
    retention,
    schedules,
    sensors,
)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets, product_assets, domain_health]),
    asset_checks=dg.load_asset_checks_from_modules([checks, stale_domains, product_checks]),
    jobs=[
        job_definitions.refresh_domain,
        job_definitions.confirm_removals,
        build_model.build_model,
    ],
    schedules=[schedules.daily_refresh],
    sensors=[
        sensors.reap_lost_jobs,
        sensors.sync_domain_partitions,
        sensors.feed_daily_refresh,
        sensors.report_stale_domains,
        alert_sensors.watch_runs_and_checks,
        alert_sensors.send_alerts,
        domain_health.watch_health,
        retention.forget_old_runs,
    ],
    resources={"refresh": refresh_resource()},
    executor=dg.in_process_executor,
).map_asset_specs(func=stale_domains.with_badge)
