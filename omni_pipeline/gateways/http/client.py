"""The way to web sites: guarded, bounded, pinned; over HTTP/2 where a site speaks it under TLS.

One fetch ends in one of the outcomes of ``domain.outcomes``, whatever the site does. Redirects of
pages are reported, never followed: the caller applies scope and robots.txt to their targets.
Cookies are sent where a host insists, while the client is open; no credentials are, and no proxy of
the environment is used.
"""

import asyncio
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import (
    Fetched,
    FetchRequest,
    Forbidden,
    Outcome,
    Redirected,
    Unusable,
)
from omni_pipeline.domain.web.urls import canonical_url
from omni_pipeline.gateways.http.attempt import WebClient
from omni_pipeline.gateways.http.body import Wanted
from omni_pipeline.gateways.http.dialling import (
    PinnedDialler,
    Resolver,
    system_resolver,
    tls_context,
)
from omni_pipeline.gateways.http.escalation import Renderer, better_of, seems_to_need_browser
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.gateways.http.pacing import Fetches, SteadyLoop
from omni_pipeline.gateways.http.retries import FetchRetryPolicy

_DEFAULT_LIMITS = FetchLimits()


class HttpClient:
    """Fetches pages and files of web sites; a context manager, used from one thread.

    Args:
        policy: Which addresses may be reached.
        user_agent: Says honestly who crawls and where to complain (S-78).
        limits: What one fetch may cost.
        resolver: Gives a name's addresses; the operating system's by default.
        tls: How certificates are verified; against the usual authorities by default.
        renderer: Shows pages that need a browser; without one, none is asked whether it does.
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        user_agent: str,
        limits: FetchLimits = _DEFAULT_LIMITS,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._dialler = PinnedDialler(policy, resolver or system_resolver)
        self._tls = tls
        self._renderer = renderer
        self._page = Wanted(max_bytes=limits.body_bytes)

    def __enter__(self) -> Self:
        self._loop = SteadyLoop()
        self._retries = FetchRetryPolicy(self._limits)
        self._client = WebClient(
            dialler=self._dialler,
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

    def fetch(self, request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome:
        """Fetch one page, so long after the last request to its host at the earliest."""
        return self._loop.run_until_complete(self._fetch(request, delay_seconds))

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
            delay_seconds: Least time between the starts of two requests to one host.
        """
        fetches: Fetches[Outcome] = Fetches(self._loop)
        try:
            while True:
                while len(fetches) < concurrency and (request := next(requests, None)):
                    fetches.start(self._fetch(request, delay_seconds))
                if not len(fetches):
                    return
                yield from fetches.next_ended()
        finally:
            self._cancel(fetches.running)

    def fetch_following(
        self, url: str, *, hops: int, max_bytes: int, delay_seconds: float = 0.0
    ) -> Outcome:
        """Fetch a file (robots.txt, a sitemap) of any type, through at most ``hops`` redirects.

        Every hop passes the address policy. A file larger than ``most_bytes`` is cut there and
        marked as truncated. The delay is kept before each request.
        """
        wanted = Wanted(max_bytes=max_bytes, html_only=False, takes_start=True)
        return self._loop.run_until_complete(self._follow(url, hops, wanted, delay_seconds))

    async def _follow(self, url: str, hops: int, wanted: Wanted, delay_seconds: float) -> Outcome:
        here = url
        for _ in range(hops + 1):
            outcome = await self._fetch_sent(FetchRequest(url=here), wanted, delay_seconds)
            if not isinstance(outcome, Redirected):
                return outcome
            here = outcome.target
        return Unusable(
            url=url,
            kind="permanent.redirect_loop",
            reason=f"{url} redirects more than {hops} times",
        )

    async def _fetch(self, request: FetchRequest, delay_seconds: float) -> Outcome:
        """Fetch a page in the way that is asked for."""
        if request.rendering == "browser":
            return await self._fetch_rendered(request.url, delay_seconds)
        sent = await self._fetch_sent(request, self._page, delay_seconds)
        if request.rendering == "http" or not self._renderer or not isinstance(sent, Fetched):
            return sent
        if not seems_to_need_browser(sent):
            return sent
        return better_of(sent, await self._fetch_rendered(request.url, delay_seconds))

    async def _fetch_sent(
        self, request: FetchRequest, wanted: Wanted, delay_seconds: float
    ) -> Outcome:
        """Fetch what a site sends; once more with the cookies that it set, where it insists."""
        if refusal := _refusal(request.url):
            return refusal
        cookies = self._client.cookies
        sent = cookies.sent(request.url)
        outcome = await self._send(request, wanted, delay_seconds)
        if not isinstance(outcome, Redirected) or not cookies.may_help(request.url, sent):
            return outcome
        with_cookies = await self._send(request, wanted, delay_seconds)
        cookies.judge(request.url, helped=not isinstance(with_cookies, Redirected))
        return with_cookies

    async def _send(self, request: FetchRequest, wanted: Wanted, delay_seconds: float) -> Outcome:
        return await self._retries.outcome_of(
            request.url,
            lambda: self._client.attempt(request, wanted),
            delay_seconds=delay_seconds,
        )

    async def _fetch_rendered(self, url: str, delay_seconds: float) -> Outcome:
        renderer = self._renderer
        if renderer is None:
            raise ValueError(
                f"{url} is to be rendered, and this client was made without a renderer"
            )
        return _refusal(url) or await self._retries.outcome_of(
            url, lambda: renderer.render(url), delay_seconds=delay_seconds
        )

    def _cancel(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks and not self._loop.is_closed():
            self._loop.run_until_complete(asyncio.wait(tasks))


def _refusal(url: str) -> Forbidden | None:
    if canonical_url(url) == url:
        return None
    return Forbidden(url=url, reason=f"{url[:200]!r} is not a canonical http(s) URL")
