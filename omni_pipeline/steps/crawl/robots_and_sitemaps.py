"""What a site says about itself: robots.txt and sitemaps, read through the HTTP client."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from psycopg import Connection

from omni_pipeline.domain.crawl.robots import (
    MAX_DELAY_SECONDS,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_REDIRECTS,
    RobotsRules,
    have_same_rules,
    robots_text,
    rules_from,
    rules_from_copy,
)
from omni_pipeline.domain.crawl.sitemaps import MAX_SITEMAP_BYTES, lastmod_time, parse_sitemap
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Gone, Outcome
from omni_pipeline.domain.web.urls import Site, canonical_url, in_scope
from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl import raw_pages, robots_files
from omni_pipeline.store.crawl.robots_files import RobotsCopy
from omni_pipeline.store.jobs.crawl_jobs import Claim

# RFC 9309, 2.3.1.4: after 30 days without an answer the copy has had its time.
MAX_COPY_AGE_SECONDS = 30 * 86_400.0

MAX_SITEMAP_FILES = 50
MAX_SITEMAP_DEPTH = 3
_SITEMAP_REDIRECTS = 3


class Web(Protocol):
    """What the crawl needs of the HTTP client."""

    def fetch(self, request: FetchRequest) -> Outcome: ...

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]: ...

    def fetch_following(self, url: str, *, hops: int, max_bytes: int) -> Outcome: ...


class Copies(Protocol):
    """Where the last robots.txt of each origin is kept."""

    def find(self, origin: str) -> RobotsCopy | None: ...

    def keep(self, origin: str, content: str, *, has_other_rules: bool) -> None: ...


class KeptCopies:
    """The copies of a claimed domain, in Postgres.

    Under other rules its pages have to be sent whole once more: a page that answers "not modified"
    does not offer the links that may be followed only now.
    """

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = refresh

    def find(self, origin: str) -> RobotsCopy | None:
        return self._refresh.read(robots_files.find, origin)

    def keep(self, origin: str, content: str, *, has_other_rules: bool) -> None:
        self._refresh.write(_keep, origin, content, has_other_rules=has_other_rules)


def _keep(
    conn: Connection, claim: Claim, origin: str, content: str, *, has_other_rules: bool
) -> None:
    robots_files.keep(conn, claim, origin, content)
    if has_other_rules:
        raw_pages.forget_validators(conn, claim)


class Robots:
    """The robots rules of each origin that a crawl meets, fetched once per crawl.

    While an origin cannot be asked, what it said last rules on, for up to 30 days (RFC 9309,
    2.3.1.4); without a copy everything is disallowed.
    """

    def __init__(self, web: Web, user_agent: str, copies: Copies | None = None) -> None:
        self._web = web
        self._user_agent = user_agent
        self._copies = copies
        self._rules: dict[str, RobotsRules] = {}
        self.notes: list[str] = []

    def of(self, url: str) -> RobotsRules:
        """The rules that hold for ``url``."""
        origin = url[: url.index("/", len("https://"))]
        if origin not in self._rules:
            self._rules[origin] = self._ask(origin)
        return self._rules[origin]

    def allows(self, url: str) -> bool:
        """Whether robots.txt lets us fetch ``url``."""
        return self.of(url).allows(url)

    def _ask(self, origin: str) -> RobotsRules:
        outcome = self._web.fetch_following(
            f"{origin}/robots.txt", hops=MAX_ROBOTS_REDIRECTS, max_bytes=MAX_ROBOTS_BYTES
        )
        rules = rules_from(outcome, self._user_agent)
        if self._copies is None:
            return rules
        copy = self._copies.find(origin)
        if rules.unreachable is None:
            content = robots_text(outcome) if isinstance(outcome, Fetched) else ""
            is_other = copy and not have_same_rules(copy.content, content, self._user_agent)
            self._copies.keep(origin, content, has_other_rules=bool(is_other))
            return rules
        if copy is None or copy.age_seconds > MAX_COPY_AGE_SECONDS:
            return rules
        self.notes.append(
            f"{origin}/robots.txt could not be read ({rules.unreachable}); its copy of "
            f"{copy.age_seconds / 3600:.0f} h ago ruled this crawl."
        )
        return rules_from_copy(copy.content, self._user_agent)


def refuse_slow_site(rules: RobotsRules, host: str) -> None:
    """A site that asks for more than the longest delay we keep is not crawled at all (D19)."""
    if (rules.asked_delay_seconds or 0.0) > MAX_DELAY_SECONDS:
        raise PermanentError(
            f"The robots.txt of {host} asks for {rules.asked_delay_seconds:g} s between requests, "
            f"and more than {MAX_DELAY_SECONDS:.0f} s is not crawled. Ask its owner for less, or "
            f"pause it: omni domains pause {host}.",
            kind="permanent.crawl_delay",
        )


@dataclass(frozen=True, kw_only=True)
class ListedPage:
    """A page that a sitemap lists: its canonical URL, and when it says that the page changed."""

    url: str
    changed_at: datetime | None


def sitemap_urls(web: Web, site: Site, named: tuple[str, ...]) -> Iterator[ListedPage | Exception]:
    """Every page of the site's sitemaps, as they are read.

    A sitemap that exists and cannot be read is yielded as an exception value: "could not look" is
    not "lists nothing". The conventional /sitemap.xml may be missing without a word.

    Args:
        web: The client.
        site: Sitemaps elsewhere are not fetched, whoever names them (S28); this site's
            /sitemap.xml is tried when robots.txt names none.
        named: The sitemaps that robots.txt names.
    """
    conventional = canonical_url("/sitemap.xml", site.start_url)
    queue = [(url, 1) for url in named] or ([(conventional, 1)] if conventional else [])
    seen: set[str] = set()
    while queue and len(seen) < MAX_SITEMAP_FILES:
        reference, depth = queue.pop(0)
        url = canonical_url(reference)
        if url is None or url in seen or not in_scope(url, site):
            continue
        seen.add(url)
        outcome = web.fetch_following(url, hops=_SITEMAP_REDIRECTS, max_bytes=MAX_SITEMAP_BYTES)
        if not isinstance(outcome, Fetched):
            if named or not isinstance(outcome, Gone):
                yield _problem(url, getattr(outcome, "reason", type(outcome).__name__.lower()))
            continue
        sitemap = parse_sitemap(outcome.body)
        if sitemap.problem:
            yield _problem(url, sitemap.problem)
        if depth < MAX_SITEMAP_DEPTH:
            queue.extend((child, depth + 1) for child in sitemap.children)
        for page in sitemap.pages:
            if listed := canonical_url(page.url):
                changed_at = lastmod_time(page.lastmod) if page.lastmod else None
                yield ListedPage(url=listed, changed_at=changed_at)
    if queue:
        yield ValueError(
            f"More than {MAX_SITEMAP_FILES} sitemap files are listed; {len(queue)} were not read."
        )


def _problem(url: str, reason: str) -> Exception:
    return ValueError(f"The sitemap {url} could not be read whole: {reason}")
