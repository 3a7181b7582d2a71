"""A parsed page: the tree, and the few facts that readers of products and companies ask for."""

import re
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.json_ld import read_blocks
from omni_pipeline.domain.html.microdata import read_microdata, read_rdfa
from omni_pipeline.domain.html.parsing import parse_html
from omni_pipeline.domain.html.schema_items import Item, link_references
from omni_pipeline.domain.web.urls import canonical_url

_NOT_TEXT = "script,style,template,noscript,svg,iframe,textarea"

_NAMED_NUMBER = re.compile(
    r"(?:^|&)(?:p|product|item|sku|art|article)_?(?:id|no|nr|code)?=([A-Za-z0-9_-]*\d{4}[A-Za-z0-9_-]*)",
    re.IGNORECASE,
)
_NUMBER_IN_PATH = re.compile(
    r"(?<![A-Za-z0-9])(?:[a-z]{0,3}(\d{5,14})|([A-Z]{1,4}(?=[A-Z0-9]*\d{2})[A-Z0-9]{5,14}))(?![A-Za-z0-9])"
)
_MIN_REPEATS = 3
_MAYBE_HEADING = "h2,h3,[itemprop=name],[class*=title i],[class*=name i],[class*=heading i]"
_MIN_TITLE_LIKENESS = 0.5
_MIN_TITLE = 6
_MAX_TITLE = 200

_WORD = re.compile(r"\w+")
# Letters of icon fonts, and signs of money.
_NOISE = re.compile(r"[\ue000-\uf8ff]|[€$£¥₹₽]\s?\d|\d\s?[€$£¥₹₽]")
_APART = re.compile(r"\s[·•|\u2013\u2014-]\s|[\ue000-\uf8ff]")


class ParsedPage:
    """Made once for a page and handed to every reader.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``: no parser should be
            given this page.
    """

    def __init__(self, html: str, *, url: str, language: str | None) -> None:
        self.html = html
        self.tree = parse_html(html)
        # Read here, then taken out: no rule on text may see a script or a template.
        self.scripts = [
            ((node.attributes.get("type") or "").strip().lower(), node.text() or "")
            for node in self.tree.css("script")
        ]
        for node in self.tree.css(_NOT_TEXT):
            node.decompose()
        self.url = url
        self.language = _own_language(self.tree) or language

    @property
    def host(self) -> str:
        """The host of its URL."""
        return urlsplit(self.url).hostname or ""

    @cached_property
    def json_ld(self) -> list[Any]:
        """The decoded blocks, references to what is sold put in place."""
        blocks = list(read_blocks(text for kind, text in self.scripts if "ld+json" in kind))
        link_references(blocks)
        return blocks

    @cached_property
    def microdata(self) -> tuple[list[Item], Item]:
        """The outermost items of microdata and RDFa, and the properties in no item."""
        items, orphans = read_microdata(self.tree)
        return [*items, *read_rdfa(self.tree)], orphans

    @cached_property
    def base(self) -> str:
        node = self.tree.css_first("base[href]")
        reference = node.attributes.get("href") if node else None
        return (canonical_url(reference, self.url) if reference else None) or self.url

    @cached_property
    def own_url(self) -> str:
        """What the page calls its URL, where that is on the same host; else where it was found."""
        node = self.tree.css_first("link[rel~=canonical i][href]")
        reference = node.attributes.get("href") if node else None
        found = canonical_url(reference, self.base) if reference else None
        return found if found and found.split("/")[2] == self.url.split("/")[2] else self.url

    @cached_property
    def meta(self) -> dict[str, str]:
        """Content of ``meta`` by property or name, in lower case; the first of each."""
        found: dict[str, str] = {}
        for node in self.tree.css("meta[content]"):
            attributes = node.attributes
            name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
            content = " ".join((attributes.get("content") or "").split())
            if name and content:
                found.setdefault(name, content[:1_000])
        return found

    @cached_property
    def order(self) -> dict[int, int]:
        """The place of each element in the page."""
        root = self.tree.body or self.tree.root
        if root is None:
            return {}
        return {node.mem_id: place for place, node in enumerate(root.traverse())}

    @cached_property
    def title_words(self) -> set[str]:
        return words_of(" ".join(self.title_texts))

    @cached_property
    def title_texts(self) -> list[str]:
        node = self.tree.css_first("title")
        return [text_of_node(node) if node else "", self.meta.get("og:title", "")]

    @cached_property
    def heading(self) -> LexborNode | None:
        """What names the product: the ``h1`` most like the title, or what else repeats it."""
        headings = [node for node in self.tree.css("h1")[:20] if text_of_node(node)]
        best = max(headings, key=self._likeness_to_title, default=None)
        if best is not None and self._likeness_to_title(best) >= _MIN_TITLE_LIKENESS:
            return best
        return self._repeated_title() or best

    def _likeness_to_title(self, node: LexborNode) -> float:
        return likeness(text_of_node(node), self.title_words)

    def _repeated_title(self) -> LexborNode | None:
        title = " ".join(sorted(self.title_texts, key=len)[-1:]).lower()
        found: tuple[int, LexborNode] | None = None
        for node in self.tree.css(_MAYBE_HEADING)[:500]:
            text = text_of_node(node).lower()
            if (
                _MIN_TITLE <= len(text) <= _MAX_TITLE
                and text in title
                and (found is None or len(text) > found[0])
            ):
                found = len(text), node
        return found[1] if found else None

    @cached_property
    def heading_text(self) -> str:
        return text_of_node(self.heading) if self.heading else ""

    @cached_property
    def product_heading(self) -> str:
        """The heading without icons, prices and links that stand in it, as the title has it."""
        text = self.heading_text
        if self.heading is None or not (_NOISE.search(text) or self.heading.css_first("a,button")):
            return text
        title = " ".join(self.title_texts).casefold()
        pieces = [" ".join(piece.split()) for piece in _APART.split(text)]
        titled = [one for one in pieces if len(one) >= _MIN_TITLE and one.casefold() in title]
        return max(titled, key=len, default=text)

    def number_of_url(self) -> str | None:
        """The number by which the page's URL names the product, where the page repeats it.

        An identifier has five digits or more; a parameter that is called so comes first.
        """
        path, _, query = self.url.partition("?")
        named = [value for value in _NAMED_NUMBER.findall(query) if value]
        in_path = [
            digits or code for digits, code in _NUMBER_IN_PATH.findall(path.partition("//")[2])
        ]
        for token in [*named, *reversed(in_path)]:
            if self.html.count(token) >= _MIN_REPEATS:
                return str(token)
        return None

    def place(self, node: LexborNode) -> int:
        return self.order.get(node.mem_id, 0)

    def absolute(self, reference: str | None) -> str | None:
        return canonical_url(reference, self.base) if reference else None


def text_of_node(node: LexborNode) -> str:
    """The text on one line, pieces apart: cents in an element of their own stay apart, too."""
    return " ".join(node.text(separator=" ").split())


def words_of(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def likeness(one: str, words: set[str]) -> float:
    """The share of the words of ``one`` that are among ``words``; 0 to 1."""
    mine = words_of(one)
    return len(mine & words) / len(mine) if mine else 0.0


def _own_language(tree: LexborHTMLParser) -> str | None:
    root = tree.css_first("html[lang]")
    return ((root.attributes.get("lang") or "").strip() or None) if root else None
