"""What a crawl learned and has not yet written: outcomes turned into rows, a batch at a time."""

from dataclasses import dataclass, field
from typing import assert_never

from psycopg import Connection

from omni_pipeline.domain.charset import decode
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.hygiene import storable
from omni_pipeline.domain.links import page_links
from omni_pipeline.domain.outcomes import (
    Blocked,
    Fetched,
    Forbidden,
    Gone,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.errors import PermanentError
from omni_pipeline.store import crawl_frontier, failed_pages, raw_pages
from omni_pipeline.store.crawl_frontier import Due
from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.failed_pages import Failure
from omni_pipeline.store.raw_pages import NewBody

MOST_PAGES = 50
MOST_CHARACTERS = 8_000_000

# Not this crawl's matter: a PDF or an image that a page links to is no failure.
_NOT_A_PAGE = "permanent.not_html"


@dataclass(kw_only=True)
class CrawlBatch:
    """Outcomes of up to 50 pages or 8 million characters, whichever comes first.

    Attributes:
        outcomes: How each URL ended, in the words of `crawl_frontier.outcome`; ``changed`` is
            decided by the store, which knows the body held.
        links: Depth by URL of what the pages link to and redirect to.
    """

    pages: list[NewBody] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    characters: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.outcomes) >= MOST_PAGES or self.characters >= MOST_CHARACTERS

    def add(self, due: Due, outcome: Outcome) -> None:
        """Take in how fetching ``due`` ended."""
        match outcome:
            case Fetched():
                self._add_page(due, outcome)
            case NotModified():
                self.confirmed.append(due.url)
                self.outcomes[due.url] = "unchanged"
            case Redirected(target=target):
                self.links.setdefault(target, due.depth)
                self.outcomes[due.url] = "skipped"
            case Gone():
                self.outcomes[due.url] = "missing" if due.is_held else "gone"
            case Forbidden() | Unusable(kind="permanent.not_html"):
                self.outcomes[due.url] = "skipped"
            case Blocked(kind=kind, reason=reason) | Unreachable(kind=kind, reason=reason):
                self._add_failure(due.url, kind, reason)
            case Unusable(kind=kind, reason=reason):
                self._add_failure(due.url, kind, reason)
            case _:
                assert_never(outcome)

    def _add_page(self, due: Due, page: Fetched) -> None:
        decoded = decode(page.body, page.charset)
        html = storable(decoded.text)
        self.characters += len(html)
        for link in _links(html, page.url):
            self.links.setdefault(link, due.depth + 1)
        self.outcomes[due.url] = "changed"
        self.pages.append(
            NewBody(
                url=due.url,
                etag=page.etag,
                last_modified=page.last_modified,
                content_type=page.content_type,
                charset=decoded.charset,
                html=html,
                body_hash=text_hash(html),
            )
        )

    def _add_failure(self, url: str, kind: str, reason: str) -> None:
        self.failures.append(Failure(url=url, kind=kind, reason=reason))
        self.outcomes[url] = "failed"


def _links(html: str, url: str) -> tuple[str, ...]:
    """The page's links; none of a page that no parser should be given (cleaning will say so)."""
    try:
        return page_links(html, url).links
    except PermanentError:
        return ()


def save_batch(
    conn: Connection,
    holding: Claim,
    batch: CrawlBatch,
    links: dict[str, int],
    *,
    is_forced: bool,
    page_limit: int | None,
) -> bool:
    """Write a batch whole: bodies, outcomes, failures and the links to follow.

    Returns:
        Whether the page limit left out some of ``links``.
    """
    is_changed = raw_pages.save(conn, holding, batch.pages)
    outcomes = batch.outcomes | {
        url: "changed" if changed else "unchanged" for url, changed in is_changed.items()
    }
    raw_pages.confirm(conn, holding, batch.confirmed)
    failed_pages.record(conn, holding, "fetch", batch.failures)
    failed = {failure.url for failure in batch.failures}
    failed_pages.resolve(conn, holding, outcomes.keys() - failed, "fetch")
    crawl_frontier.settle(conn, holding, outcomes)
    return crawl_frontier.add_urls(
        conn, holding, links, source="link", is_forced=is_forced, page_limit=page_limit
    )
