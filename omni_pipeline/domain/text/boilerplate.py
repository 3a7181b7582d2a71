"""Recognises text that a domain repeats on many of its pages, and leaves it out.

No page shows by itself that its menu is a menu; its neighbours do. On 70 pages without landmarks
this took the lines of menus and footers from six per page to none, without loss of content.

How a refresh uses it: take the ``fingerprint`` of each page of a sample as cleaned, ``decide`` with
what was decided before, and ``leave_out`` from each page what was decided. A decision changes
rarely, because every change of it changes pages that nobody edited.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from typing import TypeAlias

from omni_pipeline.domain.text.cleaning import CleanedPage, content_hash
from omni_pipeline.domain.text.outline import find_blocks

# Blocks of one page that are remembered, from the top and from the bottom: menus stand at the ends.
MAX_BLOCKS_AT_AN_END = 128

MIN_PAGES = 5
# A block becomes boilerplate on this share of the pages, and stops to be on half of it. Sentences
# need more: a shop says of a third of its lamps the same, and that is what the lamps are.
MIN_SHARE = 0.3
MIN_SHARE_OF_SENTENCES = 0.5
STAYS_ON = 0.5

# Alone between content only longer blocks are left out: "Example:" and "See also" repeat with a
# reason. Shorter ones are entries of a menu where they stand together.
_MIN_LENGTH_ALONE = 60
_MIN_TOGETHER = 4
_MIN_DENSITY = 0.6
# A page of which less is left was nothing but repeated text, and is left alone.
_MIN_SHARE_LEFT = 0.1

_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
# Code, tables and rules repeat with a reason, or say nothing.
_NEVER = re.compile(r"[ \t>]*(?:`{3}|~{3}|\||[-*_]{3,}\s*\Z)")
_HEADING = re.compile(r"#{1,6} ")
_ENTRY = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_NO_WORDS = re.compile(r"[\W_]+")

_Block: TypeAlias = tuple[int, int, str]


def fingerprint(markdown: str) -> bytes:
    """The hashes of a page's blocks: of the page as cleaned, before anything was left out."""
    keys = (key for _, _, key in _blocks(markdown) if key and not _NEVER.match(key))
    hashes = list(dict.fromkeys(map(_hash, keys)))
    if len(hashes) > 2 * MAX_BLOCKS_AT_AN_END:
        hashes = hashes[:MAX_BLOCKS_AT_AN_END] + hashes[-MAX_BLOCKS_AT_AN_END:]
    return pack(hashes)


def decide(fingerprints: Iterable[bytes], before: frozenset[int] = frozenset()) -> frozenset[int]:
    """Say which blocks are boilerplate.

    Asked again about the same pages with its own answer as ``before``, it gives that answer: a run
    that was cut off after it decided goes on as if it had not been.

    Args:
        fingerprints: Of pages of one domain; an empty one counts for nothing.
        before: The decision that is in force. What is in it needs half as many pages to stay as it
            needed to come, so that no block goes in and out with every few pages.
    """
    # Copies of one page, under many URLs, would make all of it boilerplate.
    distinct = {page for page in fingerprints if page}
    counts = Counter(block for page in distinct for block in unpack(page))
    return frozenset(
        block
        for block, pages in counts.items()
        if pages >= _minimum(block, len(distinct)) * (STAYS_ON if block in before else 1)
    )


def pack(blocks: Iterable[int]) -> bytes:
    """Hashes as bytes, equal for equal sets."""
    return b"".join(block.to_bytes(8, "little") for block in sorted(blocks))


def unpack(data: bytes) -> frozenset[int]:
    """The hashes again."""
    return frozenset(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))


def _minimum(block: int, pages: int) -> float:
    share = MIN_SHARE_OF_SENTENCES if _is_sentence_hash(block) else MIN_SHARE
    return max(MIN_PAGES, share * pages)


def leave_out(page: CleanedPage, boilerplate: frozenset[int]) -> CleanedPage:
    """The page without the blocks that were decided to be boilerplate, and with its new hash.

    A page that says where its content is stays as it is.
    """
    if page.is_marked_off:
        return page
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
        if not any(blocks[index][2] for index in repeated):
            continue
        is_at_an_end = cluster.start == 0 or cluster.stop == len(blocks)
        is_dense = len(repeated) >= _MIN_DENSITY * len(cluster)
        if is_dense and (is_at_an_end or len(repeated) >= _MIN_TOGETHER):
            dropped |= {index for index in cluster if _belongs(blocks[index], boilerplate)}
        else:
            dropped |= {index for index in repeated if len(blocks[index][2]) >= _MIN_LENGTH_ALONE}
    kept = [block for index, block in enumerate(blocks) if index not in dropped]
    text = "".join(markdown[start:end] for start, end, _ in kept).strip()
    enough = _MIN_SHARE_LEFT * _count_letters(markdown)
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
    is_entry = _ENTRY.match(block[2]) is not None and len(block[2]) < _MIN_LENGTH_ALONE
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


def _hash(key: str) -> int:
    """64 bits, of which the lowest tells whether the block is a sentence or more."""
    value = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")
    is_sentence = len(key) >= _MIN_LENGTH_ALONE and not _ENTRY.match(key)
    return value | 1 if is_sentence else value & ~1


def _is_sentence_hash(block: int) -> bool:
    return bool(block & 1)
