"""What people see of a chunk: a snippet that tells why it was found, a link that leads to it."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import takewhile
from urllib.parse import quote

SNIPPET_CHARACTERS = 240

# Long enough to be found once on a page, short enough to stand inside one of its blocks.
_FRAGMENT_WORDS = 8
_FRAGMENT_CHARACTERS = 80
_SENTENCE_WORDS = 4

_FENCE = re.compile(r"\s*(?:```|~~~)")
_RULE = re.compile(r"[\s|:=*_-]+")
_MARKER = re.compile(r"\s*(?:(?:>|[-*+]|\d{1,9}[.)])\s+)*(#{1,6}\s+)?")
_INLINE = re.compile(r"\\([!-/:-@\[-`{-~])|`+")
_WORD = re.compile(r"\w+")
# Word forms share their beginning: "resets" and "reset", "Passwort" and "Passwörter" nearly.
_STEM_SHARE = 0.7


def link_to(url: str, text: str) -> str:
    """The page's address with a text fragment: browsers scroll to the chunk and highlight it.

    The directive is ``#:~:text=`` with the chunk's first words that no other block cuts
    (https://wicg.github.io/scroll-to-text-fragment/). Where there are none, the plain address.
    """
    words = _first_words(text)
    if not words:
        return url
    # quote() leaves "-" alone, which would part a prefix from the text there.
    directive = quote(words, safe="").replace("-", "%2D")
    return f"{url}{'' if '#' in url else '#'}:~:text={directive}"


def _first_words(text: str) -> str:
    """Of the first sentence, or of a heading, which a table of contents may repeat above it."""
    lines = list(_lines(text))
    shown = [line.partition(" | ")[0] for line, kind in lines if kind != "code"]
    sentences = (line.partition(" | ")[0] for line, kind in lines if kind == "prose")
    long = (line for line in sentences if len(line.split()) >= _SENTENCE_WORDS)
    words = next(long, shown[0] if shown else "").split()[:_FRAGMENT_WORDS]
    while len(words) > 1 and len(" ".join(words)) > _FRAGMENT_CHARACTERS:
        words.pop()
    return " ".join(words)[:_FRAGMENT_CHARACTERS].rstrip(".,;:")


def snippet(text: str, question: str, *, max_characters: int = SNIPPET_CHARACTERS) -> str:
    """The part of a chunk with most words of the question, on one line, without Markdown's marks.

    The text of a site, in no way made harmless: escape it where it is shown.
    """
    flat = " ".join(line for line, _ in _lines(text))
    start = _best_start(flat, question, max_characters)
    end = start + max_characters
    if end < len(flat):
        end = flat.rfind(" ", start + 1, end - 1) + 1 or end - 1
    before, after = "… " if start else "", " …" if end < len(flat) else ""
    return f"{before}{flat[start:end].strip()}{after}"


def _best_start(flat: str, question: str, length: int) -> int:
    """Where the window begins: a few words before the first match of the best one."""
    stems = {_stem(word) for word in _WORD.findall(question.casefold())}
    places = [
        (match.start(), stem)
        for match in _WORD.finditer(flat.casefold()[: len(flat)])
        for stem in stems
        if match[0].startswith(stem)
    ]
    if not places or len(flat) <= length:
        return 0
    room = length // 6
    best = max(
        places, key=lambda place: (_distinct_within(places, place[0], length - room), -place[0])
    )
    start = max(0, best[0] - room)
    if start + length > len(flat):
        start = len(flat) - length
    return flat.find(" ", start, best[0]) + 1 if start else 0


def _distinct_within(places: list[tuple[int, str]], start: int, length: int) -> int:
    first = bisect_left(places, (start, ""))
    window = takewhile(lambda place: place[0] < start + length, places[first:])
    return len({stem for _, stem in window})


def _stem(word: str) -> str:
    return word[: max(3, round(len(word) * _STEM_SHARE))]


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """The lines of a Markdown text without its marks, and what each is: prose, heading or code."""
    is_code = False
    for line in text.splitlines():
        if _FENCE.match(line):
            is_code = not is_code
        elif is_code:
            yield line.strip(), "code"
        elif not _RULE.fullmatch(line):
            marker = _MARKER.match(line)
            assert marker is not None
            content = _INLINE.sub(r"\1", line[marker.end() :]).strip(" |")
            if content:
                yield content, "heading" if marker[1] else "prose"
