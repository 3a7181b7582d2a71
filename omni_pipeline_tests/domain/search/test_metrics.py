"""Measures of ranked lists, by examples worked out by hand."""

import pytest

from omni_pipeline.domain.search.metrics import ndcg, recall, reciprocal_rank


@pytest.mark.parametrize(
    ("ranked", "expected", "at_2"),
    [("ab", "a", 1), ("ba", "a", 1), ("bca", "a", 0), ("ab", "abcd", 0.5), ("", "a", 0)],
)
def test_recall_is_the_share_of_the_expected_among_the_first(
    ranked: str, expected: str, at_2: float
) -> None:
    assert recall(list(ranked), set(expected), limit=2) == at_2


@pytest.mark.parametrize(
    ("ranked", "expected", "value"),
    [
        ("a", "a", 1),
        ("ba", "a", 0.6309),
        ("bca", "a", 0.5),
        ("abc", "ac", 0.9197),
        ("xy", "a", 0),
        ("a", "abc", 0.4693),
    ],
)
def test_ndcg_counts_early_places_more(ranked: str, expected: str, value: float) -> None:
    """R-C4: 1 / log2(place + 1), by the best that was possible."""
    assert ndcg(list(ranked), set(expected), limit=10) == pytest.approx(value, abs=1e-4)


def test_what_comes_after_the_last_place_counts_nothing() -> None:
    assert ndcg(list("xya"), {"a"}, limit=2) == 0
    assert ndcg(list("ab"), set("abcdef"), limit=2) == 1


@pytest.mark.parametrize(("ranked", "value"), [("a", 1), ("xa", 0.5), ("x", 0), ("", 0)])
def test_the_reciprocal_rank_is_that_of_the_first_hit(ranked: str, value: float) -> None:
    assert reciprocal_rank(list(ranked), {"a", "b"}) == value
