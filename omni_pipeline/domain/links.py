"""What a page says about URLs: where it links to, which URL is its own, what robots may do.

Nothing here decides whether a link is followed: that is scope, robots.txt and the frontier.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.markup_limits import find_excess
from omni_pipeline.domain.urls import canonical_url
from omni_pipeline.errors import PermanentError

MOST_LINKS = 2_000

# The worst page as short as this costs the parser less than a second; most pages are not longer.
_HARMLESS_CHARACTERS = 32 * 1024
# Parsed, HTML takes some 30 bytes a character when it is nothing but tags (FAULTS S50).
_MOST_HTML_CHARACTERS = 4 * 1024 * 1024
_REFRESH_URL = re.compile(r"^[\d.\s]*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PageLinks:
    """The URLs of one page.

    Attributes:
        links: Canonical, each once, in the order of the page, at most 2,000.
        canonical: What the page calls its own URL, in canonical form; any host.
        nofollow: The page asks not to follow its links; ``links`` is then empty.
        noindex: The page asks not to be indexed.
    """

    links: tuple[str, ...] = ()
    canonical: str | None = None
    nofollow: bool = False
    noindex: bool = False


def page_links(html: str, url: str) -> PageLinks:
    """Read the links of a page that was found at the canonical ``url``.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``: no parser should be
            given this page.
    """
    tree = _parsed(html[:_MOST_HTML_CHARACTERS])
    base = _base(tree, url)
    wishes = _robots_wishes(tree)
    nofollow = not wishes.isdisjoint({"nofollow", "none"})
    return PageLinks(
        links=() if nofollow else _canonical_links(_references(tree), base),
        canonical=_own_url(tree, base),
        nofollow=nofollow,
        noindex=not wishes.isdisjoint({"noindex", "none"}),
    )


def _parsed(html: str) -> LexborHTMLParser:
    if len(html) > _HARMLESS_CHARACTERS and (excess := find_excess(html)):
        raise PermanentError(excess.reason, kind=excess.kind)
    return LexborHTMLParser(html)


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return (canonical_url(_attribute(node, "href"), url) if node else None) or url


def _robots_wishes(tree: LexborHTMLParser) -> set[str]:
    contents = (_attribute(node, "content") for node in tree.css('meta[name="robots" i]'))
    return {word for content in contents for word in re.split(r"[\s,]+", content.lower())}


def _own_url(tree: LexborHTMLParser, base: str) -> str | None:
    node = tree.css_first('link[rel~="canonical" i][href]')
    return canonical_url(_attribute(node, "href"), base) if node else None


def _references(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css('meta[http-equiv="refresh" i][content]'):
        if match := _REFRESH_URL.match(_attribute(node, "content")):
            yield match[1]
    for node in tree.css("a[href], area[href]"):
        if "nofollow" not in _attribute(node, "rel").lower().split():
            yield _attribute(node, "href")


def _canonical_links(references: Iterator[str], base: str) -> tuple[str, ...]:
    links: dict[str, None] = {}
    seen: set[str] = set()
    for reference in references:
        bare = reference.partition("#")[0].strip()
        if not bare or bare in seen:
            continue
        seen.add(bare)
        if link := canonical_url(bare, base):
            links[link] = None
        if len(links) == MOST_LINKS:
            break
    return tuple(links)


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""
