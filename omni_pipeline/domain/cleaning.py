"""Turns an HTML page into the Markdown that is worth searching.

The content is found and pruned with lexbor (see ``pruning``) and converted by html-to-markdown in
Rust. Headings, code and tables survive; links and emphasis become their text, because bare text is
what gets embedded. What differs from request to request (nonces, tokens, tracking parameters)
lives in attributes and dies here, so that equal content has an equal hash.
"""

import re
from dataclasses import dataclass

from html_to_markdown import ConversionError, ConversionOptions, PreprocessingOptions, convert
from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.hygiene import clean_characters, storable
from omni_pipeline.domain.markup_limits import find_excess
from omni_pipeline.domain.pruning import find_content, visible_text
from omni_pipeline.domain.tables import limit_grids, open_layout_tables
from omni_pipeline.domain.urls import canonical_url

# Pages cleaned by another version are cleaned again: raise it with every change of the output.
CLEANER_VERSION = 1

MOST_TITLE_LENGTH = 300
MOST_DESCRIPTION_LENGTH = 1000
MOST_REASON_LENGTH = 200

# Share of letters and digits: on 870 pages of documentation not one was lost.
_LEAST_SURVIVAL = 0.99

_BARE_TEXT = "a,span,font,small,big,u,abbr,mark,ins,q,cite,dfn,label,em,strong,b,i,var,bdi,bdo,wbr"
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
_NO_LETTER = re.compile(r"[\W_]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}")
# Dashes, dots, arrows and the wide forms of bar and colon, which need no space.
_TITLE_SEPARATOR = re.compile(
    r"\s*(?:[|/:\-\u2013\u2014\u00b7\u2022\u00ab\u00bb\u203a]+\s|[\uff5c\uff1a])"
)


@dataclass(frozen=True, kw_only=True)
class CleanedPage:
    """What a page says.

    Attributes:
        title: On one line, without the name of the site where that can be told; may be empty.
        description: What the page says of itself in its metadata.
        language: A language tag such as ``de`` or ``pt-BR``.
        canonical_url: In this project's one spelling; may name another host.
        markdown: Storable text (see ``hygiene``), never blank.
        content_hash: Of title and Markdown; equal hashes need no work downstream (A11).
        removed_characters: Invisible ones. More than a few mark a page as suspicious (S64).
    """

    title: str
    description: str | None
    language: str | None
    canonical_url: str | None
    markdown: str
    content_hash: bytes
    removed_characters: int


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """The page has no text to index, or none that can be trusted to be complete.

    ``kind`` starting with ``suspicious.`` means that the page may well have content: its old
    chunks stay (FAULTS D34). ``permanent.`` means that this body will never be readable.
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
    tree = LexborHTMLParser(html)
    content = find_content(tree)
    markdown = "" if content is None else _to_markdown(tree, content)
    if isinstance(markdown, Unreadable):
        return markdown
    hygiene = clean_characters(markdown)
    text = hygiene.text.strip()
    if not _count_letters(text):
        return Unreadable(
            kind="suspicious.empty", reason="no text is left beside navigation and hidden parts"
        )
    title = _title(tree)
    return CleanedPage(
        title=title,
        description=_description(tree),
        language=_language(tree),
        canonical_url=_canonical_url(tree, url),
        markdown=text,
        content_hash=text_hash(f"{title}\n{text}"),
        removed_characters=hygiene.removed,
    )


def _to_markdown(tree: LexborHTMLParser, content: LexborNode) -> str | Unreadable:
    open_layout_tables(tree, content)
    if (excess := limit_grids(content)) is not None:
        return Unreadable(kind=excess.kind, reason=excess.reason)
    for node in content.css(_BARE_TEXT):
        node.unwrap(delete_empty=True)
    letters = _count_letters(content.text())
    try:
        converted = convert(_unwrap_lines(content.html or ""), _OPTIONS)
    except ConversionError as error:  # bugs of the converter arrive as one of these, too
        reason = f"html-to-markdown failed: {_line(str(error), MOST_REASON_LENGTH)}"
        return Unreadable(kind="permanent.not_convertible", reason=reason)
    markdown = (converted.content or "").replace("\u00a0", " ")
    kept = _count_letters(markdown)
    if kept < letters * _LEAST_SURVIVAL:
        return Unreadable(
            kind="suspicious.text_lost",
            reason=f"only {kept:,} of {letters:,} letters survived the conversion to Markdown",
        )
    return markdown


def _count_letters(text: str) -> int:
    return len(_NO_LETTER.sub("", text))


def _unwrap_lines(html: str) -> str:
    """Put each paragraph on one line, so that chunks can end at sentences, not at line breaks."""
    parts = _PRE.split(html)
    parts[::2] = [_UNEVEN_SPACE.sub(" ", part) for part in parts[::2]]
    return "".join(parts)


def _title(tree: LexborHTMLParser) -> str:
    whole = _line(visible_text(tree.css_first("head title")), MOST_TITLE_LENGTH)
    heading = _line(visible_text(tree.css_first("h1")), MOST_TITLE_LENGTH)
    shared = _line(_meta(tree, "[property='og:title']"), MOST_TITLE_LENGTH)
    for name in (heading, shared):
        if name and whole.startswith(name) and _TITLE_SEPARATOR.match(whole, len(name)):
            return name
    return whole or shared or heading


def _description(tree: LexborHTMLParser) -> str | None:
    text = _meta(tree, "[name=description i]") or _meta(tree, "[property='og:description']")
    return _line(text, MOST_DESCRIPTION_LENGTH) or None


def _language(tree: LexborHTMLParser) -> str | None:
    root = tree.css_first("html")
    tag = (root.attributes.get("lang") or "").strip() if root is not None else ""
    return tag if _LANGUAGE.fullmatch(tag) else None


def _canonical_url(tree: LexborHTMLParser, url: str) -> str | None:
    link = tree.css_first("link[rel=canonical i]")
    reference = link.attributes.get("href") if link is not None else None
    return canonical_url(reference, url) if reference else None


def _meta(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(f"meta{selector}")
    return (node.attributes.get("content") or "") if node is not None else ""


def _line(text: str, most_length: int) -> str:
    return storable(" ".join(text.split()))[:most_length].strip()
