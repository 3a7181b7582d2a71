"""Which URLs of a site a crawl may take: the site itself, its patterns, a bounded depth."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection
from omni_pipeline.domain.web.urls import Site, in_scope, url_parts

# A site whose pages lie deeper than this is a trap or a mistake (P-8).
MAX_DEPTH = 16


@dataclass(frozen=True, kw_only=True)
class CrawlScope:
    """The limits of one domain's crawl.

    Patterns are shell globs over path and query, such as ``/docs/*``. A URL must match one of
    ``include`` (when there is any) and none of ``exclude``. Known pages outside of these leave the
    index; those outside of ``part`` are left alone.
    """

    site: Site
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    part: CrawlSelection = WHOLE_SITE

    def admits(self, url: str) -> bool:
        """Whether a canonical URL may be crawled; the start page always may."""
        if url == self.site.start_url:
            return True
        if not in_scope(url, self.site):
            return False
        target = url_parts(url).target
        is_included = not self.include or _matches(target, self.include)
        return is_included and not _matches(target, self.exclude)


def _matches(target: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(target, pattern) for pattern in patterns)
