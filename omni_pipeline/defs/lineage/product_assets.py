"""The product lineage: raw_pages → products → price_snapshots, and companies; by domain.

Shells only, as in ``assets``. It shares the run and the claim of the content lineage, and neither
waits for the other.
"""

import dagster as dg

from omni_pipeline.defs.lineage.assets import OWNERS, Run, raw_pages
from omni_pipeline.defs.lineage.columns import COMPANIES, PRICE_SNAPSHOTS, PRODUCTS
from omni_pipeline.defs.lineage.price_charts import price_chart
from omni_pipeline.defs.lineage.product_samples import price_changes, profile, some_products
from omni_pipeline.defs.lineage.reports import materialized
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.steps.catalogue.companies import join_profiles
from omni_pipeline.steps.catalogue.price_snapshots import snapshot_prices
from omni_pipeline.steps.catalogue.products import extract


@dg.asset(
    partitions_def=DOMAINS,
    group_name="products",
    owners=OWNERS,
    kinds={"html", "postgres"},
    metadata=PRODUCTS.definition,
    deps=[raw_pages],
)
def products(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """What the domain sells, by identity; delisted when no page shows it any more."""
    with refresh.working(context) as (claimed, services, _):
        report = extract(claimed, services.llm)
        sample = claimed.read(some_products)
    return materialized(refresh, report, PRODUCTS, rows=report.products_listed, sample=sample)


@dg.asset(
    partitions_def=DOMAINS,
    group_name="products",
    owners=OWNERS,
    kinds={"postgres"},
    metadata=PRICE_SNAPSHOTS.definition,
    deps=[products],
)
def price_snapshots(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Prices over time: a row per change of price or availability, never updated."""
    with refresh.working(context) as (claimed, *_):
        report = snapshot_prices(claimed)
        changed, chart = claimed.read(price_changes), claimed.read(price_chart)
    rows = report.price_snapshots_total
    result = materialized(refresh, report, PRICE_SNAPSHOTS, rows=rows, changed=changed)
    return result._replace(metadata={**(result.metadata or {}), **chart})


@dg.asset(
    partitions_def=DOMAINS,
    group_name="products",
    owners=OWNERS,
    kinds={"html", "postgres"},
    metadata=COMPANIES.definition,
    deps=[products],
)
def companies(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Who runs the site: name, address, numbers and links, from markup, imprint and footer."""
    with refresh.working(context) as (claimed, *_):
        report = join_profiles(claimed)
        known = claimed.read(profile)
    rows = int(report.company_pages > 0)
    return materialized(refresh, report, COMPANIES, rows=rows, profile=known)
