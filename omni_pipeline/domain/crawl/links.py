"""What a page says about URLs: where it links to, which URL is its own, what robots may do.

Nothing here decides whether a link is followed: that is scope, robots.txt and the frontier.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.crawl.robots_directives import Wishes, wishes_in
from omni_pipeline.domain.html.parsing import content_text, parse_html
from omni_pipeline.domain.html.refreshes import refresh_of
from omni_pipeline.domain.web.references import referenced_url
from omni_pipeline.domain.web.urls import UrlParts, same_server, url_parts
from omni_pipeline.domain.web.user_agent import PRODUCT_TOKEN

# More than any crawl takes by default, and what a page can hold whose markup is not refused.
MAX_LINKS = 50_000

# What this crawler calls itself in robots.txt, in robots metadata and in its User-Agent.

_REFRESH = 'meta[http-equiv="refresh" i][content]'
_LINKED = (
    'link[hreflang][href][rel~="alternate" i],link[rel~="next" i][href],link[rel~="prev" i][href]'
)
_INDEX_FILE = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$")
_NAMES_CONTENT = re.compile(
    r"(?:(?!\w*sess|sid=)\w*id|p|pg|paged?|q|query|search|s|t|title|article|product|item|topic|post"
    r"|category|date|lang)=",
    re.IGNORECASE,
)


# A page that sends its readers on at once, or soon and with little to read meanwhile.
_AT_ONCE_SECONDS = 1.0
_SOON_SECONDS = 15.0
_STUB_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class PageLinks:
    """The URLs of one page.

    Attributes:
        links: Canonical, each once, in the order of the page, at most 50,000. The same page in
            other languages counts as a link, and so does a frame.
        left_out: How many references were beyond that.
        canonical: What the page calls its own URL, in canonical form; any host.
        moves_to: Where it sends its readers instead of showing them anything.
        nofollow: The page asks not to follow its links; ``links`` is then empty.
        noindex: The page asks not to be indexed.
        expires_at: From when on it asks not to be indexed.
    """

    links: tuple[str, ...] = ()
    left_out: int = 0
    canonical: str | None = None
    moves_to: str | None = None
    nofollow: bool = False
    noindex: bool = False
    expires_at: datetime | None = None


def page_links(html: str, url: str, *, charset: str = "utf-8") -> PageLinks:
    """Read the links of a page that was found at the canonical ``url``.

    Args:
        html: The page.
        url: Canonical.
        charset: The Python codec that the page was read with.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``: no parser should be
            given this page.
    """
    tree = parse_html(html)
    lowered = html.lower()  # every selector is a walk through the page, and few pages have these
    has_refresh = "refresh" in lowered
    base = _base(tree, url, charset)
    directives = _robots_directives(tree)
    references = _references(
        tree, has_refresh=has_refresh, has_frames="<frame" in lowered or "<iframe" in lowered
    )
    links, left_out = ((), 0) if directives.nofollow else _links_of(references, base, charset)
    return PageLinks(
        links=links,
        left_out=left_out,
        canonical=_own_url(tree, base, charset),
        nofollow=directives.nofollow,
        noindex=directives.noindex,
        expires_at=directives.expires_at,
        # last: it prunes the tree
        moves_to=_new_place(tree, url, base, charset) if has_refresh else None,
    )


def own_address(page: PageLinks, url: str, start_url: str) -> str | None:
    """The URL to index instead of ``url``, by the page's own hint, where that can be trusted.

    Some sites send one wrong canonical URL with every page. Believed, it would empty the index, so
    the hint may only choose between spellings: case, a trailing slash, ``index.html``, and
    parameters that do not name the content. A query on the start page is more than a spelling.

    Args:
        page: The links of ``url``.
        url: Canonical; its scheme and host are kept.
        start_url: Of the site, canonical.
    """
    if page.canonical is None:
        return None
    here, there, start = url_parts(url), url_parts(page.canonical), url_parts(start_url)
    if not same_server(here, there) or _content_named(here) != _content_named(there):
        return None
    if there.target == start.target and "?" in here.target:
        return None
    own = url.removesuffix(here.target) + there.target
    return own if own != url else None


def _content_named(parts: UrlParts) -> tuple[str, frozenset[str]]:
    """The path in one spelling, and the parameters that choose what the page shows."""
    path, _, query = parts.target.partition("?")
    spelled = _INDEX_FILE.sub("", path.lower()).rstrip("/")
    pairs = query.split("&")
    return spelled, frozenset(pair for pair in pairs if _NAMES_CONTENT.match(pair))


def _base(tree: LexborHTMLParser, url: str, charset: str) -> str:
    node = tree.css_first("base[href]")
    return (referenced_url(_attribute(node, "href"), url, charset=charset) if node else None) or url


def _robots_directives(tree: LexborHTMLParser) -> Wishes:
    names = f'meta[name="robots" i],meta[name="{PRODUCT_TOKEN}" i]'
    return wishes_in(_attribute(node, "content") for node in tree.css(names))


def _own_url(tree: LexborHTMLParser, base: str, charset: str) -> str | None:
    node = tree.css_first('link[rel~="canonical" i][href]')
    return referenced_url(_attribute(node, "href"), base, charset=charset) if node else None


def _new_place(tree: LexborHTMLParser, url: str, base: str, charset: str) -> str | None:
    """Where a meta refresh leads that leaves no time to read; browsers obey the first one."""
    node = next((node for node in tree.css(_REFRESH) if not _is_without_scripts(node)), None)
    found = refresh_of(_attribute(node, "content")) if node else None
    if found is None or found.seconds > _SOON_SECONDS:
        return None
    target = referenced_url(found.reference, base, charset=charset)
    if target is None or target == url:
        return None
    is_stub = found.seconds <= _AT_ONCE_SECONDS or len(content_text(tree)) < _STUB_CHARACTERS
    return target if is_stub else None


def _is_without_scripts(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag == "noscript":
            return True
        parent = parent.parent
    return False


def _references(tree: LexborHTMLParser, *, has_refresh: bool, has_frames: bool) -> Iterator[str]:
    for node in tree.css(_REFRESH) if has_refresh else ():
        if found := refresh_of(_attribute(node, "content")):
            yield found.reference
    for node in tree.css(_LINKED):
        yield _attribute(node, "href")
    for node in tree.css("frame[src], iframe[src]") if has_frames else ():
        yield _attribute(node, "src")
    for node in tree.css("a[href], area[href]"):
        attributes = node.attributes  # read once: every access reads all of them anew
        if "nofollow" not in (attributes.get("rel") or "").lower().split():
            yield attributes.get("href") or ""


def _links_of(references: Iterator[str], base: str, charset: str) -> tuple[tuple[str, ...], int]:
    links: dict[str, None] = {}
    seen: set[str] = set()
    left_out = 0
    for reference in references:
        bare = reference.partition("#")[0].strip()
        if not bare or bare in seen:
            continue
        seen.add(bare)
        if len(links) == MAX_LINKS:
            left_out += 1
        elif link := referenced_url(bare, base, charset=charset):
            links[link] = None
    return tuple(links), left_out


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""
