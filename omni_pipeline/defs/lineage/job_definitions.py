"""The jobs a person launches: refresh one domain, or believe what a refresh held back."""

import dagster as dg

from omni_pipeline.defs.lineage.stale_domains import STALE_DOMAINS
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.domain.web.urls import check_partition_key
from omni_pipeline.settings import read_settings
from omni_pipeline.store.catalogue import products
from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.session import open_session

# In process: one interpreter for the run instead of one per step, and no step that outlives a
# killed run and goes on writing.
refresh_domain = dg.define_asset_job(
    "refresh_domain",
    # Without the check over all domains: it would judge each refresh by the state of the others.
    selection=dg.AssetSelection.groups("content", "products")
    - dg.AssetSelection.checks(STALE_DOMAINS),
    executor_def=dg.in_process_executor,
    description="Crawl, clean, chunk, embed and publish one domain; follow its prices.",
)


@dg.op
def confirm_held_pages(context: dg.OpExecutionContext) -> None:
    """Confirm the removals and shrinkages that the domain's refreshes held back."""
    host = check_partition_key(context.partition_key)
    with open_session(read_settings(), "omni confirm") as session:
        domain = session.run(lambda conn: domains.get(conn, host))
        confirmed = session.run(lambda conn: held_pages.confirm(conn, domain.id))
        delisted = session.run(lambda conn: products.confirm_vanished(conn, domain.id))
    context.log.info(
        f"{confirmed} held pages and {delisted} vanished products of {host} are confirmed: "
        "the next refresh believes them."
        if confirmed or delisted
        else f"Nothing of {host} is held back; there is nothing to confirm."
    )


@dg.job(
    partitions_def=DOMAINS,
    executor_def=dg.in_process_executor,
    description=(
        "Believe that a domain's held pages are gone or shorter; its next refresh acts on it. "
        "What `omni domains confirm-removals` does."
    ),
)
def confirm_removals() -> None:
    """Confirm what the mass guards held back of one domain."""
    confirm_held_pages()
