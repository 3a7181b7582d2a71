"""What a fetched document says to the crawl: its text, its links, whether it is a page at all."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.crawl.links import PageLinks, own_address, page_links
from omni_pipeline.domain.crawl.robots_directives import Wishes, wishes_of_header
from omni_pipeline.domain.crawl.soft_404 import fingerprint
from omni_pipeline.domain.web.charset import decode
from omni_pipeline.domain.web.outcomes import Fetched, Outcome, Redirected
from omni_pipeline.errors import PermanentError
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence

_NOINDEX = RemovalEvidence(reason="noindex", http_status=200)
_SOFT_404 = RemovalEvidence(reason="soft_404", http_status=200)
_REFRESH = re.compile(rb"http-equiv\s*=\s*[\"']?\s*refresh", re.IGNORECASE)
_REFRESH_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class PageReading:
    """One document, read.

    Attributes:
        html: Decoded, and storable as text.
        links: Canonical URLs that it leads to; none when it asks not to follow them.
        links_left_out: How many links it has beyond what is read of one page.
        leaves: Why it is no page for the index: it asks not to be indexed, or it is the page that
            this site shows for what is not there.
        own_url: The URL that it calls its own, where that can be trusted and is another.
    """

    html: str
    charset: str
    links: tuple[str, ...]
    links_left_out: int
    leaves: RemovalEvidence | None
    own_url: str | None


@dataclass(frozen=True, kw_only=True)
class PageReader:
    """Reads the documents of one crawl.

    Attributes:
        start_url: Where the crawl starts.
        agent: Whose robots wishes are ours.
        not_found: The fingerprint of what the site answers for a URL that cannot exist, when it
            answers that with 200.
        at: When the crawl is; pages may ask to leave the index at a time.
    """

    start_url: str
    agent: str
    not_found: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self, page: Fetched) -> PageReading:
        decoded = decode(page.body, page.charset)
        html = storable(decoded.text)
        said = _links(html, page, decoded.charset)
        header = wishes_of_header(page.robots_tag, self.agent)
        follows = not (said.nofollow or header.nofollow)
        return PageReading(
            html=html,
            charset=decoded.charset,
            links=said.links if follows else (),
            links_left_out=said.left_out if follows else 0,
            leaves=self._why_it_leaves(html, page.url, said, header),
            own_url=own_address(said, page.url, self.start_url),
        )

    def _why_it_leaves(
        self, html: str, url: str, said: PageLinks, header: Wishes
    ) -> RemovalEvidence | None:
        ends = (said.expires_at, header.expires_at)
        if said.noindex or header.noindex or any(end and end <= self.at for end in ends):
            return _NOINDEX
        if self.not_found and url != self.start_url and fingerprint(html, url) == self.not_found:
            return _SOFT_404
        return None


def document_text(page: Fetched) -> str:
    """The document decoded, and storable."""
    return storable(decode(page.body, page.charset).text)


def seen_through(outcome: Outcome) -> Outcome:
    """A page that only sends its readers on is the redirect that its site could not send.

    What a browser shows has been redirected already.
    """
    if not isinstance(outcome, Fetched) or outcome.is_rendered:
        return outcome
    if not _REFRESH.search(outcome.body[:_REFRESH_BYTES]):
        return outcome
    decoded = decode(outcome.body, outcome.charset)
    target = _links(storable(decoded.text), outcome, decoded.charset).moves_to
    if target is None:
        return outcome
    return Redirected(url=outcome.url, target=target, permanent=True)


def _links(html: str, page: Fetched, charset: str) -> PageLinks:
    """The page's links; none of a page that no parser should be given (cleaning will say so)."""
    try:
        said = page_links(html, page.url, charset=charset)
    except PermanentError:
        return PageLinks(canonical=page.canonical)
    return replace(said, canonical=said.canonical or page.canonical)
