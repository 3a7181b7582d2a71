"""Removes from a parsed page what is not its content: furniture, hidden text, consent bars."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.metadata import visible_text
from omni_pipeline.domain.text.articles import find_article, find_prose

_LANDMARKS = "main,[role=main],article"

# Never content, wherever it stands. ``form`` has its own rule; ``noscript`` repeats what scripts
# would show; gutters number the lines of code and would break every copied example.
_NEVER_CONTENT = ",".join(
    (
        *("script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas"),
        *("audio", "video", "dialog", "nav", "footer", "hr", "input", "select", "textarea"),
        *("button", "datalist", "[role=navigation]", "[role=contentinfo]", "[role=search]"),
        *("[role=dialog]", "[role=alertdialog]", "[role=menu]", "[role=menubar]"),
        *(".headerlink", ".viewcode-link", ".mw-editsection", ".navheader", ".navfooter"),
        *(".breadcrumb", ".breadcrumbs", "[aria-label=breadcrumb i]"),  # see page_facts
        *(".linenos", ".linenodiv", ".lineno", ".gutter", ".hljs-ln-numbers"),
        *(".sr-only", ".visually-hidden", ".screen-reader-text", ".skip-link"),
    )
)
# Inside a landmark these are content: an article's header holds its title, and documentation
# generators write notes as <aside>.
_AROUND_CONTENT = "header:not(:has(h1)),aside,[role=banner]:not(:has(h1)),[role=complementary]"
# The question of an accordion is a button inside a heading.
_BUTTONS_WITH_CONTENT = ":is(h1,h2,h3,h4,h5,h6,dt,summary) button"

_MAYBE_HIDDEN = "[hidden],[aria-hidden=true],[style]"
# Opacity is left out: pages that fade in are served with opacity 0 around all of their content.
_HIDING_STYLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|font-size\s*:\s*(?:0(?:\.0*)?|[01](?:\.\d*)?px)[a-z%]*\s*(?:;|!|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}"
    r"|(?:width|height|max-height)\s*:\s*[01](?:px)?\s*(?:;|!|$))",
    re.IGNORECASE,
)
_WHITE = r"(?:white|#fff(?:fff)?|rgb\(255,\s*255,\s*255\))\s*(?:;|!|$)"
_WHITE_TEXT = re.compile(rf"(?:^|;)\s*color\s*:\s*{_WHITE}", re.IGNORECASE)
_WHITE_GROUND = re.compile(rf"(?:^|;)\s*background(?:-color)?\s*:\s*{_WHITE}", re.IGNORECASE)

_MAYBE_CONSENT = ",".join(
    f"[{attribute}*={word} i]"
    for attribute in ("id", "class")
    for word in ("cookie", "consent", "gdpr", "onetrust", "cybot", "didomi", "usercentrics")
)
_WITHIN_LANDMARK = ":is(main,[role=main],article) *"
# "cookie" alone would remove documentation about cookies: <section id="http-cookies">.
_CONSENT = re.compile(
    r"(?:cookie|consent|gdpr)s?[-_]?(?:law[-_]?)?"
    r"(?:banner|bar|notice|popup|pop-up|dialog|overlay|modal|message|prompt|warning|wall|info)"
    r"|(?:banner|bar|notice|popup|dialog|overlay|modal)[-_]?(?:cookie|consent|gdpr)"
    r"|onetrust|cybotcookiebot|didomi-(?:host|popup|notice)|usercentrics",
    re.IGNORECASE,
)

_LINK_IN_HEADING = ":is(h1,h2,h3,h4,h5,h6,dt) a"
_PERMALINK_TEXTS = frozenset(("¶", "#", "§", "🔗", "⚓", "link", "permalink"))

# Of a page that is mostly lists of links, prose says little about where the content is.
_MIN_PROSE_SHARE = 0.9
_SURELY_CONTENT = "h1,h2,pre,table"
_BLOCKS = ("div", "section", "article", "main")

# A landmark shorter than this must hold at least half of the page to be believed: some sites
# serve an empty <main> and put the text elsewhere.
_MIN_LANDMARK_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class Content:
    """The element that holds a page's content; ``is_marked_off`` says that the page told so.

    Else menus may be left in it that nothing but their repetition on other pages can tell.
    """

    node: LexborNode
    is_marked_off: bool


def find_content(tree: LexborHTMLParser, *, is_article: bool) -> Content | None:
    """Prune the tree in place; return what holds its content, None without a body.

    Evidence decides: an article is searched for by its prose, because landmarks hold its teasers
    and comments too; any other page is its landmark, or else what is left of its body.
    """
    body = tree.body
    if body is None:
        return None
    _prune_everywhere(body)
    landmark = _landmark(body)
    if landmark is not None and not is_article:
        return Content(node=landmark, is_marked_off=True)
    _drop(body.css(_AROUND_CONTENT))
    if is_article:
        return Content(node=find_article(body), is_marked_off=True)
    return Content(node=_prose_with_its_structure(body), is_marked_off=False)


def _prose_with_its_structure(body: LexborNode) -> LexborNode:
    """The block with nearly all prose, and all that is surely content; else the body."""
    prose = find_prose(body, _MIN_PROSE_SHARE)
    needed = len(body.css(_SURELY_CONTENT))
    while prose.tag not in _BLOCKS or len(prose.css(_SURELY_CONTENT)) < needed:
        if prose.parent is None or prose.mem_id == body.mem_id:
            return body
        prose = prose.parent
    return prose if _text_length(prose) >= _text_length(body) / 2 else body


def _prune_everywhere(body: LexborNode) -> None:
    for button in body.css(_BUTTONS_WITH_CONTENT):
        button.unwrap()
    _drop(body.css(_NEVER_CONTENT))
    _drop(
        link
        for link in body.css(_LINK_IN_HEADING)
        if visible_text(link).casefold() in _PERMALINK_TEXTS
    )
    drop_hidden(body)
    _drop(node for node in body.css(_MAYBE_CONSENT) if _asks_for_consent(node))
    _drop_or_open_forms(body)


def drop_hidden(body: LexborNode) -> None:
    """Remove what a reader does not see and a language model would (S-64)."""
    _drop(node for node in body.css(_MAYBE_HIDDEN) if _is_hidden(node))


def _drop(nodes: Iterable[LexborNode]) -> None:
    for node in nodes:
        node.decompose()


def _landmark(body: LexborNode) -> LexborNode | None:
    """The longest ``main``, else the only ``article``: several are a list of teasers."""
    candidates = body.css("main,[role=main]") or body.css("article:not(article article)")[:2]
    if len(candidates) != 1 and all(node.tag == "article" for node in candidates):
        return None
    longest = max(candidates, key=_text_length)
    enough = min(_MIN_LANDMARK_LENGTH, _text_length(body) / 2)
    return longest if _text_length(longest) >= enough else None


def _text_length(node: LexborNode) -> int:
    return len(node.text(strip=True))


def _is_hidden(node: LexborNode) -> bool:
    if node.css_matches("body") or node.css_first(f"{_LANDMARKS},h1") is not None:
        return False  # hidden until a script has run, or behind an open dialog
    attributes = node.attributes
    if "hidden" in attributes:
        # Panels of tabs and what "find in page" opens are a click away from every reader.
        return attributes["hidden"] != "until-found" and attributes.get("role") != "tabpanel"
    style = attributes.get("style") or ""
    return (
        attributes.get("aria-hidden") == "true"
        or _HIDING_STYLE.search(style) is not None
        or (_WHITE_TEXT.search(style) is not None and _WHITE_GROUND.search(style) is not None)
    )


def _asks_for_consent(node: LexborNode) -> bool:
    attributes = node.attributes
    names = f"{attributes.get('id') or ''} {attributes.get('class') or ''}"
    if _CONSENT.search(names) is None or node.css_matches(f"html,body,{_LANDMARKS}"):
        return False
    return not node.css_matches(_WITHIN_LANDMARK) and node.css_first("h1,main,article") is None


def _drop_or_open_forms(body: LexborNode) -> None:
    """Drop forms, except those that some frameworks draw around the whole page."""
    forms = body.css("form")
    if not forms:
        return
    half = _text_length(body) / 2
    for form in forms:
        if _text_length(form) > half:
            form.unwrap()
        else:
            form.decompose()
