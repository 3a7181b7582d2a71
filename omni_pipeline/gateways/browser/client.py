"""The way to web sites through Chromium: pages as a browser shows them, guarded and bounded.

One client is one domain's: pages share Chromium and its tabs, so they are not isolated from each
other, and domains are. Redirects are reported, never followed, by servers as by pages.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Forbidden, Outcome
from omni_pipeline.domain.web.urls import canonical_url, url_parts
from omni_pipeline.gateways.browser import responses as answers
from omni_pipeline.gateways.browser.install import find_browser
from omni_pipeline.gateways.browser.limits import RenderLimits
from omni_pipeline.gateways.browser.pool import ChromiumPool
from omni_pipeline.gateways.browser.process import start_chromium
from omni_pipeline.gateways.browser.tab import TabLostError, open_tab
from omni_pipeline.gateways.browser.visit import Visit
from omni_pipeline.gateways.egress.proxy import EgressProxy
from omni_pipeline.gateways.http.dialling import Resolver

__all__ = ["BrowserRenderer", "RenderLimits", "find_browser"]

_DEFAULT_LIMITS = RenderLimits()
_T = TypeVar("_T")


class BrowserRenderer:
    """Renders pages; a context manager with a thread and an asyncio loop of its own.

    Chromium is started by the first page, never before.

    Args:
        policy: Which addresses may be reached, by the page and everything that it loads.
        user_agent: Says honestly who crawls and where to complain (S-78).
        allows_host: Whether pages may load from a host.
        executable: The Chromium to use; by default the one that is found.
        limits: What a page, and the browser, may cost.
        concurrency: Most pages under way.
        resolver: Gives a name's addresses; the operating system's by default.
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        user_agent: str,
        allows_host: Callable[[str], bool],
        executable: Path | None = None,
        limits: RenderLimits = _DEFAULT_LIMITS,
        concurrency: int = 2,
        resolver: Resolver | None = None,
    ) -> None:
        self._policy = policy
        self._allows_host = allows_host
        self._limits = limits
        self._slots = asyncio.Semaphore(concurrency)
        self._pages: set[asyncio.Task[Any] | None] = set()
        make_proxy = partial(EgressProxy, policy=policy, allows_host=allows_host, resolver=resolver)
        opener = partial(open_tab, make_proxy=make_proxy, user_agent=user_agent)
        self._pool = ChromiumPool(partial(start_chromium, executable, limits, opener))

    @property
    def started(self) -> bool:
        """Whether Chromium was ever started."""
        return self._pool.started

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="browser renderer", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._run(self._shut())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def render(self, url: str) -> Outcome:
        """Render one page; awaited on any event loop. Cancelling it ends the page.

        Raises:
            PermanentError: There is no Chromium, it does not start, or it would not be safe.
        """
        if refused := self._refusal(url):
            return refused
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._render(url), self._loop)
        )

    def check(self) -> None:
        """Start Chromium and close it again.

        Raises:
            PermanentError: As ``render``; the message says what to do.
        """
        self._run(self._pool.check())

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _refusal(self, url: str) -> Forbidden | None:
        """What needs no browser to be refused; addresses are the proxy's matter."""
        if canonical_url(url) != url:
            return Forbidden(url=url, reason=f"{url[:200]!r} is not a canonical http(s) URL")
        parts = url_parts(url)
        if self._policy.refuses_port(parts.port):
            return Forbidden(
                url=url,
                reason=f"{url} is refused: port {parts.port} is not crawled, only 80 and 443",
            )
        if not self._allows_host(parts.host):
            return Forbidden(url=url, reason=f"{url} is refused: {parts.host} is not of this crawl")
        return None

    async def _render(self, url: str) -> Outcome:
        page = asyncio.current_task()
        self._pages.add(page)
        try:
            async with self._slots:
                try:
                    return await self._attempt(url)
                except TabLostError:
                    return await self._last_attempt(url)
        finally:
            self._pages.discard(page)

    async def _last_attempt(self, url: str) -> Outcome:
        try:
            return await self._attempt(url)
        except TabLostError as error:
            return answers.crashed(url, str(error))

    async def _attempt(self, url: str) -> Outcome:
        async with self._pool.tab() as loan:
            visit = Visit(loan.tab, url, self._limits)
            try:
                outcome = await visit.outcome()
            except TimeoutError:
                return answers.out_of_time(url, self._limits.wall_seconds)
            loan.is_good = not visit.is_spoiled
            return outcome

    async def _shut(self) -> None:
        pages = [page for page in self._pages if page]
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
        await self._pool.close()
