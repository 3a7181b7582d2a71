"""Pages whose every chunk says of which version it is, so that a torn page can be told.

For both sides of ``torn_reads``; needs nothing that a peer's environment might lack.
"""

import re
from collections.abc import Sequence
from functools import cache

DIMENSIONS = 8
# Vectors of 16-bit floats hold whole numbers up to here.
MAX_EXACT = 2048

_FILLER = "Lorem ipsum dolor sit amet, consetetur sadipscing elitr. " * 18
_TEXT = re.compile(r"page (\d+) version (\d+) chunk (\d+) of (\d+)\. ")

Row = tuple[str, Sequence[float]]
"""A chunk's text, and its vector."""


@cache
def texts_of(page: int, version: int) -> tuple[str, ...]:
    """About a kilobyte each; eight to twelve, so that most rewrites change the page's length."""
    size = 8 + version % 5
    return tuple(
        f"page {page} version {version} chunk {n} of {size}. {_FILLER}" for n in range(size)
    )


@cache
def vector_of(text: str) -> list[float]:
    """Says what the text says: page, version, number, and how many there are."""
    match = _TEXT.match(text)
    assert match
    return [1.0, *(float(int(number) % MAX_EXACT) for number in match.groups()), 0.0, 0.0, 0.0]


def version_of(page: int, rows: Sequence[Row]) -> int | None:
    """Which version these rows are, whole and each with its own vector; None if they are torn."""
    match = _TEXT.match(rows[0][0]) if rows else None
    version = int(match[2]) if match else -1
    texts = {text for text, _ in rows}
    is_whole = len(rows) == len(texts) and texts == set(texts_of(page, version))
    has_vectors = all(vector == vector_of(text) for text, vector in rows)
    return version if is_whole and has_vectors else None
