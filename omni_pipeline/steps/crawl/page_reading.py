"""What a fetched document says to the crawl: its text, its links, whether it is a page at all."""

from dataclasses import dataclass

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.crawl.links import (
    PageLinks,
    own_address,
    page_links,
    robots_tag_directives,
)
from omni_pipeline.domain.crawl.soft_404 import fingerprint
from omni_pipeline.domain.web.charset import decode
from omni_pipeline.domain.web.outcomes import Fetched
from omni_pipeline.errors import PermanentError
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence

_NOINDEX = RemovalEvidence(reason="noindex", http_status=200)
_SOFT_404 = RemovalEvidence(reason="soft_404", http_status=200)


@dataclass(frozen=True, kw_only=True)
class PageReading:
    """One document, read.

    Attributes:
        html: Decoded, and storable as text.
        links: Canonical URLs that it leads to; none when it asks not to follow them.
        leaves: Why it is no page for the index: it asks not to be indexed, or it is the page that
            this site shows for what is not there.
        own_url: The URL that it calls its own, where that can be trusted and is another.
    """

    html: str
    charset: str
    links: tuple[str, ...]
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
    """

    start_url: str
    agent: str
    not_found: str | None = None

    def __call__(self, page: Fetched) -> PageReading:
        decoded = decode(page.body, page.charset)
        html = storable(decoded.text)
        said = _links(html, page.url)
        header = robots_tag_directives(page.robots_tag, self.agent)
        follows = not (said.nofollow or header & {"nofollow", "none"})
        return PageReading(
            html=html,
            charset=decoded.charset,
            links=said.links if follows else (),
            leaves=self._why_it_leaves(html, page.url, said, header),
            own_url=own_address(said, page.url, self.start_url),
        )

    def _why_it_leaves(
        self, html: str, url: str, said: PageLinks, header: frozenset[str]
    ) -> RemovalEvidence | None:
        if said.noindex or header & {"noindex", "none"}:
            return _NOINDEX
        if self.not_found and url != self.start_url and fingerprint(html, url) == self.not_found:
            return _SOFT_404
        return None


def document_text(page: Fetched) -> str:
    """The document decoded, and storable."""
    return storable(decode(page.body, page.charset).text)


def _links(html: str, url: str) -> PageLinks:
    """The page's links; none of a page that no parser should be given (cleaning will say so)."""
    try:
        return page_links(html, url)
    except PermanentError:
        return PageLinks()
