"""Kept connections of the web door: over HTTP/1.1 one page at a time each, over HTTP/2 shared."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import httpcore2

from omni_pipeline.gateways.web_transport import PinnedDialler

# Servers that close idle connections sooner (Apache: 5 s) are noticed by their closing.
_KEEPALIVE_SECONDS = 30.0


class Connection(Protocol):
    """What httpcore2's connection over HTTP/1.1 has, and the door's own over HTTP/2."""

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response: ...
    def is_available(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def has_expired(self) -> bool: ...
    async def aclose(self) -> None: ...


@dataclass
class _Kept:
    """The connections to one origin.

    Attributes:
        dialling: Held while the first connection that may be shared is opened.
        failures: How often that failed.
        failure: How it failed last.
    """

    connections: list[Connection] = field(default_factory=list)
    dialling: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    failure: Exception | None = None


class Connections:
    """Opens connections, keeps them, and shares those that can be shared.

    In the place of httpcore2's pool, which goes through all its connections and requests before
    and after each page, and has its own HTTP/2 built in (``web_http2`` says why not).

    Args:
        dialler: Opens connections to allowed addresses only.
        tls: How certificates are verified.
        connect_seconds: For resolving and dialling, and as much again for TLS.
    """

    def __init__(
        self, dialler: PinnedDialler, tls: ssl.SSLContext, *, connect_seconds: float
    ) -> None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
        self._dialler = dialler
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)

    async def to(self, origin: httpcore2.Origin) -> Connection:
        """Return a connection that takes a request now.

        Raises:
            NotAllowedError: The address policy refuses.
            NameNotResolvedError: The host has no address.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: There is no connection to be had.
        """
        kept = self._kept[str(origin)]
        if connection := await _free(kept):
            return connection
        if origin.scheme == b"http":
            return await self._open(origin, kept)
        failures = kept.failures
        async with kept.dialling:
            if connection := await _free(kept):
                return connection
            if kept.failure and kept.failures > failures:
                raise kept.failure  # while this one waited: asking again would be no news
            return await self._open_shared(origin, kept)

    async def aclose(self) -> None:
        for kept in self._kept.values():
            for connection in kept.connections:
                await connection.aclose()
        await asyncio.sleep(0)  # transports close in the next round of the loop

    async def _open_shared(self, origin: httpcore2.Origin, kept: _Kept) -> Connection:
        try:
            return await self._open(origin, kept)
        except Exception as error:
            kept.failures += 1
            kept.failure = error
            raise

    async def _open(self, origin: httpcore2.Origin, kept: _Kept) -> Connection:
        host = origin.host.decode("ascii")
        stream = await self._dialler.connect(host, origin.port, self._connect_seconds)
        if origin.scheme == b"https":
            await stream.secure(self._tls, host, self._connect_seconds)
        connection: Connection
        tls = stream.get_extra_info("ssl_object")
        if tls and tls.selected_alpn_protocol() == "h2":
            from omni_pipeline.gateways.web_http2 import Http2Connection  # noqa: PLC0415 - 60 ms

            connection = Http2Connection(stream)
        else:
            connection = httpcore2.AsyncHTTP11Connection(origin, stream, _KEEPALIVE_SECONDS)
        kept.connections.append(connection)
        return connection


async def _free(kept: _Kept) -> Connection | None:
    """A connection that takes a request; those that ended meanwhile are dropped."""
    for connection in list(kept.connections):
        if connection.is_available() and not connection.has_expired():
            return connection
        if connection.is_available():
            await connection.aclose()
        if connection.is_closed():
            kept.connections.remove(connection)
    return None
