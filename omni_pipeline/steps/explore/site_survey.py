"""A quick look at a site before it is registered: a handful of requests, and nothing is kept."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from omni_pipeline.domain.crawl.rendering import script_evidence
from omni_pipeline.domain.html.structured_data import declared_types
from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
from omni_pipeline.domain.web.urls import Site, in_scope, site_url
from omni_pipeline.errors import OmniError
from omni_pipeline.steps.crawl.robots_and_sitemaps import Robots, Web
from omni_pipeline.steps.crawl.sitemap_reading import sitemap_urls
from omni_pipeline.steps.explore.page_preview import ScrapedPage, scrape
from omni_pipeline.steps.explore.site_report import (
    RobotsReport,
    SampledPage,
    SitemapReport,
    SiteReport,
    estimate,
)

SAMPLE_PAGES = 5
# Enough to know that a site is large; more would only cost memory.
MAX_KNOWN = 250_000


def discover(
    web: Web,
    site: Site,
    *,
    user_agent: str,
    delay_seconds: float,
    count_tokens: Callable[[str], int],
    dollars_per_million_tokens: float | None,
    pause: Callable[[float], None] = time.sleep,
) -> SiteReport:
    """Look at robots.txt, the sitemaps and at most five pages, as they are sent.

    Args:
        web: The way to the web.
        site: The site.
        user_agent: Whose robots rules hold.
        delay_seconds: Between two requests; robots.txt may ask for more.
        count_tokens: Of a text, by the model that would embed it.
        dollars_per_million_tokens: None means that nobody knows.
        pause: Waits between two pages.
    """
    look = _Survey(
        web=web,
        site=site,
        user_agent=user_agent,
        robots=Robots(web, user_agent),
        count_tokens=count_tokens,
    )
    rules = look.robots.of(site.start_url)
    robots = RobotsReport(
        unreachable=rules.unreachable,
        allows_start=rules.allows(site.start_url),
        asked_delay_seconds=rules.asked_delay_seconds,
        sitemaps=rules.sitemaps,
    )
    delay_seconds = max(delay_seconds, rules.delay_seconds)
    may_look = robots.unreachable is None and not robots.is_too_slow
    sitemap = look.read_sitemaps(rules.sitemaps, delay_seconds) if may_look else SitemapReport()
    sample = tuple(look.sample(lambda: pause(delay_seconds))) if may_look else ()
    guess = estimate(
        sample,
        pages=len(look.known),
        is_minimum=sitemap.is_cut or not sitemap.urls,
        delay_seconds=delay_seconds,
        dollars_per_million_tokens=dollars_per_million_tokens,
    )
    return SiteReport(
        key=site.key,
        start_url=site.start_url,
        moved_to=look.moved_to,
        robots=robots,
        sitemap=sitemap,
        sample=sample,
        estimate=guess if look.known and not look.moved_to else None,
    )


@dataclass(kw_only=True)
class _Survey:
    """One look at one site; ``known`` are the pages that a crawl might ask for, in their order."""

    web: Web
    site: Site
    user_agent: str
    robots: Robots
    count_tokens: Callable[[str], int]
    known: dict[str, None] = field(default_factory=dict)
    moved_to: str | None = None

    def read_sitemaps(self, named: tuple[str, ...], delay_seconds: float) -> SitemapReport:
        listed: set[str] = set()
        disallowed = 0
        newest = None
        problems: list[str] = []
        listing = sitemap_urls(
            self.web,
            self.site,
            named,
            allows=self.robots.allows,
            delay_seconds=delay_seconds,
        )
        for entry in listing:
            if isinstance(entry, Exception):
                problems.append(str(entry))
                continue
            if len(listed) == MAX_KNOWN:
                break
            if entry.url not in listed and in_scope(entry.url, self.site):
                listed.add(entry.url)
                disallowed += not self._learn(entry.url)
            newest = max(filter(None, (newest, entry.changed_at)), default=None)
        return SitemapReport(
            urls=len(listed),
            disallowed=disallowed,
            is_cut=len(listed) == MAX_KNOWN,
            newest=newest,
            problems=tuple(problems),
        )

    def sample(self, pause: Callable[[], None]) -> Iterator[SampledPage]:
        """The start page, then others by chance: the same ones in every look."""
        start = self.site.start_url
        yield self._look_at(start)
        others = [url for url in self.known if url != start]
        chance = random.Random(self.site.key)  # noqa: S311 - to be repeatable, not secret
        for url in chance.sample(others, min(len(others), SAMPLE_PAGES - 1)):
            if self.moved_to:
                return
            pause()
            yield self._look_at(url)

    def _look_at(self, url: str) -> SampledPage:
        try:
            page = scrape(
                self.web, url, user_agent=self.user_agent, rendering="http", robots=self.robots
            )
        except OmniError as error:
            return SampledPage(url=url, problem=str(error))
        here = page.document.url
        if in_scope(here, self.site):
            return self._judge(url, page)
        if url == self.site.start_url:
            self.moved_to = here
        return SampledPage(url=url, problem=f"It leads to another site: {here}")

    def _judge(self, url: str, page: ScrapedPage) -> SampledPage:
        for link in (page.document.url, *page.reading.links):
            self._learn(link)
        sampled = SampledPage(
            url=url,
            script_evidence=script_evidence(page.reading.html),
            declares=declared_types(page.reading.html),
        )
        match page.text:
            case CleanedPage(markdown=markdown):
                words, tokens = len(markdown.split()), self.count_tokens(markdown)
                return replace(sampled, words=words, tokens=tokens)
            case Unreadable(reason=reason):
                return replace(sampled, problem=reason)

    def _learn(self, url: str) -> bool:
        """Take a page of the site for one that a crawl would fetch; False where it may not."""
        may_fetch = in_scope(url, self.site) and self.robots.allows(url)
        if may_fetch and len(self.known) < MAX_KNOWN:
            self.known[site_url(url, self.site)] = None
        return may_fetch
