"""The bytes of a sitemap as text that an XML parser can be given: unpacked, decoded, repaired.

Sites write sitemaps by hand and with plugins that print before and after them. What is repaired:
two layers of gzip, any charset of the web, whatever stands before the root element, a stray ``&``,
entities of HTML, control characters. A DOCTYPE that declares or loads anything is refused
(F-D26, S-47). All of it happens piece by piece: nothing here holds a whole file.
"""

import codecs
import re
from collections.abc import Iterator
from html import unescape
from itertools import chain
from xml.sax.saxutils import escape

from omni_pipeline.domain.web.charset import declared_codec
from omni_pipeline.domain.web.charset_prescan import label_in_page
from omni_pipeline.domain.web.inflate import (
    GZIP_MAGIC,
    PIECE_BYTES,
    InflateError,
    Inflater,
    TooMuchError,
)

# The limit of sitemaps.org for one file.
MAX_SITEMAP_BYTES = 50 * 1024 * 1024
# One tag, comment or block of CDATA; and all that stands before the root.
MAX_TOKEN_CHARACTERS = 256 * 1024

_MAX_GZIP_LAYERS = 2
_ROOT = re.compile(r"<(?:[\w.-]+:)?(urlset|sitemapindex|rss|feed|rdf)(?=[\s/>])", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!doctype[^>\[]{0,2000}", re.IGNORECASE)
_LOADS = re.compile(r"\bsystem\b|\bpublic\b", re.IGNORECASE)
_HTML = re.compile(r"<!doctype\s+html|<html[\s>]", re.IGNORECASE)

_NEVER_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]+")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_MAX_ENTITY = 40
_REPAIRED = re.compile(
    r"<!\[CDATA\[(.*?)\]\]>|&(?:(amp|lt|gt|quot|apos);|(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|\w{1,32});)?",
    re.DOTALL,
)


class StopError(Exception):
    """The message is the problem that ends the reading."""


class NoSitemapError(StopError):
    """The file is something else."""


def sitemap_texts(body: bytes) -> Iterator[str]:
    """The file as text, in pieces; nothing of it is repaired.

    Raises:
        StopError: It is damaged or too large.
    """
    pieces: Iterator[bytes] = (
        body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)
    )
    for _ in range(_MAX_GZIP_LAYERS):
        pieces = _unpacked(pieces)
    first = next(pieces, b"").lstrip(b" \t\r\n")
    codec = declared_codec(first) or label_in_page(first) or "utf-8"
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    for piece in chain([first], pieces):
        yield decoder.decode(piece).replace("\ufeff", "")
    yield decoder.decode(b"", final=True)


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    coding = "gzip" if first.startswith(GZIP_MAGIC) else "identity"
    inflater = Inflater(coding, max_bytes=MAX_SITEMAP_BYTES)
    try:
        for piece in chain([first], pieces):
            yield from inflater.feed(piece)
        yield from inflater.finish()
    except InflateError as error:
        raise StopError(str(error)) from error
    except TooMuchError as error:
        raise StopError(f"larger than {MAX_SITEMAP_BYTES} bytes") from error


def from_the_root(texts: Iterator[str]) -> Iterator[str]:
    """The text from the root element on, in repaired pieces.

    Raises:
        NoSitemapError: There is no root of a sitemap or a feed.
        StopError: A DOCTYPE stands before it that no sitemap needs, or something endless.
    """
    before = ""
    for text in texts:
        before = _without_comments(before + text)
        if root := _ROOT.search(before):
            _refuse_doctype(before[: root.start()])
            yield from _repaired(chain([before[root.start() :]], texts))
            return
        if len(before) > MAX_TOKEN_CHARACTERS:
            break
    _refuse_doctype(before)
    kind = "an HTML page" if _HTML.search(before) else "neither XML nor a list of URLs"
    raise NoSitemapError(f"it is {kind}")


def _without_comments(text: str) -> str:
    """The text without its whole comments. Not by a pattern: that would rescan unclosed ones."""
    kept = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[position:start])
        position = end + len("-->")
    return "".join((*kept, text[position:]))


def _refuse_doctype(prolog: str) -> None:
    for found in _DOCTYPE.finditer(prolog):
        has_more = prolog[found.end() : found.end() + 1] == "["
        if not _HTML.match(found[0]) and (has_more or _LOADS.search(found[0])):
            raise StopError("it has a DOCTYPE, which no sitemap needs")


def _repaired(texts: Iterator[str]) -> Iterator[str]:
    rest = ""
    for text in texts:
        whole, rest = _cut_between_tokens(rest + text)
        if len(rest) > MAX_TOKEN_CHARACTERS:
            raise StopError(f"one block is longer than {MAX_TOKEN_CHARACTERS} characters")
        yield _REPAIRED.sub(_repair, _NEVER_IN_XML.sub("", whole))
    yield _REPAIRED.sub(_repair, _NEVER_IN_XML.sub("", rest))


def _cut_between_tokens(text: str) -> tuple[str, str]:
    """Cut where neither CDATA nor an entity is under way."""
    closed = text.rfind(_CDATA_END) + 1
    start = text.find(_CDATA, closed)
    if start >= 0:  # all before it end, so no search runs on for nothing
        return text[:start], text[start:]
    entity = text.find("&", max(closed, len(text) - _MAX_ENTITY))
    tag = text.find("<", max(closed, len(text) - len(_CDATA)))
    cut = min((edge for edge in (entity, tag) if edge >= 0), default=len(text))
    return text[:cut], text[cut:]


def _repair(found: re.Match[str]) -> str:
    cdata, known, other = found.groups()
    if cdata is not None:
        return escape(cdata)
    if known:
        return found[0]
    meant = unescape(f"&{other};") if other else "&"
    return escape(_NEVER_IN_XML.sub("", meant))
