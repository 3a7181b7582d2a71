"""One tab of Chromium: a context, a page and an egress proxy of its own, driven over CDP.

A tab is used for one page after the other of one domain, and thrown away when a page misbehaved.
The proxy is the tab's own so that its counter is the page's. Its credentials are answered here and
not given to Playwright, which would then stop each request and switch the cache off (a third more
CPU for a page).
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from omni_pipeline.gateways.egress.proxy import EgressProxy

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page

Event = Mapping[str, Any]
Handlers = Mapping[str, Callable[[Event], None]]

_NO_HANDLERS: Handlers = MappingProxyType({})
_HEARD = (
    "Fetch.requestPaused",
    "Network.loadingFailed",
    "Network.loadingFinished",
    "Network.requestWillBeSent",
    "Page.domContentEventFired",
    "Page.frameNavigated",
)

# Stopped before they are sent: what adds no text. Style sheets are not among it: single-page
# applications wait for theirs, and stopping one costs more than having it from the cache. Frames
# are no part of the page's DOM. "Other" are workers, which are wanted, and icons, which are not.
NEVER_LOADED = ("Font", "Image", "Media", "Ping")
_STOPPED_AT = (
    ("Document", "Request"),
    ("Document", "Response"),
    *((kind, "Request") for kind in (*NEVER_LOADED, "Other")),
)

# In a world of its own, where the page's scripts cannot have replaced anything.
_SERIALIZE = """(() => {
  const html = document.documentElement?.outerHTML ?? "";
  return html.length > %d ? null : (document.doctype ? "<!DOCTYPE html>" : "") + html;
})()"""
_SERIALIZE_SECONDS = 10


class TabLostError(Exception):
    """The tab, or the browser with it, is no more: the page may be tried in another one."""


class Tab:
    """See the module. Made by ``open_tab``; used by one visit at a time."""

    def __init__(self, page: "Page", cdp: "CDPSession", proxy: EgressProxy, frame: str) -> None:
        self.proxy = proxy
        self.frame = frame
        self.lost = asyncio.Event()
        self._page = page
        self._cdp = cdp
        self._handlers = _NO_HANDLERS
        self._chores: set[asyncio.Task[None]] = set()

    async def prepare(self) -> Self:
        self._page.on("crash", lambda _: self.lost.set())
        self._page.on("close", lambda _: self.lost.set())
        self._page.context.on("page", lambda popup: self._spawn(popup.close()))
        for name in _HEARD:
            self._cdp.on(name, partial(self._hear, name))
        self._cdp.on("Fetch.authRequired", self._authenticate)
        await self._hide_the_browser()
        await self.send("Page.enable")
        await self.send("Page.setPrerenderingAllowed", isAllowed=False)
        await self.send("Network.enable", maxTotalBufferSize=0)
        await self.send("Network.setBypassServiceWorker", bypass=True)
        patterns = [{"resourceType": kind, "requestStage": at} for kind, at in _STOPPED_AT]
        await self.send("Fetch.enable", patterns=patterns, handleAuthRequests=True)
        return self

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the DevTools protocol.

        Raises:
            TabLostError: The tab or the browser is gone, or would not do it.
        """
        from playwright.async_api import Error  # noqa: PLC0415 - slow, and seldom needed

        try:
            return await self._cdp.send(method, parameters)
        except Error as error:
            raise TabLostError(f"{method}: {error.message.splitlines()[0]}") from error

    def listen(self, handlers: Handlers) -> None:
        """Let a visit hear the tab's events, until ``rest``."""
        self._handlers = handlers

    def rest(self) -> None:
        """Stop the scripts of the page that is shown: it works on nobody's account from now on.

        Otherwise it would go on fetching, and could hang the tab under the next page.
        """
        self._handlers = _NO_HANDLERS
        self.do("Emulation.setScriptExecutionDisabled", value=True)

    def ask_site(self, event: Event) -> None:
        """Let the request for a document pass, to the site itself and not to a cache.

        A page that is asked for again is asked for because it may have changed, or be gone.
        """
        headers = event["request"]["headers"] | {"Cache-Control": "no-cache"}
        self.do(
            "Fetch.continueRequest",
            requestId=event["requestId"],
            headers=[{"name": name, "value": value} for name, value in headers.items()],
        )

    async def let_in(self, request_id: str) -> None:
        """Show the document that waits, and let its scripts run."""
        await self.send("Emulation.setScriptExecutionDisabled", value=False)
        await self.send("Fetch.continueRequest", requestId=request_id)

    def refuse(self, event: Event) -> None:
        """Stop a request that waits; the page that asked stays."""
        self.do("Fetch.failRequest", requestId=event["requestId"], errorReason="Aborted")

    def do(self, method: str, **parameters: Any) -> None:
        """Send a command and wait for nothing: that the tab is lost shows elsewhere."""
        self._spawn(self.send(method, **parameters))

    async def html(self, max_bytes: int) -> bytes | None:
        """The DOM in UTF-8; None when it is larger than ``most_bytes``.

        Raises:
            TabLostError: The tab is gone, or serializing took too long.
        """
        world = await self.send("Page.createIsolatedWorld", frameId=self.frame, worldName="omni")
        answer = await self.send(
            "Runtime.evaluate",
            expression=_SERIALIZE % max_bytes,
            contextId=world["executionContextId"],
            returnByValue=True,
            timeout=_SERIALIZE_SECONDS * 1000,
        )
        text = answer["result"].get("value")
        # Lone surrogates are text to JavaScript, and none to UTF-8.
        body = text.encode("utf-8", "replace") if isinstance(text, str) else None
        return body if body is not None and len(body) <= max_bytes else None

    async def _hide_the_browser(self) -> None:
        """Show the page only: Chromium draws tabs, address and spinner also where nobody looks.

        That is half of the browser process's work. A headless shell has none of it.
        """
        with suppress(TabLostError):
            window = await self.send("Browser.getWindowForTarget")
            full = {"windowState": "fullscreen"}
            await self.send("Browser.setWindowBounds", windowId=window["windowId"], bounds=full)

    def _hear(self, name: str, event: Event) -> None:
        if handler := self._handlers.get(name):
            handler(event)
        elif name == "Fetch.requestPaused":
            self.refuse(event)

    def _authenticate(self, event: Event) -> None:
        is_ours = event["authChallenge"].get("source") == "Proxy"
        answer = {
            "response": "ProvideCredentials",
            "username": self.proxy.username,
            "password": self.proxy.password,
        }
        self.do(
            "Fetch.continueWithAuth",
            requestId=event["requestId"],
            authChallengeResponse=answer if is_ours else {"response": "CancelAuth"},
        )

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        chore = asyncio.ensure_future(_quietly(work))
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)


async def open_tab(
    browser: "Browser",
    closer: AsyncExitStack,
    *,
    make_proxy: Callable[[], EgressProxy],
    user_agent: str,
) -> Tab:
    """Open a tab that ``closer`` closes.

    Raises:
        playwright.async_api.Error: Chromium is gone.
        TabLostError: Likewise.
    """
    proxy = await closer.enter_async_context(make_proxy())
    context = await browser.new_context(
        user_agent=user_agent,
        accept_downloads=False,
        service_workers="block",
        proxy={"server": proxy.server},  # no bypass: with one, loopback would be reached directly
    )
    closer.push_async_callback(context.close)
    # Closed before the context: requests that wait for a word from here go on when it closes.
    closer.push_async_exit(proxy)
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    tree = await cdp.send("Page.getFrameTree")
    return await Tab(page, cdp, proxy, tree["frameTree"]["frame"]["id"]).prepare()


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    from playwright.async_api import Error  # noqa: PLC0415 - slow, and seldom needed

    with suppress(Error, TabLostError):
        await work
