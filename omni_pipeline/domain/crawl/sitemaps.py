"""Reading one sitemap file: XML (urlset or index), gzip of it, or plain text with a URL a line.

The file is hostile until proven otherwise: any DOCTYPE is refused before the parser sees it, and
what was read before a limit or an error is kept (FAULTS D24-D26, S47).
"""

import itertools
import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat

from omni_pipeline.domain.web.inflate import (
    GZIP_MAGIC,
    PIECE_BYTES,
    InflateError,
    Inflater,
    TooMuchError,
)

# The limits of sitemaps.org for one file.
MAX_URLS = 50_000
MAX_SITEMAP_BYTES = 50 * 1024 * 1024

_MAX_URL_CHARACTERS = 2048
_MAX_TOKEN_BYTES = 256 * 1024
_MAX_TAGS = 1_000_000  # 2 s of CPU
_MAX_DEPTH = 32
_ENTRY_DEPTH = 2  # <urlset><url>: other vocabularies' <image:loc> stand one deeper than <loc>
_DOCTYPE = b"<!doctype"
# https://www.w3.org/TR/NOTE-datetime, and what sites make of it: a blank for T, no zone, no colon.
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_BEFORE_TAG = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"


@dataclass(frozen=True, kw_only=True)
class SitemapPage:
    """A listed page; ``url`` and ``lastmod`` as written."""

    url: str
    lastmod: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sitemap:
    """What one file lists.

    Attributes:
        pages: Of a urlset or a text file.
        children: Other sitemaps, of an index. Neither canonical nor known to be in scope.
        problem: Why reading stopped before the end, or None. "Listed nothing" and "could not be
            read" are different things.
    """

    pages: tuple[SitemapPage, ...] = ()
    children: tuple[str, ...] = ()
    problem: str | None = None


class _StopError(Exception):
    """The message is the problem that ends the reading."""


def parse_sitemap(body: bytes) -> Sitemap:
    """Read a sitemap as far as it is valid; never raises."""
    listed = _Listed()
    problem = None
    try:
        _read(_pieces(body), listed)
    except _StopError as stop:
        problem = str(stop)
    return Sitemap(pages=tuple(listed.pages), children=tuple(listed.children), problem=problem)


def lastmod_time(text: str) -> datetime | None:
    """The latest moment that a lastmod may mean, in UTC; None where it is no W3C date and time.

    A date means the end of its day, a month its last day: a page that was fetched in the morning
    may have changed in the afternoon. A time without a zone is read as UTC. Changefreq and priority
    are not read at all: sites fill them in once, for all pages alike.
    """
    text = text.strip().upper()
    try:
        if day := _DATE.fullmatch(text):
            return _end_of(*(int(number) for number in day.groups() if number))
        if _TIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # 30 February, or past the year 9999
    return None


def _end_of(year: int, month: int = 12, day: int | None = None) -> datetime:
    last = monthrange(year, month)[1] if day is None else day
    return datetime(year, month, last, 23, 59, 59, tzinfo=UTC)


class _Listed:
    """What was read so far, up to the limit."""

    def __init__(self) -> None:
        self.pages: list[SitemapPage] = []
        self.children: list[str] = []

    def add_page(self, url: str, lastmod: str | None = None) -> None:
        if self._takes(url):
            self.pages.append(SitemapPage(url=url, lastmod=lastmod))

    def add_child(self, url: str) -> None:
        if self._takes(url):
            self.children.append(url)

    def _takes(self, url: str) -> bool:
        if len(self.pages) + len(self.children) >= MAX_URLS:
            raise _StopError(f"more than {MAX_URLS} URLs")
        return 0 < len(url) <= _MAX_URL_CHARACTERS


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut the body into pieces, inflated where it is gzip, up to the limit of a sitemap."""
    coding = "gzip" if body.startswith(GZIP_MAGIC) else "identity"
    inflater = Inflater(coding, max_bytes=MAX_SITEMAP_BYTES)
    try:
        for start in range(0, len(body), PIECE_BYTES):
            yield from inflater.feed(body[start : start + PIECE_BYTES])
        yield from inflater.finish()
    except InflateError as error:
        raise _StopError(str(error)) from error
    except TooMuchError as error:
        raise _StopError(f"larger than {MAX_SITEMAP_BYTES} bytes") from error


def _read(pieces: Iterator[bytes], listed: _Listed) -> None:
    first = next(pieces, b"")
    every = itertools.chain([first], pieces)
    if first.lstrip(_BEFORE_TAG).startswith(b"<"):
        _read_xml(every, listed)
    else:
        _read_lines(every, listed)


def _read_lines(pieces: Iterator[bytes], listed: _Listed) -> None:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[:PIECE_BYTES]
        _list_lines(lines, listed)
    _list_lines([rest], listed)
    if not listed.pages:
        raise _StopError("neither XML nor a list of URLs")


def _list_lines(lines: list[bytes], listed: _Listed) -> None:
    for line in lines:
        url = line.decode("utf-8-sig", errors="replace").strip()
        if url.startswith(("http://", "https://")):
            listed.add_page(url)


def _read_xml(pieces: Iterator[bytes], listed: _Listed) -> None:
    reader = _XmlReader(listed)
    fed = 0
    before = b""
    try:
        for piece in pieces:
            if reader.depth == 0:
                _refuse_doctype(before + piece)
                before = piece[-2 * len(_DOCTYPE) :]
            reader.parser.Parse(piece)
            fed += len(piece)
            if fed - reader.parser.CurrentByteIndex > _MAX_TOKEN_BYTES:
                # expat rescans an unfinished tag with every piece: quadratic (CVE-2023-52425).
                raise _StopError(f"one tag or comment is longer than {_MAX_TOKEN_BYTES} bytes")
        reader.parser.Parse(b"", True)  # noqa: FBT003 - expat takes no keywords
    except expat.ExpatError as error:
        raise _StopError(f"not valid XML in line {error.lineno}") from error


def _refuse_doctype(data: bytes) -> None:
    """Look for a DOCTYPE in UTF-16 and all encodings that hold ASCII: expat takes no others."""
    if _DOCTYPE in data.replace(b"\0", b"").lower():
        raise _StopError("it has a DOCTYPE, which no sitemap needs")


class _XmlReader:
    """Finds ``loc`` and ``lastmod`` of each ``url`` and ``sitemap``, whatever their namespace."""

    def __init__(self, listed: _Listed) -> None:
        self.depth = 0
        self._tags = 0
        self._listed = listed
        self._fields: dict[str, str] = {}
        self._field: str | None = None
        self.parser = expat.ParserCreate(intern=None)  # interned names would grow with the file
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, _attributes: object) -> None:
        self.depth += 1
        self._tags += 1
        if self.depth > _MAX_DEPTH or self._tags > _MAX_TAGS:
            raise _StopError(f"more than {_MAX_TAGS} tags, or {_MAX_DEPTH} inside each other")
        if self.depth == _ENTRY_DEPTH:
            self._fields = {}
        self._field = _local(name) if self.depth == _ENTRY_DEPTH + 1 else None

    def _text(self, text: str) -> None:
        if self._field in ("loc", "lastmod"):
            so_far = self._fields.get(self._field, "")
            self._fields[self._field] = (so_far + text)[: _MAX_URL_CHARACTERS + 1]

    def _end(self, name: str) -> None:
        self._field = None
        if self.depth == _ENTRY_DEPTH:
            self._add(_local(name))
        self.depth -= 1

    def _add(self, entry: str) -> None:
        url = self._fields.get("loc", "").strip()
        lastmod = self._fields.get("lastmod", "").strip() or None
        if entry == "url":
            self._listed.add_page(url, lastmod)
        elif entry == "sitemap":
            self._listed.add_child(url)


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
