"""Finds the structure of a Markdown page by offsets: its sections under headings, their blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TITLE_LENGTH = 200

# A fence may stand in list items and quotes; headings count only at the start of a line.
_MARK = re.compile(
    r"^(?:(?P<level>#{1,6})(?:[ \t]+(?P<title>.*))?$"
    r"|(?P<blank>\s*\n)"
    r"|[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+(?P<fence>`{3,}|~{3,})(?P<info>.*)$)",
    re.MULTILINE,
)
# How a line begins that may be a mark. Most are not, and finding the others is what costs time.
_MAY_BE_MARK = re.compile(r"\n(?=[#\s>*+`~\d-])")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One heading with the text down to the next heading of any level.

    Attributes:
        level: 1 to 6; 0 for the text above the first heading.
        path: Titles of the headings above, outermost first, and of this one.
        start: Where the heading begins; all offsets count characters of the page.
        body_start: Where the heading's line has ended.
        end: Where the next section begins.
        after: Index of the first section that is not below this one.
    """

    level: int
    path: tuple[str, ...]
    start: int
    body_start: int
    end: int
    after: int


def find_sections(markdown: str) -> list[Section]:
    """Cut the page at its headings. Together the sections are the page."""
    headings = [mark for mark in _marks(markdown, 0, len(markdown)) if mark["level"]]
    levels = [0, *(len(heading["level"]) for heading in headings)]
    starts = [0, *(heading.start() for heading in headings), len(markdown)]
    body_starts = [0, *(heading.end() for heading in headings)]
    titles = ["", *(_title(heading["title"] or "") for heading in headings)]
    paths, after = _nest(levels, titles)
    return [
        Section(
            level=level,
            path=paths[index],
            start=starts[index],
            body_start=body_starts[index],
            end=starts[index + 1],
            after=after[index],
        )
        for index, level in enumerate(levels)
    ]


def find_blocks(markdown: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a section after its blank lines; code in fences stays whole."""
    for mark in _marks(markdown, start, end):
        if mark["blank"]:
            yield start, mark.end()
            start = mark.end()
    if start < end:
        yield start, end


def _marks(markdown: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Headings and blank lines, except in code: a ``#`` there is a comment."""
    fence = ""
    for mark in _candidates(markdown, start, end):
        opening = mark["fence"]
        if opening is None:
            if not fence:
                yield mark
        elif not fence:
            # Backticks after backticks are inline code that happens to begin a line.
            fence = "" if opening[0] == "`" and "`" in mark["info"] else opening
        elif opening.startswith(fence) and not mark["info"].strip():
            fence = ""


def _candidates(markdown: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """What looks like a mark: all that ``finditer`` finds, in a quarter of its time."""
    while True:
        mark = _MARK.match(markdown, start, end)
        if mark is not None:
            yield mark
            start = mark.end() - 1  # blank lines end with the line break before the next line
        line_break = _MAY_BE_MARK.search(markdown, start, end)
        if line_break is None:
            return
        start = line_break.end()


def _nest(levels: list[int], titles: list[str]) -> tuple[list[tuple[str, ...]], list[int]]:
    paths: list[tuple[str, ...]] = []
    after = [len(levels)] * len(levels)
    above: list[int] = []
    for index, level in enumerate(levels):
        while above and levels[above[-1]] >= level:
            after[above.pop()] = index
        above.append(index)
        paths.append(tuple(titles[i] for i in above if levels[i]))
    return paths, after


def _title(text: str) -> str:
    return text.strip().rstrip("#").rstrip()[:MAX_TITLE_LENGTH]
