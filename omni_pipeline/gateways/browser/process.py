"""A running Chromium: how it is started, watched, and surely ended."""

import asyncio
import os
import secrets
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.browser import process_tree as tree
from omni_pipeline.gateways.browser.install import (
    browser_missing,
    chromium_environment,
    find_browser,
)
from omni_pipeline.gateways.browser.limits import RenderLimits
from omni_pipeline.gateways.browser.tab import Tab, TabLostError
from omni_pipeline.gateways.egress.proxy import NO_UDP_PAST_THE_PROXY

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

TabOpener = Callable[["Browser", AsyncExitStack], Awaitable[Tab]]
"""Opens a tab that the stack closes."""

_START_SECONDS = 60.0
_WATCH_SECONDS = 2.0

# Contexts have proxies of their own. What Chromium asks for itself (updates, accounts) goes to the
# discard port, where nobody listens (S-42).
_NOWHERE = "http://127.0.0.1:9"

_FLAGS = (
    *NO_UDP_PAST_THE_PROXY,
    "--disable-quic",
    # No name is ever resolved here (S-40).
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # Windows that a page opens: refused by the headless shell; elsewhere by the popup blocker.
    "--block-new-web-contents",
    # Nobody looks at these pages.
    "--blink-settings=imagesEnabled=false",
    "--disable-3d-apis",
    "--disable-gpu",
    "--disable-remote-fonts",
    "--in-process-gpu",
    "--mute-audio",
    # Else each page starts a spare renderer, for its own context only: tabs that take turns throw
    # away each other's. Contexts have a renderer each all the same.
    "--renderer-process-limit=1",
    # A page that hoards memory crashes its renderer, and not this machine.
    "--js-flags=--max-old-space-size=512",
)
_NOT_THESE_FLAGS = ("--disable-popup-blocking",)


class Chromium:
    """A browser and its tabs. Made by ``start_chromium``; ended by ``close``.

    Attributes:
        pid: Of the browser process; also the group of all its processes.
        is_broken: It was killed or ended by itself.
    """

    def __init__(
        self,
        playwright: "Playwright",
        browser: "Browser",
        pid: int,
        limits: RenderLimits,
        open_tab: TabOpener,
    ) -> None:
        self.pid = pid
        self.is_broken = False
        self._playwright = playwright
        self._browser = browser
        self._driver_pid = tree.parent_of(pid)
        self._profile = tree.argument_of(pid, "--user-data-dir")
        self._limits = limits
        self._open_tab = open_tab
        self._pages = 0
        self._tree_bytes = 0
        self._idle: list[Tab] = []
        self._closers: dict[Tab, AsyncExitStack] = {}
        self._unused = asyncio.Event()
        self._unused.set()
        self._watch = asyncio.ensure_future(self._watch_tree())
        browser.on("disconnected", lambda _: self._break())

    def is_worn(self) -> bool:
        is_heavy = self._tree_bytes > self._limits.tree_bytes
        return self.is_broken or is_heavy or self._pages >= self._limits.pages_per_browser

    async def unused(self) -> None:
        """Wait until no page is under way."""
        await self._unused.wait()

    async def lend(self) -> Tab:
        """A tab that rests, or a new one; to be given back or thrown away.

        Raises:
            TabLostError: Chromium is gone, or opens no tab in time.
        """
        self._pages += 1
        self._unused.clear()
        while self._idle:
            tab = self._idle.pop()
            if not tab.lost.is_set():
                return tab
            await self._close_tab(tab)
        try:
            return await self._new_tab()
        finally:
            self._note_use()

    def give_back(self, tab: Tab) -> None:
        self._idle.append(tab)
        self._note_use()

    async def throw_away(self, tab: Tab) -> None:
        await self._close_tab(tab)
        self._note_use()

    async def close(self) -> None:
        """End Chromium and Playwright's driver: as they wish, or in the end by force (F-E4)."""
        self._watch.cancel()
        with suppress(Exception):
            async with asyncio.timeout(self._limits.close_seconds):
                await self._browser.close()
                await self._playwright.stop()
        self._kill()
        if self._driver_pid is not None and tree.parent_of(self._driver_pid) == os.getpid():
            tree.kill_process(self._driver_pid)
        for tab in list(self._closers):
            await self._close_tab(tab)
        if self._profile is not None:  # which Playwright leaves behind when it was not asked
            shutil.rmtree(self._profile, ignore_errors=True)

    async def _new_tab(self) -> Tab:
        from playwright.async_api import Error  # noqa: PLC0415 - slow, and seldom needed

        closer = AsyncExitStack()
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                tab = await self._open_tab(self._browser, closer)
        except BaseException as error:
            self._kill()
            await self._close(closer)
            if isinstance(error, Error | TimeoutError):
                raise TabLostError("Chromium opens no tab") from error
            raise
        self._closers[tab] = closer
        return tab

    async def _close_tab(self, tab: Tab) -> None:
        await self._close(self._closers.pop(tab))

    async def _close(self, closer: AsyncExitStack) -> None:
        """Close a tab; when even that fails or hangs, the whole browser is ended."""
        try:
            async with asyncio.timeout(self._limits.close_seconds):
                await closer.aclose()
        except Exception:  # noqa: BLE001 - whatever Playwright says, this browser has had its time
            self._kill()

    async def _watch_tree(self) -> None:
        """Weigh the process tree now and then (F-E5); a page that swells fast is not waited for."""
        while not self.is_broken:
            await asyncio.sleep(_WATCH_SECONDS)
            self._tree_bytes = tree.group_bytes(self.pid)
            if self._tree_bytes > 2 * self._limits.tree_bytes:
                self._kill()

    def _kill(self) -> None:
        self._break()
        tree.kill_group(self.pid)

    def _break(self) -> None:
        self.is_broken = True
        for tab in self._closers:
            tab.lost.set()

    def _note_use(self) -> None:
        if len(self._idle) == len(self._closers):
            self._unused.set()


async def start_chromium(
    executable: Path | None, limits: RenderLimits, open_tab: TabOpener
) -> Chromium:
    """Start a browser in which nothing can go past a proxy.

    The sandbox is on, except for root: Chromium refuses that, and running it as somebody else
    needs a home, a profile and a copy of every permission for that user. Whoever crawls as root
    in a container has the container; whoever does it elsewhere should not (S-44).

    Raises:
        PermanentError: There is no Chromium, it does not start, or it would not be safe.
    """
    program = find_browser(executable)
    if program is None:
        raise browser_missing(executable)
    environment = chromium_environment()
    try:
        return await _start(program, environment, limits, open_tab)
    except PermanentError:  # perhaps only memory or processes were scarce for a moment
        return await _start(program, environment, limits, open_tab)


async def _start(
    program: Path, environment: dict[str, str | float], limits: RenderLimits, open_tab: TabOpener
) -> Chromium:
    from playwright.async_api import Error, async_playwright  # noqa: PLC0415 - slow

    mark = f"--omni-pipeline={secrets.token_hex(8)}"
    playwright = await async_playwright().start()
    try:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=[*_FLAGS, mark],
            ignore_default_args=list(_NOT_THESE_FLAGS),
            chromium_sandbox=os.geteuid() != 0,
            proxy={"server": _NOWHERE},
            env=environment,
            timeout=_START_SECONDS * 1000,
        )
    except Error as error:
        await playwright.stop()
        raise _broken(program, error.message) from error
    pid = tree.find_marked(mark)
    if pid is None:
        await playwright.stop()
        raise _broken(program, "it ended at once")
    return Chromium(playwright, browser, pid, limits, open_tab)


def _broken(program: Path, message: str) -> PermanentError:
    return PermanentError(
        f"{program} does not start: {_complaint(message)}. Try `{program} --headless "
        "--dump-dom about:blank`; in a container Chromium needs user namespaces for its sandbox.",
        kind="permanent.browser_broken",
    )


def _complaint(message: str) -> str:
    """What Chromium itself said, of all that Playwright reports about a failed start."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    said = [line.partition("[err]")[2].strip() for line in lines if "[err]" in line]
    telling = [line for line in said if "ERROR" in line or "FATAL" in line or "error" in line]
    return " / ".join((telling or said or lines)[:2])[:300].rstrip(".")
