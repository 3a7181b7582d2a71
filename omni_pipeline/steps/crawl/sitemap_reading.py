"""The pages that a site's sitemaps list, read through the HTTP client, file by file."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from omni_pipeline.domain.crawl.sitemap_text import MAX_SITEMAP_BYTES
from omni_pipeline.domain.crawl.sitemaps import Sitemap, lastmod_time, parse_sitemap
from omni_pipeline.domain.web.outcomes import Blocked, Fetched, Outcome, Unreachable
from omni_pipeline.domain.web.references import referenced_url
from omni_pipeline.domain.web.urls import Site, in_scope, url_parts
from omni_pipeline.steps.crawl.robots_and_sitemaps import Web

# Where sitemaps lie when robots.txt names none: by sitemaps.org, Yoast and WordPress.
CONVENTIONAL = ("/sitemap.xml", "/sitemap_index.xml", "/wp-sitemap.xml")
# Shops and news sites have hundreds of files; what ends one without end is what it lists.
MAX_FILES = 10_000
MAX_LISTED = 2_000_000
MAX_BYTES = 2 * 1024**3
MAX_DEPTH = 3
# So many files in a row that nobody answers for: the others are not asked for either.
MAX_UNANSWERED = 5
_REDIRECTS = 3


@dataclass(frozen=True, kw_only=True)
class ListedPage:
    """A page that a sitemap lists: its canonical URL, and when it says that the page changed."""

    url: str
    changed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file to read. Nobody promised that a guessed one is there."""

    url: str
    depth: int = 1
    is_guessed: bool = False


def sitemap_urls(
    web: Web,
    site: Site,
    named: tuple[str, ...],
    *,
    allows: Callable[[str], bool] = lambda _: True,
    delay_seconds: float = 0.0,
) -> Iterator[ListedPage | Exception]:
    """Every page of the site's sitemaps, as they are read.

    A sitemap that exists and cannot be read is yielded as an exception value: "could not look" is
    not "lists nothing". A conventional one may be missing without a word.

    Args:
        web: The client.
        site: Its sitemaps are read, and those of hosts whose sitemaps its robots.txt names.
        named: The sitemaps that robots.txt names; they may be read. The conventional places are
            tried when it names none, or none that lists anything.
        allows: Whether robots.txt lets us ask for a conventional one.
        delay_seconds: Least time between two requests to one host.
    """
    reading = _SitemapReading(web, site, delay_seconds)
    yield from reading.read_named(named)
    if not reading.listed:
        yield from reading.try_conventional(allows)


class _SitemapReading:
    """What was read so far of the sitemaps of one site."""

    def __init__(self, web: Web, site: Site, delay_seconds: float) -> None:
        self._web = web
        self._site = site
        self._delay_seconds = delay_seconds
        self._hosts = {site.host}
        self._seen: set[str] = set()
        self._bytes = self._unanswered = 0
        self.listed = 0

    def read_named(self, named: tuple[str, ...]) -> Iterator[ListedPage | Exception]:
        urls = [(name, referenced_url(name, self._site.start_url)) for name in named]
        for name, url in urls:
            if url is None:
                yield _problem(name[:200], "that is no web address")
        files = [_File(url=url) for _, url in urls if url]
        self._hosts |= {url_parts(file.url).host for file in files}
        yield from self._read_all(files)

    def try_conventional(self, allows: Callable[[str], bool]) -> Iterator[ListedPage | Exception]:
        for place in CONVENTIONAL:
            url = referenced_url(place, self._site.start_url)
            if url and url not in self._seen and allows(url):
                yield from self._read_all([_File(url=url, is_guessed=True)])
            if self.listed:
                return

    def _read_all(self, files: list[_File]) -> Iterator[ListedPage | Exception]:
        queue = deque(files)
        while queue and not self._limit():
            file = queue.popleft()
            if file.url in self._seen:
                continue
            self._seen.add(file.url)
            sitemap = self._read(file)
            if problem := _problem_of(sitemap, file):
                yield problem
            if isinstance(sitemap, Sitemap):
                yield from self._pages(sitemap, file.url)
                yield from self._enqueue(sitemap, file, queue)
        if queue:
            yield ValueError(f"{self._limit()}: {len(queue)} more sitemap files were not read.")

    def _read(self, file: _File) -> Sitemap | Outcome:
        outcome = self._web.fetch_following(
            file.url,
            hops=_REDIRECTS,
            max_bytes=MAX_SITEMAP_BYTES,
            delay_seconds=self._delay_seconds,
        )
        is_unanswered = isinstance(outcome, Blocked | Unreachable)
        self._unanswered = self._unanswered + 1 if is_unanswered else 0
        if not isinstance(outcome, Fetched):
            return outcome
        self._bytes += len(outcome.body)
        return parse_sitemap(outcome.body)

    def _limit(self) -> str | None:
        """The limit that was met, in words."""
        if len(self._seen) >= MAX_FILES:
            return f"The sitemaps have more than {MAX_FILES} files"
        if self.listed >= MAX_LISTED:
            return f"The sitemaps list more than {MAX_LISTED} pages"
        if self._bytes >= MAX_BYTES:
            return f"The sitemaps have more than {MAX_BYTES} bytes"
        if self._unanswered >= MAX_UNANSWERED:
            return f"{MAX_UNANSWERED} sitemap files in a row could not be had"
        return None

    def _pages(self, sitemap: Sitemap, base: str) -> Iterator[ListedPage]:
        for page in sitemap.pages:
            if url := referenced_url(page.url, base):
                self.listed += 1
                changed_at = lastmod_time(page.lastmod) if page.lastmod else None
                yield ListedPage(url=url, changed_at=changed_at)

    def _enqueue(self, sitemap: Sitemap, file: _File, queue: deque[_File]) -> Iterator[Exception]:
        if file.depth == MAX_DEPTH and sitemap.children:
            yield _problem(file.url, f"it is an index inside {MAX_DEPTH - 1} others")
            return
        urls = [referenced_url(child, file.url) for child in sitemap.children]
        known = [url for url in urls if url and self._may_ask(url)]
        queue.extend(_File(url=url, depth=file.depth + 1) for url in known)
        if foreign := len(urls) - len(known):
            yield _problem(
                file.url, f"{foreign} of its files lie on hosts whose sitemaps robots.txt names not"
            )

    def _may_ask(self, url: str) -> bool:
        """Whoever names a file elsewhere could have any host asked for it, but for robots.txt."""
        return in_scope(url, self._site) or url_parts(url).host in self._hosts


def _problem_of(sitemap: Sitemap | Outcome, file: _File) -> Exception | None:
    if not isinstance(sitemap, Sitemap):
        is_missing = file.is_guessed and not isinstance(sitemap, Blocked | Unreachable)
        reason = getattr(sitemap, "reason", type(sitemap).__name__.lower())
        return None if is_missing else _problem(file.url, reason)
    if sitemap.problem is None or (file.is_guessed and not sitemap.is_sitemap):
        return None
    return _problem(file.url, sitemap.problem)


def _problem(url: str, reason: str) -> Exception:
    return ValueError(f"The sitemap {url} could not be read whole: {reason}")
