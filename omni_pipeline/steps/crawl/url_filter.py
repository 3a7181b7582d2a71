"""Which of the URLs that a crawl meets are crawled: the site's own, permitted, and not a trap's."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from omni_pipeline.domain.crawl.patterns import (
    MIN_JUDGED,
    PatternBudget,
    is_pathological,
    names_content,
    url_pattern,
)
from omni_pipeline.domain.crawl.scope import MAX_DEPTH, CrawlScope
from omni_pipeline.domain.web.urls import site_url, url_parts
from omni_pipeline.steps.crawl.robots_and_sitemaps import Robots

# Links judged already, most of them the site's navigation: asking Postgres again is waste.
MAX_REMEMBERED = 50_000
# Links beyond their pattern's budget, which may grow.
MAX_DEFERRED = 50_000
# A page that links to so many URLs of one pattern lists them, as a sitemap does.
MIN_LISTED = 20

_PATHOLOGICAL = "paths that repeat themselves or carry a session"


class UrlFilter:
    """Judges URLs. What it lets through once is not offered to it twice.

    Args:
        scope: The site with its patterns.
        robots: The rules of its origins.
        unknown_among: Those of some URLs that the crawl has not met yet.
        bodies_of: The pages held of some URLs.

    Attributes:
        too_deep: How many links lead further from the start page than is followed.
    """

    def __init__(
        self,
        scope: CrawlScope,
        robots: Robots,
        unknown_among: Callable[[Sequence[str]], list[str]],
        bodies_of: Callable[[Sequence[str]], Mapping[str, str]],
    ) -> None:
        self.scope = scope
        self._robots = robots
        self._unknown_among = unknown_among
        self._bodies_of = bodies_of
        self._budget = PatternBudget()
        self._judged: set[str] = set()
        self._cut: Counter[str] = Counter()
        self.too_deep = 0
        self._deferred: dict[str, dict[str, int]] = {}
        self._known: defaultdict[str, list[str]] = defaultdict(list)

    @property
    def cut_patterns(self) -> dict[str, int]:
        """What was left out as endless, and how many URLs of it, for the report."""
        deferred = {pattern: len(urls) for pattern, urls in self._deferred.items() if urls}
        return dict(self._cut + Counter(deferred))

    def recall(self, urls: Iterable[str]) -> None:
        """Count what an earlier crawl of this domain had let through."""
        for url in urls:
            self._budget.recall(url)
            if len(alike := self._known[url_pattern(url)]) < MIN_JUDGED:
                alike.append(url)

    def may_fetch(self, url: str) -> bool:
        """Whether robots.txt lets us fetch ``url``."""
        return self._robots.allows(url)

    def note_pages(self, html_by_url: Mapping[str, str]) -> None:
        """Learn from fetched pages whether those like them say new things."""
        for url, html in html_by_url.items():
            if self._budget.is_short(url):
                self._budget.note_page(url, html)

    def listed(self, depth_by_url: Mapping[str, int]) -> dict[str, int]:
        """Of URLs that the site lists, those that may be crawled; a list has no traps."""
        own = {site_url(url, self.scope.site): depth for url, depth in depth_by_url.items()}
        return {url: depth for url, depth in own.items() if self._is_open(url)}

    def linked(
        self, depth_by_url: Mapping[str, int], sources: Mapping[str, str] | None = None
    ) -> dict[str, int]:
        """Of the links that pages hold, those that are new and may be crawled.

        With them come links of before whose pattern has room now.

        Args:
            depth_by_url: The links.
            sources: On which page each of them stands.
        """
        own: dict[str, int] = {}
        found_on: dict[str, str] = {}
        for url, depth in depth_by_url.items():
            if url not in self._judged:
                here = site_url(url, self.scope.site)
                own.setdefault(here, depth)
                found_on.setdefault(here, (sources or {}).get(url, ""))
        self._remember(depth_by_url)
        fresh = [
            url for url in (self._unknown_among(list(own)) if own else []) if self._is_open(url)
        ]
        in_lists = _in_lists(fresh, found_on)
        taken = dict(self._released())
        for url in fresh:
            if self._ends(url, own[url], is_listed=url in in_lists):
                taken[url] = own[url]
        return taken

    def forget(self) -> None:
        """Judge every link anew: some were let through and found no place."""
        self._judged.clear()

    def _is_open(self, url: str) -> bool:
        is_own = self.scope.part.takes_new(url) and self.scope.admits(url)
        return is_own and self._robots.allows(url)

    def _ends(self, url: str, depth: int, *, is_listed: bool) -> bool:
        """Whether this is not one of endlessly many."""
        if depth > MAX_DEPTH:
            self.too_deep += 1
            return False
        if is_pathological(url):
            self._cut[_PATHOLOGICAL] += 1
            return False
        return is_listed or self._budget.admits(url) or self._defer(url, depth)

    def _defer(self, url: str, depth: int) -> bool:
        pattern = url_pattern(url)
        if sum(map(len, self._deferred.values())) < MAX_DEFERRED:
            self._deferred.setdefault(pattern, {}).setdefault(url, depth)
        else:
            self._cut[pattern] += 1
        return False

    def _released(self) -> Iterator[tuple[str, int]]:
        """Links that were beyond their pattern's budget, and are not now."""
        for pattern, urls in self._deferred.items():
            self._look_at_known(pattern)
            while urls and self._budget.admits(url := next(iter(urls))):
                yield url, urls.pop(url)

    def _look_at_known(self, pattern: str) -> None:
        """Judge a pattern by pages that are held: "not modified" says nothing about their texts."""
        known = self._known.pop(pattern, None)
        if known and not self._budget.is_judged(pattern):
            for url, html in self._bodies_of(known).items():
                self._budget.note_page(url, html)

    def _remember(self, urls: Iterable[str]) -> None:
        if len(self._judged) > MAX_REMEMBERED:
            self._judged.clear()
        self._judged.update(urls)


def _in_lists(urls: Sequence[str], found_on: Mapping[str, str]) -> set[str]:
    """The URLs that one page lists with many of their kind.

    Not where the list might be made like its entries: a page with numbers or parameters may lead to
    the next such list, and a page leads to itself in other orders.
    """
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for url in urls:
        source = found_on[url]
        pattern = url_pattern(url)
        if (
            source
            and names_content(pattern)
            and _path(source) != _path(url)
            and _is_of_words(url_pattern(source))
        ):
            alike[source, pattern].append(url)
    return {url for listed in alike.values() if len(listed) >= MIN_LISTED for url in listed}


def _is_of_words(pattern: str) -> bool:
    return "?" not in pattern and "#" not in pattern


def _path(url: str) -> str:
    return url_parts(url).target.partition("?")[0]
