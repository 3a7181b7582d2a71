"""What a site says about itself: robots.txt and sitemaps, read through the web door."""

from collections.abc import Iterator
from typing import Protocol

from omni_pipeline.domain.outcomes import Fetched, FetchRequest, Outcome
from omni_pipeline.domain.robots import (
    MOST_DELAY_SECONDS,
    MOST_ROBOTS_BYTES,
    MOST_ROBOTS_REDIRECTS,
    RobotsRules,
    rules_from,
)
from omni_pipeline.domain.sitemaps import MOST_SITEMAP_BYTES, parse_sitemap
from omni_pipeline.domain.urls import Site, canonical_url, in_scope
from omni_pipeline.errors import PermanentError

MOST_SITEMAP_FILES = 50
MOST_SITEMAP_DEPTH = 3
_SITEMAP_REDIRECTS = 3


class Web(Protocol):
    """What the crawl needs of the web door."""

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]: ...

    def fetch_following(self, url: str, *, hops: int, most_bytes: int) -> Outcome: ...


class Robots:
    """The robots rules of each origin that a crawl meets, fetched once per crawl."""

    def __init__(self, web: Web, user_agent: str) -> None:
        self._web = web
        self._user_agent = user_agent
        self._rules: dict[str, RobotsRules] = {}

    def of(self, url: str) -> RobotsRules:
        """The rules that hold for ``url``."""
        origin = url[: url.index("/", len("https://"))]
        if origin not in self._rules:
            robots_url = f"{origin}/robots.txt"
            outcome = self._web.fetch_following(
                robots_url, hops=MOST_ROBOTS_REDIRECTS, most_bytes=MOST_ROBOTS_BYTES
            )
            self._rules[origin] = rules_from(outcome, self._user_agent)
        return self._rules[origin]

    def allows(self, url: str) -> bool:
        """Whether robots.txt lets us fetch ``url``."""
        return self.of(url).allows(url)


def refuse_slow_site(rules: RobotsRules, host: str) -> None:
    """A site that asks for more than the longest delay we keep is not crawled at all (D19)."""
    if (rules.asked_delay_seconds or 0.0) > MOST_DELAY_SECONDS:
        raise PermanentError(
            f"The robots.txt of {host} asks for {rules.asked_delay_seconds:g} s between requests, "
            f"and more than {MOST_DELAY_SECONDS:.0f} s is not crawled. Ask its owner for less, or "
            f"pause it: omni domains pause {host}.",
            kind="permanent.crawl_delay",
        )


def sitemap_urls(web: Web, site: Site, named: tuple[str, ...]) -> Iterator[str | Exception]:
    """Every URL of the site's sitemaps, canonical, as they are read.

    A sitemap that exists and cannot be read is yielded as an exception value: "could not look" is
    not "lists nothing". The conventional /sitemap.xml may be missing without a word.

    Args:
        web: The door.
        site: Sitemaps elsewhere are not fetched, whoever names them (S28); this site's
            /sitemap.xml is tried when robots.txt names none.
        named: The sitemaps that robots.txt names.
    """
    conventional = canonical_url("/sitemap.xml", site.start_url)
    queue = [(url, 1) for url in named] or ([(conventional, 1)] if conventional else [])
    seen: set[str] = set()
    while queue and len(seen) < MOST_SITEMAP_FILES:
        reference, depth = queue.pop(0)
        url = canonical_url(reference)
        if url is None or url in seen or not in_scope(url, site):
            continue
        seen.add(url)
        outcome = web.fetch_following(url, hops=_SITEMAP_REDIRECTS, most_bytes=MOST_SITEMAP_BYTES)
        if not isinstance(outcome, Fetched):
            if named:
                yield _problem(url, getattr(outcome, "reason", type(outcome).__name__.lower()))
            continue
        sitemap = parse_sitemap(outcome.body)
        if sitemap.problem:
            yield _problem(url, sitemap.problem)
        if depth < MOST_SITEMAP_DEPTH:
            queue.extend((child, depth + 1) for child in sitemap.children)
        for page in sitemap.pages:
            if listed := canonical_url(page.url):
                yield listed


def _problem(url: str, reason: str) -> Exception:
    return ValueError(f"The sitemap {url} could not be read whole: {reason}")
