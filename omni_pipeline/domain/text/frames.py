"""Takes away what frames content by the tags of a page alone: menus, footers, forms, asides."""

import re
from collections.abc import Iterable

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.text.prose import find_prose

_LANDMARKS = "main,[role=main],article"

# Wherever it stands. ``form`` has its own rule.
_FRAME = ",".join(
    (
        *("dialog", "nav", "footer", "button", "[role=navigation]", "[role=contentinfo]"),
        *("[role=search]", "[role=dialog]", "[role=alertdialog]", "[role=menu]", "[role=menubar]"),
        *(".navheader", ".navfooter"),
        *(".breadcrumb", ".breadcrumbs", "[aria-label=breadcrumb i]"),  # see page_facts
    )
)
# Inside a landmark these are content: an article's header holds its title, and documentation
# generators write notes as <aside>.
_AROUND_CONTENT = "header:not(:has(h1)),aside,[role=banner]:not(:has(h1)),[role=complementary]"
# Of a tag that was never closed: the page stands in it.
_MAX_FRAME_SHARE = 0.5

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

# Of a page that is mostly lists of links, prose says little about where the content is.
_MIN_PROSE_SHARE = 0.9
_SURELY_CONTENT = "h1,h2,pre,table"
_BLOCKS = ("div", "section", "article", "main")

# A landmark shorter than this must hold at least half of the page to be believed: some sites
# serve an empty <main> and put the text elsewhere.
_MIN_LANDMARK_LENGTH = 200

_HERO = "header,section,div"
_MAX_HERO_LENGTH = 600
_HOME_LINK = "a[href='/'],a[rel~=home]"

_LISTS = "ul,ol"
_MIN_LISTED_SHARE = 0.8
_NUMBERING = re.compile(r"^[\d.\s]+")


def landmark_of(body: LexborNode) -> LexborNode | None:
    """The longest ``main``, else the only ``article``: several are a list of teasers."""
    candidates = body.css("main,[role=main]") or body.css("article:not(article article)")[:2]
    if len(candidates) != 1 and all(node.tag == "article" for node in candidates):
        return None
    longest = max(candidates, key=_length)
    enough = min(_MIN_LANDMARK_LENGTH, _length(body) / 2)
    return longest if _length(longest) >= enough else None


def drop_frame(body: LexborNode, landmark: LexborNode | None) -> LexborNode:
    """Prune the tree in place; return what is left of the landmark, or of the body."""
    root = body if landmark is None else landmark
    _drop_bounded(root, root.css(_FRAME))
    _drop(node for node in root.css(_MAYBE_CONSENT) if _asks_for_consent(node))
    _drop_or_open_forms(root)
    _drop_contents_lists(root)
    if landmark is None:
        _drop_bounded(body, body.css(_AROUND_CONTENT))
        return _prose_with_its_structure(body)
    _take_in_hero(body, landmark)
    return landmark


def _drop(nodes: Iterable[LexborNode]) -> None:
    for node in nodes:
        node.decompose()


def _drop_bounded(root: LexborNode, nodes: list[LexborNode]) -> None:
    """Drop the nodes as far as they hold no more of the page, all together, than they can prove.

    What holds a landmark or most of the page frames nothing: its tag was never closed.
    """
    limit = _MAX_FRAME_SHARE * _length(root)
    for node in nodes:
        if node.mem_id == root.mem_id:
            continue
        if _length(node) > limit and node.css_matches(":has(h1,h2,p p,main,article,p+p)"):
            continue
        node.decompose()


def _length(node: LexborNode) -> int:
    return len(node.text(strip=True))


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
    half = _length(body) / 2
    for form in forms:
        if _length(form) > half:
            form.unwrap()
        else:
            form.decompose()


def _drop_contents_lists(root: LexborNode) -> None:
    """Drop lists of this page's own headings: they say nothing that the headings do not."""
    lists = [node for node in root.css(_LISTS) if node.css_first("a[href^='#']") is not None]
    if not lists:
        return
    headings = {_bare(heading) for heading in root.css("h1,h2,h3,h4,h5,h6")}
    for entries in lists:
        links = entries.css("a") if entries.parent is not None else []
        listed = sum(_bare(link) in headings for link in links)
        if links and listed >= _MIN_LISTED_SHARE * len(links) and _is_all_links(entries, links):
            entries.decompose()


def _is_all_links(entries: LexborNode, links: list[LexborNode]) -> bool:
    return sum(map(_length, links)) >= _MIN_LISTED_SHARE * _length(entries)


def _bare(node: LexborNode) -> str:
    return _NUMBERING.sub("", " ".join(node.text(separator=" ").split())).casefold()


def _take_in_hero(body: LexborNode, landmark: LexborNode) -> None:
    """Put the page's heading, with what stands beside it, in front of a landmark without one."""
    if landmark.css_first("h1") is not None:
        return
    heading = body.css_first("h1")
    if heading is None or not _length(heading) or heading.css_first(_HOME_LINK) is not None:
        return
    hero = heading
    while (around := hero.parent) is not None and around.css_matches(_HERO):
        if _length(around) > _MAX_HERO_LENGTH or around.css_first("nav,form,li,a") is not None:
            break
        if around.css_first(_LANDMARKS) is not None:
            break
        hero = around
    first = landmark.child
    if first is not None:
        first.insert_before(hero)  # a copy
        hero.decompose()


def _prose_with_its_structure(body: LexborNode) -> LexborNode:
    """The block with nearly all prose, and all that is surely content; else the body."""
    prose = find_prose(body, _MIN_PROSE_SHARE)
    needed = len(body.css(_SURELY_CONTENT))
    while prose.tag not in _BLOCKS or len(prose.css(_SURELY_CONTENT)) < needed:
        if prose.parent is None or prose.mem_id == body.mem_id:
            return body
        prose = prose.parent
    return prose if _length(prose) >= _length(body) / 2 else body
