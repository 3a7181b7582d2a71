"""Which part of a site a refresh is about: all of it, or the pages that a person names."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from omni_pipeline.domain.web.urls import url_parts
from omni_pipeline.errors import SettingsError


class JobType(StrEnum):
    """What a job of the ledger is about (R-B1).

    Attributes:
        FULL: The whole site.
        CATEGORY: Pages that list products.
        PRODUCT: Pages about one product each.
        DISTRIBUTOR: Both, which is all that a distributor sells.
    """

    FULL = "full"
    CATEGORY = "category"
    PRODUCT = "product"
    DISTRIBUTOR = "distributor"


@dataclass(frozen=True, kw_only=True)
class CrawlSelection:
    """The URLs that one refresh may ask for; of the others it says nothing.

    Attributes:
        job_type: Where there are no patterns, it says which of the known pages are meant.
        patterns: Shell globs over path and query, such as ``/shop/*``. Known pages are meant that
            match one of them, and so are new ones that the sitemap and those pages lead to.
    """

    job_type: JobType = JobType.FULL
    patterns: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.job_type is JobType.FULL

    def __str__(self) -> str:
        return " or ".join(self.patterns) or f"the pages of type {self.job_type}"

    def matches(self, url: str) -> bool:
        """Whether one of the patterns, if there are any, fits the canonical ``url``."""
        target = url_parts(url).target
        return not self.patterns or any(fnmatchcase(target, glob) for glob in self.patterns)

    def takes_new(self, url: str) -> bool:
        """Whether a URL of which no page is known belongs to it."""
        return self.is_whole or (bool(self.patterns) and self.matches(url))


WHOLE_SITE = CrawlSelection()


def name_part(job_type: str | None, patterns: Sequence[str]) -> CrawlSelection:
    """The part that a person asked for; patterns without a type are of type ``category``.

    Raises:
        SettingsError: There is no such type, or it does not go with the patterns.
    """
    for pattern in patterns:
        _check_pattern(pattern)
    named = job_type or (JobType.CATEGORY if patterns else JobType.FULL)
    if named not in list(JobType):
        raise SettingsError(
            f"{named[:40]!r} is no type of refresh: there are {', '.join(JobType)}."
        )
    if patterns and named == JobType.FULL:
        raise SettingsError(
            "A full refresh is of the whole site: leave the patterns out, or the type."
        )
    return CrawlSelection(job_type=JobType(named), patterns=tuple(patterns))


def _check_pattern(pattern: str) -> None:
    if not pattern.startswith(("/", "*")):
        raise SettingsError(
            f"The pattern {pattern[:80]!r} fits no URL: it is compared with path and query, so it "
            "begins with / or *, as in /shop/* or *.html."
        )
