"""Recognises text that a domain repeats on many of its pages, and leaves it out.

No page shows by itself that its menu is a menu; its neighbours do. On 70 pages without landmarks
this took the lines of menus and footers from six per page to none, without loss of content.

How a refresh uses it: ``add`` every page as cleaned, ``decide`` with what was decided before, store
both, and ``leave_out`` from each page what was decided. A decision changes rarely (see ``decide``),
because every change of it changes pages that nobody edited.
"""

import re
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from struct import Struct
from typing import TypeAlias

from omni_pipeline.domain.cleaning import CleanedPage, content_hash
from omni_pipeline.domain.outline import find_blocks

# Pages whose blocks are remembered, and blocks of one page: 250 kB at most before compression.
MOST_PAGES = 128
# From the top and from the bottom: menus stand at the ends.
MOST_BLOCKS_AT_AN_END = 128

FEWEST_PAGES = 5
# A block becomes boilerplate on this share of the pages, and stops to be on half of it.
LEAST_SHARE = 0.3
LEAST_SHARE_TO_STAY = 0.15

# Alone between content only longer blocks are left out: "Example:" and "See also" repeat with a
# reason. Shorter ones are entries of a menu where they stand together.
_LEAST_LENGTH_ALONE = 60
_FEWEST_TOGETHER = 4
_LEAST_DENSITY = 0.6
# A page of which less is left was nothing but repeated text, and is left alone.
_LEAST_SHARE_LEFT = 0.1

_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
# Code, tables and rules repeat with a reason, or say nothing.
_NEVER = re.compile(r"[ \t>]*(?:`{3}|~{3}|\||[-*_]{3,}\s*\Z)")
_HEADING = re.compile(r"#{1,6} ")
_ENTRY = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_NO_WORDS = re.compile(r"[\W_]+")

_Block: TypeAlias = tuple[int, int, str]

_FORMAT = 1
_HEAD = Struct("<BI")
_PAGE = Struct("<QH")


class BoilerplateStatistics:
    """Which blocks stand on which pages of one domain: of a sample of them, chosen by their URLs.

    The sample is the same in whatever order pages come, and whenever: those whose URLs have the
    smallest hashes. Adding a page again replaces what was known of it.
    """

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}

    def add(self, url: str, markdown: str) -> None:
        """Take a page into account, as it was cleaned and before anything was left out."""
        identity = _hash(url)
        if len(self._pages) == MOST_PAGES and identity > max(self._pages):
            return
        keys = (key for _, _, key in _blocks(markdown) if key and not _NEVER.match(key))
        hashes = list(dict.fromkeys(map(_hash, keys)))
        if len(hashes) > 2 * MOST_BLOCKS_AT_AN_END:
            hashes = hashes[:MOST_BLOCKS_AT_AN_END] + hashes[-MOST_BLOCKS_AT_AN_END:]
        self._pages[identity] = array("Q", sorted(hashes))
        self._keep_sample()

    def forget(self, url: str) -> None:
        """The page is gone."""
        self._pages.pop(_hash(url), None)

    def merge(self, newer: "BoilerplateStatistics") -> None:
        """Add what another part of the same domain has seen; its pages replace those known here."""
        self._pages |= newer._pages  # noqa: SLF001 - of the same class
        self._keep_sample()

    def decide(self, before: frozenset[int] = frozenset()) -> frozenset[int]:
        """Say which blocks are boilerplate.

        Args:
            before: The decision that is in force. What is in it needs half as many pages to stay
                as it needed to come, so that no block goes in and out with every few pages.
        """
        # Copies of one page, under many URLs, would make all of it boilerplate.
        distinct = {hashes.tobytes(): hashes for hashes in self._pages.values() if hashes}.values()
        counts = Counter(block for hashes in distinct for block in hashes)
        return frozenset(
            block
            for block, pages in counts.items()
            if pages >= FEWEST_PAGES * (LEAST_SHARE_TO_STAY / LEAST_SHARE if block in before else 1)
            and pages >= len(distinct) * (LEAST_SHARE_TO_STAY if block in before else LEAST_SHARE)
        )

    def to_bytes(self) -> bytes:
        """Compact, and equal for equal statistics."""
        pages = sorted(self._pages.items())
        records = (_PAGE.pack(page, len(hashes)) + _packed(hashes) for page, hashes in pages)
        return _HEAD.pack(_FORMAT, len(pages)) + zlib.compress(b"".join(records))

    @classmethod
    def from_bytes(cls, data: bytes) -> "BoilerplateStatistics":
        """Restore; data of another format is worth nothing and gives empty statistics."""
        statistics = cls()
        if len(data) < _HEAD.size or data[0] != _FORMAT:
            return statistics
        records = zlib.decompress(data[_HEAD.size :])
        position = 0
        for _ in range(_HEAD.unpack_from(data)[1]):
            page, count = _PAGE.unpack_from(records, position)
            position += _PAGE.size
            statistics._pages[page] = _unpacked(records[position : position + 8 * count])
            position += 8 * count
        return statistics

    def _keep_sample(self) -> None:
        for identity in sorted(self._pages)[MOST_PAGES:]:
            del self._pages[identity]


def leave_out(page: CleanedPage, boilerplate: frozenset[int]) -> CleanedPage:
    """The page without the blocks that were decided to be boilerplate, and with its new hash."""
    markdown = strip_markdown(page.markdown, boilerplate)
    if markdown == page.markdown:
        return page
    return replace(page, markdown=markdown, content_hash=content_hash(page.title, markdown))


def strip_markdown(markdown: str, boilerplate: frozenset[int]) -> str:
    """Leave out repeated blocks where they are long, at an end of the page, or many together."""
    if not boilerplate:
        return markdown
    blocks = list(_blocks(markdown))
    dropped: set[int] = set()
    for cluster in _clusters(blocks, boilerplate):
        repeated = {index for index in cluster if _is_in(blocks[index], boilerplate)}
        is_at_an_end = cluster.start == 0 or cluster.stop == len(blocks)
        is_dense = len(repeated) >= _LEAST_DENSITY * len(cluster)
        if is_dense and (is_at_an_end or len(repeated) >= _FEWEST_TOGETHER):
            dropped |= {index for index in cluster if _belongs(blocks[index], boilerplate)}
        else:
            dropped |= {index for index in repeated if len(blocks[index][2]) >= _LEAST_LENGTH_ALONE}
    kept = [block for index, block in enumerate(blocks) if index not in dropped]
    text = "".join(markdown[start:end] for start, end, _ in kept).strip()
    enough = _LEAST_SHARE_LEFT * _count_letters(markdown)
    return text if _count_letters(text) > enough else markdown


def _clusters(blocks: list[_Block], boilerplate: frozenset[int]) -> Iterator[range]:
    """Stretches that begin and end with a repeated block, with one other at most between two.

    That is the entry of the page itself, or its neighbours' names; never a heading of its own.
    """
    start = end = -1
    for index, block in enumerate(blocks):
        if not _is_in(block, boilerplate):
            continue
        is_gap = index == end + 1 and not _HEADING.match(blocks[end][2])
        if start >= 0 and index > end and not is_gap:
            yield range(start, end)
            start = index
        start = index if start < 0 else start
        end = index + 1
    if start >= 0:
        yield range(start, end)


def _is_in(block: _Block, boilerplate: frozenset[int]) -> bool:
    """Whether it is repeated, or says nothing and so goes where its neighbours go."""
    return not block[2] or (_NEVER.match(block[2]) is None and _hash(block[2]) in boilerplate)


def _belongs(block: _Block, boilerplate: frozenset[int]) -> bool:
    """Repeated; or an entry of the menu around it, such as that of the page itself."""
    is_entry = _ENTRY.match(block[2]) is not None and len(block[2]) < _LEAST_LENGTH_ALONE
    return is_entry or _is_in(block, boilerplate)


def _blocks(markdown: str) -> Iterator[_Block]:
    """Paragraphs and list items: start, end, and how they compare; empty for what never counts."""
    for start, end in find_blocks(markdown, 0, len(markdown)):
        if _NEVER.match(markdown, start, end):
            text = markdown[start:end]
            yield start, end, text if _count_letters(text) else ""
            continue
        cuts = [start, *(item.end() for item in _ITEM.finditer(markdown, start, end)), end]
        for first, last in pairwise(cuts):
            yield first, last, _key(markdown[first:last])


def _key(block: str) -> str:
    return " ".join(block.split()).casefold() if _count_letters(block) else ""


def _count_letters(text: str) -> int:
    return len(_NO_WORDS.sub("", text))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _packed(hashes: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in hashes)


def _unpacked(data: bytes) -> "array[int]":
    return array(
        "Q", (int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))
    )
