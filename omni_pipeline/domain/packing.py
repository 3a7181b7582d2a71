"""Decides which parts of a page make a chunk together: as much as fits, but about one thing.

A section takes everything below its heading along when that fits; otherwise its own text stands
alone and the sections below it follow one by one. Text that is too long for one chunk is filled
block by block. Boundaries depend on what is near them, so that an edit moves none far away.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from omni_pipeline.domain.outline import Section

# Below this share of a chunk a part does not stand alone: a heading, a date, one line of text.
_TINY_SHARE = 1 / 8
# Above this share a chunk ends with its block: 260 tokens become 130 + 130, not 250 + 10.
_ENOUGH_SHARE = 1 / 2

_TEXT = re.compile(r"\S")


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What one chunk can hold; ``tokens`` without those that the model adds."""

    tokens: int
    characters: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of the page; ``is_label`` when it only introduces what follows."""

    start: int
    end: int
    tokens: int
    is_label: bool

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


def fill(blocks: Iterable[Part], capacity: Capacity) -> Iterator[Part]:
    """Join consecutive blocks that fit to parts that fit, at least half full where possible."""
    finished: Part | None = None
    open_blocks: list[Part] = []
    tokens = 0
    for block in blocks:
        tokens += block.tokens
        if open_blocks and _ends_before(block, open_blocks, tokens, capacity):
            if finished is not None:
                yield finished
            ending = len(open_blocks) - _count_labels_of(block, open_blocks, capacity)
            finished = _join(open_blocks[:ending])
            open_blocks = open_blocks[ending:]
            tokens -= finished.tokens
        open_blocks.append(block)
    yield from _close(finished, open_blocks, capacity)


def _close(finished: Part | None, open_blocks: Sequence[Part], capacity: Capacity) -> list[Part]:
    """The last two parts, or one where the last is only a crumb and fits."""
    if not open_blocks:
        return []
    rest = _join(open_blocks)
    if finished is None:
        return [rest]
    both = _join([finished, rest])
    return [both] if rest.is_tiny(capacity) and both.fits(capacity) else [finished, rest]


def _ends_before(block: Part, open_blocks: Sequence[Part], tokens: int, capacity: Capacity) -> bool:
    length = block.end - open_blocks[0].start
    if tokens > capacity.tokens or length > capacity.characters:
        return True
    return tokens - block.tokens >= capacity.tokens * _ENOUGH_SHARE


def _count_labels_of(block: Part, open_blocks: Sequence[Part], capacity: Capacity) -> int:
    """How many of the last parts introduce the block, and fit beside it; never all of them."""
    labels: list[Part] = []
    for part in reversed(open_blocks[1:]):
        moved = _join([part, *labels])
        if not (part.is_label and moved.is_tiny(capacity) and _join([moved, block]).fits(capacity)):
            break
        labels = [moved]
    return sum(part.start >= labels[0].start for part in open_blocks) if labels else 0


def _join(parts: Sequence[Part]) -> Part:
    return Part(
        start=parts[0].start,
        end=parts[-1].end,
        tokens=sum(part.tokens for part in parts),
        is_label=all(part.is_label for part in parts),
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
