"""When so much vanishes at once that it looks like an outage, and a person has to confirm it."""

# A refresh in which more than this share of what is live vanishes is not believed (I40).
MAX_GONE_SHARE = 0.3
MIN_GONE_FOR_GUARD = 10


def is_implausible(gone: int, live: int) -> bool:
    """Whether so many of the live ones at once look like an outage, not like an editor's work."""
    is_many = gone >= MIN_GONE_FOR_GUARD and gone > live * MAX_GONE_SHARE
    return is_many or gone >= max(live, 2)
