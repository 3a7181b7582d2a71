"""When a request that failed for now is sent again. The client's own retries are switched off.

Its two and ours would multiply, and it sleeps as long as the server says.
"""

import random
from dataclasses import dataclass

from omni_pipeline.errors import TemporaryError


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a request is sent again: pauses that double, and an end to it."""

    attempts: int = 5
    first_seconds: float = 0.5
    max_seconds: float = 30.0
    max_asked_seconds: float = 60.0
    total_seconds: float = 180.0

    def wait_seconds(
        self, attempt: int, error: TemporaryError, *, spent_seconds: float
    ) -> float | None:
        """The pause after failed attempt number ``attempt``; None means: give up.

        What the server asks for is kept, and up to a second more, lest all clients come back at
        once. One that asks for longer than ``longest_asked_seconds``, which most limits are counted
        in, is not waited for: its error says when to come back.
        """
        asked = error.retry_after_seconds
        wait = min(self.max_seconds, self.first_seconds * 2.0 ** (attempt - 1))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
        if asked is not None:
            wait = max(wait, asked + min(wait, 1.0))
        is_over = attempt >= self.attempts or spent_seconds + wait > self.total_seconds
        is_long = asked is not None and asked > self.max_asked_seconds
        return None if is_over or is_long else wait


DEFAULT_RETRY = RetryPolicy()
