"""Finds the body of an article among what surrounds it: shares, teasers, authors, comments.

Only for short pages that say that they are articles: longer ones are read by the model of content
(see ``pruning``). Names prove little: what they take away, all together, is bounded by the caller.
"""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.text.prose import find_prose

_DECLARED = (
    "meta[property='og:type'][content*=article i],meta[property='article:published_time'],"
    "[itemprop~=articleBody]"
)
# TechArticle is left out: manuals call themselves so.
_LINKED_ARTICLE = re.compile(
    r'"@type"\s*:\s*\[?\s*"(?:(?:\w+News|News|Opinion|Analysis|Review|Background)?Article'
    r'|(?:Live)?BlogPosting)"'
)

_MARKED = "[itemprop~=articleBody]"
_MIN_MARKED_LENGTH = 200
# A body in several parts is searched for like one without a mark.
_MIN_MARKED_SHARE = 0.8

_BLOCKS = frozenset(("div", "td", "section", "article", "main", "body"))
_CAMEL = re.compile(r"(?<=[a-z]{3})(?=[A-Z][a-z]{2})")


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{'|'.join(words)})(?![a-z])")


# Names (class and id) of what belongs to the site. The first may be longer than the article.
_OTHERS = _words(
    *("comments?", "commentlist", "disqus\\w*", "respond", "related\\w*", "recommend\\w*"),
    *("newsletters?", "outbrain", "taboola", "trending", "teasers?", "sidebar", "paywall"),
)
_MAX_OTHERS_SHARE = 0.7
_FURNITURE = _words(
    *("shar(?:ing|ed|er)", "share\\w*", "social\\w*", "promos?", "byline\\w*", "authors?", "bio"),
    *("tags?", "taglist", "captions?", "credits?", "breadcrumbs?", "most", "popular", "more"),
    *("sponsor\\w*", "advert\\w*", "ads?", "signup", "subscri\\w+", "readmore", "print", "tools"),
    *("timestamp", "dateline", "date", "published", "updated", "footer", "widgets?", "menu"),
    *("nav", "navigation", "pagination", "pager", "video\\w*", "player", "gallery", "slideshow"),
    *("ratings?", "rail", "modal", "popup", "rollover", "tooltip", "skip", "login", "follow"),
    *("addthis", "copyright", "disclaimer", "cta", "images?", "photos?", "img", "masthead"),
    *("syndication", "meta", "media"),
)
_MAX_FURNITURE_SHARE = 0.3
_MIN_PARAGRAPH = 150
_NAMED = (
    ":is(div,section,aside,ul,ol,header,figure,figcaption,p,span,table,dl,time,a,h2,h3,h4,h5)"
    ":is([class],[id])"
)
_NEVER_FURNITURE = f"pre,blockquote,h1,{_MARKED}"

_LINK_LISTS = "ul,ol,div,section,table,dl"
_MIN_LINKED_SHARE = 0.6
_WHOLLY_LINKED_SHARE = 0.85

_LINES = "p,h2,h3,h4,h5,h6,li,td"
_MAX_LINE_LENGTH = 200
_MAX_LABEL_LENGTH = 30
# Without a link, these tell a reader what to do.
_INSTRUCTS = re.compile(
    r"\W*(?:watch|follow|click here|see|updated|share)\s+\w+\s+\w+", re.IGNORECASE
)
_LEADS_AWAY = re.compile(
    r"\W*(?:read (?:more|also|next|the full)|related|see (?:also|more)|also read|more[: ]on|more:"
    r"|more (?:from|stories)|watch|click here|recommended|advertisement|sign up|subscribe|follow"
    r"|share|don.t miss|just in|you (?:may|might) (?:also )?like|in case you missed|photos?:"
    r"|(?:image|photo) credit|filed under|tags:|topics:|updated|published|posted|credit"
    r"|mehr zum thema|lesen sie (?:auch|mehr)|siehe auch|anzeige\b|lire aussi|voir aussi"
    r"|à lire|lee también|ver también|leia (?:também|mais)|veja também|leggi anche|lees ook"
    r"|czytaj (?:też|także)|baca juga|читайте также|関連記事|相关阅读)",
    re.IGNORECASE,
)


def is_article(tree: LexborHTMLParser) -> bool:
    """Say whether the page calls itself an article. Its scripts must still be there."""
    if tree.css_first(_DECLARED) is not None:
        return True
    scripts = tree.css("script[type='application/ld+json']")
    return any(_LINKED_ARTICLE.search(script.text()) for script in scripts)


def find_article(body: LexborNode) -> LexborNode:
    """Prune what is not the article, in place; return the element that holds it."""
    _drop_named(body, _OTHERS, _MAX_OTHERS_SHARE)
    marked = _marked(body)
    root = marked or find_prose(body, 0.85)
    _drop_named(root, _FURNITURE, _MAX_FURNITURE_SHARE)
    _drop_link_lists(root)
    if marked is None:
        root = find_prose(root, 0.85)
    _drop_lines_that_lead_away(root)
    _drop_trailing_lines(root)
    return root


def _marked(body: LexborNode) -> LexborNode | None:
    marked = [node for node in body.css(_MARKED) if node.tag in _BLOCKS]
    if not marked:
        return None
    lengths = [_length(node) for node in marked]
    longest = max(lengths)
    # Equal lengths are copies: one for phones, one for screens.
    outer = {
        length
        for node, length in zip(marked, lengths, strict=True)
        if not node.css_matches(f"{_MARKED} *")
    }
    if longest < max(_MIN_MARKED_LENGTH, _MIN_MARKED_SHARE * sum(outer)):
        return None
    return marked[lengths.index(longest)]


def _drop_named(root: LexborNode, names: re.Pattern[str], max_share: float) -> None:
    limit = max_share * _length(root)
    found = [
        node
        for node in root.css(_NAMED)
        if names.search(_names(node)) and node.mem_id != root.mem_id and _length(node) <= limit
    ]
    for node in found:
        is_kept = node.css_first(_NEVER_FURNITURE) is not None or (
            names is _FURNITURE and _holds_paragraph(node)
        )
        if not is_kept:
            node.decompose()


def _holds_paragraph(node: LexborNode) -> bool:
    """A name says less than a paragraph that is longer than what a bar of links says."""
    return any(
        _length(part) >= _MIN_PARAGRAPH and _linked_share(part) < _MIN_LINKED_SHARE
        for part in node.css("p")
    )


def _names(node: LexborNode) -> str:
    attributes = node.attributes
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    return names if names.islower() else _CAMEL.sub(" ", names).lower()


def _drop_link_lists(root: LexborNode) -> None:
    for node in root.css(_LINK_LISTS):
        if node.mem_id != root.mem_id and _linked_share(node) > _MIN_LINKED_SHARE:
            node.decompose()


def _linked_share(node: LexborNode) -> float:
    links = node.css("a")
    length = _length(node) if links else 0
    return sum(_length(link) for link in links) / length if length else 0.0


def _drop_lines_that_lead_away(root: LexborNode) -> None:
    """Drop "Read more: ..." and what newspapers print in capitals between two paragraphs."""
    for node in root.css(_LINES):
        text = node.text(strip=True)
        if 0 < len(text) <= _MAX_LINE_LENGTH and _leads_away(node, text):
            node.decompose()


def _leads_away(node: LexborNode, text: str) -> bool:
    is_short = len(text) < _MAX_LABEL_LENGTH
    if _LEADS_AWAY.match(text) is not None:
        is_label = is_short and node.tag != "li" and not _INSTRUCTS.match(text)
        return is_label or _linked_share(node) > _MIN_LINKED_SHARE
    return text.isupper() and not is_short and _linked_share(node) > _WHOLLY_LINKED_SHARE


def _drop_trailing_lines(root: LexborNode) -> None:
    """An article ends with a sentence, not with links or with a heading above nothing."""
    for node in reversed(root.css(_LINES)):
        text = node.text(strip=True)
        if not text:
            continue
        if len(text) > _MAX_LINE_LENGTH or not _ends_nothing(node, text):
            return
        node.decompose()


def _ends_nothing(node: LexborNode, text: str) -> bool:
    is_heading = (node.tag or "").startswith("h")
    return (
        is_heading
        or _linked_share(node) > _WHOLLY_LINKED_SHARE
        or (_LEADS_AWAY.match(text) is not None and len(text) < _MAX_LABEL_LENGTH)
    )


def _length(node: LexborNode) -> int:
    return len(node.text(strip=True))
