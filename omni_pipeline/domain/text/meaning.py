"""Writes into a parsed page's text what it says by attributes, roles and places alone.

The number of an entry, the state of a task, the level of a heading by role, the name of a tab, what
a picture shows in the middle of a sentence: Markdown and plain text would lose them.
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

_QUESTIONS = ":is(h1,h2,h3,h4,h5,h6,dt,summary) button"
_CONTROLS = "button[aria-controls],button[aria-expanded],button[role=tab]"
_MAX_TAB_LENGTH = 60

_GLUED = ":is(span,strong,b,em,label,time,a)+:is(span,strong,b,em,label,time,a)"
_BOUNDARY = re.compile(r"[a-zà-ÿ]{2}[A-ZÀ-Þ][a-zà-ÿ]|\d{2}[A-ZÀ-Þ][a-zà-ÿ]|[^\W\d_]:[^\W_]")
_NO_GLUE = "pre *,code *"
_MAX_GLUED = 5_000

_NUMBER = re.compile(r"[-+\u2212]?\d{1,3}")
_BASE = re.compile(r"(?:\d|(?<![^\W_])[A-Za-z]{1,2}|\))\Z")

_FILE_NAME = re.compile(r"\.\w{3,4}\Z|\A[\w-]*\d{4,}[\w-]*\Z|https?:")
_MIN_ALT_WORDS = 4
_MAX_ALT_LENGTH = 300
_INLINE_HOSTS = frozenset(("p", "li", "td", "dd", "span", "em", "strong", "kbd"))


def write_meaning(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Change the tree in place."""
    for button in body.css(_QUESTIONS):
        button.unwrap()
    _name_tab_panels(tree, body)
    for control in body.css(_CONTROLS):
        if _is_question(control):
            _rename(tree, control, "p")
    for heading in body.css("[role=heading]"):
        _rename(tree, heading, f"h{_level(heading)}")
    for item in body.css("li[value]"):
        _number(tree, item)
    for box in body.css("li input[type=checkbox i]"):
        box.replace_with("[x] " if "checked" in box.attributes else "[ ] ")
    for power in body.css("sup"):
        _raise(power)
    for node in body.css(_GLUED)[:_MAX_GLUED]:
        _part(node)
    for picture in body.css("img[alt]"):
        _write_alt(picture)


def _name_tab_panels(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Put the name of each tab in front of its panel."""
    for tabs, panels in (*_tab_lists(body), *_label_lists(body)):
        for tab, panel in zip(tabs, panels, strict=True):
            name = " ".join(tab.text(separator=" ").split())
            if not name or len(name) > _MAX_TAB_LENGTH:
                continue
            line = tree.create_node("p")
            line.insert_child(name)
            first = panel.child
            if first is not None:
                first.insert_before(line)
                tab.decompose()


def _tab_lists(body: LexborNode) -> Iterator[tuple[list[LexborNode], list[LexborNode]]]:
    for names in body.css("[role=tablist]"):
        tabs = names.css("[role=tab]")
        around = names.parent
        for _ in range(3):
            if around is None or around.tag == "body":
                break
            panels = around.css("[role=tabpanel]")
            if len(panels) == len(tabs) > 0:
                yield tabs, panels
                break
            around = around.parent


def _label_lists(body: LexborNode) -> Iterator[tuple[list[LexborNode], list[LexborNode]]]:
    """Tabs without a script: radio buttons, a row of labels, and as many blocks beside it."""
    for first in body.css("label[for]:first-child"):
        row = first.parent
        if row is None or row.next is None:
            continue
        tabs = row.css("label[for]")
        beside: LexborNode | None = row.next
        while beside is not None and not beside.is_element_node:
            beside = beside.next
        panels = list(beside.iter()) if beside is not None else []
        if len(tabs) == len(panels) > 1:
            yield tabs, panels


def _is_question(control: LexborNode) -> bool:
    """A button that opens the block after it, and is not an icon of a menu."""
    if control.css_matches("nav *,header *,footer *,form *,[role=tablist] *"):
        return False
    text = (control.text() or "").split()
    follower = control.next
    while follower is not None and not follower.is_element_node:
        follower = follower.next
    return len(text) > 1 and follower is not None and follower.tag in {"div", "section", "dd", "p"}


def _rename(tree: LexborHTMLParser, node: LexborNode, tag: str) -> None:
    named = tree.create_node(tag)
    for child in list(node.iter(include_text=True)):
        named.insert_child(child)
    node.replace_with(named)


def _level(heading: LexborNode) -> int:
    level = heading.attributes.get("aria-level") or ""
    return min(6, int(level)) if level.isascii() and level.isdigit() and int(level[:2]) else 2


def _number(tree: LexborHTMLParser, item: LexborNode) -> None:
    """Begin a list of its own where the count of a list jumps: Markdown counts on."""
    entries, value = item.parent, item.attributes.get("value") or ""
    if entries is None or entries.tag != "ol" or not (value.isascii() and value.isdigit()):
        return
    before = item.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    if before is None:
        entries.attrs["start"] = value[:9]
        return
    rest = tree.create_node("ol")
    rest.attrs["start"] = value[:9]
    entry: LexborNode | None = item
    while entry is not None:
        follower = entry.next
        rest.insert_child(entry)  # a copy
        entry.decompose()
        entry = follower
    entries.insert_after(rest)


def _raise(power: LexborNode) -> None:
    """10 with 6 above it is not 106."""
    text = (power.text() or "").strip()
    if _NUMBER.fullmatch(text) is None or power.css_first("a") is not None:
        return
    before = power.prev
    base = (before.text() or "") if before is not None else ""
    if _BASE.search(base):
        power.replace_with(f"^{text}")


def _part(node: LexborNode) -> None:
    """Part two labels that only their boxes part: "2021" and "December"."""
    before = node.prev
    if before is None or not before.is_element_node or node.css_matches(_NO_GLUE):
        return
    one, other = before.text() or "", node.text() or ""
    if not one or not other or one[-1].isspace() or other[0].isspace():
        return
    if node.tag == "label" or _BOUNDARY.search(one[-2:] + other[:2]):
        node.insert_before(" ")


def _write_alt(picture: LexborNode) -> None:
    """Write what a picture stands for in a sentence, or shows where nothing else says it."""
    alt = " ".join((picture.attributes.get("alt") or "").split())
    if not alt or len(alt) > _MAX_ALT_LENGTH or _FILE_NAME.search(alt):
        return
    if picture.css_matches("a *,figure:has(figcaption) *,header *,nav *,footer *,button *"):
        return
    if _is_in_sentence(picture):
        picture.replace_with(alt)
    elif len(alt.split()) >= _MIN_ALT_WORDS and picture.css_matches(":is(main,article) *"):
        picture.replace_with(f" {alt} ")


def _is_in_sentence(picture: LexborNode) -> bool:
    if picture.parent is None or picture.parent.tag not in _INLINE_HOSTS:
        return False
    beside = (picture.prev, picture.next)
    return all(
        node is not None and node.is_text_node and (node.text_content or "").strip()
        for node in beside
    )
