"""What a look at a site showed, and what can be guessed from it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from omni_pipeline.domain.crawl.options import DEFAULT_PAGE_LIMIT
from omni_pipeline.domain.crawl.robots import MAX_DELAY_SECONDS

# A site grows between the look and the crawl.
_ROOM_TO_GROW = 1.2
_ROUND = 1000


@dataclass(frozen=True, kw_only=True)
class RobotsReport:
    """What robots.txt says to this crawler; ``unreachable`` is why nothing is known of it."""

    unreachable: str | None
    allows_start: bool
    asked_delay_seconds: float | None
    sitemaps: tuple[str, ...]

    @property
    def is_too_slow(self) -> bool:
        """Whether it asks for a longer delay than any crawl keeps (F-D19)."""
        return (self.asked_delay_seconds or 0.0) > MAX_DELAY_SECONDS


@dataclass(frozen=True, kw_only=True)
class SitemapReport:
    """What the site's sitemaps list.

    Attributes:
        urls: On this site, each once.
        disallowed: Those of them that robots.txt forbids.
        is_cut: There are more; reading stopped.
        newest: The latest time at which the site says that a page changed.
        problems: Sitemaps that could not be read whole.
    """

    urls: int = 0
    disallowed: int = 0
    is_cut: bool = False
    newest: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SampledPage:
    """One page that was looked at.

    Attributes:
        problem: Why there is no text, or None.
        tokens: By the tokenizer of the model that would embed it.
        script_evidence: Why it seems to need a browser, or None.
        declares: The structured data in it, such as ``JSON-LD Product``.
    """

    url: str
    problem: str | None = None
    words: int = 0
    tokens: int = 0
    script_evidence: str | None = None
    declares: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a first refresh may come to, guessed from the sample.

    Attributes:
        pages: Known ones; ``is_least`` when the site does not list them all.
        tokens: None when no sampled page had text.
        dollars: None when the price is not known, or the tokens are not.
        dollars_per_million_tokens: The price that the bill will go by; None when nobody knows.
        delay_seconds: Between two requests, by the longer of ours and the site's.
        seconds: Until the last of them is sent.
    """

    pages: int
    is_minimum: bool
    tokens: int | None
    dollars: float | None
    dollars_per_million_tokens: float | None
    delay_seconds: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SiteReport:
    """What a look at a site showed; ``moved_to`` is another site that its start page leads to."""

    key: str
    start_url: str
    moved_to: str | None
    robots: RobotsReport
    sitemap: SitemapReport
    sample: tuple[SampledPage, ...]
    estimate: Estimate | None

    @property
    def readable(self) -> list[SampledPage]:
        """The sampled pages that had text."""
        return [page for page in self.sample if page.problem is None]

    @property
    def need_browser(self) -> list[SampledPage]:
        """The sampled pages that seem to need a browser."""
        return [page for page in self.sample if page.script_evidence]

    @property
    def declared(self) -> Counter[str]:
        """How many sampled pages have which structured data."""
        return Counter(kind for page in self.sample for kind in page.declares)

    @property
    def next_commands(self) -> tuple[str, ...]:
        """How to go on; nothing where the site may not, or cannot, be crawled."""
        if self.moved_to:
            return (f"omni discover {self.moved_to}",)
        if self.estimate is None or not (self.readable or self.need_browser):
            return ()
        is_plain = any(not page.script_evidence for page in self.readable)
        options = "" if is_plain else " --render browser"
        if self.estimate.pages > DEFAULT_PAGE_LIMIT:
            roomy = -(-self.estimate.pages * _ROOM_TO_GROW // _ROUND) * _ROUND
            options += f" --max-pages {roomy:.0f}"
        return (f"omni domains add {self.start_url}{options}", f"omni refresh {self.key}")


def estimate(
    sample: tuple[SampledPage, ...],
    *,
    pages: int,
    is_minimum: bool,
    delay_seconds: float,
    dollars_per_million_tokens: float | None,
) -> Estimate:
    """Multiply what the sampled pages had on average."""
    counts = [page.tokens for page in sample if page.problem is None]
    tokens = round(sum(counts) / len(counts) * pages) if counts else None
    price = dollars_per_million_tokens
    return Estimate(
        pages=pages,
        is_minimum=is_minimum,
        tokens=tokens,
        dollars=None if price is None or tokens is None else tokens / 1_000_000 * price,
        dollars_per_million_tokens=price,
        delay_seconds=delay_seconds,
        seconds=pages * delay_seconds,
    )
