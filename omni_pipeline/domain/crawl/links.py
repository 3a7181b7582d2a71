"""What a page says about URLs: where it links to, which URL is its own, what robots may do.

Nothing here decides whether a link is followed: that is scope, robots.txt and the frontier.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.parsing import parse_html
from omni_pipeline.domain.web.urls import UrlParts, canonical_url, same_server, url_parts

MAX_LINKS = 2_000

# What this crawler calls itself in robots.txt, in robots metadata and in its User-Agent.
PRODUCT_TOKEN = "omni_pipeline"  # noqa: S105 - no secret

_REFRESH_URL = re.compile(r"^[\d.\s]*[;,]\s*url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
_CONCERNED = re.compile(
    r"\s*(?!max-(?:snippet|image-preview|video-preview)\b|unavailable_after\b)"
    r"(\*|[a-z][\w-]*)\s*:"
)
_INDEX_FILE = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$")
_NAMES_CONTENT = re.compile(
    r"(?:(?!\w*sess|sid=)\w*id|p|pg|paged?|q|query|search|s|t|title|article|product|item|topic|post"
    r"|category|date|lang)=",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class PageLinks:
    """The URLs of one page.

    Attributes:
        links: Canonical, each once, in the order of the page, at most 2,000. The same page in
            other languages counts as a link.
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
    tree = parse_html(html)
    base = _base(tree, url)
    directives = _robots_directives(tree)
    nofollow = not directives.isdisjoint({"nofollow", "none"})
    return PageLinks(
        links=() if nofollow else _canonical_links(_references(tree), base),
        canonical=_own_url(tree, base),
        nofollow=nofollow,
        noindex=not directives.isdisjoint({"noindex", "none"}),
    )


def robots_tag_directives(header: str | None, agent: str) -> frozenset[str]:
    """What X-Robots-Tag asks of this crawler: ``noindex``, ``nofollow``, ``none`` and the like.

    A name with a colon says whom the wishes after it concern, up to the end of the line.

    Args:
        header: Several headers may be joined by line ends; joined by commas, wishes for everyone
            that stand behind those for another crawler are taken for that crawler's.
        agent: This crawler's product token.
    """
    directives: set[str] = set()
    for line in (header or "").lower().splitlines():
        is_ours = True
        for part in line.split(","):
            concerned = _CONCERNED.match(part)
            if concerned:
                is_ours = concerned[1] in (agent.lower(), "*")
            directive = part[concerned.end() if concerned else 0 :].strip()
            if is_ours and directive and ":" not in directive:  # else a value, or a time
                directives.add(directive)
    return frozenset(directives)


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


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return (canonical_url(_attribute(node, "href"), url) if node else None) or url


def _robots_directives(tree: LexborHTMLParser) -> set[str]:
    names = f'meta[name="robots" i],meta[name="{PRODUCT_TOKEN}" i]'
    contents = (_attribute(node, "content") for node in tree.css(names))
    return {word for content in contents for word in re.split(r"[\s,]+", content.lower())}


def _own_url(tree: LexborHTMLParser, base: str) -> str | None:
    node = tree.css_first('link[rel~="canonical" i][href]')
    return canonical_url(_attribute(node, "href"), base) if node else None


def _references(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css('meta[http-equiv="refresh" i][content]'):
        if match := _REFRESH_URL.match(_attribute(node, "content")):
            yield match[1]
    for node in tree.css('link[hreflang][href][rel~="alternate" i]'):
        yield _attribute(node, "href")
    for node in tree.css("a[href], area[href]"):
        attributes = node.attributes  # read once: every access reads all of them anew
        if "nofollow" not in (attributes.get("rel") or "").lower().split():
            yield attributes.get("href") or ""


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
        if len(links) == MAX_LINKS:
            break
    return tuple(links)


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""
