"""Reads what a page says about itself: its name, language, address, dates and place in the site.

All of it is optional, much of it is wrong on some pages, and none of it is text of the page.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.languages import declared_language
from omni_pipeline.domain.web.urls import canonical_url

MAX_TITLE_LENGTH = 300
MAX_DESCRIPTION_LENGTH = 1000
MAX_BREADCRUMBS = 12
MAX_BREADCRUMB_LENGTH = 100

# Dashes, dots, arrows; and what needs no space: wide bars and colons, underscores in Chinese.
_TITLE_SEPARATOR = re.compile(
    r"\s*(?:[|/:\-\u2013\u2014\u00b7\u2022\u00ab\u00bb\u203a]+\s|[\uff5c\uff1a]|_(?=[^\x00-\x7f]))"
)

_LINKED_DATA = "script[type='application/ld+json' i]"
# Larger blocks are catalogues. The parser's recursion is limited by the interpreter.
_MAX_LINKED_DATA_LENGTH = 200_000
_DAY = re.compile(r"\s*(\d{4})-(\d{2})-(\d{2})(?!\d)")
_EARLIEST_YEAR = 1990
_PUBLISHED = (
    "meta[property='article:published_time'],meta[itemprop=datePublished],"
    "meta[name='dcterms.issued' i],meta[name='dc.date' i],meta[name=date i],"
    "time[itemprop=datePublished],time[pubdate]"
)
_MODIFIED = (
    "meta[property='article:modified_time'],meta[property='og:updated_time'],"
    "meta[itemprop=dateModified],meta[name='dcterms.modified' i],meta[name='last-modified' i],"
    "time[itemprop=dateModified]"
)
_BREADCRUMBS = (
    "[itemtype$=BreadcrumbList],[aria-label*=breadcrumb i],[role=doc-breadcrumb],"
    ".breadcrumbs,.breadcrumb,.wy-breadcrumbs"
)
_CRUMB_SEPARATOR = re.compile(r"[\s/\\|>\-\u00bb\u203a\u2192\u2022\u00b7]*")


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What does not depend on the content; read before anything is pruned.

    Attributes:
        published_on: The day as the page wrote it, in whatever zone that was.
        breadcrumbs: Names of the pages above, outermost first; often with the page itself.
    """

    description: str | None
    language: str | None
    canonical_url: str | None
    published_on: date | None
    modified_on: date | None
    breadcrumbs: tuple[str, ...]


def read_facts(tree: LexborHTMLParser, url: str) -> PageFacts:
    """Read the metadata of an unpruned page. Never raises for what is written there."""
    linked = list(_linked_data(tree))
    description = _meta(tree, "[name=description i]") or _meta(tree, "[property='og:description']")
    return PageFacts(
        description=one_line(description, MAX_DESCRIPTION_LENGTH) or None,
        language=declared_language(tree),
        canonical_url=_canonical_url(tree, url),
        published_on=_day(tree, _PUBLISHED, linked, "datePublished"),
        modified_on=_day(tree, _MODIFIED, linked, "dateModified"),
        breadcrumbs=_linked_breadcrumbs(linked) or _shown_breadcrumbs(tree),
    )


def read_title(tree: LexborHTMLParser) -> str:
    """The title without the name of the site, where that can be told; of a pruned page."""
    whole = one_line(visible_text(tree.css_first("head title")), MAX_TITLE_LENGTH)
    heading = one_line(visible_text(tree.css_first("h1")), MAX_TITLE_LENGTH)
    shared = one_line(_meta(tree, "[property='og:title']"), MAX_TITLE_LENGTH)
    for name in (heading, shared):
        if name and whole.startswith(name) and _TITLE_SEPARATOR.match(whole, len(name)):
            return name
    return whole or shared or heading


def visible_text(node: LexborNode | None) -> str:
    """The text of a node on one line, however it was indented."""
    return "" if node is None else " ".join(node.text().split())


def one_line(text: str, max_length: int) -> str:
    """Storable text on one line, cut to a length."""
    return storable(" ".join(text.split()))[:max_length].strip()


def _canonical_url(tree: LexborHTMLParser, url: str) -> str | None:
    link = tree.css_first("link[rel=canonical i]")
    reference = link.attributes.get("href") if link is not None else None
    return canonical_url(reference, url) if reference else None


def _meta(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(f"meta{selector}")
    return (node.attributes.get("content") or "") if node is not None else ""


def _day(
    tree: LexborHTMLParser, selector: str, linked: list[dict[str, Any]], key: str
) -> date | None:
    said = [
        node.attributes.get("content") or node.attributes.get("datetime")
        for node in tree.css(selector)
    ]
    for value in (*(item.get(key) for item in linked), *said):
        if (day := _parse_day(value)) is not None:
            return day
    return None


def _parse_day(value: object) -> date | None:
    match = _DAY.match(value) if isinstance(value, str) else None
    if match is None or int(match[1]) < _EARLIEST_YEAR:
        return None  # 0001-01-01 and 1970-01-01 mean that nobody knows
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _linked_data(tree: LexborHTMLParser) -> Iterator[dict[str, Any]]:
    """The objects of JSON-LD on the first two levels; blocks that are not JSON are skipped."""
    for script in tree.css(_LINKED_DATA):
        text = script.text()
        if len(text) > _MAX_LINKED_DATA_LENGTH:
            continue
        try:
            value = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield item
                graph = item.get("@graph")
                yield from (node for node in _listed(graph) if isinstance(node, dict))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _linked_breadcrumbs(linked: list[dict[str, Any]]) -> tuple[str, ...]:
    for item in linked:
        if item.get("@type") == "BreadcrumbList":
            steps = [
                step for step in _listed(item.get("itemListElement")) if isinstance(step, dict)
            ]
            steps.sort(key=_position)
            return _crumbs(_step_name(step) for step in steps)
    return ()


def _position(step: dict[str, Any]) -> float:
    position = step.get("position")
    try:
        return float(position) if isinstance(position, (int, float, str)) else 0.0
    except ValueError:
        return 0.0


def _step_name(step: dict[str, Any]) -> str:
    item = step.get("item")
    name = step.get("name") or (item.get("name") if isinstance(item, dict) else None)
    return name if isinstance(name, str) else ""


def _shown_breadcrumbs(tree: LexborHTMLParser) -> tuple[str, ...]:
    trail = tree.css_first(_BREADCRUMBS)
    if trail is None:
        return ()
    steps = trail.css("li") or trail.css("a")
    return _crumbs(visible_text(step) for step in steps)


def _crumbs(names: Iterator[str]) -> tuple[str, ...]:
    lines = [one_line(name, MAX_BREADCRUMB_LENGTH) for name in names]
    kept = [line for line in lines if line and not _CRUMB_SEPARATOR.fullmatch(line)]
    return tuple(kept[:MAX_BREADCRUMBS])
