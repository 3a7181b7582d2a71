"""Tells what a reader sees, or sees after a click, from what a page hides from readers.

Hidden is not absent: what a tab, an accordion or a disclosure opens is content that waits for a
click. What nothing opens is seen by models alone, and may have been written for them (S-64).
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

_LANDMARKS = "main,[role=main],article,h1"

_MAYBE_HIDDEN = "[hidden],[aria-hidden=true],[style]"
_END = r"(?:[a-z%]*)\s*(?:;|!|$)"
_HIDING_STYLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|font-size\s*:\s*(?:0(?:\.0*)?|[01](?:\.\d*)?px)[a-z%]*\s*(?:;|!|$)"
    r"|(?:left|right|top|text-indent|margin-left)\s*:\s*-\d{3,}"
    r"|clip\s*:\s*rect\(\s*(?:0|1px)[^)]*\)|clip-path\s*:\s*(?:inset\(\s*(?:50|100)%|circle\(\s*0)"
    r"|(?:transform\s*:[^;]*\bscale(?:3d|x|y)?\(\s*0(?:\.0*)?\s*[,)]|scale\s*:\s*0(?:\.0*)?\s*(?:;|!|$))"
    rf"|(?:-webkit-text-fill-)?color\s*:\s*(?:transparent|rgba\([^)]*,\s*0(?:\.0*)?\s*\)){_END}"
    r"|(?:width|height|max-height)\s*:\s*[01](?:px)?\s*(?:;|!|$))",
    re.IGNORECASE,
)
_FADED = re.compile(r"(?:^|;)\s*opacity\s*:\s*0(?:\.0*)?%?\s*(?:;|!|$)", re.IGNORECASE)
_WHITE = r"(?:white|#fff(?:fff)?|rgb\(255,\s*255,\s*255\))\s*(?:;|!|$)"
_WHITE_TEXT = re.compile(rf"(?:^|;)\s*color\s*:\s*{_WHITE}", re.IGNORECASE)
_WHITE_GROUND = re.compile(rf"(?:^|;)\s*background(?:-color)?\s*:\s*{_WHITE}", re.IGNORECASE)
# Pages that fade in are served with opacity 0 around all of their content.
_MAX_FADED_SHARE = 0.2

_ONE_NAME = re.compile(r"[.#][A-Za-z_-][\w-]*")
_NAME = re.compile(r"[.#][A-Za-z_-][\w-]*")
_SHOWS = re.compile(r"display\s*:(?!\s*none)|visibility\s*:\s*visible|opacity\s*:\s*[1.]")
_MAX_STYLE_LENGTH = 200_000

_OPENERS = (
    "[aria-controls],[data-target],[data-bs-target],[role=tab],[data-toggle],[data-bs-toggle]"
)
_OPENS = ("aria-controls", "data-target", "data-bs-target", "href")
_OPENER = "summary,[role=tab],[aria-expanded]"
_TITLES = ("h2", "h3", "h4", "h5", "h6", "dt", "button")
# What a click opens and is still not content of the page.
_NO_CONTENT = "nav,form,dialog,[role=dialog],[role=alertdialog],[role=menu],[role=listbox]"
_MAX_LINKED_SHARE = 0.6

_SHADOW_ROOT = re.compile(
    r"<template\s[^<>]{0,200}?\bshadowroot(?:mode)?\s*=[^<>]{0,200}>", re.IGNORECASE
)
_MIN_NOSCRIPT_LENGTH = 200


def show_what_scripts_show(tree: LexborHTMLParser) -> None:
    """Put in place what the first script of a page would: streamed parts and copies."""
    body = tree.body
    if body is None:
        return
    for part in body.css("[hidden][id^='S:']"):
        _place_streamed(body, part)
    copies = body.css("noscript")
    if copies:
        within = [_length(copy) for copy in copies]
        visible = _length(body) - sum(within) - sum(map(_length, body.css("script,style")))
        for copy, length in zip(copies, within, strict=True):
            if length >= max(_MIN_NOSCRIPT_LENGTH, 2 * visible):
                copy.unwrap()


def open_shadow_roots(html: str) -> str:
    """Turn declarative shadow roots into elements, which end where their host ends."""
    return _SHADOW_ROOT.sub("<shadow-root>", html) if "shadowroot" in html else html


def drop_hidden(body: LexborNode, styles: str = "") -> None:
    """Remove what a reader does not see and a language model would (S-64).

    Args:
        body: Pruned in place.
        styles: The text of the page's own style sheets.
    """
    opened = _opened_ids(body)
    faded: list[LexborNode] = []
    for node in [*body.css(_MAYBE_HIDDEN), *_hidden_by_name(body, styles)]:
        style = node.attributes.get("style") or ""
        if _FADED.search(style):
            faded.append(node)
        elif _is_hidden(node, style, opened):
            node.decompose()
    limit = _MAX_FADED_SHARE * _length(body)
    if faded and sum(map(_length, faded)) <= limit:
        for node in faded:
            if not _holds_the_page(node) and not _is_opened(node, opened):
                node.decompose()


def style_text(tree: LexborHTMLParser) -> str:
    """The page's own style sheets, as one text."""
    return "\n".join(node.text() or "" for node in tree.css("style"))[:_MAX_STYLE_LENGTH]


def _hidden_by_name(body: LexborNode, styles: str) -> Iterator[LexborNode]:
    """What a rule of one class or id hides, where no other rule ever shows it."""
    if "none" not in styles and "hidden" not in styles:
        return
    hidden: set[str] = set()
    shown: set[str] = set()
    for selectors, declarations, is_outermost in _rules(styles):
        if _SHOWS.search(declarations):
            shown.update(_NAME.findall(selectors))
        elif is_outermost and _HIDING_STYLE.search(declarations.strip()):
            names = (name.strip() for name in selectors.split(","))
            hidden.update(name for name in names if _ONE_NAME.fullmatch(name))
    for name in sorted(hidden - shown):
        for node in body.css(name):
            if "style" not in node.attributes:
                node.attrs["style"] = "display:none"
                yield node


def _rules(styles: str) -> Iterator[tuple[str, str, bool]]:
    """Selectors, declarations, and whether the rule stands outside of all at-rules. Linear."""
    depth = 0
    for part in styles.split("}"):
        *outer, declarations = part.split("{")
        if not outer:
            depth -= 1
            continue
        depth += len(outer) - 1
        yield outer[-1].rpartition(";")[2], declarations, depth <= 0


def _place_streamed(body: LexborNode, part: LexborNode) -> None:
    """Show a part that React streamed, where its placeholder is waiting."""
    del part.attrs["hidden"]
    number = (part.attributes.get("id") or "")[2:]
    place = body.css_first(f"template[id='B:{number}']") if number.isalnum() else None
    if place is None:
        return
    waiting = place.next
    while waiting is not None and not (waiting.is_comment_node and "/$" in (waiting.html or "")):
        follower = waiting.next
        if not waiting.is_comment_node:
            waiting.decompose()
        waiting = follower
    place.insert_before(part)  # a copy
    part.decompose()
    place.decompose()


def _opened_ids(body: LexborNode) -> frozenset[str]:
    """The ids of what some control of the page opens."""
    opened: set[str] = set()
    for opener in body.css(_OPENERS):
        attributes = opener.attributes
        for name in _OPENS:
            value = attributes.get(name) or ""
            opened.update(word.lstrip("#") for word in value.split()[:10])
    return frozenset(opened)


def _is_hidden(node: LexborNode, style: str, opened: frozenset[str]) -> bool:
    attributes = node.attributes
    hides = (
        ("hidden" in attributes and attributes["hidden"] != "until-found")
        or attributes.get("aria-hidden") == "true"
        or _HIDING_STYLE.search(style) is not None
        or (_WHITE_TEXT.search(style) is not None and _WHITE_GROUND.search(style) is not None)
    )
    return hides and not _holds_the_page(node) and not _is_opened(node, opened)


def _holds_the_page(node: LexborNode) -> bool:
    """Hidden until a script has run, or behind an open dialog."""
    return node.css_matches("body") or node.css_first(_LANDMARKS) is not None


def _is_opened(node: LexborNode, opened: frozenset[str]) -> bool:
    attributes = node.attributes
    by_control = attributes.get("role") == "tabpanel" or (attributes.get("id") or "") in opened
    if not by_control and not _follows_its_opener(node):
        return False
    if node.css_matches(_NO_CONTENT) or node.css_first(_NO_CONTENT) is not None:
        return False
    length = _length(node)
    return sum(map(_length, node.css("a"))) <= _MAX_LINKED_SHARE * length


def _follows_its_opener(node: LexborNode) -> bool:
    """Stand right below a button, or below a title as its neighbours do below theirs."""
    title = _element_before(node)
    if title is None or node.tag in {"span", "a", "img"}:
        return False
    if title.css_matches(_OPENER):
        return True
    control = title.css_first(_OPENER)
    if control is not None:
        return _length(control) >= _length(title) / 2
    if title.tag not in _TITLES or node.parent is None:
        return False
    pairs = node.parent.css(f"{title.tag}+{node.tag}[style],{title.tag}+{node.tag}[hidden]")
    return len(pairs) > 1


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and not before.is_element_node:
        if before.is_text_node and (before.text_content or "").strip():
            return None
        before = before.prev
    return before


def _length(node: LexborNode) -> int:
    return len(node.text(strip=True))
