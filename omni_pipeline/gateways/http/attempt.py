"""One attempt at one URL: a request, and the outcome of whatever comes back."""

import asyncio
import ssl
from datetime import UTC, datetime

from omni_pipeline.domain.web.hosts import DEFAULT_PORTS, bracketed
from omni_pipeline.domain.web.media_types import is_binary
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Outcome, Unusable
from omni_pipeline.domain.web.urls import UrlParts, url_parts
from omni_pipeline.gateways.http.body import Body, Wanted, drain, read_body
from omni_pipeline.gateways.http.connections import Connections
from omni_pipeline.gateways.http.cookies import CookieJar
from omni_pipeline.gateways.http.dialling import PinnedDialler
from omni_pipeline.gateways.http.failures import FOREIGN_ERRORS, headers_too_large, outcome_of_error
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.gateways.http.messages import RequestHead, Response
from omni_pipeline.gateways.http.responses import Head, head_of, not_html, outcome_without_body


class WebClient:
    """Single attempts over connections that are kept. No credentials.

    Not over an HTTP client: what those add (cookies for all, redirects, decoding,
    proxies of the environment) is all that must not happen here, and their transports do not let
    the caller dial.
    """

    def __init__(
        self,
        *,
        dialler: PinnedDialler,
        tls: ssl.SSLContext,
        user_agent: str,
        limits: FetchLimits,
    ) -> None:
        self._headers = [
            (b"User-Agent", user_agent.encode("ascii")),
            (b"Accept", b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"),
            (b"Accept-Encoding", b"gzip, deflate"),
        ]
        self._limits = limits
        self._connections = Connections(dialler, tls, connect_seconds=limits.connect_seconds)

        self.cookies = CookieJar()

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def attempt(self, request: FetchRequest, wanted: Wanted) -> Outcome:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(started + self._limits.whole_seconds):
                answer = await self._send(request)
                try:
                    return await self._judge(request, wanted, answer, started)
                finally:
                    answer.body.finish()
        except FOREIGN_ERRORS as error:
            return outcome_of_error(request.url, error)

    async def _send(self, request: FetchRequest) -> Response:
        parts = url_parts(request.url)
        connection = await self._connections.to(parts)
        async with asyncio.timeout(self._limits.first_byte_seconds):
            return await connection.send(self._head(request, parts))

    def _head(self, request: FetchRequest, parts: UrlParts) -> RequestHead:
        is_default = parts.port == DEFAULT_PORTS[parts.scheme]
        headers = list(self._headers)
        if request.etag:
            headers.append((b"If-None-Match", request.etag.encode("ascii")))
        if request.last_modified:
            headers.append((b"If-Modified-Since", request.last_modified.encode("ascii")))
        if cookie := self.cookies.header(request.url):
            headers.append((b"Cookie", cookie.encode("ascii")))
        return RequestHead(
            scheme=parts.scheme,
            authority=bracketed(parts.host) + ("" if is_default else f":{parts.port}"),
            target=parts.target,
            headers=headers,
        )

    async def _judge(
        self, request: FetchRequest, wanted: Wanted, answer: Response, started: float
    ) -> Outcome:
        if sum(len(k) + len(v) for k, v in answer.headers) > self._limits.header_bytes:
            return headers_too_large(request.url)
        head = head_of(answer.status, answer.headers)
        now = datetime.now(UTC)
        self.cookies.take(request.url, head.headers, now)
        outcome = outcome_without_body(request, head, now)
        if outcome is not None:
            await drain(answer.body)
            return outcome
        if wanted.html_only and (refusal := not_html(request.url, head)):
            return refusal
        coding = (head.codings() or ["identity"])[0]
        body = await read_body(request.url, answer.body, coding, wanted=wanted, limits=self._limits)
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
        canonical=head.canonical(url),
        etag=head.validator("etag"),
        last_modified=head.validator("last-modified"),
        robots_tag=head.robots_tag(),
        elapsed_seconds=elapsed_seconds,
        truncated=body.truncated,
    )
