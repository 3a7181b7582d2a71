"""Which URLs are alike, and which of them a machine makes without end.

What pages link to may never stop: calendars, facets, sessions, relative links that pile up. Such
URLs are told apart by their form alone, and how many of one form a crawl takes is limited
(F-D23).
"""

import re
from collections import Counter

from omni_pipeline.domain.crawl.page_novelty import TextNovelty
from omni_pipeline.domain.web.urls import url_parts

MAX_SEGMENTS = 16
# Heritrix' PathologicalPath: /a/a/ may be a place, /a/a/a/ is a link that leads into itself.
MAX_REPEATS = 2
MAX_PATTERNS = 10_000

# So many pages of a pattern are judged at least; a budget grows by so much for each new text, as
# long as so many of its pages have one.
MIN_JUDGED = 20
_GROWTH = 4
_MIN_NEW_SHARE = 0.5
# Pages are compared when so much of a budget is taken: it costs a parse of each.
_SHORT_SHARE = 0.75

_FOLDERS = 2
_OTHER = "any other pattern"
_ESCAPE_OR_ID = re.compile(
    r"(%[0-9A-F]{2})"  # its digits are no number
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9A-Za-z])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![0-9A-Za-z])"
    r"|[0-9]+",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[a-z]{2,5}$", re.IGNORECASE)
_NAMES_CONTENT = re.compile(
    r"(?:(?!\w*sess|sid$)\w*id|[pt]|page_?name|title|name|slug|article|product|item|topic|thread|post|doc"
    r"|document|entry|node|show)",
    re.IGNORECASE,
)
_SESSION_KEY = re.compile(
    r"(?:php|j)sessid|jsessionid|asp(?:\.net_)?session\w*|cfid|cftoken|oscsid|xtcsid|zenid",
    re.IGNORECASE,
)
# Conferences have sessions too, and stories an "sid": the value must look like a key.
_PERHAPS_SESSION = re.compile(
    r"(?:sess(?:ion)?_?(?:id|key|token)?|sid|s)="
    r"(?=[^=]*[0-9])(?=[^=]*[A-Za-z])[0-9A-Za-z,-]{16,}",
    re.IGNORECASE,
)
_SESSION_PATH = re.compile(
    r";(?:jsessionid|phpsessid|sid)=|/\(S\([0-9a-z]{20,}\)\)/", re.IGNORECASE
)


def url_pattern(url: str) -> str:
    """What a canonical URL shares with those like it: ``/shop/*?color&page``, ``/cal/#/+2#``.

    Two folders at most, with their numbers and ids as ``#``; the last segment as ``*`` with its
    ending, or as ``#`` where it has numbers; in deeper paths how many segments follow; and the
    sorted names of the parameters. So a folder of pages is one pattern, or two.
    """
    path, _, query = url_parts(url).target.partition("?")
    return _path_pattern(_segments(path)) + (f"?{_query_pattern(query)}" if query else "")


def names_content(pattern: str) -> bool:
    """Whether what differs between URLs of a pattern is likely to choose what they show.

    A path does, and parameters such as ``id``: not days, orders and filters, of which there is one
    more wherever a page shows them.
    """
    _, has_query, query = pattern.partition("?")
    return not has_query or all(map(_NAMES_CONTENT.fullmatch, query.split("&")))


def is_pathological(url: str) -> bool:
    """Whether a canonical URL is one that only a mistake or a trap links to."""
    path, _, query = url_parts(url).target.partition("?")
    segments = _segments(path)
    return (
        len(segments) > MAX_SEGMENTS
        or _repeats(segments)
        or _SESSION_PATH.search(path) is not None
        or any(map(_is_session, query.split("&")))
    )


class PatternBudget:
    """How many URLs of each pattern a crawl still takes from links.

    A budget grows while the pages of its pattern say new things.

    Args:
        with_query: For a pattern with parameters.
        without_query: For a pattern with numbers, such as days and pages.
        words: For a pattern of words alone: the articles of a wiki lie in one folder.
    """

    def __init__(
        self, with_query: int = 200, without_query: int = 2000, *, words: int = 20_000
    ) -> None:
        self._with_query = with_query
        self._without_query = without_query
        self._words = words
        self._taken: Counter[str] = Counter()
        self._spent: dict[str, None] = {}
        self._texts: dict[str, TextNovelty] = {}
        self._unread: Counter[str] = Counter()

    @property
    def spent(self) -> tuple[str, ...]:
        """The patterns of which URLs were refused."""
        return tuple(self._spent)

    def admits(self, url: str) -> bool:
        """Count a URL that no one counted before; False when its pattern's budget is spent."""
        pattern = self._counted_as(url_pattern(url))
        if self._taken[pattern] >= self._budget(pattern):
            self._spent.setdefault(pattern)
            return False
        self._taken[pattern] += 1
        return True

    def recall(self, url: str) -> None:
        """Count a URL that an earlier crawl admitted; what it shows is judged by its neighbours."""
        if self.admits(url):
            self._unread[self._counted_as(url_pattern(url))] += 1

    def is_short(self, url: str) -> bool:
        """Whether the pattern's budget may become too small: then its pages should be noted."""
        pattern = self._counted_as(url_pattern(url))
        return self._taken[pattern] >= _SHORT_SHARE * self._budget(pattern)

    def note_page(self, url: str, html: str) -> None:
        """Learn from a page of the pattern whether its pages say new things."""
        pattern = self._counted_as(url_pattern(url))
        if pattern not in self._texts:
            with_numbers = "?" in pattern and names_content(pattern)
            self._texts[pattern] = TextNovelty(with_numbers=with_numbers)
        self._texts[pattern].note(html)

    def is_judged(self, pattern: str) -> bool:
        """Whether pages enough of the pattern were noted to judge the others by them."""
        return pattern in self._texts and self._texts[pattern].pages >= MIN_JUDGED

    def _counted_as(self, pattern: str) -> str:
        """The pattern, or all of them together when there are too many to remember."""
        is_known = pattern in self._taken or len(self._taken) < MAX_PATTERNS
        return pattern if is_known else _OTHER

    def _budget(self, pattern: str) -> int:
        base = self._base(pattern)
        texts = self._texts.get(pattern)
        if texts is None or texts.pages < MIN_JUDGED or texts.share < _MIN_NEW_SHARE:
            return base
        new_pages = texts.share * (texts.pages + self._unread[pattern])
        return base + int(_GROWTH * new_pages)

    def _base(self, pattern: str) -> int:
        if "?" in pattern:
            return self._with_query
        return self._without_query if "#" in pattern or pattern == _OTHER else self._words


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").removesuffix("/").split("/")


def _path_pattern(segments: list[str]) -> str:
    *folders, last = segments
    top = "".join(f"/{_fold(folder)}" for folder in folders[:_FOLDERS])
    further = segments[_FOLDERS:]
    if len(further) <= 1:
        return f"{top}/{_last_pattern(last)}"
    has_numbers = any("#" in _fold(segment) for segment in further)
    return f"{top}/+{len(further)}{'#' if has_numbers else ''}"


def _last_pattern(segment: str) -> str:
    if not segment:
        return ""
    ending = _ENDING.search(segment)
    name = segment[: ending.start()] if ending else segment
    return ("#" if "#" in _fold(name) else "*") + (ending[0] if ending else "")


def _fold(segment: str) -> str:
    return _ESCAPE_OR_ID.sub(lambda found: found[1] or "#", segment)


def _query_pattern(query: str) -> str:
    keys = {_fold(pair.partition("=")[0]) for pair in query.split("&")}
    return "&".join(sorted(keys))


def _repeats(segments: list[str]) -> bool:
    """Numbers may: /2011/11/11/11 is an hour."""
    counted = Counter(segment for segment in segments if not segment.isdigit())
    return any(count > MAX_REPEATS for count in counted.values())


def _is_session(pair: str) -> bool:
    key = pair.partition("=")[0]
    return bool(_SESSION_KEY.fullmatch(key) or _PERHAPS_SESSION.fullmatch(pair))
