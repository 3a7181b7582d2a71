"""Step 1: fetch a domain's pages into `raw_pages`; known pages, the sitemap's and links' alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from omni_pipeline.domain.outcomes import (
    Blocked,
    FetchRequest,
    Forbidden,
    Gone,
    Outcome,
    Redirected,
    Unreachable,
)
from omni_pipeline.domain.scope import MOST_DEPTH, CrawlScope
from omni_pipeline.domain.urls import parse_site
from omni_pipeline.errors import TemporaryError
from omni_pipeline.steps.crawl_batch import CrawlBatch, save_batch
from omni_pipeline.steps.discovery import Robots, Web, refuse_slow_site, sitemap_urls
from omni_pipeline.steps.refresh import Progress, Refresh
from omni_pipeline.steps.retirement import retire
from omni_pipeline.store import crawl_frontier, failed_pages, raw_pages
from omni_pipeline.store.crawl_frontier import Due

CONCURRENCY = 8
FRONTIER_ROWS = 200
SITEMAP_URLS = 1000

# After this many failures in a row the site is down, and asking on is impolite and pointless.
MOST_FAILURES_IN_A_ROW = 20


@dataclass(frozen=True, kw_only=True)
class RawPagesReport:
    """How every URL of the crawl ended; discovered is the sum of the other five."""

    pages_discovered: int
    pages_changed: int
    pages_unchanged: int
    pages_gone: int
    pages_failed: int
    pages_skipped: int
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
        PermanentError: An implausible share of the site vanished, and nothing was removed; or the
            start page leads nowhere that may be crawled.
    """
    limit = page_limit or refresh.domain.page_limit
    with refresh.stage("raw_pages"):
        pass_ = _Crawl(refresh, web, user_agent, is_forced=force_rescrape, page_limit=limit)
        return pass_.run()


class _Crawl:
    """One pass over a domain. The frontier in Postgres is its memory; this only drives it."""

    def __init__(
        self,
        refresh: Refresh,
        web: Web,
        user_agent: str,
        *,
        is_forced: bool,
        page_limit: int | None,
    ) -> None:
        domain = refresh.domain
        site = parse_site(domain.start_url, allowed=refresh.settings.allow_addresses)
        self._refresh = refresh
        self._web = web
        self._robots = Robots(web, user_agent)
        self._scope = CrawlScope(
            site=site,
            include=tuple(domain.include_patterns),
            exclude=tuple(domain.exclude_patterns),
        )
        self._is_forced = is_forced
        self._page_limit = page_limit
        self._batch = CrawlBatch()
        self._in_flight: dict[str, Due] = {}
        self._moved: dict[str, str] = {}
        self._failures_in_a_row = 0
        self._start_problem: str | None = None
        self._is_truncated = False
        self._notes: list[str] = []

    def run(self) -> RawPagesReport:
        self._open()
        self._fetch_queued()
        missing = self._confirm_missing()
        self._fetch_queued()  # a page that was not missing after all may link to others
        self._refresh.write(retire, missing, self._moved)
        return self._close()

    def _open(self) -> None:
        """Fill the frontier: the start page, known pages, open failures, then the sitemap's."""
        start = self._scope.site.start_url
        rules = self._robots.of(start)
        if rules.unreachable:
            raise TemporaryError(
                f"Crawling {self._refresh.domain.host} was not started: its robots.txt could not "
                f"be read ({rules.unreachable}), and until it can everything is disallowed "
                "(RFC 9309). Nothing was removed; the next refresh tries again.",
                kind="transient.robots_unreachable",
            )
        refuse_slow_site(rules, self._refresh.domain.host)
        self._refresh.write(
            crawl_frontier.open_crawl,
            is_forced=self._is_forced,
            recency_seconds=self._refresh.settings.recency_hours * 3600,
        )
        retries = self._refresh.read(failed_pages.due_for_retry, is_forced=self._is_forced)
        self._queue(dict.fromkeys([start, *retries], 0), source="start")
        if self._refresh.domain.use_sitemap:
            self._queue_sitemaps(sitemap_urls(self._web, self._scope.site, rules.sitemaps))

    def _queue_sitemaps(self, listed: Iterator[str | Exception]) -> None:
        while batch := list(islice(listed, SITEMAP_URLS)):
            self._notes.extend(str(entry) for entry in batch if isinstance(entry, Exception))
            urls = [url for url in batch if isinstance(url, str)]
            self._queue(dict.fromkeys(urls, 1), source="sitemap")

    def _queue(self, depth_by_url: dict[str, int], *, source: str) -> None:
        self._is_truncated |= self._refresh.write(
            crawl_frontier.add_urls,
            self._admitted(depth_by_url),
            source=source,
            is_forced=self._is_forced,
            page_limit=self._page_limit,
        )

    def _admitted(self, depth_by_url: dict[str, int]) -> dict[str, int]:
        return {
            url: depth
            for url, depth in depth_by_url.items()
            if depth <= MOST_DEPTH and self._scope.admits(url) and self._robots.allows(url)
        }

    def _fetch_queued(self) -> None:
        """Fetch until the frontier has nothing queued. Pages found on the way join the queue."""
        delay = max(self._refresh.domain.delay_seconds, self._robots_delay())
        for outcome in self._web.fetch_all(
            self._requests(), concurrency=CONCURRENCY, delay_seconds=delay
        ):
            self._take(self._in_flight.pop(outcome.url), outcome)

    def _requests(self) -> Iterator[FetchRequest | None]:
        """What is queued, in order; None for "nothing now", as fetches under way may add links."""
        last_id = 0
        while True:
            due = self._next_due(last_id)
            if not due:
                self._save()  # the links of pages not yet written are not queued yet
                due = self._next_due(last_id)
            if not due:
                yield None
            for page in due:
                last_id = page.id
                self._in_flight[page.url] = page
                yield self._request(page)

    def _next_due(self, after_id: int) -> list[Due]:
        return self._refresh.read(crawl_frontier.next_batch, after_id=after_id, most=FRONTIER_ROWS)

    def _request(self, due: Due) -> FetchRequest:
        if self._is_forced:
            return FetchRequest(url=due.url)
        return FetchRequest(url=due.url, etag=due.etag, last_modified=due.last_modified)

    def _robots_delay(self) -> float:
        return self._robots.of(self._scope.site.start_url).delay_seconds

    def _take(self, due: Due, outcome: Outcome) -> None:
        self._refresh.lease.check()
        self._batch.add(due, outcome)
        if isinstance(outcome, Redirected) and outcome.permanent and due.is_held:
            self._moved[due.url] = outcome.target
        if due.url == self._scope.site.start_url:
            self._start_problem = _why_no_start(outcome, self._scope)
        self._watch_for_outage(outcome)
        if self._batch.is_full:
            self._save()

    def _watch_for_outage(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Blocked | Unreachable):
            self._failures_in_a_row = 0
            return
        self._failures_in_a_row += 1
        if self._failures_in_a_row == MOST_FAILURES_IN_A_ROW:
            self._save()
            raise TemporaryError(
                f"{self._refresh.domain.host} stopped answering: {MOST_FAILURES_IN_A_ROW} pages in "
                f"a row failed, the last with: {outcome.reason}. Nothing was removed; the next "
                "refresh goes on from here.",
                kind="transient.site_down",
            )

    def _save(self) -> None:
        batch, self._batch = self._batch, CrawlBatch()
        if not batch.outcomes:
            return
        self._is_truncated |= self._refresh.write(
            save_batch,
            batch,
            self._admitted(batch.links),
            is_forced=self._is_forced,
            page_limit=self._page_limit,
        )
        totals = self._refresh.read(crawl_frontier.count)
        done = totals.discovered - totals.queued
        self._refresh.report(
            Progress(stage="raw_pages", done=done, known=totals.discovered, failed=totals.failed)
        )

    def _confirm_missing(self) -> dict[str, int]:
        """Ask a second time for every page that answered 404 or 410; returns those still gone."""
        missing = self._refresh.read(crawl_frontier.urls_with_outcome, "missing")
        status_by_url: dict[str, int] = {}
        requests = (FetchRequest(url=url) for url in missing)
        delay = self._refresh.domain.delay_seconds
        for outcome in self._web.fetch_all(requests, concurrency=CONCURRENCY, delay_seconds=delay):
            due = Due(id=0, url=outcome.url, depth=0, is_held=True, etag=None, last_modified=None)
            self._take(due, outcome)
            if isinstance(outcome, Gone):
                status_by_url[outcome.url] = outcome.status
        self._save()
        return status_by_url

    def _close(self) -> RawPagesReport:
        live = self._refresh.read(raw_pages.count_live)
        if not live:
            raise TemporaryError(
                f"{self._refresh.domain.host} gave no page: "
                f"{self._start_problem or 'every page failed'}. See: omni status "
                f"{self._refresh.domain.host}.",
                kind="transient.no_pages",
            )
        totals = self._refresh.read(crawl_frontier.count)
        self._refresh.write(crawl_frontier.close_crawl, is_truncated=self._is_truncated)
        return RawPagesReport(
            pages_discovered=totals.discovered,
            pages_changed=totals.changed,
            pages_unchanged=totals.unchanged,
            pages_gone=totals.gone,
            pages_failed=totals.failed,
            pages_skipped=totals.skipped,
            pages_live=live,
            is_truncated=self._is_truncated,
            notes=tuple(self._notes),
        )


def _why_no_start(outcome: Outcome, scope: CrawlScope) -> str | None:
    match outcome:
        case Redirected(target=target) if not scope.admits(target):
            return f"its start page redirects to {target}, which is another site; register that one"
        case Gone(status=status):
            return f"its start page answers {status}"
        case Blocked(reason=reason) | Unreachable(reason=reason) | Forbidden(reason=reason):
            return f"its start page could not be fetched: {reason}"
        case _:
            return None
