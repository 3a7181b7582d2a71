"""The site of one crawl: its spelling, its rules, and how each of its pages is to be asked for."""

from collections.abc import Iterator
from dataclasses import replace

from omni_pipeline.domain.crawl.scope import CrawlScope
from omni_pipeline.domain.crawl.soft_404 import fingerprint, probe_url
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    Forbidden,
    Gone,
    Outcome,
    Redirected,
    Unreachable,
)
from omni_pipeline.domain.web.urls import Site, in_scope, parse_site, site_url, url_parts
from omni_pipeline.steps.crawl.page_reading import (
    PageReader,
    PageReading,
    document_text,
    seen_through,
)
from omni_pipeline.steps.crawl.render_choice import DECISION_SECONDS, RenderDecisions
from omni_pipeline.steps.crawl.robots_and_sitemaps import KeptCopies, Robots, Web
from omni_pipeline.steps.crawl.sitemap_reading import ListedPage, sitemap_urls
from omni_pipeline.steps.crawl.url_filter import UrlFilter
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl import frontier, raw_pages, render_decisions
from omni_pipeline.store.crawl.frontier import Due
from omni_pipeline.store.jobs import domains


class CrawlSite:
    """A domain's site while it is crawled.

    Attributes:
        site: In the spelling that it goes by.
        robots: The rules of its origins.
        gate: Judges URLs.
        decisions: Which of its pages need a browser.
        start_problem: Why the start page gave no page; None while nothing is known against it.
    """

    def __init__(self, refresh: Refresh, web: Web, user_agent: str, *, is_forced: bool) -> None:
        self._refresh = refresh
        self._domain = refresh.domain
        self._web = web
        self._is_forced = is_forced
        self._agent = user_agent.partition("/")[0].strip()
        self.start_problem: str | None = None
        self.robots = Robots(
            web, user_agent, KeptCopies(refresh), delay_seconds=self._domain.delay_seconds
        )
        known = refresh.read(render_decisions.recent, seconds=DECISION_SECONDS)
        self.decisions = RenderDecisions(self._domain.render_mode, known)
        self._use(parse_site(self._domain.start_url, allowed=refresh.settings.allow_addresses))

    def _use(self, site: Site) -> None:
        self.site = site
        scope = CrawlScope(
            site=site,
            include=tuple(self._domain.include_patterns),
            exclude=tuple(self._domain.exclude_patterns),
            part=self._refresh.request.part,
        )
        self.gate = UrlFilter(
            scope,
            self.robots,
            lambda urls: self._refresh.read(frontier.unknown_among, urls),
            lambda urls: self._refresh.read(raw_pages.bodies_of, urls),
        )
        self._reader = PageReader(start_url=site.start_url, agent=self._agent)

    @property
    def start_url(self) -> str:
        """Where the crawl starts."""
        return self.site.start_url

    @property
    def delay_seconds(self) -> float:
        """The least time between two requests: the domain's, or more when the site asks for it."""
        return max(self._domain.delay_seconds, self.robots.of(self.start_url).delay_seconds)

    def request(self, due: Due) -> FetchRequest:
        """How to ask for a page: conditionally, unless it is forced or shown by a browser."""
        rendering = self.decisions.of(due.url)
        if self._is_forced or rendering == "browser":
            return FetchRequest(url=due.url, rendering=rendering)
        return FetchRequest(
            url=due.url, etag=due.etag, last_modified=due.last_modified, rendering=rendering
        )

    def read(self, page: Fetched) -> PageReading:
        """Read one of its documents."""
        return self._reader(page)

    def note_start(self, outcome: Outcome) -> None:
        """Judge how fetching the start page ended, and remember where the site has moved to."""
        has_left = isinstance(outcome, Redirected) and self.leaves(outcome)
        self.start_problem = _why_no_start(outcome, has_left=has_left)
        is_permanent = isinstance(outcome, Redirected) and outcome.permanent and has_left
        moved_to = outcome.target if isinstance(outcome, Redirected) and is_permanent else None
        if moved_to != self._domain.moved_to:
            self._refresh.write(domains.note_move, moved_to)

    def learn_not_found_page(self) -> None:
        """Ask once for what cannot exist: some sites answer that with 200 (F-D10)."""
        url = probe_url(self.start_url, f"{self._refresh.claim.job_id:x}no7page")
        if not self.robots.allows(url):
            return
        outcome = self.ask(FetchRequest(url=url))
        if isinstance(outcome, Fetched):
            self._reader = replace(self._reader, not_found=fingerprint(document_text(outcome), url))

    def ask(self, request: FetchRequest) -> Outcome:
        """Fetch one page by itself, at the pace of the crawl."""
        return seen_through(self._web.fetch(request, delay_seconds=self.delay_seconds))

    def sitemap_urls(self) -> Iterator[ListedPage | Exception]:
        """What its sitemaps list."""
        return sitemap_urls(
            self._web,
            self.site,
            self.robots.of(self.start_url).sitemaps,
            allows=self.robots.allows,
            delay_seconds=self.delay_seconds,
        )

    def respelled(self, url: str) -> str:
        """A URL of the site in the spelling that it goes by."""
        return site_url(url, self.site)

    def respells(self, redirect: Redirected) -> bool:
        """Whether it leads to this site under another scheme or host name."""
        return not self.leaves(redirect) and site_url(redirect.target, self.site) != redirect.target

    def follow_start(self, redirect: Redirected) -> None:
        """Take the target for the home page, and its spelling for the site's."""
        if self.respells(redirect):
            self._adopt_canonical_host(redirect)
        self._reader = replace(self._reader, start_url=site_url(redirect.target, self.site))

    def _adopt_canonical_host(self, redirect: Redirected) -> None:
        """Go by the address that the site itself goes by, where only www or https differ.

        A site that is registered as http://example.com and answers at https://www.example.com
        would otherwise be fetched twice, once by redirects.
        """
        parts = url_parts(redirect.target)
        origin = redirect.target.removesuffix(parts.target)
        start_url = origin + url_parts(self.start_url).target
        self._refresh.write(domains.note_start_url, start_url)
        self._use(
            replace(
                self.site,
                host=parts.host,
                port=parts.port,
                scheme=parts.scheme,
                start_url=start_url,
            )
        )

    def leads_back(self, redirect: Redirected) -> bool:
        """Whether it leads to another spelling of the same URL."""
        return site_url(redirect.target, self.site) == redirect.url

    def leaves(self, redirect: Redirected) -> bool:
        """Whether it leads to another site."""
        return not in_scope(redirect.target, self.site)


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
