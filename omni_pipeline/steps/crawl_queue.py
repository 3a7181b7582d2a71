"""The frontier of one crawl as the crawl uses it: filled, drained in order, counted."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from omni_pipeline import faults
from omni_pipeline.steps.crawl_batch import CrawlBatch, save_batch
from omni_pipeline.steps.link_gate import LinkGate
from omni_pipeline.steps.refresh import Progress, Refresh
from omni_pipeline.store import crawl_frontier, failed_pages
from omni_pipeline.store.crawl_frontier import Due

FRONTIER_ROWS = 200
_SECONDS_BETWEEN_REPORTS = 0.5


class CrawlQueue:
    """What is still to be fetched. Postgres remembers it, so that a killed crawl goes on.

    Args:
        refresh: The claimed domain.
        is_forced: Fetch pages however recently they were checked.
        page_limit: Most URLs of this crawl, or None.
        clock: Seconds, for the pace of reports.
    """

    def __init__(
        self,
        refresh: Refresh,
        *,
        is_forced: bool,
        page_limit: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._is_forced = is_forced
        self._page_limit = page_limit
        self._clock = clock
        self._reported_at = clock()
        self._known = self._done = self._failed = 0
        self.is_truncated = False

    def open(self, gate: LinkGate) -> None:
        """Take over what a killed crawl left, and queue every live page."""
        self._refresh.write(
            crawl_frontier.open_crawl,
            is_forced=self._is_forced,
            recency_seconds=self._recency_seconds(),
        )
        gate.recall(self._refresh.read(crawl_frontier.found_by_links))
        totals = self._refresh.read(crawl_frontier.count)
        self._known, self._failed = totals.discovered, totals.failed
        self._done = totals.discovered - totals.queued
        is_resumed = totals.changed + totals.unchanged > 0
        is_full = self._page_limit is not None and totals.discovered >= self._page_limit
        self.is_truncated = is_resumed and is_full

    def _recency_seconds(self) -> float:
        """How recently a page was checked that need not be checked again (A5).

        A daily refresh looks at what was not looked at since its tick: the pages that yesterday's
        reached a few minutes after two are not a whole day old at two (A1).
        """
        recency_seconds = self._refresh.settings.recency_hours * 3600
        due_at = self._refresh.request.scheduled_for
        if due_at is None:
            return recency_seconds
        return max(0.0, min(recency_seconds, (datetime.now(UTC) - due_at).total_seconds()))

    def add_start(self, start_url: str) -> None:
        """Queue the start page, and the pages that failed before and are due."""
        retries = self._refresh.read(failed_pages.due_for_retry, is_forced=self._is_forced)
        self.add(dict.fromkeys([start_url, *retries], 0), source="start")

    def add(self, depth_by_url: Mapping[str, int], *, source: str) -> None:
        """Queue URLs that were judged already."""
        added = self._refresh.write(
            crawl_frontier.add_urls,
            depth_by_url,
            source=source,
            is_forced=self._is_forced,
            page_limit=self._page_limit,
        )
        self._known += added.added
        self.is_truncated |= added.is_truncated

    def requeue_newer(self, changed_at_by_url: Mapping[str, datetime]) -> None:
        """Look again at recent pages that the site says have changed since."""
        self._done -= self._refresh.write(crawl_frontier.requeue_newer, changed_at_by_url)

    def in_order(self) -> Iterator[Due | None]:
        """What is queued, oldest first; None for "nothing now": pages under way may add links."""
        last_id = 0
        while True:
            due = self._refresh.read(
                crawl_frontier.next_batch, after_id=last_id, most=FRONTIER_ROWS
            )
            if not due:
                yield None
            for page in due:
                last_id = page.id
                yield page

    def find(self, url: str) -> Due | None:
        """The URL, when it is queued."""
        return next((page for page in self.in_order() if page is None or page.url == url), None)

    def missing(self) -> list[str]:
        """Live pages that answered like pages that are not there, and were asked for once."""
        return self._refresh.read(crawl_frontier.urls_with_outcome, "missing")

    def save(self, batch: CrawlBatch, links: Mapping[str, int]) -> None:
        """Write what a batch of outcomes says, and queue the ``links`` that were let through."""
        added = self._refresh.write(
            save_batch, batch, links, is_forced=self._is_forced, page_limit=self._page_limit
        )
        faults.point("CP04")
        self.is_truncated |= added.is_truncated
        self._known += added.added
        self._done += len(batch)
        self._failed += len(batch.failures)
        self._report()

    def _report(self) -> None:
        if self._clock() - self._reported_at < _SECONDS_BETWEEN_REPORTS:
            return
        self._reported_at = self._clock()
        self._refresh.report(
            Progress(
                stage="raw_pages",
                done=min(self._done, self._known),
                known=self._known,
                failed=self._failed,
            )
        )
