"""Step 1: fetch a domain's pages into `raw_pages`; known pages, the sitemap's and links' alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from omni_pipeline import faults
from omni_pipeline.domain.crawl.scope import MAX_DEPTH
from omni_pipeline.domain.web.outcomes import Redirected
from omni_pipeline.errors import PermanentError, TemporaryError
from omni_pipeline.steps.crawl.fetching import Fetching
from omni_pipeline.steps.crawl.page_copies import find_copies
from omni_pipeline.steps.crawl.removal import Losses, Removed, remove_pages
from omni_pipeline.steps.crawl.robots_and_sitemaps import Web, refuse_slow_site
from omni_pipeline.steps.crawl.site import CrawlSite
from omni_pipeline.steps.crawl.sitemap_reading import ListedPage
from omni_pipeline.steps.crawl.work_queue import CrawlQueue
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl import frontier, raw_pages

SITEMAP_URLS = 1000

MAX_SPELLINGS = 3
# Pages that a note of its own is worth.
MAX_NAMED = 5


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
        web: The way to the web.
        user_agent: Whose robots rules hold.
        force_rescrape: Fetch pages however recently they were checked (R-A5).
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
        self._fetching = Fetching(refresh, web, queue, site)
        self._notes: list[str] = []
        self._postponed = 0

    def run(self) -> RawPagesReport:
        self._open()
        self._fetching.fetch_queued()
        if self._fetching.has_unread and not self._fetching.ended_because:
            self._queue.add_non_pages(self._site.gate)
            self._fetching.fetch_queued()
        while not self._fetching.ended_because and self._look_again():
            self._fetching.fetch_queued()  # a page that is there after all may link to others
        losses = self._fetching.losses
        if self._fetching.ended_because:
            self._postponed = self._queue.postpone(losses)
        self._leave_copies_out(losses)
        removed = self._refresh.write(remove_pages, losses, start_url=self._site.start_url)
        return self._close(removed)

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
        if self._domain.use_sitemap:
            self._queue_sitemaps(self._site.sitemap_urls())
        self._queue.add_retries()

    def _look_at_start(self) -> None:
        """Fetch the start page first: it tells which spelling the site goes by.

        Some sites get there in steps: to https, then to www, then to a language.
        """
        for _ in range(MAX_SPELLINGS):
            start = self._site.start_url
            due = self._queue.find(start)
            if due is None or not self._site.robots.allows(start):
                return
            outcome = self._site.ask(self._site.request(due))
            is_respelled = isinstance(outcome, Redirected) and self._site.respells(outcome)
            if isinstance(outcome, Redirected) and not self._site.leaves(outcome):
                self._site.follow_start(outcome)
            self._fetching.take(due, outcome)
            self._fetching.flush()
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

    def _look_again(self) -> bool:
        """Ask a second time for every live page that seems to be gone (R-A12), and for copies.

        A page that called another URL its own is fetched for itself when that one gave no page.
        """
        losses = self._fetching.losses
        explained = losses.evidence.keys() | losses.moves.keys()
        missing = sorted(set(self._queue.missing()) - explained)
        self._fetching.fetch_again(self._queue.again(missing))
        orphans = self._orphaned_copies(losses)
        self._fetching.fetch_again(self._queue.again(orphans))
        return bool(missing or orphans)

    def _orphaned_copies(self, losses: Losses) -> list[str]:
        copies = {
            url: losses.destination(url)
            for url, move in losses.moves.items()
            if move.evidence.reason == "duplicate"
        }
        if not copies:
            return []
        live = self._refresh.read(raw_pages.live_among, [url for url in copies.values() if url])
        live -= losses.evidence.keys()
        orphans = [url for url, own_url in copies.items() if own_url not in live]
        for url in orphans:
            del losses.moves[url]
        return orphans

    def _leave_copies_out(self, losses: Losses) -> None:
        """Keep one of the new pages that are alike to the byte."""
        leaving = losses.evidence.keys() | losses.moves.keys()
        groups = [
            [page for page in group if page.url not in leaving]
            for group in self._refresh.read(raw_pages.alike)
        ]
        copies = find_copies(groups, self._body_of, start_url=self._site.start_url)
        losses.update(copies.losses)
        if copies.example:
            self._notes.append(str(copies))

    def _body_of(self, url: str) -> str:
        return self._refresh.read(raw_pages.bodies_of, [url]).get(url, "")

    # The end

    def _close(self, removed: Removed) -> RawPagesReport:
        self._refuse_empty_part()
        live = self._refresh.read(raw_pages.count_live)
        if not live:
            self._refresh.write(frontier.close_crawl, is_truncated=False)
            problem = self._site.start_problem or "every page failed"
            raise TemporaryError(
                f"{self._domain.host} gave no page: {problem}. "
                f"See: omni failed {self._domain.host}.",
                kind="transient.no_pages",
            )
        is_truncated = bool(
            self._queue.is_truncated
            or self._site.gate.cut_patterns
            or self._site.gate.too_deep
            or self._fetching.links_left_out
            or self._fetching.ended_because
        )
        totals = self._refresh.read(frontier.count)
        faults.point("CP13")
        self._refresh.write(frontier.close_crawl, is_truncated=is_truncated)
        return RawPagesReport(
            pages_discovered=totals.discovered,
            pages_changed=totals.changed,
            pages_unchanged=totals.unchanged,
            pages_gone=totals.gone,
            pages_failed=totals.failed,
            pages_skipped=totals.skipped,
            pages_rendered=self._fetching.pages_rendered,
            pages_held=removed.pages_held,
            pages_live=live,
            is_truncated=is_truncated,
            notes=tuple(self._all_notes()),
        )

    def _refuse_empty_part(self) -> None:
        """A pattern that fits no URL is a mistake, not a refresh of nothing."""
        part, host = self._refresh.request.part, self._domain.host
        if part.is_whole or self._refresh.read(frontier.count).discovered:
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
        if self._fetching.ended_because:
            yield (
                f"{self._domain.host} {self._fetching.ended_because}. What was fetched until then "
                f"counts; {self._postponed} URLs wait for the next refresh."
            )
        for pattern, urls in self._site.gate.cut_patterns.items():
            yield f"Links like {pattern[:120]} seem endless; {urls} of them were left out."
        if links := self._site.gate.too_deep:
            yield (
                f"{links} links lead to pages more than {MAX_DEPTH} links away from the start "
                "page, and were left out. A sitemap leads to pages however far away they are."
            )
        for url, links in islice(self._fetching.links_left_out.items(), MAX_NAMED):
            yield f"{url} has {links} links more than are read of one page; they were left out."
        if self._site.start_problem:
            yield f"Look at the start page: {self._site.start_problem}."
