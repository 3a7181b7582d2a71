"""Fetches what a crawl has queued: in order, batch by batch, until the site stops answering."""

import time
from collections.abc import Callable, Iterable, Iterator

from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.errors import TemporaryError
from omni_pipeline.steps.crawl.batch import MAX_CHARACTERS, CrawlBatch
from omni_pipeline.steps.crawl.page_reading import seen_through
from omni_pipeline.steps.crawl.removal import Losses
from omni_pipeline.steps.crawl.robots_and_sitemaps import Web
from omni_pipeline.steps.crawl.site import CrawlSite
from omni_pipeline.steps.crawl.work_queue import CrawlQueue
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl.frontier import Due
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence

# After this many failures in a row the site is down, and asking on is impolite and pointless
# (F-D12).
MAX_FAILURES_IN_A_ROW = 10
# A URL that asks for a longer pause is left alone until the next refresh. So is the site, when its
# start page does, or several URLs do with no other answer between them (F-D13).
MAX_PAUSE_SECONDS = 300.0
MAX_ASKING_IN_A_ROW = 3
# Pages that refuse this crawler may be a members' area; so many of them are a wall (F-D12).
MAX_REFUSALS_IN_A_ROW = 40

# Pages that are as we hold them take no slot: to ask again costs the site a head without a body.
# Written by the hundred, or every second, they cost a tenth of what they do a few at a time.
MAX_PAGES_AT_ONCE = 200
MAX_SECONDS_UNWRITTEN = 1.0


class Fetching:
    """The fetches of one crawl.

    Attributes:
        losses: What they found gone.
        pages_rendered: Fetched with a browser.
        has_unread: Whether pages were "not modified", so that nobody knows what they link to.
        links_left_out: By page, how many of its links were too many to read.
        ended_because: Why the site was left alone before all was fetched; None if it was not.
    """

    def __init__(
        self,
        refresh: Refresh,
        web: Web,
        queue: CrawlQueue,
        site: CrawlSite,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._domain = refresh.domain
        self._web = web
        self._queue = queue
        self._site = site
        self._clock = clock
        # A page takes a slot from its request to its commit: at most so many are fetched twice
        # when the crawl is killed (R-A19).
        self._slots = 2 * self._domain.concurrency
        self._begin_batch()
        self._in_flight: dict[str, Due] = {}
        self._failures_in_a_row = self._refusals_in_a_row = self._asking_in_a_row = 0
        self._pages_had = 0
        self.losses = Losses()
        self.pages_rendered = 0
        self.has_unread = False
        self.links_left_out: dict[str, int] = {}
        self.ended_because: str | None = None

    def fetch_queued(self) -> None:
        """Fetch until the frontier has nothing queued. Pages found on the way join the queue."""
        self._fetch(self._queued(), is_second_look=False)

    def fetch_again(self, dues: Iterable[Due]) -> None:
        """Fetch these pages a second time: what is missing now is gone."""
        self._fetch(iter(dues), is_second_look=True)

    def take(self, due: Due, outcome: Outcome, *, is_second_look: bool = False) -> None:
        """Take in how fetching ``due`` ended.

        Raises:
            TemporaryError: The site is down, or wants to be left alone.
        """
        self._refresh.lease.check()
        outcome = seen_through(outcome)
        if isinstance(outcome, Redirected) and self._site.leads_back(outcome):
            outcome = Unusable(
                url=due.url,
                kind="permanent.redirect_loop",
                reason=f"{due.url} redirects to {outcome.target}, another spelling of itself",
            )
        self._batch.add(due, outcome, is_second_look=is_second_look)
        self.has_unread |= isinstance(outcome, NotModified)
        self.pages_rendered += isinstance(outcome, Fetched) and outcome.is_rendered
        is_start = due.url == self._site.start_url
        if is_start:
            self._site.note_start(outcome)
        else:
            self._pages_had += isinstance(outcome, Fetched | NotModified)
        self._watch_for_outage(outcome, is_held=due.is_held, is_start=is_start)
        if self._is_batch_due():
            self._save()

    def flush(self) -> None:
        """Write all that is not yet written."""
        self._save()
        self._queue.finish_saving()

    def _fetch(self, dues: Iterator[Due | None], *, is_second_look: bool) -> None:
        outcomes = self._web.fetch_all(
            self._requests(dues),
            concurrency=self._domain.concurrency,
            delay_seconds=self._site.delay_seconds,
        )
        for outcome in outcomes:
            due = self._in_flight.pop(outcome.url)
            self.take(due, outcome, is_second_look=is_second_look)
            if self.ended_because:
                self._in_flight.clear()
                break
        self.flush()

    def _queued(self) -> Iterator[Due | None]:
        for due in self._queue.in_order():
            if due is None and self._slots_unwritten:
                self.flush()  # the links of pages not yet written were not queued yet
            elif due is None or self._may_fetch(due):
                yield due

    def _requests(self, dues: Iterator[Due | None]) -> Iterator[FetchRequest | None]:
        for due in dues:
            if due is None:
                yield None
                continue
            while len(self._in_flight) + self._slots_unwritten >= self._slots:
                self._save()
            self._in_flight[due.url] = due
            yield self._site.request(due)

    @property
    def _slots_unwritten(self) -> int:
        """Pages that would be sent again if this process were killed now."""
        return self._batch.slots + self._queue.slots_saving

    def _may_fetch(self, due: Due) -> bool:
        """Known pages are judged again: robots.txt and the domain's patterns may have changed."""
        if not self._site.gate.scope.admits(due.url):
            self._batch.add_unasked(due, RemovalEvidence(reason="excluded", http_status=200))
            return False
        own_url = self._site.respelled(due.url)
        if own_url != due.url:
            self._batch.add_copy(due, own_url)
            return False
        if not self._site.gate.may_fetch(due.url):
            self._batch.add_unasked(due)
            return False
        return True

    def _watch_for_outage(self, outcome: Outcome, *, is_held: bool, is_start: bool) -> None:
        if not isinstance(outcome, Blocked | Unreachable):
            self._failures_in_a_row = self._refusals_in_a_row = self._asking_in_a_row = 0
            return
        if isinstance(outcome, Blocked) and outcome.kind.startswith("permanent.") and not is_held:
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row == MAX_REFUSALS_IN_A_ROW:
                self._stop(f"refuses this crawler: {outcome.reason}", "permanent.blocked")
            return
        self._failures_in_a_row += 1
        pause = outcome.retry_after_seconds if isinstance(outcome, Blocked) else None
        if (pause or 0.0) > MAX_PAUSE_SECONDS:
            self._asking_in_a_row += 1
            if is_start or self._asking_in_a_row == MAX_ASKING_IN_A_ROW:
                self._leave_alone(f"asks to be left alone for {pause:.0f} s")
                return
        if self._failures_in_a_row == MAX_FAILURES_IN_A_ROW:
            self._stop(
                f"stopped answering: {MAX_FAILURES_IN_A_ROW} pages in a row failed, the last "
                f"with: {outcome.reason}",
                "transient.site_down",
            )

    def _leave_alone(self, reason: str) -> None:
        """What was fetched is worth publishing; without any of it the refresh has failed."""
        if self._pages_had:
            self.ended_because = reason
        else:
            self._stop(reason, "throttled")

    def _stop(self, reason: str, kind: str) -> None:
        self.flush()
        raise TemporaryError(
            f"{self._domain.host} {reason}. Nothing was removed; the next refresh goes on from "
            "here.",
            kind=kind,
        )

    def _is_batch_due(self) -> bool:
        limit = self._domain.concurrency
        return (
            self._batch.slots >= (limit if self._queue.is_saving else (limit + 1) // 2)
            or len(self._batch) >= MAX_PAGES_AT_ONCE
            or self._batch.characters >= MAX_CHARACTERS
            or self._clock() - self._batch_begun_at > MAX_SECONDS_UNWRITTEN
        )

    def _begin_batch(self) -> None:
        self._batch = CrawlBatch(read=self._site.read)
        self._batch_begun_at = self._clock()

    def _save(self) -> None:
        """Wait for what is being written, and start to write the rest."""
        self._queue.finish_saving()
        batch = self._batch
        self._begin_batch()
        if not len(batch):
            return
        if self._queue.is_truncated:
            self._site.gate.forget()  # a place may become free, and then be offered again
        self._site.gate.note_pages({page.url: page.html for page in batch.pages})
        self._queue.save(batch, self._site.gate.linked(batch.links, batch.sources))
        self.links_left_out |= batch.links_left_out
        self._site.decisions.learn(batch.needs_browser)
        self.losses.update(batch.losses)
