"""Blocking checks: what was written is counted again, from the rows (A14)."""

import warnings

import dagster as dg

from omni_pipeline.defs.assets import Run, chunks, embeddings
from omni_pipeline.defs.partitions import DOMAINS
from omni_pipeline.steps.counts import CountsReport, check_published_counts, check_staged_counts

# Partitioned checks are a preview of the pinned release; nobody who runs this can act on it.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.asset_check(asset=chunks, partitions_def=DOMAINS, blocking=True)
def staged_chunks_match_declared(refresh: Run) -> dg.AssetCheckResult:
    """Every staged revision has as many chunks as it declares."""
    return _result(refresh.count(check_staged_counts))


@dg.asset_check(asset=embeddings, partitions_def=DOMAINS, blocking=True)
def embeddings_match_chunks(refresh: Run) -> dg.AssetCheckResult:
    """Every published page has as many vectors as chunks, and as many of both as it declares."""
    return _result(refresh.count(check_published_counts))


def _result(report: CountsReport) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=report.passed, description=report.summary, metadata=dict(report.numbers)
    )
