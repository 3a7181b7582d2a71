"""The door to web sites over plain HTTP: guarded, bounded, pinned.

One fetch ends in one of the outcomes of ``domain.outcomes``, whatever the site does. Redirects of
pages are reported, never followed: the caller applies scope and robots.txt to their targets. No
cookies are kept, no credentials sent, no proxy of the environment used.
"""

import asyncio
import itertools
import random
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from omni_pipeline.domain.addresses import AddressPolicy
from omni_pipeline.domain.outcomes import (
    Blocked,
    FetchRequest,
    Forbidden,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.domain.urls import canonical_url
from omni_pipeline.gateways.web_attempt import WebClient
from omni_pipeline.gateways.web_body import Wanted
from omni_pipeline.gateways.web_limits import FetchLimits
from omni_pipeline.gateways.web_pace import Pace, SteadyLoop
from omni_pipeline.gateways.web_transport import (
    PinnedBackend,
    Resolver,
    system_resolver,
    tls_context,
)

_DEFAULT_LIMITS = FetchLimits()


class WebDoor:
    """Fetches pages and files of web sites; a context manager, used from one thread.

    Args:
        policy: Which addresses may be reached.
        user_agent: Says honestly who crawls and where to complain (FAULTS S78).
        limits: What one fetch may cost.
        resolver: Gives a name's addresses; the operating system's by default.
        tls: How certificates are verified; against the usual authorities by default.
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        user_agent: str,
        limits: FetchLimits = _DEFAULT_LIMITS,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._backend = PinnedBackend(policy, resolver or system_resolver)
        self._tls = tls
        self._page = Wanted(most_bytes=limits.body_bytes)

    def __enter__(self) -> Self:
        self._loop = SteadyLoop()
        self._client = WebClient(
            backend=self._backend,
            tls=self._tls or tls_context(),
            user_agent=self._user_agent,
            limits=self._limits,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._cancel(asyncio.all_tasks(self._loop))
            self._loop.run_until_complete(self._client.aclose())
        finally:
            self._loop.close()

    def fetch(self, request: FetchRequest) -> Outcome:
        """Fetch one page."""
        return self._loop.run_until_complete(self._fetch(request, self._page, Pace()))

    def fetch_all(
        self,
        requests: Iterator[FetchRequest | None],
        *,
        concurrency: int,
        delay_seconds: float = 0.0,
    ) -> Iterator[Outcome]:
        """Fetch pages of one site, ``concurrency`` at a time, and yield outcomes as they come.

        ``requests`` is asked for more whenever a place is free. It may answer None for "nothing
        now": it is asked again after the next outcome was handled, when the links of that page
        may have been queued. The end is when it has nothing and no fetch is under way. So a
        frontier feeds this without waiting for a batch to finish.

        Nothing moves while the caller handles an outcome; no fetch times out meanwhile.

        Args:
            requests: What to fetch, lazily.
            concurrency: Most fetches under way.
            delay_seconds: Least time between the starts of two requests.
        """
        pace = Pace(delay_seconds)
        running: set[asyncio.Task[Outcome]] = set()
        try:
            while True:
                while len(running) < concurrency and (request := next(requests, None)):
                    running.add(self._loop.create_task(self._fetch(request, self._page, pace)))
                if not running:
                    return
                done, running = self._loop.run_until_complete(
                    asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                )
                for task in done:
                    yield task.result()
        finally:
            self._cancel(running)

    def fetch_following(self, url: str, *, hops: int, most_bytes: int) -> Outcome:
        """Fetch a file (robots.txt, a sitemap) of any type, through at most ``hops`` redirects.

        Every hop passes the address policy. A file larger than ``most_bytes`` is cut there and
        marked as truncated.
        """
        wanted = Wanted(most_bytes=most_bytes, html_only=False, takes_start=True)
        return self._loop.run_until_complete(self._follow(url, hops, wanted))

    async def _follow(self, url: str, hops: int, wanted: Wanted) -> Outcome:
        here = url
        for _ in range(hops + 1):
            outcome = await self._fetch(FetchRequest(url=here), wanted, Pace())
            if not isinstance(outcome, Redirected):
                return outcome
            here = outcome.target
        return Unusable(
            url=url,
            kind="permanent.redirect_loop",
            reason=f"{url} redirects more than {hops} times",
        )

    async def _fetch(self, request: FetchRequest, wanted: Wanted, pace: Pace) -> Outcome:
        """Try until there is an outcome that another attempt would not better."""
        if canonical_url(request.url) != request.url:
            return Forbidden(
                url=request.url, reason=f"{request.url[:200]!r} is not a canonical http(s) URL"
            )
        started = self._loop.time()
        for attempt in itertools.count(1):
            await pace.turn()
            outcome = await self._client.attempt(request, wanted)
            pause_seconds = self._pause_seconds(outcome, attempt)
            late = self._loop.time() - started + pause_seconds > self._limits.retry_within_seconds
            if attempt == self._limits.attempts or late:
                break
            if isinstance(outcome, Blocked):
                pace.hold(pause_seconds)
            await asyncio.sleep(pause_seconds)
        return outcome

    def _pause_seconds(self, outcome: Outcome, attempt: int) -> float:
        """How long to wait before the next attempt; for ever, where one is of no use."""
        backoff = self._limits.pause_seconds * 2.0 ** (attempt - 1)
        backoff *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
        match outcome:
            case Unreachable(temporary=True):
                return backoff
            case Blocked(kind="throttled"):
                return max(backoff, outcome.retry_after_seconds or 0.0)
            case _:
                return float("inf")

    def _cancel(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks and not self._loop.is_closed():
            self._loop.run_until_complete(asyncio.wait(tasks))
