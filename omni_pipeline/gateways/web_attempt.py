"""One attempt at one URL: a request, and the outcome of whatever comes back."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpcore2

from omni_pipeline.domain.hosts import DEFAULT_PORTS, bracketed
from omni_pipeline.domain.media import is_binary
from omni_pipeline.domain.outcomes import Fetched, FetchRequest, Outcome, Unusable
from omni_pipeline.domain.urls import UrlParts, url_parts
from omni_pipeline.gateways.web_answers import Head, head_of, not_html, outcome_without_body
from omni_pipeline.gateways.web_body import Body, Wanted, drain, read_body
from omni_pipeline.gateways.web_connections import Connections
from omni_pipeline.gateways.web_errors import FOREIGN_ERRORS, headers_too_large, outcome_of_error
from omni_pipeline.gateways.web_limits import FetchLimits
from omni_pipeline.gateways.web_transport import PinnedDialler


class WebClient:
    """Single attempts over connections that are kept. No cookies, no credentials.

    Over httpcore2, not the httpx2 client that is built on it: what that one adds (cookies,
    redirects, decoding, proxies of the environment) is all that must not happen here, and its
    transport does not let the caller dial.
    """

    def __init__(
        self,
        *,
        dialler: PinnedDialler,
        tls: ssl.SSLContext,
        user_agent: str,
        limits: FetchLimits,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._connections = Connections(dialler, tls, connect_seconds=limits.connect_seconds)

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def attempt(self, request: FetchRequest, wanted: Wanted) -> Outcome:
        started = asyncio.get_running_loop().time()
        try:
            async with (
                asyncio.timeout_at(started + self._limits.whole_seconds),
                self._asked(request) as response,
            ):
                return await self._answer(request, wanted, response, started)
        except FOREIGN_ERRORS as error:
            return outcome_of_error(request.url, error)

    @asynccontextmanager
    async def _asked(self, request: FetchRequest) -> AsyncGenerator[httpcore2.Response, None]:
        parts = url_parts(request.url)
        url = httpcore2.URL(
            scheme=parts.scheme, host=parts.host, port=parts.port, target=parts.target
        )
        connection = await self._connections.to(url.origin)
        async with asyncio.timeout(self._limits.first_byte_seconds):
            response = await connection.handle_async_request(
                httpcore2.Request("GET", url, headers=self._headers(request, parts))
            )
        try:
            yield response
        finally:
            await response.aclose()

    def _headers(self, request: FetchRequest, parts: UrlParts) -> list[tuple[str, str]]:
        is_default = parts.port == DEFAULT_PORTS[parts.scheme]
        headers = [
            ("Host", bracketed(parts.host) + ("" if is_default else f":{parts.port}")),
            ("User-Agent", self._user_agent),
            ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"),
            ("Accept-Encoding", "gzip, deflate"),
        ]
        if request.etag:
            headers.append(("If-None-Match", request.etag))
        if request.last_modified:
            headers.append(("If-Modified-Since", request.last_modified))
        return headers

    async def _answer(
        self,
        request: FetchRequest,
        wanted: Wanted,
        response: httpcore2.Response,
        started: float,
    ) -> Outcome:
        if sum(len(k) + len(v) for k, v in response.headers) > self._limits.header_bytes:
            return headers_too_large(request.url)
        head = head_of(response.status, response.headers)
        outcome = outcome_without_body(request, head, datetime.now(UTC))
        if outcome is not None:
            await drain(response)
            return outcome
        if wanted.html_only and (refusal := not_html(request.url, head)):
            return refusal
        coding = (head.codings() or ["identity"])[0]
        body = await read_body(request.url, response, coding, wanted=wanted, limits=self._limits)
        if not isinstance(body, Body):
            return body
        if wanted.html_only and is_binary(body.data):
            return _binary(request.url, head)
        return _fetched(request.url, head, body, asyncio.get_running_loop().time() - started)


def _binary(url: str, head: Head) -> Unusable:
    return Unusable(
        url=url,
        status=head.status,
        kind="permanent.not_html",
        reason=f"{url} says it is HTML, and its bytes are not text",
    )


def _fetched(url: str, head: Head, body: Body, elapsed_seconds: float) -> Fetched:
    media_type, charset = head.media_type()
    return Fetched(
        url=url,
        status=head.status,
        body=body.data,
        content_type=media_type,
        charset=charset,
        etag=head.validator("etag"),
        last_modified=head.validator("last-modified"),
        robots_tag=head.robots_tag(),
        elapsed_seconds=elapsed_seconds,
        truncated=body.truncated,
    )
