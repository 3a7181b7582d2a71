"""At most one Chromium: started when it is needed, and started anew when it is worn out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.browser.process import Chromium
from omni_pipeline.gateways.browser.tab import Tab


@dataclass(kw_only=True)
class Loan:
    """A tab for one page; unless it is called good, it is closed afterwards."""

    tab: Tab
    is_good: bool = False


class ChromiumPool:
    """Lends tabs of what ``start`` starts, on one event loop."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Chromium]]) -> None:
        self.started = False
        self._start = start
        self._turn = asyncio.Lock()
        # A task, since a page that is cancelled must not leave half a browser behind.
        self._current: asyncio.Task[Chromium] | None = None

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Loan]:
        """Lend a tab.

        Raises:
            PermanentError: Chromium does not start.
            TabLostError: It ended meanwhile.
        """
        async with self._turn:
            chromium = await self._fresh()
            loan = Loan(tab=await chromium.lend())
        try:
            yield loan
        finally:
            if loan.is_good:
                chromium.give_back(loan.tab)
            else:
                await _surely(chromium.throw_away(loan.tab))

    async def check(self) -> None:
        """Start Chromium if none runs, and close it if no page is under way."""
        async with self._turn:
            chromium = await self._fresh()
            await chromium.unused()
            await self._end()

    async def close(self) -> None:
        async with self._turn:
            await self._end()

    async def _fresh(self) -> Chromium:
        chromium = await self._running()
        if not chromium.is_worn():
            return chromium
        # Two browsers at a time would cost twice the memory, which is what wore this one out.
        await chromium.unused()
        await self._end()
        return await self._running()

    async def _running(self) -> Chromium:
        if self._current is None:
            self.started = True
            self._current = asyncio.ensure_future(self._start())
        try:
            return await asyncio.shield(self._current)
        except PermanentError:
            self._current = None
            raise

    async def _end(self) -> None:
        if self._current is not None:
            await _surely(self._close_current(self._current))
            self._current = None

    async def _close_current(self, current: asyncio.Task[Chromium]) -> None:
        try:
            chromium = await current
        except PermanentError:
            return
        await chromium.close()


async def _surely(work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end, also when this is cancelled; it has a clock of its own."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
