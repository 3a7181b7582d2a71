"""Turns an HTML page into the Markdown that is worth searching.

The content is found and pruned with lexbor (see ``pruning``) and converted by html-to-markdown in
Rust. Headings, code and tables survive; links and emphasis become their text, because bare text is
what gets embedded. What differs from request to request (nonces, tokens, tracking parameters)
lives in attributes and dies here, so that equal content has an equal hash.
"""

import re
from dataclasses import dataclass
from datetime import date

from html_to_markdown import ConversionError, ConversionOptions, PreprocessingOptions, convert
from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.characters import clean_characters
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.html.metadata import one_line, read_facts, read_title
from omni_pipeline.domain.html.parse_cost import find_excess
from omni_pipeline.domain.html.visibility import open_shadow_roots
from omni_pipeline.domain.languages import language_of
from omni_pipeline.domain.text.noise import drop_noise, without_noise
from omni_pipeline.domain.text.pruning import find_content
from omni_pipeline.domain.text.tables import limit_grids, open_layout_tables, repeat_spans

# Pages cleaned by another version are cleaned again: raise it with every change of the output.
CLEANER_VERSION = 4

MAX_REASON_LENGTH = 200

# Share of letters and digits: on 870 pages of documentation not one was lost.
_MIN_SURVIVAL = 0.99

_BARE_TEXT = (
    "button,a,span,font,small,big,u,abbr,mark,ins,q,cite,dfn,label,em,strong,b,i,var,bdi,bdo,wbr"
)
# Of a tag that was never closed: the rest of the page would become one line of inline code.
_CODE_AROUND_BLOCKS = ":is(code,tt,kbd,samp):has(p,pre,li,h1,h2,h3,h4,h5,h6,table)"
_OPTIONS = ConversionOptions(
    compact_tables=True,
    skip_images=True,
    extract_metadata=False,
    hidden_content="reachable",  # what is hidden was dropped already
    preprocessing=PreprocessingOptions(enabled=False),
)
# Without its end only in raw text (<xmp>); looking for it again and again took quadratic time.
_PRE = re.compile(r"(<pre\b.*?(?:</pre>|\Z))", re.DOTALL)
_UNEVEN_SPACE = re.compile(r"[ \t\n\r\f]{2,}|[\t\n\r\f]")
# Chinese and Japanese have no spaces: a line ends inside of words. Korean has them.
_WIDE = "[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uffef]"
_WIDE_LINE_END = re.compile(rf"(?<={_WIDE})[ \t]*\r?\n[ \t\r\n]*(?={_WIDE})")
_LETTER = re.compile(r"[^\W_]")
_NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, kw_only=True)
class CleanedPage:
    """What a page says.

    Attributes:
        title: On one line, without the name of the site where that can be told; may be empty.
        description: What the page says of itself in its metadata.
        language: A tag such as ``de`` or ``pt-BR``, declared or detected (see ``languages``).
        canonical_url: In this project's one spelling; may name another host.
        markdown: Storable text (see ``hygiene``), never blank.
        content_hash: Of title and Markdown without noise (see ``noise``); equal hashes need no work
            downstream (R-A11), and the text that was kept before is as good as this one.
        removed_characters: Invisible ones. More than a few mark a page as suspicious (S-64).
        published_on: The day as the page wrote it.
        breadcrumbs: Names of the pages above this one, outermost first.
        is_marked_off: The page says where its content is; else menus may be left in the Markdown
            (see ``boilerplate``).
    """

    title: str
    description: str | None
    language: str | None
    canonical_url: str | None
    markdown: str
    content_hash: bytes
    removed_characters: int
    published_on: date | None = None
    modified_on: date | None = None
    breadcrumbs: tuple[str, ...] = ()
    is_marked_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """The page has no text to index, or none that can be trusted to be complete.

    ``kind`` starting with ``suspicious.`` means that the page may well have content: its old
    chunks stay (F-D34). ``permanent.`` means that this body will never be readable.
    """

    kind: str
    reason: str


def clean(html: str, *, url: str) -> CleanedPage | Unreadable:
    """Extract title, metadata and content as Markdown. Deterministic; never raises for bad HTML.

    Time and memory are bounded by limits on the markup, whatever the page is built of.

    Args:
        html: The decoded page.
        url: Its canonical URL, the base of references in it.
    """
    if (excess := find_excess(html)) is not None:
        return Unreadable(kind=excess.kind, reason=excess.reason)
    tree = LexborHTMLParser(open_shadow_roots(html))
    facts = read_facts(tree, url)
    content = find_content(tree)
    markdown = "" if content is None else _to_markdown(tree, content.node)
    if isinstance(markdown, Unreadable):
        return markdown
    hygiene = clean_characters(markdown)
    text = drop_noise(hygiene.text).strip()
    if _LETTER.search(text) is None:
        return Unreadable(
            kind="suspicious.empty", reason="no text is left beside navigation and hidden parts"
        )
    title = read_title(tree)
    return CleanedPage(
        title=title,
        description=facts.description,
        language=language_of(text, facts.language),
        canonical_url=facts.canonical_url,
        markdown=text,
        content_hash=content_hash(title, text),
        removed_characters=hygiene.removed,
        published_on=facts.published_on,
        modified_on=facts.modified_on,
        breadcrumbs=facts.breadcrumbs,
        is_marked_off=content is not None and content.is_marked_off,
    )


def content_hash(title: str, markdown: str) -> bytes:
    """What the page says, in 32 bytes: noise does not count (see ``noise``)."""
    return text_hash(f"{title}\n{without_noise(markdown)}")


def _to_markdown(tree: LexborHTMLParser, content: LexborNode) -> str | Unreadable:
    open_layout_tables(tree, content)
    if (excess := limit_grids(content)) is not None:
        return Unreadable(kind=excess.kind, reason=excess.reason)
    repeat_spans(content)
    for node in (*content.css(_BARE_TEXT), *content.css(_CODE_AROUND_BLOCKS)):
        node.unwrap(delete_empty=True)
    letters = _count_letters(content.text())
    try:
        converted = convert(_unwrap_lines(content.html or ""), _OPTIONS)
    except ConversionError as error:  # bugs of the converter arrive as one of these, too
        reason = f"html-to-markdown failed: {one_line(str(error), MAX_REASON_LENGTH)}"
        return Unreadable(kind="permanent.not_convertible", reason=reason)
    markdown = (converted.content or "").replace("\u00a0", " ")
    kept = _count_letters(markdown)
    if kept < letters * _MIN_SURVIVAL:
        return Unreadable(
            kind="suspicious.text_lost",
            reason=f"only {kept:,} of {letters:,} letters survived the conversion to Markdown",
        )
    return markdown


def _count_letters(text: str) -> int:
    return len(_NO_LETTER.sub("", text))


def _unwrap_lines(html: str) -> str:
    """Put each paragraph on one line, so that chunks can end at sentences, not at line breaks.

    The converter leaves no blank line before a quote that follows a paragraph at once.
    """
    parts = _PRE.split(html)
    parts[::2] = [
        _UNEVEN_SPACE.sub(" ", _WIDE_LINE_END.sub("", part)).replace("<blockquote", " <blockquote")
        for part in parts[::2]
    ]
    return "".join(parts)
