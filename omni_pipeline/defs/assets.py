"""The content lineage: raw_pages → cleaned_pages → chunks → embeddings, one partition per domain.

Shells only: partition in, one step called, report out. The steps are in `omni_pipeline.steps`.
"""

from dataclasses import replace

import dagster as dg

from omni_pipeline.defs.config import EmbeddingsConfig, RawPagesConfig
from omni_pipeline.defs.partitions import DOMAINS
from omni_pipeline.defs.reports import materialized
from omni_pipeline.defs.run import RunningRefresh
from omni_pipeline.steps.chunks import stage_chunks
from omni_pipeline.steps.cleaned_pages import clean_pages
from omni_pipeline.steps.embeddings import embed_and_publish
from omni_pipeline.steps.model_builds import keep_others_current
from omni_pipeline.steps.preflight import check_browser
from omni_pipeline.steps.raw_pages import crawl

Run = dg.ResourceParam[RunningRefresh]

# No backfill_policy here: with any explicit one, Dagster drops the partition tag of backfill runs,
# and with it the one-run-per-domain limit of the queue.


@dg.asset(partitions_def=DOMAINS, group_name="content", kinds={"http", "postgres"})
def raw_pages(
    context: dg.AssetExecutionContext, config: RawPagesConfig, refresh: Run
) -> dg.MaterializeResult[None]:
    """Pages as fetched, one row per canonical URL, with the validators of their bodies."""
    with refresh.working(context) as (claimed, tools):
        access = tools.web(claimed.domain)
        check_browser(access, claimed.domain)
        report = crawl(
            claimed,
            access.web,
            user_agent=tools.user_agent,
            force_rescrape=config.force_rescrape,
            page_limit=config.max_pages,
        )
    return materialized(report, rows=report.pages_live, table="raw_pages")


@dg.asset(
    partitions_def=DOMAINS, group_name="content", kinds={"markdown", "postgres"}, deps=[raw_pages]
)
def cleaned_pages(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Each live page's text as markdown: navigation, banners and invisible text left out."""
    with refresh.working(context) as (claimed, _):
        report = clean_pages(claimed)
    return materialized(report, rows=report.pages_cleaned, table="cleaned_pages")


@dg.asset(partitions_def=DOMAINS, group_name="content", kinds={"postgres"}, deps=[cleaned_pages])
def chunks(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Changed texts cut in tokens of the embedding model, staged; search does not see them yet."""
    with refresh.working(context) as (claimed, tools):
        report = stage_chunks(claimed, tools.stored_model, tools.chunker)
    return materialized(report, rows=report.chunks_staged, table="staged_chunks")


@dg.asset(partitions_def=DOMAINS, group_name="content", kinds={"openai", "pgvector"}, deps=[chunks])
def embeddings(
    context: dg.AssetExecutionContext, config: EmbeddingsConfig, refresh: Run
) -> dg.MaterializeResult[None]:
    """One vector per published chunk; a page's old chunks leave as its new ones arrive.

    First of the model that search answers from, then of those that are built or kept beside it.
    """
    with refresh.working(context) as (claimed, tools):
        report = embed_and_publish(
            claimed, tools.stored_model, tools, force_reembed=config.force_reembed
        )
        report = replace(report, notes=keep_others_current(claimed, tools))
    return materialized(report, rows=report.embeddings_live, table="embeddings")
