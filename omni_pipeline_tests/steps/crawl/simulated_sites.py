"""Web sites without sockets, whatever their address: www, http and https, and a thousand crawls.

What an answer means is decided by the HTTP client's own rules; only the connection is left out.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from omni_pipeline.domain.web.outcomes import (
    Fetched,
    FetchRequest,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.responses import head_of, not_html, outcome_without_body
from omni_pipeline_tests.sites import Page, Script, ScriptedSite, Seen
from omni_pipeline_tests.steps.crawl.scripted_crawls import Crawler

NO_ANSWER = Page(status=0)


class SimulatedSite(ScriptedSite):
    """Answers like a ``ScriptedSite``, and is asked like a web client.

    Args:
        url: Of its start page.
        pages: By target, as it answers under that address.
        seed: Of the order in which requests under way are answered.

    Attributes:
        elsewhere: Answers for any URL with another scheme or host; nobody is there by default.
    """

    def __init__(
        self,
        url: str = "https://site.test/",
        pages: Mapping[str, Script] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.url = url
        self.pages = dict(pages or {})
        self.fallback = Page(status=404)
        self.requests = []
        self.elsewhere: Callable[[str], Script] = lambda _: NO_ANSWER
        self._chance = random.Random(seed)

    @property
    def allowed(self) -> frozenset[tuple[object, int]]:  # type: ignore[override] # no socket
        return frozenset()

    def fetch(self, request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome:
        page = self._answer(request)
        if page is NO_ANSWER:
            return Unreachable(url=request.url, kind="transient.connect", reason="nobody is there")
        if page.etag and page.etag == request.etag:
            return NotModified(url=request.url)
        headers = dict(page.headers) | ({"etag": page.etag} if page.etag else {})
        head = head_of(page.status, [(k.encode(), v.encode()) for k, v in headers.items()])
        outcome = outcome_without_body(request, head, datetime.now(UTC))
        return outcome or not_html(request.url, head) or _fetched(request.url, page)

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]:
        under_way: list[FetchRequest] = []
        while True:
            while len(under_way) < concurrency and (request := next(requests, None)):
                under_way.append(request)
            if not under_way:
                return
            yield self.fetch(under_way.pop(self._chance.randrange(len(under_way))))

    def fetch_following(
        self, url: str, *, hops: int, max_bytes: int, delay_seconds: float = 0.0
    ) -> Outcome:
        here = url
        for _ in range(hops + 1):
            page = self._answer(FetchRequest(url=here))
            if page.status == 200:
                return _fetched(here, page)
            outcome = self.fetch(FetchRequest(url=here))
            self.requests.pop()
            if not isinstance(outcome, Redirected):
                return outcome
            here = outcome.target
        return Unusable(url=url, kind="permanent.redirect_loop", reason="redirects without end")

    def _answer(self, request: FetchRequest) -> Page:
        root = self.url[: self.url.index("/", len("https://"))]
        is_own = request.url.startswith(f"{root}/")
        seen = Seen(
            method="GET",
            target=request.url.removeprefix(root) if is_own else request.url,
            headers={},
            connection=1,
            at=0.0,
        )
        self.requests.append(seen)
        if is_own:
            return self._page(seen)
        script = self.elsewhere(request.url)
        answer = script(seen) if callable(script) else script
        return _html(answer) if isinstance(answer, str) else answer


def _html(text: str) -> Page:
    return Page(body=text.encode(), headers={"content-type": "text/html; charset=utf-8"})


def _fetched(url: str, page: Page) -> Fetched:
    headers = dict(page.headers)
    return Fetched(
        url=url,
        status=200,
        body=page.body,
        content_type=headers.get("content-type", "").partition(";")[0],
        charset="utf-8",
        etag=page.etag,
        elapsed_seconds=0.0,
        robots_tag=headers.get("x-robots-tag"),
    )


@dataclass(kw_only=True)
class SimulatedCrawler(Crawler):
    """Crawls an imagined site."""

    site: SimulatedSite

    def web(self) -> HttpClient:
        """The site itself: what a crawl asks of a client, it answers."""
        return cast("HttpClient", nullcontext(self.site))
