"""Decides which parts of a page make a chunk together: as much as fits, but about one thing.

A section takes everything below its heading along when that fits; otherwise its own text stands
alone and the sections below it follow one by one. Text that is too long for one chunk is filled
block by block. Boundaries depend on what is near them, so that an edit moves none far away.
"""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from zlib import crc32

from omni_pipeline.domain.text.outline import Section

# Below this share of a chunk a part does not stand alone: a heading, a date, one line of text.
_TINY_SHARE = 1 / 8
# Of a chunk: how far the place of a landmark is from the next, at least.
_REACH_SHARE = 1 / 2
# Of what is too much for one chunk: how far from its middle it may be cut.
_MIDDLE_SHARE = 1 / 6

_TEXT = re.compile(r"\S")


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What one chunk can hold; ``tokens`` without those that the model adds."""

    tokens: int
    characters: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of the page.

    Attributes:
        is_label: It only introduces what follows.
        header: Where the head of its table stands, for a row that cannot do without.
    """

    start: int
    end: int
    tokens: int
    is_label: bool
    header: tuple[int, int] | None = None

    def fits(self, capacity: Capacity) -> bool:
        return self.tokens <= capacity.tokens and self.end - self.start <= capacity.characters

    def is_tiny(self, capacity: Capacity) -> bool:
        return self.tokens < capacity.tokens * _TINY_SHARE


@dataclass(frozen=True, kw_only=True)
class Span(Part):
    """A part that begins with a heading of this ``level`` and stands under ``path``."""

    path: tuple[str, ...]
    level: int


def pack_sections(
    markdown: str, sections: Sequence[Section], tokens: Sequence[int], capacity: Capacity
) -> Iterator[Span]:
    """Cover the sections by spans, in order and without gaps.

    Args:
        markdown: The page.
        sections: Its sections.
        tokens: The size of each section.
        capacity: A span larger than this is one section, and tiny ones that were joined to it.
    """
    waiting: Span | None = None
    for span in _whole_sections(markdown, sections, tokens, capacity):
        if waiting is None:
            waiting = span
        elif _belong_together(waiting, span, capacity):
            waiting = _join_spans(waiting, span)
        else:
            yield waiting
            waiting = span
    if waiting is not None:
        yield waiting


def fill(markdown: str, blocks: Iterable[Part], capacity: Capacity) -> Iterator[Part]:
    """Join consecutive blocks that fit to parts that fit, about as large as each other.

    The text itself says where parts end: wherever no block within half a chunk, before or behind,
    has a smaller checksum than the one that would begin the next part. So an edit moves the
    boundaries beside it, and all others stay; filling to the brim would move every one behind it.
    """
    row = _PackedRow(markdown, list(blocks), capacity)
    start = 0
    for end in (*row.landmarks(), len(row.blocks)):
        yield from row.halve(start, end)
        start = end


class _PackedRow:
    """Blocks in a row, and where it may be cut."""

    def __init__(self, markdown: str, blocks: Sequence[Part], capacity: Capacity) -> None:
        self.blocks = blocks
        self._capacity = capacity
        self._sizes = list(accumulate((block.tokens for block in blocks), initial=0))
        # What only introduces a block goes with it.
        self._cuts = [cut for cut in range(1, len(blocks)) if not blocks[cut - 1].is_label]
        self._ranks = {cut: _checksum(markdown, blocks[cut]) for cut in self._cuts}

    def landmarks(self) -> Iterator[int]:
        """The cuts with the smallest checksum within half a chunk, and as far from both ends."""
        reach = self._capacity.tokens * _REACH_SHARE
        window: deque[int] = deque()  # of growing rank: the first is the smallest in reach
        ahead = 0
        for cut in self._cuts:
            place = self._sizes[cut]
            while ahead < len(self._cuts) and self._sizes[self._cuts[ahead]] <= place + reach:
                while window and self._ranks[window[-1]] > self._ranks[self._cuts[ahead]]:
                    window.pop()
                window.append(self._cuts[ahead])
                ahead += 1
            while self._sizes[window[0]] < place - reach:
                window.popleft()
            if window[0] == cut and reach <= place <= self._sizes[-1] - reach:
                yield cut

    def halve(self, start: int, end: int) -> Iterator[Part]:
        """One part where it fits, else two and so on, cut near the middle."""
        if start == end:
            return
        whole = _join(self.blocks[start:end])
        cuts = self._cuts[bisect_right(self._cuts, start) : bisect_left(self._cuts, end)]
        cuts = cuts or list(range(start + 1, end))
        if whole.fits(self._capacity) or not cuts:
            yield whole
            return
        cut = self._near_middle(cuts, (self._sizes[start] + self._sizes[end]) / 2, whole.tokens)
        yield from self.halve(start, cut)
        yield from self.halve(cut, end)

    def _near_middle(self, cuts: Sequence[int], middle: float, tokens: int) -> int:
        far = {cut: abs(self._sizes[cut] - middle) for cut in cuts}
        near = [cut for cut in cuts if far[cut] <= tokens * _MIDDLE_SHARE]
        if near:
            return min(near, key=lambda cut: self._ranks.get(cut, cut))
        return min(cuts, key=far.__getitem__)


def _checksum(markdown: str, block: Part) -> int:
    return crc32(markdown[block.start : block.end].encode(errors="surrogatepass"))


def _join(parts: Sequence[Part]) -> Part:
    return Part(
        start=parts[0].start,
        end=parts[-1].end,
        tokens=sum(part.tokens for part in parts),
        is_label=all(part.is_label for part in parts),
        header=parts[0].header,
    )


def _whole_sections(
    markdown: str, sections: Sequence[Section], tokens: Sequence[int], capacity: Capacity
) -> Iterator[Span]:
    sums = list(accumulate(tokens, initial=0))
    # A page that begins with its heading has nothing above it.
    index = 0 if _TEXT.search(markdown, 0, sections[0].end) or len(sections) == 1 else 1
    while index < len(sections):
        first = sections[index]
        for after in (first.after, index + 1):
            span = Span(
                start=first.start,
                end=sections[after - 1].end,
                tokens=sums[after] - sums[index],
                is_label=_TEXT.search(markdown, first.body_start, sections[after - 1].end) is None,
                path=first.path,
                level=first.level,
            )
            if span.fits(capacity):
                break
        yield span
        index = after


def _belong_together(waiting: Span, span: Span, capacity: Capacity) -> bool:
    is_tiny = waiting.is_tiny(capacity)
    if span.level < waiting.level or not (is_tiny or waiting.is_label):
        return False
    return _join_spans(waiting, span).fits(capacity) or (is_tiny and not span.fits(capacity))


def _join_spans(waiting: Span, span: Span) -> Span:
    joined = _join([waiting, span])
    return Span(
        start=joined.start,
        end=joined.end,
        tokens=joined.tokens,
        is_label=joined.is_label,
        path=span.path if waiting.is_label else _common(waiting.path, span.path),
        level=waiting.level,
    )


def _common(path: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(path, other, strict=False))
    return tuple(title for title, _ in pairs)
