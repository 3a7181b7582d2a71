"""The product lineage: raw_pages → products → price_snapshots, and companies; by domain.

Shells only, as in ``assets``. It shares the run and the claim of the content lineage, and neither
waits for the other.
"""

import dagster as dg

from omni_pipeline.defs.assets import Run, raw_pages
from omni_pipeline.defs.partitions import DOMAINS
from omni_pipeline.defs.product_tables import changes_table, products_table
from omni_pipeline.defs.reports import materialized
from omni_pipeline.steps.companies import join_profiles
from omni_pipeline.steps.price_snapshots import snapshot_prices
from omni_pipeline.steps.products import extract


@dg.asset(partitions_def=DOMAINS, group_name="products", kinds={"postgres"}, deps=[raw_pages])
def products(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """What the domain sells, by identity; delisted when no page shows it any more."""
    with refresh.working(context) as (claimed, _):
        report = extract(claimed)
        sample = claimed.read(products_table)
    return materialized(
        report, rows=report.products_listed, table="products", tables={"sample": sample}
    )


@dg.asset(partitions_def=DOMAINS, group_name="products", kinds={"postgres"}, deps=[products])
def price_snapshots(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Prices over time: a row per change of price or availability, never updated."""
    with refresh.working(context) as (claimed, _):
        report = snapshot_prices(claimed)
        changed = claimed.read(changes_table)
    rows, tables = report.price_snapshots_total, {"changed": changed}
    return materialized(report, rows=rows, table="price_snapshots", tables=tables)


@dg.asset(partitions_def=DOMAINS, group_name="products", kinds={"postgres"}, deps=[products])
def companies(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Who runs the site: name, address, numbers and links, from markup, imprint and footer."""
    with refresh.working(context) as (claimed, _):
        report = join_profiles(claimed)
    return materialized(report, rows=int(report.company_pages > 0), table="companies")
