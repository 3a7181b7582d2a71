"""The only way from the browser to the web: a loopback proxy that judges, pins and dials.

Chromium resolves no name itself; this proxy does, by the rules of ``web_transport``, so that one
address policy holds for both clients and a rebinding name finds no second question. It is our own
because none of the kept proxy libraries lets the caller dial the very address it has judged.

The browser has to be launched so that nothing goes past the proxy (S-34 to S-37): by Playwright's
``proxy=`` with no ``bypass``, and with ``NO_UDP_PAST_THE_PROXY``. Playwright's ``proxy.username``
pauses each request and turns the cache off: 2.5 times the CPU on pages that share scripts. Chromium
keeps credentials for its context, so one answer to CDP's ``Fetch.authRequired`` does as well.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Self

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.hosts import BadHostError, bracketed
from omni_pipeline.gateways.egress.relay import Relay, Wire
from omni_pipeline.gateways.egress.requests import DeclinedError, ProxyRequest, read_request
from omni_pipeline.gateways.http.dialling import (
    NameNotResolvedError,
    NotAllowedError,
    Resolver,
    judged_addresses,
    system_resolver,
)
from omni_pipeline.settings import IPAddress

# Chromium knows the second spelling only, its headless shell the first only; each ignores the
# other's, and without its own sends WebRTC's datagrams straight to where the page says (S-37).
NO_UDP_PAST_THE_PROXY = (
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)

_MAX_TRIES = 3  # as the HTTP client: a name whose IPv6 has no route needs two
_MAX_REFUSALS = 200
_MAX_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class EgressLimits:
    """The bounds of one proxy.

    Attributes:
        connect_seconds: Resolving a name and dialling.
        idle_seconds: Without a byte in either direction; also for sending a whole request head.
        header_bytes: All of a head, of requests and answers.
        connections: From the browser, at a time; Chromium opens 32 and some for WebSockets.
    """

    connect_seconds: float = 5.0
    idle_seconds: float = 60.0
    header_bytes: int = 64 * 1024
    connections: int = 100


_DEFAULT_LIMITS = EgressLimits()


class EgressProxy:
    """A loopback HTTP proxy for one Chromium: resolves, guards, pins, dials; all else is 403.

    An async context manager on a running asyncio loop. When it has been left, its port is closed
    and its tunnels are cut: a browser that still runs reaches nothing (F-E11).

    Args:
        policy: Which addresses may be reached.
        allows_host: Whether pages of this crawl may load from a host: a canonical lower-case name,
            or an address without brackets. Chromium's own calls fail here (S-42).
        resolver: Gives a name's addresses; the operating system's by default.
        limits: What connections may cost.

    Attributes:
        server: ``http://127.0.0.1:PORT``, once entered.
        username: Random, so that no other user of this machine can use the proxy (S-43).
        password: Likewise.
        bytes_received: From the web, in total.
        refusals: Why a rule refused ``host:port``, without any resolved address: the latest 200.
            What failed for another reason, such as a dead server, is not in it.
    """

    server: str

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        allows_host: Callable[[str], bool],
        resolver: Resolver | None = None,
        limits: EgressLimits = _DEFAULT_LIMITS,
    ) -> None:
        self.username = secrets.token_urlsafe(12)
        self.password = secrets.token_urlsafe(24)
        self.bytes_received = 0
        self._refusals: dict[str, str] = {}
        self.refusals: Mapping[str, str] = MappingProxyType(self._refusals)
        self._policy = policy
        self._allows_host = allows_host
        self._resolver = resolver or system_resolver
        self._limits = limits
        self._credentials = base64.b64encode(f"{self.username}:{self.password}".encode())
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=self._limits.header_bytes
        )
        self.server = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_full = len(self._connections) >= self._limits.connections
        if is_full or not self._listener.is_serving():
            writer.transport.abort()
            return
        connection = asyncio.create_task(self._serve(Wire(reader=reader, writer=writer)))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, browser: Wire) -> None:
        with suppress(OSError):  # a side broke off or was silent for too long: both are cut off
            async with browser:
                try:
                    await self._handle(browser)
                except DeclinedError as declined:
                    browser.writer.write(_own_answer(declined))

    async def _handle(self, browser: Wire) -> None:
        async with asyncio.timeout(self._limits.idle_seconds):
            request = await read_request(browser.reader, max_bytes=self._limits.header_bytes)
        self._check_credentials(request)
        async with await self._dial(request) as web:
            relay = Relay(
                browser,
                web,
                idle_seconds=self._limits.idle_seconds,
                head_bytes=self._limits.header_bytes,
                received=self._count,
            )
            if request.target is None:
                await relay.tunnel()
            else:
                await relay.stream(request.forwarded_head(), request.body_bytes or 0)

    def _check_credentials(self, request: ProxyRequest) -> None:
        if not secrets.compare_digest(request.credentials.encode(), self._credentials):
            raise DeclinedError(
                HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "the proxy needs its credentials"
            )

    async def _dial(self, request: ProxyRequest) -> Wire:
        host, port = self._destination(request)
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                return await self._dial_one_of(await self._addresses(host, port), port)
        except TimeoutError:
            raise DeclinedError(HTTPStatus.GATEWAY_TIMEOUT, "connecting took too long") from None

    def _destination(self, request: ProxyRequest) -> tuple[str, int]:
        try:
            host, port = request.destination()
        except BadHostError as error:
            raise self._refusal(request.authority, f"this host {error}") from error
        if not self._allows_host(host):
            raise self._refusal(
                f"{bracketed(host)}:{port}", "pages of this crawl do not load from this host"
            )
        return host, port

    async def _addresses(self, host: str, port: int) -> Sequence[IPAddress]:
        try:
            return await judged_addresses(host, port, policy=self._policy, resolver=self._resolver)
        except NotAllowedError as error:
            raise self._refusal(f"{bracketed(host)}:{port}", str(error)) from None
        except NameNotResolvedError:
            raise DeclinedError(HTTPStatus.BAD_GATEWAY, "the name has no address") from None

    async def _dial_one_of(self, addresses: Sequence[IPAddress], port: int) -> Wire:
        tries = addresses[:_MAX_TRIES]
        for address in tries:
            with suppress(OSError):
                async with asyncio.timeout(self._limits.connect_seconds / len(tries)):
                    reader, writer = await asyncio.open_connection(
                        str(address), port, limit=self._limits.header_bytes
                    )
                return Wire(reader=reader, writer=writer)
        raise DeclinedError(HTTPStatus.BAD_GATEWAY, "the server does not answer")

    def _refusal(self, destination: str, reason: str) -> DeclinedError:
        shown = destination[:_MAX_SHOWN]
        self._refusals.pop(shown, None)
        self._refusals[shown] = reason
        if len(self._refusals) > _MAX_REFUSALS:
            del self._refusals[next(iter(self._refusals))]
        return DeclinedError(HTTPStatus.FORBIDDEN, reason)

    def _count(self, received_bytes: int) -> None:
        self.bytes_received += received_bytes


def _own_answer(declined: DeclinedError) -> bytes:
    text = f"{declined}\n".encode()
    lines = [
        f"HTTP/1.1 {declined.status.value} {declined.status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Connection: close",
    ]
    if declined.status is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        lines.append('Proxy-Authenticate: Basic realm="omni_pipeline"')
    return "\r\n".join([*lines, "", ""]).encode() + text
