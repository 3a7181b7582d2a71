"""One page loaded in one tab: what happens there, and the outcome it ends in."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from omni_pipeline.domain.web.outcomes import Outcome, Redirected
from omni_pipeline.domain.web.urls import canonical_url
from omni_pipeline.gateways.browser import responses as answers
from omni_pipeline.gateways.browser.limits import RenderLimits
from omni_pipeline.gateways.browser.tab import NEVER_LOADED, Event, Tab, TabLostError
from omni_pipeline.gateways.http.responses import Head

_TICK_SECONDS = 0.1
# Some sites set a cookie and load the page again; none needs to do so for ever.
_MAX_RELOADS = 3
_WEB_OR_ERROR_PAGE = ("http://", "https://", "chrome-error://")


class Visit:
    """Loads a page until it has settled and takes its DOM; used once.

    No redirect is followed, neither the server's nor the page's own: both are reported before
    their target is asked for anything. Frames are not loaded.

    Attributes:
        is_spoiled: The page misbehaved, or its tab is in an unknown state: close the tab.
    """

    def __init__(self, tab: Tab, url: str, limits: RenderLimits) -> None:
        self.is_spoiled = True
        self._tab = tab
        self._url = url
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._started = self._active_at = self._clock()
        self._bytes_before = tab.proxy.bytes_received
        self._verdict: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._head: Head | None = None
        self._judged: Outcome | None = None
        self._read_at: float | None = None
        self._navigations = 0
        self._requests = 0
        self._in_flight: set[str] = set()
        self._chores: set[asyncio.Task[Any]] = set()

    async def outcome(self) -> Outcome:
        """Load the page.

        Raises:
            TabLostError: The renderer crashed, or the browser is gone.
            TimeoutError: It was not done in time.
        """
        steps, lost = self._spawn(self._steps()), self._spawn(self._lost())
        self._tab.listen(
            {
                "Fetch.requestPaused": self._on_paused,
                "Network.loadingFailed": self._on_ended,
                "Network.loadingFinished": self._on_ended,
                "Network.requestWillBeSent": self._on_request,
                "Page.domContentEventFired": self._on_read,
                "Page.frameNavigated": self._on_navigated,
            }
        )
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                await asyncio.wait(
                    {steps, lost, self._verdict}, return_when=asyncio.FIRST_COMPLETED
                )
            return await next(end for end in (self._verdict, steps, lost) if end.done())
        finally:
            self._tab.rest()
            await self._end_chores()

    async def _steps(self) -> Outcome:
        reply = await self._tab.send("Page.navigate", url=self._url)
        if self._judged is not None:
            self.is_spoiled = False
            return self._judged
        if reply.get("isDownload"):
            return answers.download(self._url)
        if error := reply.get("errorText"):
            return answers.outcome_of_net_error(self._url, error, self._tab.proxy.refusals)
        while not self._is_settled():
            self._check_bytes()
            await asyncio.sleep(_TICK_SECONDS)
        body = await self._tab.html(self._limits.html_bytes)
        if body is None or self._head is None:
            return answers.too_large(self._url, "its document", self._limits.html_bytes)
        self.is_spoiled = False
        return answers.rendered(self._url, self._head, body, self._clock() - self._started)

    async def _lost(self) -> Outcome:
        await self._tab.lost.wait()
        raise TabLostError("the renderer or the browser ended")

    def _is_settled(self) -> bool:
        """The document was read, and nothing happened for a while or it never stops happening."""
        if self._read_at is None:
            return False
        now = self._clock()
        is_quiet = not self._in_flight and now - self._active_at >= self._limits.quiet_seconds
        return is_quiet or now - self._read_at >= self._limits.settle_seconds

    def _on_paused(self, event: Event) -> None:
        is_page = event["resourceType"] == "Document" and event["frameId"] == self._tab.frame
        if not is_page and not _is_worker(event):
            self._refuse_file(event)
        elif not is_page or "responseErrorReason" in event:
            self._tab.do("Fetch.continueRequest", requestId=event["requestId"])
        elif "responseStatusCode" in event:
            self._judge(event)
        else:
            self._navigate(event)

    def _refuse_file(self, event: Event) -> None:
        self._tab.refuse(event)
        if event["resourceType"] == "Other":
            self._requests -= 1  # an icon: a page may ask for it whenever it changes its URL

    def _navigate(self, event: Event) -> None:
        """Let the first navigation pass; those that follow are the page's own."""
        request = event["request"]
        target = canonical_url(request["url"])
        self._navigations += 1
        if self._navigations > _MAX_RELOADS + 1:
            self._end(answers.reloads_for_ever(self._url, _MAX_RELOADS))
        elif target == self._url and request["method"] == "GET":
            self._tab.ask_site(event)
            return
        elif target and target != self._url:
            self._end(Redirected(url=self._url, target=target, permanent=False))
        self._tab.refuse(event)

    def _judge(self, event: Event) -> None:
        head = answers.head_of_response(event["responseStatusCode"], event["responseHeaders"])
        outcome = answers.outcome_of_head(self._url, head, datetime.now(UTC))
        if outcome is None:
            self._head = head
            self._spawn(self._tab.let_in(event["requestId"]))
            return
        self._tab.refuse(event)
        outcome = answers.refusal(self._url, self._tab.proxy.refusals) or outcome
        if self._navigations == 1:
            self._judged = outcome  # told when the navigation has ended, or it disturbs the next
        else:
            self._end(outcome)

    def _on_navigated(self, event: Event) -> None:
        frame = event["frame"]
        if "parentId" in frame:
            return
        self._read_at = None
        if not frame["url"].startswith(_WEB_OR_ERROR_PAGE):
            self._end(answers.went_elsewhere(self._url, frame["url"]))

    def _on_read(self, event: Event) -> None:  # noqa: ARG002 - one form for all handlers
        if self._head is not None and self._read_at is None:
            self._read_at = self._clock()

    def _on_request(self, event: Event) -> None:
        if event["request"]["url"].startswith("data:") or event.get("type") in NEVER_LOADED:
            return
        self._requests += 1
        self._active_at = self._clock()
        if event.get("type") != "EventSource":  # which is under way as long as the page is shown
            self._in_flight.add(event["requestId"])
        if self._requests > self._limits.requests:
            self._end(answers.too_many_requests(self._url, self._limits.requests))

    def _on_ended(self, event: Event) -> None:
        self._active_at = self._clock()
        self._in_flight.discard(event["requestId"])

    def _check_bytes(self) -> None:
        limit = self._limits.body_bytes
        if self._tab.proxy.bytes_received - self._bytes_before > limit:
            self._end(answers.too_large(self._url, "all that it loads", limit))

    def _end(self, outcome: Outcome) -> None:
        if not self._verdict.done():
            self._verdict.set_result(outcome)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        chore = asyncio.ensure_future(work)
        self._chores.add(chore)
        return chore

    async def _end_chores(self) -> None:
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)


def _is_worker(event: Event) -> bool:
    """Whether this is a worker's script; what else the protocol calls "Other" are icons."""
    headers = {name.lower(): value for name, value in event["request"]["headers"].items()}
    return event["resourceType"] == "Other" and not headers.get("accept", "").startswith("image/")
