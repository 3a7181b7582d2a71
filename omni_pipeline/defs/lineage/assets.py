"""The content lineage: raw_pages → cleaned_pages → chunks → embeddings, one partition per domain.

Shells only: partition in, one step called, report out. The steps are in `omni_pipeline.steps`.
"""

from dataclasses import replace

import dagster as dg

from omni_pipeline.defs.lineage.columns import CHUNKS, CLEANED_PAGES, EMBEDDINGS, RAW_PAGES
from omni_pipeline.defs.lineage.reports import materialized
from omni_pipeline.defs.runs.config import EmbeddingsConfig, RawPagesConfig
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.defs.runs.resource import RefreshRun
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.index.model_builds import keep_others_current
from omni_pipeline.steps.services.preflight import check_browser
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.monitoring import samples

Run = dg.ResourceParam[RefreshRun]

OWNERS = ["team:omni"]

# No backfill_policy here: with any explicit one, Dagster drops the partition tag of backfill runs,
# and with it the one-run-per-domain limit of the queue.


@dg.asset(
    partitions_def=DOMAINS,
    group_name="content",
    owners=OWNERS,
    kinds={"html", "postgres"},
    metadata=RAW_PAGES.definition,
)
def raw_pages(
    context: dg.AssetExecutionContext, config: RawPagesConfig, refresh: Run
) -> dg.MaterializeResult[None]:
    """Pages as fetched, one row per canonical URL, with the validators of their bodies.

    An unchanged page costs one conditional request. A page leaves by evidence only.
    """
    with refresh.working(context) as (claimed, services, _):
        access = services.web(claimed.domain)
        check_browser(access, claimed.domain)
        report = crawl(
            claimed,
            access.web,
            user_agent=services.user_agent,
            force_rescrape=config.force_rescrape,
            page_limit=config.max_pages,
        )
        newest = claimed.read(samples.raw_pages)
    return materialized(refresh, report, RAW_PAGES, rows=report.pages_live, newest=newest)


@dg.asset(
    partitions_def=DOMAINS,
    group_name="content",
    owners=OWNERS,
    kinds={"markdown", "postgres"},
    metadata=CLEANED_PAGES.definition,
    deps=[raw_pages],
)
def cleaned_pages(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Each live page's text as markdown: navigation, banners and invisible text left out."""
    with refresh.working(context) as (claimed, *_):
        report = clean_pages(claimed)
        newest = claimed.read(samples.cleaned_pages)
    return materialized(refresh, report, CLEANED_PAGES, rows=report.pages_cleaned, newest=newest)


@dg.asset(
    partitions_def=DOMAINS,
    group_name="content",
    owners=OWNERS,
    kinds={"text", "postgres"},
    metadata=CHUNKS.definition,
    deps=[cleaned_pages],
)
def chunks(context: dg.AssetExecutionContext, refresh: Run) -> dg.MaterializeResult[None]:
    """Changed texts cut in tokens of the embedding model, staged; search does not see them yet."""
    with refresh.working(context) as (claimed, _, model):
        report = stage_chunks(claimed, model.stored_model, model.chunker)
        staged = claimed.read(samples.staged_chunks)
    return materialized(refresh, report, CHUNKS, rows=report.chunks_staged, staged=staged)


@dg.asset(
    partitions_def=DOMAINS,
    group_name="content",
    owners=OWNERS,
    kinds={"pgvector", "postgres"},
    metadata=EMBEDDINGS.definition,
    deps=[chunks],
)
def embeddings(
    context: dg.AssetExecutionContext, config: EmbeddingsConfig, refresh: Run
) -> dg.MaterializeResult[None]:
    """One vector per published chunk; a page's old chunks leave as its new ones arrive.

    First of the model that search answers from, then of those that are built or kept beside it.
    """
    with refresh.working(context) as (claimed, services, model):
        report = embed_and_publish(
            claimed, model.stored_model, model, force_reembed=config.force_reembed
        )
        notes = keep_others_current(claimed, services.models, model.stored_model)
        report = replace(report, notes=notes)
        published = claimed.read(samples.published_pages)
    rows = report.embeddings_live
    return materialized(refresh, report, EMBEDDINGS, rows=rows, published=published)
