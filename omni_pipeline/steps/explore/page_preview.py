"""One page by itself: fetched by the crawl's own rules, cleaned, and kept nowhere."""

from dataclasses import dataclass
from typing import assert_never

from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable, clean
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    Forbidden,
    Gone,
    NotModified,
    Outcome,
    Redirected,
    Rendering,
    Unreachable,
    Unusable,
)
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.steps.crawl.page_reading import PageReader, PageReading
from omni_pipeline.steps.crawl.robots_and_sitemaps import Robots, Web

MAX_REDIRECTS = 10


@dataclass(frozen=True, kw_only=True)
class ScrapedPage:
    """A page as the index would see it.

    Attributes:
        redirects: The hops that led to it, in their order.
        document: What the site sent, or the browser showed.
        reading: What the document says to a crawl.
        text: Its text, or why it has none.
    """

    redirects: tuple[Redirected, ...]
    document: Fetched
    reading: PageReading
    text: CleanedPage | Unreadable


def scrape(
    web: Web,
    url: str,
    *,
    user_agent: str,
    rendering: Rendering = "auto",
    robots: Robots | None = None,
) -> ScrapedPage:
    """Fetch and clean one page, through at most ten redirects.

    Every hop is judged like the first URL: by the address policy, and by its own site's robots.txt.

    Args:
        web: The way to the web.
        url: A canonical URL.
        user_agent: Whose robots rules hold.
        rendering: How the page is to be had.
        robots: The rules that the caller read already.

    Raises:
        TemporaryError: There was no complete answer, or robots.txt could not be read.
        PermanentError: The page is gone, refused, disallowed, or no HTML.
    """
    robots = robots or Robots(web, user_agent)
    document, redirects = _follow(web, url, robots, rendering)
    reading = PageReader(start_url=url, agent=user_agent.partition("/")[0].strip())(document)
    text = clean(reading.html, url=document.url)
    return ScrapedPage(redirects=redirects, document=document, reading=reading, text=text)


def _follow(
    web: Web, url: str, robots: Robots, rendering: Rendering
) -> tuple[Fetched, tuple[Redirected, ...]]:
    redirects: list[Redirected] = []
    here = url
    while len(redirects) <= MAX_REDIRECTS:
        _check_robots(robots, here, redirects)
        outcome = web.fetch(FetchRequest(url=here, rendering=rendering))
        if isinstance(outcome, Fetched):
            return outcome, tuple(redirects)
        if not isinstance(outcome, Redirected):
            raise _error(outcome)
        redirects.append(outcome)
        here = outcome.target
    raise PermanentError(
        f"{url} redirects more than {MAX_REDIRECTS} times, at last to {here}: give the URL of the "
        "page itself.",
        kind="permanent.redirect_loop",
    )


def _check_robots(robots: Robots, url: str, redirects: list[Redirected]) -> None:
    rules = robots.of(url)
    if rules.allows(url):
        return
    way = f" (where {redirects[0].url} redirects to)" if redirects else ""
    if rules.unreachable:
        raise TemporaryError(
            f"{url}{way} was not asked for: its site's robots.txt could not be read "
            f"({rules.unreachable}), and until it can everything is disallowed (RFC 9309).",
            kind="transient.robots_unreachable",
        )
    raise PermanentError(
        f"{url}{way} was not asked for: its site's robots.txt forbids it to this crawler, and "
        "nothing here overrides that. Ask the site's owner.",
        kind="permanent.robots",
    )


def _error(outcome: Outcome) -> OmniError:
    """What a person is told of an outcome that is no page."""
    match outcome:
        case Gone(url=url, status=status):
            return PermanentError(
                f"{url} is not there: it answered {status}.", kind="permanent.gone"
            )
        case Blocked(reason=reason, kind=kind, retry_after_seconds=seconds):
            wait = "" if seconds is None else f" and asks to wait {seconds:.0f} s"
            refusal = PermanentError if kind.startswith("permanent.") else TemporaryError
            return refusal(f"The site refuses this crawler: {reason}{wait}.", kind=kind)
        case Unreachable(reason=reason, kind=kind):
            return TemporaryError(f"There was no page: {reason.rstrip('.')}.", kind=kind)
        case Forbidden(reason=reason, kind=kind) | Unusable(reason=reason, kind=kind):
            return PermanentError(f"There is no page: {reason.rstrip('.')}.", kind=kind)
        case Fetched() | Redirected() | NotModified():
            raise AssertionError(f"{outcome} is no failure")
        case _:
            assert_never(outcome)
