"""Whether a page has to be shown by a browser before it can be read.

Evidence in the HTML as sent is only a reason to look: what decides is whether the same page has
more to say once a browser has run its scripts. A page that is not suspected costs no browser, so
the rules err towards "it can be read as it is".
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.parsing import content_text, one_line, parse_html
from omni_pipeline.errors import PermanentError

# A page with this much text, or this much of it in sentences, has been written by its server.
# Menus and footers around an empty page come in short runs of text, so sentences count apart.
_ENOUGH_CHARACTERS = 4000
_ENOUGH_PROSE = 500
_SENTENCE = 40
# Less is suspicious, but only where nothing of it is a heading, a paragraph, a link or a picture.
_BARE_CHARACTERS = 200
_NOTE = 40
_SCANNED_CHARACTERS = 4 * 1024 * 1024

_MIN_GAIN = 200
_MIN_RATIO = 1.3

# A comment's start, or a tag and the text behind it. Nothing is read twice: linear in any input.
_NOT_SHOWN = "script|style|noscript|template|title|select|textarea|iframe|svg"
_PIECE = re.compile(
    rf"<(?:(!--)|(?:({_NOT_SHOWN})(?=[\s/>]))?"
    r"""[^>"']*+(?:(?:"[^"]*+"|'[^']*+')[^>"']*+)*+>?\s*+([^<]*+))""",
    re.IGNORECASE,
)
_END = {name: re.compile(f"</{name}|\\Z", re.IGNORECASE) for name in _NOT_SHOWN.split("|")}
_COMMENT_END = re.compile(r"--!?>|\Z")

_NOSCRIPT = re.compile(r"<noscript[\s>].*?(?:</noscript\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile("<[^>]*>?")
_NOT_TEXT = "script,style,template,select,textarea"
_MOUNT_POINTS = ",".join(
    (
        *("#root", "#app", "#__next", "#__nuxt", "#___gatsby", "#svelte", "#q-app", "#react-root"),
        *("#app-root", "#application", "#mount", "#ember-app", "app-root", "my-app", "router-view"),
        *("router-outlet", "[ng-view]", "ng-view", "[ui-view]", "ui-view", "[data-reactroot]"),
        *("flutter-view", "[data-v-app]"),
    )
)
_WORDS = "h1,h2,h3,h4,p,li,dd,td,th,pre,blockquote,figcaption,label,a[href]"
_PICTURES = "img,picture,video,audio,object,embed,iframe,frameset,input"
_RUNNING_SCRIPT = re.compile(
    r"(?:module|(?:text|application)/(?:x-)?(?:java|ecma)script.*)?", re.IGNORECASE
)
# In most languages the word for it is JavaScript.
_JAVASCRIPT = re.compile(
    r"java\s?script|\bJS\b|джава\s?скрипт|скрипты|جافا\s?سكريبت|ジャバスクリプト|스크립트|脚本|腳本",
    re.IGNORECASE,
)
_LOADING = re.compile(
    r"(?:loading|please wait|one moment|just a moment|wird geladen|l[aä]dt|bitte warten|laden"
    r"|chargement|cargando|carregando|caricamento|загрузка|ładowanie|yükleniyor|読み込み中|加载中"
    r"|로딩).*",
    re.IGNORECASE | re.DOTALL,
)


def script_evidence(html: str) -> str | None:
    """Why a page as sent seems to need JavaScript, as the rest of "this page ...", or None.

    Costs 0.1 to 0.5 ms on most pages, as reading ends where there is text enough. Only pages with
    little text are parsed.
    """
    html = html[:_SCANNED_CHARACTERS]
    characters = _little_text(html)
    if characters is None:
        return None
    try:
        # Before <body>, a parser without scripts lets the words of <noscript> into the page.
        tree = parse_html(_NOSCRIPT.sub("", html))
    except PermanentError:
        return None  # too much for a parser, so certainly no empty shell
    notes = "".join(_NOSCRIPT.findall(html))
    return _shell_evidence(tree, characters, is_asking=_asks_for_javascript(notes))


def gains_by_rendering(http_html: str, rendered_html: str) -> bool:
    """Whether the page as a browser shows it has substantially more content than as sent.

    Content is what would be indexed: a cookie banner or a menu that a script adds is no gain.
    """
    sent, rendered = _content_length(http_html), _content_length(rendered_html)
    return rendered - sent >= _MIN_GAIN and rendered >= _MIN_RATIO * sent


def _content_length(html: str) -> int:
    try:
        return len(content_text(parse_html(html)))
    except PermanentError:
        return 0


def _little_text(html: str) -> int | None:
    """How many characters a reader sees, or None as soon as they are enough."""
    characters = prose = 0
    for text in _texts(html):
        length = len(" ".join(text.split()))
        characters += length
        if length >= _SENTENCE:
            prose += length
        if characters >= _ENOUGH_CHARACTERS or prose >= _ENOUGH_PROSE:
            return None
    return characters


def _texts(html: str) -> Iterator[str]:
    """The text behind each tag, as far as it is shown: a rough tokenizer, cheaper than a parser."""
    position = 0
    while match := _PIECE.search(html, position):
        comment, not_shown, text = match.groups()
        position = match.end()
        if comment:
            position = _end(_COMMENT_END, html, position - len("--"))
        elif not_shown:
            position = _end(_END[not_shown.lower()], html, position)
        elif text:
            yield text


def _end(pattern: re.Pattern[str], html: str, start: int) -> int:
    found = pattern.search(html, start)
    return found.end() if found else len(html)


def _shell_evidence(tree: LexborHTMLParser, characters: int, *, is_asking: bool) -> str | None:
    """Tell an empty shell for scripts to fill from a page that is just short."""
    scripts = sum(map(_runs, tree.css("script")))
    if tree.body is None or not scripts:
        return None
    for node in tree.css(_NOT_TEXT):
        node.decompose()
    if any(map(_is_empty, tree.body.css(_MOUNT_POINTS))):
        return "has an element for scripts to fill, and it is empty"
    if characters >= _BARE_CHARACTERS or _says_something(tree.body):
        return None
    if is_asking:
        return "asks readers to switch JavaScript on, and says little else"
    return f"has {characters} characters of text, and scripts: {scripts}"


def _asks_for_javascript(markup: str) -> bool:
    return _JAVASCRIPT.search(_TAG.sub(" ", markup)) is not None


def _runs(script: LexborNode) -> bool:
    """Whether a browser would run it: JSON and templates are kept in scripts too."""
    kind = (script.attributes.get("type") or "").strip()
    return _RUNNING_SCRIPT.fullmatch(kind) is not None


def _is_empty(mount: LexborNode) -> bool:
    text = one_line(mount)
    return not text or (len(text) < _NOTE and _LOADING.match(text) is not None)


def _says_something(body: LexborNode) -> bool:
    """Whether any picture, or text that is more than a request to wait, stands in the page."""
    texts = (one_line(node) for node in body.css(_WORDS))
    has_words = any(text and not _LOADING.match(text) for text in texts)
    return has_words or body.css_first(_PICTURES) is not None
