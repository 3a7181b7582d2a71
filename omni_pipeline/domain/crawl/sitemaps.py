"""Reading one sitemap file: a urlset, an index, an RSS or Atom feed, or plain text with URLs.

sitemaps.org allows all of them. The file is hostile until proven otherwise, and what was read
before a limit or an error is kept (F-D24 to F-D26, S-47).
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from xml.parsers import expat

from omni_pipeline.domain.crawl.sitemap_text import (
    MAX_TOKEN_CHARACTERS,
    NoSitemapError,
    StopError,
    from_the_root,
    sitemap_texts,
)

# The limit of sitemaps.org for one file.
MAX_URLS = 50_000

_MAX_URL_CHARACTERS = 2048
_MAX_TAGS = 1_000_000  # 2 s of CPU
_MAX_DEPTH = 32
# Which elements list something, and which of their children says what: by root element.
_URLSET = {"url": ("loc", "lastmod"), "sitemap": ("loc", "lastmod")}
_ENTRIES = {
    "urlset": _URLSET,
    "sitemapindex": _URLSET,
    "rss": {"item": ("link", "")},  # its dates have many forms, and are those of the first version
    "rdf": {"item": ("link", "")},
    "feed": {"entry": ("link", "updated")},
}
# https://www.w3.org/TR/NOTE-datetime, and what sites make of it: a blank for T, no zone, no colon.
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LINE_END = re.compile(r"[\r\n]")
_IS_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SitemapPage:
    """A listed page; ``url`` and ``lastmod`` as written."""

    url: str
    lastmod: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sitemap:
    """What one file lists.

    Attributes:
        pages: Of a urlset, a feed or a text file.
        children: Other sitemaps, of an index. Neither canonical nor known to be in scope.
        problem: Why reading stopped before the end, or None. "Listed nothing" and "could not be
            read" are different things.
        is_sitemap: False for a file that is something else, such as a page.
    """

    pages: tuple[SitemapPage, ...] = ()
    children: tuple[str, ...] = ()
    problem: str | None = None
    is_sitemap: bool = True


def parse_sitemap(body: bytes) -> Sitemap:
    """Read a sitemap as far as it can be read; never raises."""
    listed = _Listed()
    problem = None
    is_sitemap = True
    try:
        _read(sitemap_texts(body), listed)
    except StopError as stop:
        problem = str(stop)
        is_sitemap = not isinstance(stop, NoSitemapError)
    except Exception as error:  # noqa: BLE001 - a stranger's file is that file's failure
        problem = f"reading it failed with {type(error).__name__}"
    return Sitemap(
        pages=tuple(listed.pages),
        children=tuple(listed.children),
        problem=problem,
        is_sitemap=is_sitemap,
    )


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
            raise StopError(f"more than {MAX_URLS} URLs")
        return 0 < len(url) <= _MAX_URL_CHARACTERS


def _read(texts: Iterator[str], listed: _Listed) -> None:
    first = ""
    while not first.strip() and (text := next(texts, None)) is not None:
        first = text
    every = chain([first], texts)
    if _IS_URL.match(first.lstrip()):
        _read_lines(every, listed)
        return
    _read_xml(from_the_root(every), listed)


def _read_lines(texts: Iterator[str], listed: _Listed) -> None:
    rest = ""
    for text in texts:
        *lines, rest = _LINE_END.split(rest + text)
        rest = rest[: 2 * _MAX_URL_CHARACTERS]
        _list_lines(lines, listed)
    _list_lines([rest], listed)


def _list_lines(lines: list[str], listed: _Listed) -> None:
    for line in lines:
        if _IS_URL.match(url := line.strip()):
            listed.add_page(url)


def _read_xml(texts: Iterator[str], listed: _Listed) -> None:
    reader = _XmlReader(listed)
    fed = 0
    try:
        for text in texts:
            piece = text.encode()
            reader.parser.Parse(piece)
            fed += len(piece)
            if fed - reader.parser.CurrentByteIndex > MAX_TOKEN_CHARACTERS:
                # expat rescans an unfinished tag with every piece: quadratic (CVE-2023-52425).
                raise StopError(f"one tag or comment is longer than {MAX_TOKEN_CHARACTERS} bytes")
        reader.parser.Parse(b"", True)  # noqa: FBT003 - expat takes no keywords
    except expat.ExpatError as error:
        if not reader.has_ended:  # whatever a plugin prints behind the root
            raise StopError(f"not valid XML in line {error.lineno} of its list") from error


class _XmlReader:
    """Finds what each entry links to and when that changed, whatever their namespace."""

    def __init__(self, listed: _Listed) -> None:
        self.has_ended = False
        self._depth = 0
        self._tags = 0
        self._listed = listed
        self._entries: dict[str, tuple[str, str]] = {}
        self._entry: str | None = None
        self._entry_depth = 0
        self._fields: dict[str, str] = {}
        self._field: str | None = None
        self.parser = expat.ParserCreate("utf-8", intern=None)  # interned, names would grow
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._tags += 1
        if self._depth > _MAX_DEPTH or self._tags > _MAX_TAGS:
            raise StopError(f"more than {_MAX_TAGS} tags, or {_MAX_DEPTH} inside each other")
        local = _local(name)
        if self._depth == 1:
            self._entries = _ENTRIES.get(local, {})
        elif self._entry is None and local in self._entries:
            self._entry, self._entry_depth, self._fields = local, self._depth, {}
        is_field = self._entry is not None and self._depth == self._entry_depth + 1
        self._field = local if is_field else None
        if self._field == "link" and attributes.get("rel", "alternate") == "alternate":
            self._text(attributes.get("href", ""))

    def _text(self, text: str) -> None:
        if self._field and self._entry and self._field in self._entries[self._entry]:
            so_far = self._fields.get(self._field, "")
            self._fields[self._field] = (so_far + text).lstrip()[: _MAX_URL_CHARACTERS + 1]

    def _end(self, _name: str) -> None:
        self._field = None
        if self._entry and self._depth == self._entry_depth:
            self._add(self._entry)
            self._entry = None
        self._depth -= 1
        self.has_ended = self._depth == 0

    def _add(self, entry: str) -> None:
        place, time = self._entries[entry]
        url = self._fields.get(place, "").strip()
        if entry == "sitemap":
            self._listed.add_child(url)
        else:
            self._listed.add_page(url, self._fields.get(time, "").strip() or None)


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
