"""Which of the URLs that a crawl meets are crawled: the site's own, permitted, and not a trap's."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from omni_pipeline.domain.crawl.scope import MAX_DEPTH, CrawlScope
from omni_pipeline.domain.web.patterns import PatternBudget, is_pathological
from omni_pipeline.domain.web.urls import site_url
from omni_pipeline.steps.crawl.robots_and_sitemaps import Robots

# Links judged already, most of them the site's navigation: asking Postgres again is waste.
MAX_REMEMBERED = 50_000


class UrlFilter:
    """Judges URLs. What it lets through once is not offered to it twice.

    Args:
        scope: The site with its patterns.
        robots: The rules of its origins.
        unknown_among: Those of some URLs that the crawl has not met yet.
    """

    def __init__(
        self,
        scope: CrawlScope,
        robots: Robots,
        unknown_among: Callable[[Sequence[str]], list[str]],
    ) -> None:
        self.scope = scope
        self._robots = robots
        self._unknown_among = unknown_among
        self._budget = PatternBudget()
        self._judged: set[str] = set()
        self._cut: dict[str, None] = {}

    @property
    def cut_patterns(self) -> tuple[str, ...]:
        """What was left out as endless, for the report."""
        return (*self._cut, *self._budget.spent)

    def recall(self, urls: Iterable[str]) -> None:
        """Count what an interrupted crawl of this domain had let through."""
        for url in urls:
            self._budget.admits(url)

    def may_fetch(self, url: str) -> bool:
        """Whether robots.txt lets us fetch ``url``."""
        return self._robots.allows(url)

    def listed(self, depth_by_url: Mapping[str, int]) -> dict[str, int]:
        """Of URLs that the site lists, those that may be crawled; a list has no traps."""
        own = {site_url(url, self.scope.site): depth for url, depth in depth_by_url.items()}
        return {url: depth for url, depth in own.items() if self._is_open(url)}

    def linked(self, depth_by_url: Mapping[str, int]) -> dict[str, int]:
        """Of the links that pages hold, those that are new and may be crawled."""
        own: dict[str, int] = {}
        for url, depth in depth_by_url.items():
            if url not in self._judged:
                own.setdefault(site_url(url, self.scope.site), depth)
        self._remember(depth_by_url)
        fresh = self._unknown_among(list(own)) if own else []
        return {url: own[url] for url in fresh if self._is_open(url) and self._ends(url, own[url])}

    def forget(self) -> None:
        """Judge every link anew: some were let through and found no place."""
        self._judged.clear()

    def _is_open(self, url: str) -> bool:
        is_own = self.scope.part.takes_new(url) and self.scope.admits(url)
        return is_own and self._robots.allows(url)

    def _ends(self, url: str, depth: int) -> bool:
        """Whether this is not one of endlessly many."""
        if depth > MAX_DEPTH:
            self._cut.setdefault(f"those more than {MAX_DEPTH} links away from the start page")
            return False
        if is_pathological(url):
            self._cut.setdefault("paths that repeat themselves or carry a session")
            return False
        return self._budget.admits(url)

    def _remember(self, urls: Iterable[str]) -> None:
        if len(self._judged) > MAX_REMEMBERED:
            self._judged.clear()
        self._judged.update(urls)
