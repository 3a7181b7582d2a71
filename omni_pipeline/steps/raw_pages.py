"""Step 1: fetch a domain's pages into `raw_pages`; known pages, the sitemap's and links' alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from omni_pipeline import faults
from omni_pipeline.domain.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    Forbidden,
    Gone,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.steps.crawl_batch import MOST_CHARACTERS, CrawlBatch
from omni_pipeline.steps.crawl_queue import CrawlQueue
from omni_pipeline.steps.crawl_site import CrawlSite
from omni_pipeline.steps.discovery import ListedPage, Web, refuse_slow_site, sitemap_urls
from omni_pipeline.steps.refresh import Refresh
from omni_pipeline.steps.retirement import Losses, Retired, retire
from omni_pipeline.store import crawl_frontier, domains, raw_pages
from omni_pipeline.store.crawl_frontier import Due
from omni_pipeline.store.raw_pages import Evidence

SITEMAP_URLS = 1000

# After this many failures in a row the site is down, and asking on is impolite and pointless (D12).
MOST_FAILURES_IN_A_ROW = 10
# A site that asks for a longer pause is left alone until the next refresh (D13).
MOST_PAUSE_SECONDS = 300.0
MOST_SPELLINGS = 3
# Pages that refuse this crawler may be a members' area; so many of them are a wall (D12).
MOST_REFUSALS_IN_A_ROW = 40


@dataclass(frozen=True, kw_only=True)
class RawPagesReport:
    """How every URL of the crawl ended; discovered is the sum of changed to skipped.

    Attributes:
        pages_rendered: Fetched with a browser, of those that were fetched.
        pages_held: Gone by evidence, and so many that a person has to confirm it.
        pages_live: After the crawl.
        is_truncated: A limit left some URLs out; the notes say which.
    """

    pages_discovered: int
    pages_changed: int
    pages_unchanged: int
    pages_gone: int
    pages_failed: int
    pages_skipped: int
    pages_rendered: int
    pages_held: int
    pages_live: int
    is_truncated: bool
    notes: tuple[str, ...]


def crawl(
    refresh: Refresh,
    web: Web,
    *,
    user_agent: str,
    force_rescrape: bool = False,
    page_limit: int | None = None,
) -> RawPagesReport:
    """Fetch every page that is due, and retire the pages that the site says are gone.

    Args:
        refresh: The claimed domain.
        web: The door to the web.
        user_agent: Whose robots rules hold.
        force_rescrape: Fetch pages however recently they were checked (A5).
        page_limit: Most URLs of this crawl; None means the domain's own limit.

    Raises:
        TemporaryError: robots.txt or the site could not be reached.
        PermanentError: The site asks for a pace at which nobody can crawl it.
    """
    limit = page_limit or refresh.domain.page_limit
    queue = CrawlQueue(refresh, is_forced=force_rescrape, page_limit=limit)
    with refresh.stage("raw_pages"), queue:
        site = CrawlSite(refresh, web, user_agent, is_forced=force_rescrape)
        return _Crawl(refresh, web, queue, site).run()


class _Crawl:
    """One pass over a domain."""

    def __init__(self, refresh: Refresh, web: Web, queue: CrawlQueue, site: CrawlSite) -> None:
        self._refresh = refresh
        self._domain = refresh.domain
        self._web = web
        self._queue = queue
        self._site = site
        # A page takes a slot from its request to its commit: at most so many are fetched twice
        # when the crawl is killed (A19).
        self._slots = 2 * self._domain.concurrency
        self._batch = CrawlBatch(read=site.read)
        self._losses = Losses()
        self._in_flight: dict[str, Due] = {}
        self._failures_in_a_row = self._refusals_in_a_row = 0
        self._pages_rendered = 0
        self._has_unread = False  # pages that are "not modified", and whatever they link to
        self._start_problem: str | None = None
        self._notes: list[str] = []

    def run(self) -> RawPagesReport:
        self._open()
        self._fetch_queued()
        if self._has_unread:
            self._queue.add_dead_ends(self._site.gate)
            self._fetch_queued()
        while self._look_again():
            self._fetch_queued()  # a page that was not missing after all may link to others
        retired = self._refresh.write(retire, self._losses, start_url=self._site.start_url)
        return self._close(retired)

    # Filling the frontier

    def _open(self) -> None:
        """Fill the frontier: known pages, the start page, open failures, then the sitemap's."""
        rules = self._site.robots.of(self._site.start_url)
        faults.point("CP02")
        if rules.unreachable:
            raise TemporaryError(
                f"Crawling {self._domain.host} was not started: its robots.txt could not be read "
                f"({rules.unreachable}), and until it can everything is disallowed (RFC 9309). "
                "Nothing was removed; the next refresh tries again.",
                kind="transient.robots_unreachable",
            )
        refuse_slow_site(rules, self._domain.host)
        self._queue.open(self._site.gate)
        self._queue.add_start(self._site.start_url)
        self._look_at_start()
        self._site.learn_not_found_page()
        self._batch = CrawlBatch(read=self._site.read)
        if self._domain.use_sitemap and self._site.may_read_sitemaps:
            named = self._site.robots.of(self._site.start_url).sitemaps
            self._queue_sitemaps(sitemap_urls(self._web, self._site.site, named))

    def _look_at_start(self) -> None:
        """Fetch the start page first: it tells which spelling the site goes by.

        Some sites get there in steps: to https, then to www, then to a language.
        """
        for _ in range(MOST_SPELLINGS):
            start = self._site.start_url
            due = self._queue.find(start)
            if due is None or not self._site.robots.allows(start):
                return
            outcome = self._web.fetch(self._site.request(due))
            is_respelled = isinstance(outcome, Redirected) and self._site.respells(outcome)
            if isinstance(outcome, Redirected) and not self._site.leaves(outcome):
                self._site.follow_start(outcome)
                self._batch = CrawlBatch(read=self._site.read)
            self._take(due, outcome)
            self._flush()
            if not is_respelled:
                return
            self._queue.add_start(self._site.start_url)

    def _queue_sitemaps(self, listed: Iterator[ListedPage | Exception]) -> None:
        while batch := list(islice(listed, SITEMAP_URLS)):
            self._notes.extend(str(entry) for entry in batch if isinstance(entry, Exception))
            pages = [entry for entry in batch if isinstance(entry, ListedPage)]
            admitted = self._site.gate.listed({page.url: 1 for page in pages})
            self._queue.add(admitted, source="sitemap")
            self._queue.requeue_newer(
                {page.url: page.changed_at for page in pages if page.changed_at}
            )

    # Fetching

    def _fetch_queued(self) -> None:
        """Fetch until the frontier has nothing queued. Pages found on the way join the queue."""
        self._fetch(self._queued())

    def _fetch(self, dues: Iterator[Due | None], *, is_second_look: bool = False) -> None:
        outcomes = self._web.fetch_all(
            self._requests(dues),
            concurrency=self._domain.concurrency,
            delay_seconds=self._site.delay_seconds,
        )
        for outcome in outcomes:
            due = self._in_flight.pop(outcome.url)
            self._take(due, outcome, is_second_look=is_second_look)
        self._flush()

    def _queued(self) -> Iterator[Due | None]:
        for due in self._queue.in_order():
            if due is None and self._unwritten:
                self._flush()  # the links of pages not yet written were not queued yet
            elif due is None or self._may_fetch(due):
                yield due

    def _requests(self, dues: Iterator[Due | None]) -> Iterator[FetchRequest | None]:
        for due in dues:
            if due is None:
                yield None
                continue
            while len(self._in_flight) + self._unwritten >= self._slots:
                self._save()
            self._in_flight[due.url] = due
            yield self._site.request(due)

    @property
    def _unwritten(self) -> int:
        """Pages that would be fetched again if this process were killed now."""
        return len(self._batch) + self._queue.pages_saving

    def _may_fetch(self, due: Due) -> bool:
        """Known pages are judged again: robots.txt and the domain's patterns may have changed."""
        if not self._site.gate.scope.admits(due.url):
            self._batch.add_unasked(due, Evidence(reason="excluded", http_status=200))
            return False
        if self._site.respelled(due.url) != due.url:
            self._batch.add_copy(due, self._site.respelled(due.url))
            return False
        if not self._site.gate.may_fetch(due.url):
            self._batch.add_unasked(due)
            return False
        return True

    def _take(self, due: Due, outcome: Outcome, *, is_second_look: bool = False) -> None:
        self._refresh.lease.check()
        if isinstance(outcome, Redirected) and self._site.leads_back(outcome):
            outcome = Unusable(
                url=due.url,
                kind="permanent.redirect_loop",
                reason=f"{due.url} redirects to {outcome.target}, another spelling of itself",
            )
        self._batch.add(due, outcome, is_second_look=is_second_look)
        self._has_unread |= isinstance(outcome, NotModified)
        if isinstance(outcome, Fetched):
            self._pages_rendered += outcome.is_rendered
        if due.url == self._site.start_url:
            self._judge_start(outcome)
        self._watch_for_outage(outcome, is_held=due.is_held)
        most = self._domain.concurrency
        is_full = len(self._batch) >= (most if self._queue.is_saving else (most + 1) // 2)
        if is_full or self._batch.characters >= MOST_CHARACTERS:
            self._save()

    def _judge_start(self, outcome: Outcome) -> None:
        has_left = isinstance(outcome, Redirected) and self._site.leaves(outcome)
        self._start_problem = _why_no_start(outcome, has_left=has_left)
        is_permanent = isinstance(outcome, Redirected) and outcome.permanent and has_left
        moved_to = outcome.target if isinstance(outcome, Redirected) and is_permanent else None
        if moved_to != self._domain.moved_to:
            self._refresh.write(domains.note_move, moved_to)

    def _watch_for_outage(self, outcome: Outcome, *, is_held: bool) -> None:
        if not isinstance(outcome, Blocked | Unreachable):
            self._failures_in_a_row = self._refusals_in_a_row = 0
            return
        if isinstance(outcome, Blocked) and outcome.kind.startswith("permanent.") and not is_held:
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row == MOST_REFUSALS_IN_A_ROW:
                self._stop(f"refuses this crawler: {outcome.reason}", "permanent.blocked")
            return
        self._failures_in_a_row += 1
        pause = outcome.retry_after_seconds if isinstance(outcome, Blocked) else None
        if (pause or 0.0) > MOST_PAUSE_SECONDS:
            self._stop(f"asks to be left alone for {pause:.0f} s", "throttled")
        if self._failures_in_a_row == MOST_FAILURES_IN_A_ROW:
            self._stop(
                f"stopped answering: {MOST_FAILURES_IN_A_ROW} pages in a row failed, the last "
                f"with: {outcome.reason}",
                "transient.site_down",
            )

    def _stop(self, reason: str, kind: str) -> None:
        self._flush()
        raise TemporaryError(
            f"{self._domain.host} {reason}. Nothing was removed; the next refresh goes on from "
            "here.",
            kind=kind,
        )

    def _flush(self) -> None:
        """Write all that is not yet written."""
        self._save()
        self._queue.finish_saving()

    def _save(self) -> None:
        """Wait for what is being written, and start to write the rest."""
        self._queue.finish_saving()
        batch, self._batch = self._batch, CrawlBatch(read=self._site.read)
        if not len(batch):
            return
        if self._queue.is_truncated:
            self._site.gate.forget()  # a place may become free, and then be offered again
        self._queue.save(batch, self._site.gate.linked(batch.links))
        self._site.decisions.learn(batch.needs_browser)
        self._losses.update(batch.losses)

    def _look_again(self) -> bool:
        """Ask a second time for every live page that seems to be gone (A12), and for copies.

        A page that called another URL its own is fetched for itself when that one gave no page.
        """
        explained = self._losses.evidence.keys() | self._losses.moves.keys()
        missing = sorted(set(self._queue.missing()) - explained)
        self._ask_again(missing)
        orphans = self._orphaned_copies()
        self._ask_again(orphans)
        return bool(missing or orphans)

    def _ask_again(self, urls: list[str]) -> None:
        self._fetch(iter(self._queue.again(urls)), is_second_look=True)

    def _orphaned_copies(self) -> list[str]:
        copies = {
            url: self._losses.destination(url)
            for url, move in self._losses.moves.items()
            if move.evidence.reason == "duplicate"
        }
        if not copies:
            return []
        live = self._refresh.read(raw_pages.live_among, [url for url in copies.values() if url])
        live -= self._losses.evidence.keys()
        orphans = [url for url, own_url in copies.items() if own_url not in live]
        for url in orphans:
            del self._losses.moves[url]
        return orphans

    # The end

    def _close(self, retired: Retired) -> RawPagesReport:
        self._refuse_empty_part()
        live = self._refresh.read(raw_pages.count_live)
        if not live:
            self._refresh.write(crawl_frontier.close_crawl, is_truncated=False)
            raise TemporaryError(
                f"{self._domain.host} gave no page: {self._start_problem or 'every page failed'}. "
                f"See: omni failed {self._domain.host}.",
                kind="transient.no_pages",
            )
        is_truncated = self._queue.is_truncated or bool(self._site.gate.cut_patterns)
        totals = self._refresh.read(crawl_frontier.count)
        faults.point("CP13")
        self._refresh.write(crawl_frontier.close_crawl, is_truncated=is_truncated)
        return RawPagesReport(
            pages_discovered=totals.discovered,
            pages_changed=totals.changed,
            pages_unchanged=totals.unchanged,
            pages_gone=totals.gone,
            pages_failed=totals.failed,
            pages_skipped=totals.skipped,
            pages_rendered=self._pages_rendered,
            pages_held=retired.pages_held,
            pages_live=live,
            is_truncated=is_truncated,
            notes=tuple(self._all_notes()),
        )

    def _refuse_empty_part(self) -> None:
        """A pattern that fits no URL is a mistake, not a refresh of nothing."""
        part, host = self._refresh.request.part, self._domain.host
        if part.is_whole or self._refresh.read(crawl_frontier.count).discovered:
            return
        raise PermanentError(
            f"{host} has no page to refresh: none that is known or that its sitemap lists is among "
            f"{part}. Correct the pattern, or refresh the whole site: omni refresh {host}.",
            kind="permanent.nothing_matches",
        )

    def _all_notes(self) -> Iterator[str]:
        yield from self._site.robots.notes
        yield from self._notes
        if self._queue.is_truncated:
            yield (
                "The page limit was reached and some URLs were left out. Raise it with: "
                f"omni domains set {self._domain.host} --max-pages N."
            )
        for pattern in self._site.gate.cut_patterns:
            yield f"Links like {pattern[:120]} seem endless; some of them were left out."
        if self._start_problem:
            yield f"Look at the start page: {self._start_problem}."


def _why_no_start(outcome: Outcome, *, has_left: bool) -> str | None:
    match outcome:
        case Redirected(target=target) if has_left:
            return f"its start page redirects to {target}, which is another site; register that one"
        case Gone(status=status):
            return f"its start page answers {status}"
        case Blocked(reason=reason) | Unreachable(reason=reason) | Forbidden(reason=reason):
            return f"its start page could not be fetched: {reason}"
        case _:
            return None
