"""How good a ranked list is, when it is known which pages answer a question."""

from collections.abc import Collection, Sequence
from math import log2


def recall(ranked: Sequence[str], expected: Collection[str], *, limit: int) -> float:
    """Share of the expected that is among the first ``limit``."""
    return len(set(ranked[:limit]) & set(expected)) / len(set(expected))


def ndcg(ranked: Sequence[str], expected: Collection[str], *, limit: int) -> float:
    """Normalised discounted cumulative gain of the first ``limit``, 0 to 1; each counts alike.

    Järvelin and Kekäläinen, 2002: what comes at place n is worth 1 / log2(n + 1), and the sum is
    divided by that of the best order.
    """
    gain = sum(_worth(place) for place, one in enumerate(ranked[:limit], 1) if one in expected)
    best = sum(_worth(place) for place in range(1, min(len(set(expected)), limit) + 1))
    return gain / best


def _worth(place: int) -> float:
    return 1 / log2(place + 1)


def reciprocal_rank(ranked: Sequence[str], expected: Collection[str]) -> float:
    """1 for an expected one in the first place, 1/2 in the second; 0 if there is none."""
    places = (place for place, one in enumerate(ranked, 1) if one in expected)
    return 1 / next(places, float("inf"))
