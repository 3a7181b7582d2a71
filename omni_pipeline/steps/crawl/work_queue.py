"""The frontier of one crawl as the crawl uses it: filled, drained in order, counted."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from omni_pipeline import faults
from omni_pipeline.domain.crawl.scope import CrawlScope
from omni_pipeline.domain.crawl.selection import CrawlSelection
from omni_pipeline.steps.crawl.batch import CrawlBatch, save_batch
from omni_pipeline.steps.crawl.removal import Losses
from omni_pipeline.steps.crawl.url_filter import UrlFilter
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.store.crawl import failed_pages, frontier, non_pages
from omni_pipeline.store.crawl.frontier import Added, Due

FRONTIER_ROWS = 200
_SECONDS_BETWEEN_REPORTS = 0.5


class CrawlQueue:
    """What is still to be fetched. Postgres remembers it, so that a killed crawl goes on.

    A context manager: a batch of outcomes is written by a thread while further pages are fetched.

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
        self._may_have_more = True
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="crawl writer")
        self._saving: tuple[CrawlBatch, Future[Added]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.shutdown()  # what is half written is written whole

    def open(self, gate: UrlFilter) -> None:
        """Take over what a killed crawl left, and queue every live page of the part."""
        only = self._known_of_part(gate.scope.part)
        is_truncated = self._refresh.write(
            frontier.open_crawl,
            is_forced=self._is_forced,
            recency_seconds=self._recency_seconds(),
            page_limit=self._page_limit,
            start_url=gate.scope.site.start_url,
            only=only,
        )
        self._requeue_excluded(gate.scope)
        gate.recall(self._refresh.read(frontier.found_by_links))
        totals = self._refresh.read(frontier.count)
        self._known, self._failed = totals.discovered, totals.failed
        self._done = totals.discovered - totals.queued
        is_resumed = totals.changed + totals.unchanged > 0
        is_full = self._page_limit is not None and totals.discovered >= self._page_limit
        self.is_truncated = is_truncated or (is_resumed and is_full)

    def _known_of_part(self, part: CrawlSelection) -> list[str] | None:
        """The live pages that this crawl is about, when it is not about all of them.

        What an interrupted crawl had found besides waits for the next one of the whole site.
        """
        if part.is_whole:
            return None
        job_type = None if part.patterns else part.job_type
        live = self._refresh.read(frontier.live_of_type, job_type)
        known = [url for url in live if part.matches(url)]
        left = set(self._refresh.read(frontier.urls)).difference(known)
        outside = [url for url in left if not part.takes_new(url)]
        self._refresh.write(frontier.postpone, outside)
        return known

    def _requeue_excluded(self, scope: CrawlScope) -> None:
        """A page that the domain's patterns leave out leaves without a request, recent or not."""
        if not scope.include and not scope.exclude:
            return
        recent = self._refresh.read(frontier.urls_with_outcome, "skipped")
        if excluded := [url for url in recent if not scope.admits(url)]:
            self._refresh.write(frontier.settle, dict.fromkeys(excluded))

    def _recency_seconds(self) -> float:
        """How recently a page was checked that need not be checked again (R-A5).

        A daily refresh looks at what was not looked at since its tick: the pages that yesterday's
        reached a few minutes after two are not a whole day old at two (R-A1).
        """
        recency_seconds = self._refresh.settings.recency_hours * 3600
        due_at = self._refresh.request.scheduled_for
        if due_at is None:
            return recency_seconds
        return max(0.0, min(recency_seconds, (datetime.now(UTC) - due_at).total_seconds()))

    def add_start(self, start_url: str) -> None:
        """Queue the start page, as far as wanted."""
        self._add_first([start_url])

    def add_retries(self) -> None:
        """Queue the pages that failed before and are due, behind those that did not."""
        retries = self._refresh.read(failed_pages.due_for_retry, is_forced=self._is_forced)
        self._add_first(retries)

    def _add_first(self, urls: Sequence[str]) -> None:
        is_wanted = self._refresh.request.part.takes_new
        self.add(dict.fromkeys(filter(is_wanted, urls), 0), source="start")

    def postpone(self, losses: Losses) -> int:
        """Leave what is still queued for the next crawl; returns how many URLs that are.

        So is what moved to where nobody has looked, and what was missing once.
        """
        missing = set(self.missing()) - losses.evidence.keys() - losses.moves.keys()
        self._refresh.write(frontier.settle, dict.fromkeys(missing))
        queued = {page.url for page in self._all_queued()}
        unseen = {url for url in losses.moves if losses.destination(url) in queued}
        for url in unseen:
            del losses.moves[url]
        self._refresh.write(frontier.settle, dict.fromkeys(unseen))
        self._refresh.write(frontier.postpone, sorted(queued | unseen))
        return len(queued | unseen)

    def _all_queued(self) -> Iterator[Due]:
        last_id = 0
        while batch := self._next_batch(last_id):
            yield from batch
            last_id = batch[-1].id

    def add_non_pages(self, gate: UrlFilter) -> None:
        """Queue where links led and no page was: unread pages may link there still."""
        self.add(gate.listed(self._refresh.read(non_pages.due)), source="link")

    def add(self, depth_by_url: Mapping[str, int], *, source: str) -> None:
        """Queue URLs that were judged already."""
        added = self._refresh.write(
            frontier.add_urls,
            depth_by_url,
            source=source,
            is_forced=self._is_forced,
            page_limit=self._page_limit,
        )
        self._count(added)

    def _count(self, added: Added) -> None:
        self._known += added.added
        self._may_have_more |= added.added > 0
        self.is_truncated |= added.is_truncated

    def requeue_newer(self, changed_at_by_url: Mapping[str, datetime]) -> None:
        """Look again at recent pages that the site says have changed since."""
        self._done -= self._refresh.write(frontier.requeue_newer, changed_at_by_url)

    def in_order(self) -> Iterator[Due | None]:
        """What is queued, oldest first; None for "nothing now": pages under way may add links."""
        last_id = 0
        self._may_have_more = True
        while True:
            due = self._next_batch(last_id) if self._may_have_more else []
            if not due:
                yield None
            for page in due:
                last_id = page.id
                yield page

    def _next_batch(self, last_id: int) -> list[Due]:
        due = self._refresh.read(frontier.next_batch, after_id=last_id, limit=FRONTIER_ROWS)
        self._may_have_more = len(due) == FRONTIER_ROWS
        return due

    def find(self, url: str) -> Due | None:
        """The URL, when it is queued."""
        return next((page for page in self.in_order() if page is None or page.url == url), None)

    def again(self, urls: Sequence[str]) -> list[Due]:
        """These URLs, to be asked for once more."""
        return self._refresh.read(frontier.asked_again, urls)

    def missing(self) -> list[str]:
        """Live pages that answered like pages that are not there, and were asked for once."""
        return self._refresh.read(frontier.urls_with_outcome, "missing")

    def save(self, batch: CrawlBatch, links: Mapping[str, int]) -> None:
        """Start to write what a batch of outcomes says, and to queue the ``links`` let through.

        The batch before it is committed when this returns; see ``finish_saving``.
        """
        self.finish_saving()
        self._saving = batch, self._writer.submit(self._write, batch, links)

    def _write(self, batch: CrawlBatch, links: Mapping[str, int]) -> Added:
        added = self._refresh.write(
            save_batch, batch, links, is_forced=self._is_forced, page_limit=self._page_limit
        )
        faults.point("CP04")
        return added

    @property
    def is_saving(self) -> bool:
        """Whether a batch is being written."""
        return self._saving is not None and not self._saving[1].done()

    @property
    def slots_saving(self) -> int:
        """How many pages would be sent again if what is under way was not written."""
        return self._saving[0].slots if self._saving else 0

    def finish_saving(self) -> None:
        """Return when all is committed; raises what kept it from that."""
        if self._saving is None:
            return
        (batch, written), self._saving = self._saving, None
        self._count(written.result())
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
