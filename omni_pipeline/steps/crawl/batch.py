"""What a crawl learned and has not yet written: the outcomes of a few pages turned into rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from psycopg import Connection

from omni_pipeline.domain.crawl.patterns import url_pattern
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.web.outcomes import (
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
from omni_pipeline.steps.crawl.page_reading import PageReading
from omni_pipeline.steps.crawl.removal import Losses, Move
from omni_pipeline.store.crawl import (
    failed_pages,
    frontier,
    non_pages,
    raw_pages,
    render_decisions,
)
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.crawl.frontier import Added, Due
from omni_pipeline.store.crawl.raw_pages import NewBody, RemovalEvidence
from omni_pipeline.store.jobs.crawl_jobs import Claim

MAX_CHARACTERS = 8_000_000

_GONE_FOR_GOOD = 410


@dataclass(kw_only=True)
class CrawlBatch:
    """Outcomes of a few pages, until they are written together.

    Attributes:
        read: Reads fetched documents.
        losses: What is certain about live pages that are gone.
        outcomes: How each URL ended, in the words of `crawl_frontier.outcome`; ``changed`` is
            decided by the store, which knows the body held. ``missing`` is a page that may leave
            when the crawl has seen all; one that takes over from a killed crawl asks for it again.
        links: Depth by URL of what the pages link to and redirect to.
        sources: On which page each of the links stands.
        links_left_out: By page, how many of its links were too many to read.
        needs_browser: By URL pattern, what was found out.
        non_pages: Depth by URL of what links led to and what is no page, and never was.
    """

    read: Callable[[Fetched], PageReading]
    losses: Losses = field(default_factory=Losses)
    pages: list[NewBody] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    links_left_out: dict[str, int] = field(default_factory=dict)
    needs_browser: dict[str, bool] = field(default_factory=dict)
    non_pages: dict[str, int] = field(default_factory=dict)
    characters: int = 0

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def slots(self) -> int:
        """How many of its pages would be sent again if all was lost."""
        return len(self.outcomes) - len(self.confirmed)

    @property
    def unresolved(self) -> set[str]:
        """What failed, and what redirects: whether that ends is known when the crawl is over."""
        failed = {failure.url for failure in self.failures}
        return failed | self.losses.moves.keys() | self.losses.temporary_redirects.keys()

    def add(self, due: Due, outcome: Outcome, *, is_second_look: bool = False) -> None:
        """Take in how fetching ``due`` ended.

        Args:
            due: What was asked for.
            outcome: What came back.
            is_second_look: A page that is still missing is gone, and one that calls another URL
                its own is kept: that URL gave no page.
        """
        match outcome:
            case Fetched():
                self._add_document(due, outcome, is_second_look=is_second_look)
            case NotModified():
                self.confirmed.append(due.url)
                self.outcomes[due.url] = "unchanged"
            case Redirected(target=target, permanent=permanent):
                self._add_redirect(due, target, is_permanent=permanent)
            case Gone(status=status):
                evidence = RemovalEvidence(reason="missing", http_status=status)
                is_certain = is_second_look or status == _GONE_FOR_GOOD
                self._add_loss(due, evidence, is_certain=is_certain)
            case Forbidden() | Unusable(kind="permanent.not_html") if not due.is_held:
                # Not this crawl's matter: a PDF or an image that a page links to is no failure.
                self.outcomes[due.url] = "skipped"
            case Forbidden(kind=kind, reason=reason) | Unusable(kind=kind, reason=reason):
                self._add_failure(due.url, kind, reason)
            case Blocked(kind=kind, reason=reason) | Unreachable(kind=kind, reason=reason):
                self._add_failure(due.url, kind, reason)
            case _:
                assert_never(outcome)

    def add_unasked(self, due: Due, evidence: RemovalEvidence | None = None) -> None:
        """Leave a page alone; with ``evidence`` it has no place in the index either."""
        if evidence:
            self._add_loss(due, evidence, is_certain=True)
        else:
            self.outcomes[due.url] = "skipped"

    def _add_document(self, due: Due, page: Fetched, *, is_second_look: bool) -> None:
        try:
            reading = self.read(page)
        except Exception as error:  # noqa: BLE001 - what a site wrote is that page's failure
            reason = f"reading {due.url} failed with {type(error).__name__}"
            self._add_failure(due.url, "permanent.unreadable", reason)
            return
        for link in reading.links:
            self._add_link(link, due.depth + 1, due.url)
        if reading.links_left_out:
            self.links_left_out[due.url] = reading.links_left_out
        if page.needs_browser is not None:
            self.needs_browser[url_pattern(due.url)] = page.needs_browser
        if reading.leaves:
            is_certain = is_second_look or reading.leaves.reason == "noindex"
            self._add_loss(due, reading.leaves, is_certain=is_certain)
        elif reading.own_url and not is_second_look:
            self.add_copy(due, reading.own_url)
        else:
            self._add_page(due, page, reading)

    def _add_page(self, due: Due, page: Fetched, reading: PageReading) -> None:
        self.characters += len(reading.html)
        self.outcomes[due.url] = "changed"
        # A copy that is kept for want of its original is read again each time: that may be back.
        has_validators = not page.is_rendered and reading.own_url is None
        self.pages.append(
            NewBody(
                url=due.url,
                etag=page.etag if has_validators else None,
                last_modified=page.last_modified if has_validators else None,
                content_type=page.content_type,
                charset=reading.charset,
                html=reading.html,
                body_hash=text_hash(reading.html),
                is_rendered=page.is_rendered,
                depth=due.depth,
            )
        )

    def add_copy(self, due: Due, own_url: str) -> None:
        """The page names another URL as its own: that one is indexed, once."""
        self._add_link(own_url, due.depth, due.url)
        self.outcomes[due.url] = "missing"
        evidence = RemovalEvidence(reason="duplicate", http_status=200)
        self.losses.moves[due.url] = Move(target=own_url, evidence=evidence)

    def _add_redirect(self, due: Due, target: str, *, is_permanent: bool) -> None:
        self._add_link(target, due.depth + 1, due.url)  # so a chain of them ends (F-D20)
        self.outcomes[due.url] = "missing" if is_permanent and due.is_held else "skipped"
        if due.is_held and not is_permanent:
            reason = f"{due.url} redirects to {target} for the time being; its old text is kept"
            self._add_failure(due.url, "transient.redirected", reason)
        if is_permanent:
            evidence = RemovalEvidence(reason="moved", http_status=301)
            self.losses.moves[due.url] = Move(target=target, evidence=evidence)
        else:
            self.losses.temporary_redirects[due.url] = target
        if not due.is_held:
            self.non_pages[due.url] = due.depth

    def _add_link(self, url: str, depth: int, source: str) -> None:
        self.links.setdefault(url, depth)
        self.sources.setdefault(url, source)

    def _add_loss(self, due: Due, evidence: RemovalEvidence, *, is_certain: bool) -> None:
        if not due.is_held:
            is_there = evidence.reason in ("noindex", "excluded")
            self.outcomes[due.url] = "skipped" if is_there else "gone"
            if evidence.reason != "excluded":
                self.non_pages[due.url] = due.depth
            return
        self.outcomes[due.url] = "missing"
        if is_certain:
            self.losses.evidence[due.url] = evidence

    def _add_failure(self, url: str, kind: str, reason: str) -> None:
        self.failures.append(Failure(url=url, kind=kind, reason=reason))
        self.outcomes[url] = "failed"


def save_batch(
    conn: Connection,
    claim: Claim,
    batch: CrawlBatch,
    links: Mapping[str, int],
    *,
    is_forced: bool,
    page_limit: int | None,
) -> Added:
    """Write a batch whole: bodies, outcomes, failures and the links to follow."""
    is_changed = raw_pages.save(conn, claim, batch.pages)
    outcomes = batch.outcomes | {
        url: "changed" if changed else "unchanged" for url, changed in is_changed.items()
    }
    raw_pages.confirm(conn, claim, batch.confirmed)
    failed_pages.record(conn, claim, "fetch", batch.failures)
    failed_pages.resolve(conn, claim, outcomes.keys() - batch.unresolved, "fetch")
    render_decisions.record(conn, claim, batch.needs_browser)
    non_pages.record(conn, claim, batch.non_pages)
    frontier.settle(conn, claim, outcomes)
    return frontier.add_urls(
        conn, claim, links, source="link", is_forced=is_forced, page_limit=page_limit
    )
