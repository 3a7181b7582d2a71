"""Checks: what was written is counted again, from the rows (R-A14), and has to be plausible."""

import warnings

import dagster as dg

from omni_pipeline.defs.lineage.assets import Run, chunks, cleaned_pages, embeddings, raw_pages
from omni_pipeline.defs.lineage.reports import show_rows
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.steps.checks.counts import (
    CountsReport,
    check_published_counts,
    check_staged_counts,
)
from omni_pipeline.steps.checks.plausibility import (
    check_changes,
    check_failures,
    check_removals,
    check_vectors,
)
from omni_pipeline.steps.checks.verification import check_domain

# Partitioned checks are a preview of the pinned release; nobody who runs this can act on it.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.asset_check(asset=raw_pages, partitions_def=DOMAINS, blocking=True)
def removals_are_plausible(refresh: Run) -> dg.AssetCheckResult:
    """No implausible share of the site's pages vanished at once, or a person confirmed it."""
    return _result(refresh.count(check_removals))


@dg.asset_check(asset=raw_pages, partitions_def=DOMAINS)
def few_pages_failed(refresh: Run) -> dg.AssetCheckResult:
    """At most a tenth of the pages that were asked for failed; the run goes on in any case."""
    return _result(refresh.look(check_failures))


@dg.asset_check(asset=cleaned_pages, partitions_def=DOMAINS, blocking=True)
def changes_are_plausible(refresh: Run) -> dg.AssetCheckResult:
    """No implausible share of the pages lost most of its text, or a person confirmed it."""
    return _result(refresh.count(check_changes))


@dg.asset_check(asset=chunks, partitions_def=DOMAINS, blocking=True)
def staged_chunks_match_declared(refresh: Run) -> dg.AssetCheckResult:
    """Every staged revision has as many chunks as it declares."""
    return _result(refresh.count(check_staged_counts))


@dg.asset_check(asset=embeddings, partitions_def=DOMAINS, blocking=True)
def embeddings_match_chunks(refresh: Run) -> dg.AssetCheckResult:
    """Every published page has as many vectors as chunks, and as many of both as it declares."""
    return _result(refresh.count(check_published_counts))


@dg.asset_check(asset=embeddings, partitions_def=DOMAINS, blocking=True)
def invariants_hold(refresh: Run) -> dg.AssetCheckResult:
    """Nothing of this domain breaks a standing invariant: what `omni verify` looks for."""
    return _result(refresh.count(check_domain))


@dg.asset_check(asset=embeddings, partitions_def=DOMAINS)
def vectors_are_like_before(refresh: Run) -> dg.AssetCheckResult:
    """The embedding endpoint serves the model that it served before; else a person decides."""
    return _result(refresh.look(check_vectors))


def _result(report: CountsReport) -> dg.AssetCheckResult:
    samples = {"samples": show_rows(report.samples)} if report.samples else {}
    return dg.AssetCheckResult(
        passed=report.passed,
        description=report.summary,
        metadata={**report.numbers, **samples},
    )
