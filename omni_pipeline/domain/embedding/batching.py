"""Which texts go to the embedding endpoint in one request."""

from collections.abc import Sequence


def plan_batches(token_counts: Sequence[int], *, max_items: int, max_tokens: int) -> list[range]:
    """Cut ``0 .. len(token_counts) - 1`` into runs of neighbours that respect both limits.

    Order is kept, so that a caller can store each batch as it comes and, after a kill, go on
    where it stopped. A text that is over ``max_tokens`` by itself travels alone: whether it is
    too long is for the endpoint to say.
    """
    batches: list[range] = []
    start = tokens = 0
    for index, count in enumerate(token_counts):
        is_full = index - start == max_items or tokens + count > max_tokens
        if is_full and index > start:
            batches.append(range(start, index))
            start, tokens = index, 0
        tokens += count
    if start < len(token_counts):
        batches.append(range(start, len(token_counts)))
    return batches
