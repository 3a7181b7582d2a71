"""Splits a parsed page into blocks of text.

A block is a run of text between two block-level tags: a paragraph, a heading, a cell, an entry of
a list. What it stands in is kept as bits. Names of classes are kept as a few groups of words: they
are weak evidence.
"""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

_INLINE = frozenset(
    (
        *("a", "span", "font", "small", "big", "u", "abbr", "mark", "ins", "del", "s", "q", "cite"),
        *(
            "dfn",
            "label",
            "em",
            "strong",
            "b",
            "i",
            "var",
            "bdi",
            "bdo",
            "wbr",
            "code",
            "kbd",
            "tt",
        ),
        *("samp", "sub", "sup", "time", "img", "br", "picture", "ruby", "rt", "rp", "data", "math"),
        *("strike", "input", "source", "button"),
    )
)
_TAGS = {
    **dict.fromkeys(("p",), 1),
    **dict.fromkeys(("li",), 2),
    **dict.fromkeys(("h1",), 3),
    **dict.fromkeys(("h2",), 4),
    **dict.fromkeys(("h3",), 5),
    **dict.fromkeys(("h4", "h5", "h6"), 6),
    **dict.fromkeys(("td", "th"), 7),
    **dict.fromkeys(("dt", "dd"), 8),
    **dict.fromkeys(("pre", "code"), 9),
    **dict.fromkeys(("blockquote",), 10),
    **dict.fromkeys(("figcaption", "caption"), 11),
    **dict.fromkeys(("section", "article", "main"), 12),
}
# What an element may stand in: one bit each.
_PLACES = {
    "main": 0,
    "article": 1,
    "aside": 2,
    "nav": 3,
    "header": 4,
    "footer": 5,
    "form": 6,
    "ul": 7,
    "ol": 7,
    "table": 8,
    "figure": 9,
    "dialog": 10,
    "section": 11,
    "button": 12,
    "a": 13,
    "details": 14,
    "dl": 15,
    "label": 16,
    "blockquote": 17,
    "noscript": 18,
}
_ROLES = {
    "main": 0,
    "complementary": 2,
    "navigation": 3,
    "banner": 4,
    "contentinfo": 5,
    "search": 6,
    "dialog": 10,
    "alertdialog": 10,
    "menu": 3,
    "menubar": 3,
    "tabpanel": 14,
    "article": 1,
}
PLACE_COUNT = 19
_NAMES = (
    r"content|article|body|entry|text|main|prose|story|richtext|markdown|wysiwyg",
    r"post|message|topic|thread|reply|replies|answer|question",
    r"comments?|commentlist|disqus|respond|discussion",
    r"shar(?:e|ing)\w*|social\w*|follow|addthis|tweet",
    r"related\w*|recommend\w*|similar|also|more|popular|trending|most|latest|teasers?|upsell|cross",
    r"nav|navigation|menu\w*|breadcrumbs?|pagination|pager|toc|tabs?|dropdown|filters?|facets?|sort",
    r"footer|copyright|legal|bottom|disclaimer|masthead|header|top|toolbar",
    r"sidebar|side|rail|widgets?|secondary|panel",
    r"ads?|advert\w*|sponsor\w*|promo\w*|banner|outbrain|taboola|cta|marketing",
    r"authors?|byline\w*|bio|meta|date|time|timestamp|published|updated|dateline|credits?|avatar",
    r"cookies?|consent|gdpr|newsletters?|signup|subscri\w+|login|register|modal|popup|overlay|toast",
    r"reviews?|ratings?|stars?|testimonials?|feedback",
    r"tags?|taglist|categor(?:y|ies)|labels?|topics?|badges?",
    r"products?|prices?|cart|buy|sku|specs?|specifications?|features?|details?|description|summary",
    r"cards?|items?|tiles?|grid|list|listing|results?|row|loop|carousel|slider|swiper|gallery",
    r"captions?|images?|photos?|media|video\w*|player|figure|thumb\w*",
    r"hero|title|heading|headline|intro|lead|subtitle|section",
    r"user|profile|member|stats?|count|likes?|votes?|views?|signature|quote\w*",
)
_NAME = re.compile(
    "|".join(rf"(?P<g{i}>(?<![a-z])(?:{words})(?![a-z]))" for i, words in enumerate(_NAMES))
)
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])")
NAME_COUNT = len(_NAMES)


@dataclass(kw_only=True, slots=True)
class Block:
    """A run of text; ``nodes`` are its text nodes and pictures."""

    nodes: list[LexborNode]
    text: str
    holder: LexborNode
    tag: int
    places: int
    near_names: int
    all_names: int
    depth: int
    containers: tuple[int, ...]
    signature: int
    linked: int
    emphasised: int


@dataclass(kw_only=True, slots=True)
class _Around:
    """What the walk knows of where it is."""

    holder: LexborNode
    tag: int
    places: int
    near: tuple[int, int, int]
    names: int
    depth: int
    containers: tuple[int, ...]
    signature: int
    is_linked: bool = False
    is_strong: bool = False


class _Walk:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._nodes: list[LexborNode] = []
        self._texts: list[str] = []
        self._linked = 0
        self._strong = 0
        self._around: _Around | None = None
        self._known: dict[str, int] = {}

    def walk(self, node: LexborNode, around: _Around) -> None:
        for child in node.iter(include_text=True, skip_empty=True):
            if child.is_text_node:
                self._add_text(child, around)
            elif child.is_element_node:
                self._enter(child, around)

    def _add_text(self, node: LexborNode, around: _Around) -> None:
        text = node.text_content or ""
        if not text.strip():
            self._texts.append(" ")
            return
        if self._around is None:
            self._around = around
        self._nodes.append(node)
        self._texts.append(text)
        if around.is_linked:
            self._linked += len(text)
        if around.is_strong:
            self._strong += len(text)

    def _enter(self, child: LexborNode, around: _Around) -> None:
        tag = child.tag or ""
        attributes = child.attributes
        names = self._names_of(attributes) if attributes else 0
        is_inline = tag in _INLINE
        if not is_inline:
            self.flush()
        elif tag in {"br", "img"}:
            if tag == "img" and self._around is None:
                self._around = around
            self._nodes.append(child)
            self._texts.append(" ")
            return
        place = _PLACES.get(tag)
        role = _ROLES.get(attributes.get("role") or "") if attributes else None
        places = around.places
        if place is not None:
            places |= 1 << place
        if role is not None:
            places |= 1 << role
        inner = _Around(
            holder=around.holder if is_inline else child,
            tag=around.tag if is_inline else _TAGS.get(tag, 0),
            places=places,
            near=(names, around.near[0], around.near[1]),
            names=around.names | names,
            depth=around.depth + 1,
            containers=around.containers if is_inline else (child.mem_id, *around.containers[:5]),
            signature=hash((tag, names, around.signature)) if not is_inline else around.signature,
            is_linked=around.is_linked or tag == "a",
            is_strong=around.is_strong or tag in {"b", "strong", "em"},
        )
        self.walk(child, inner)
        if not is_inline:
            self.flush()

    def flush(self) -> None:
        around = self._around
        if around is not None:
            text = " ".join("".join(self._texts).split())
            if text:
                self.blocks.append(
                    Block(
                        nodes=self._nodes,
                        text=text,
                        holder=around.holder,
                        tag=around.tag,
                        places=around.places,
                        near_names=around.near[0] | around.near[1] | around.near[2],
                        all_names=around.names,
                        depth=around.depth,
                        containers=around.containers,
                        signature=around.signature,
                        linked=self._linked,
                        emphasised=self._strong,
                    )
                )
        self._nodes, self._texts = [], []
        self._linked = self._strong = 0
        self._around = None

    def _names_of(self, attributes: dict[str, str | None]) -> int:
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
        if names == " ":
            return 0
        known = self._known.get(names)
        if known is None:
            text = _CAMEL.sub(" ", names[:300]).lower()
            known = 0
            for found in _NAME.finditer(text):
                known |= 1 << int((found.lastgroup or "g0")[1:])
            self._known[names] = known
        return known


def read_blocks(body: LexborNode) -> list[Block]:
    """The blocks of a pruned page, in its order."""
    walk = _Walk()
    walk.walk(
        body,
        _Around(
            holder=body,
            tag=0,
            places=0,
            near=(0, 0, 0),
            names=0,
            depth=0,
            containers=(body.mem_id,),
            signature=0,
        ),
    )
    walk.flush()
    return walk.blocks


def stands_in(block: Block, *tags: str) -> bool:
    """Say whether one of these elements, or its role, is around a block."""
    return any(block.places >> _PLACES[tag] & 1 for tag in tags)


def is_code(block: Block) -> bool:
    """Say whether a block is lines of code."""
    return block.tag == _TAGS["pre"]


def is_heading(block: Block) -> bool:
    """Say whether a block is a heading; of two, that of the smaller ``tag`` is above the other."""
    return _TAGS["h1"] <= block.tag <= _TAGS["h6"]
