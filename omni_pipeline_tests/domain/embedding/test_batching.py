"""Batches lose nothing, keep order and respect both limits (R-A14)."""

from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.embedding.batching import plan_batches

counts = st.lists(st.integers(min_value=0, max_value=50), max_size=60)


@given(counts, st.integers(1, 10), st.integers(1, 80))
def test_every_text_is_in_one_batch_and_in_order(
    token_counts: list[int], max_items: int, max_tokens: int
) -> None:
    batches = plan_batches(token_counts, max_items=max_items, max_tokens=max_tokens)
    assert list(chain.from_iterable(batches)) == list(range(len(token_counts)))


@given(counts, st.integers(1, 10), st.integers(1, 80))
def test_no_batch_is_over_a_limit_unless_it_is_one_text(
    token_counts: list[int], max_items: int, max_tokens: int
) -> None:
    for batch in plan_batches(token_counts, max_items=max_items, max_tokens=max_tokens):
        assert 1 <= len(batch) <= max_items
        assert len(batch) == 1 or sum(token_counts[index] for index in batch) <= max_tokens


@given(counts, st.integers(1, 10), st.integers(1, 80))
def test_no_batch_ends_before_it_must(
    token_counts: list[int], max_items: int, max_tokens: int
) -> None:
    batches = plan_batches(token_counts, max_items=max_items, max_tokens=max_tokens)
    for batch, following in pairwise(batches):
        tokens = sum(token_counts[index] for index in batch)
        is_full = len(batch) == max_items or tokens + token_counts[following.start] > max_tokens
        assert is_full


def test_nothing_to_embed_is_no_batch() -> None:
    assert plan_batches([], max_items=64, max_tokens=1000) == []
