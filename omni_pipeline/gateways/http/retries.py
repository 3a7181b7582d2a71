"""Attempts until there is an outcome that another attempt would not better."""

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable

from omni_pipeline.domain.web.outcomes import Blocked, Outcome, Unreachable
from omni_pipeline.domain.web.urls import url_parts
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.gateways.http.pacing import HostPace


class FetchRetryPolicy:
    """Makes attempts at each host's pace; what a host showed one fetch, all fetches heed."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = limits
        self._paces: defaultdict[str, HostPace] = defaultdict(HostPace)

    async def outcome_of(
        self, url: str, attempt: Callable[[], Awaitable[Outcome]], *, delay_seconds: float
    ) -> Outcome:
        """Attempt until nothing would be gained by another attempt.

        Args:
            url: Canonical.
            attempt: Asks for ``url`` once.
            delay_seconds: Least time between the starts of two attempts at the host.
        """
        pace = self._paces[url_parts(url).host]
        clock = asyncio.get_running_loop().time
        spent_seconds = 0.0
        for number in itertools.count(1):
            await pace.turn(url, delay_seconds)
            if refusal := pace.refusal_of(url):
                return refusal
            started = clock()
            outcome = await attempt()
            pace.note(outcome)
            rest_seconds = self._rest_seconds(pace, outcome, number)
            spent_seconds += clock() - started + rest_seconds
            if number == self._limits.attempts or spent_seconds > self._limits.retry_within_seconds:
                break
            await asyncio.sleep(rest_seconds)
            if self._is_down(pace):  # others may have found out meanwhile
                break
        return outcome

    def _rest_seconds(self, pace: HostPace, outcome: Outcome, number: int) -> float:
        """How long to wait before the next attempt; for ever, where one is of no use.

        The wait that a host asks for is everyone's: it lies in the host's pace, and is not counted
        as this fetch's own.
        """
        backoff = self._limits.pause_seconds * 2.0 ** (number - 1)
        backoff *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
        match outcome:
            case Unreachable(temporary=True) if not self._is_down(pace):
                return backoff
            case Blocked(kind="throttled"):
                seconds = max(backoff, outcome.retry_after_seconds or 0.0)
                if seconds <= self._limits.hold_seconds:
                    pace.hold(seconds)
                    return 0.0
                pace.park(outcome, seconds)
        return float("inf")

    def _is_down(self, pace: HostPace) -> bool:
        return pace.failures_in_a_row >= self._limits.breaker_failures
