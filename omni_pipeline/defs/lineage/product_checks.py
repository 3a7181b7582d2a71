"""Checks of the product lineage. None blocks: what a shop does to its prices stops no search."""

import dagster as dg

from omni_pipeline.defs.lineage.assets import Run
from omni_pipeline.defs.lineage.product_assets import price_snapshots, products
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.steps.checks.product_plausibility import (
    check_delistings,
    check_prices_found,
    check_prices_sane,
)


@dg.asset_check(asset=products, partitions_def=DOMAINS)
def delistings_are_plausible(refresh: Run) -> dg.AssetCheckResult:
    """No implausible share of the products vanished at once, or a person confirmed it."""
    return _result(refresh.look(check_delistings))


@dg.asset_check(asset=products, partitions_def=DOMAINS)
def prices_are_found(refresh: Run) -> dg.AssetCheckResult:
    """Most product pages show a price."""
    return _result(refresh.look(check_prices_found))


@dg.asset_check(asset=price_snapshots, partitions_def=DOMAINS)
def prices_are_sane(refresh: Run) -> dg.AssetCheckResult:
    """No price moved too far to be believed at once, and every price has a currency."""
    return _result(refresh.look(check_prices_sane))


def _result(report: CountsReport) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=report.passed,
        description=report.summary,
        metadata=dict(report.numbers),
        severity=dg.AssetCheckSeverity.WARN,
    )
