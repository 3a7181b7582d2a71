"""Kept connections: over HTTP/1.1 one page at a time each, over HTTP/2 shared."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field

from omni_pipeline.domain.web.urls import UrlParts
from omni_pipeline.gateways.http.dialling import PinnedDialler
from omni_pipeline.gateways.http.http11 import Http11Connection
from omni_pipeline.gateways.http.messages import Connection


@dataclass
class _KeptConnection:
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
        self._kept: defaultdict[tuple[str, str, int], _KeptConnection] = defaultdict(
            _KeptConnection
        )

    async def to(self, place: UrlParts) -> Connection:
        """Return a connection to the place's host that takes a request now.

        Raises:
            NotAllowedError: The address policy refuses.
            NameNotResolvedError: The host has no address.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: There is no connection to be had.
        """
        kept = self._kept[place.scheme, place.host, place.port]
        if connection := _free(kept):
            return connection
        if place.scheme == "http":
            return await self._open(place, kept)
        failures = kept.failures
        async with kept.dialling:
            if connection := _free(kept):
                return connection
            if kept.failure and kept.failures > failures:
                raise kept.failure  # while this one waited: asking again would be no news
            return await self._open_shared(place, kept)

    async def aclose(self) -> None:
        for kept in self._kept.values():
            for connection in kept.connections:
                connection.close()
        await asyncio.sleep(0)  # transports close in the next round of the loop

    async def _open_shared(self, place: UrlParts, kept: _KeptConnection) -> Connection:
        try:
            return await self._open(place, kept)
        except Exception as error:
            kept.failures += 1
            kept.failure = error
            raise

    async def _open(self, place: UrlParts, kept: _KeptConnection) -> Connection:
        stream = await self._dialler.connect(place.host, place.port, self._connect_seconds)
        if place.scheme == "https":
            await stream.secure(self._tls, place.host, self._connect_seconds)
        connection: Connection
        if stream.chosen_protocol() == "h2":
            from omni_pipeline.gateways.http.http2 import Http2Connection  # noqa: PLC0415 - 60 ms

            connection = Http2Connection(stream)
        else:
            connection = Http11Connection(stream)
        kept.connections.append(connection)
        return connection


def _free(kept: _KeptConnection) -> Connection | None:
    """A connection that takes a request; those that ended meanwhile are dropped."""
    for connection in list(kept.connections):
        if connection.is_available():
            if not connection.has_expired():
                return connection
            connection.close()
        if connection.is_closed():
            kept.connections.remove(connection)
    return None
