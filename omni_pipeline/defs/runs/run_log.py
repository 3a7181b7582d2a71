"""What a run says in its log and in its tags: what is done, and how far it is."""

import time
from collections.abc import Callable

import dagster as dg

from omni_pipeline.steps.run.claimed_refresh import Listener, Progress, Refresh
from omni_pipeline.steps.run.progress import Speedometer, describe_progress
from omni_pipeline.store.jobs.crawl_jobs import Request

WorkContext = dg.AssetExecutionContext | dg.OpExecutionContext

SECONDS_BETWEEN_LOG_LINES = 15.0


def describe_refresh(refresh: Refresh) -> str:
    """What the first line of a refresh's log says is done (R-A5)."""
    request = refresh.request
    part = "" if request.part.is_whole else f", only {request.part}"
    return (
        f"Refreshing {refresh.domain.host}{part} as job {refresh.claim.job_id}: "
        f"force_rescrape={request.force_rescrape}, force_reembed={request.force_reembed}, "
        f"max_pages={request.page_limit or 'domain default'}"
    )


def tags_of(request: Request) -> dict[str, str]:
    """The tags by which runs are found again (R-A5)."""
    return {
        "omni/force_rescrape": str(request.force_rescrape).lower(),
        "omni/force_reembed": str(request.force_reembed).lower(),
        # Restarted after a crash, a run is a whole refresh again; by default Dagster leaves
        # out the steps that were done, and the domain would not count as refreshed.
        "dagster/retry_strategy": "ALL_STEPS",
    }


def log_progress(context: WorkContext, clock: Callable[[], float] = time.monotonic) -> Listener:
    """A listener that writes to the run's log, at most a line every 15 s."""
    speedometer = Speedometer(clock)
    last = clock()

    def listen(progress: Progress) -> None:
        nonlocal last
        pace = speedometer.read(progress)
        if clock() - last < SECONDS_BETWEEN_LOG_LINES:
            return
        last = clock()
        context.log.info(describe_progress(progress, pace))

    return listen
