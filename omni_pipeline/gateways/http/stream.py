"""A connected socket of the HTTP client, in clear or under TLS."""

import asyncio
import select
import ssl
from collections import deque
from typing import cast

import httpcore2

from omni_pipeline.gateways.http.limits import MIB

# A page under way is read as it comes; so much is held only of what nobody asked for.
_MAX_HELD_BYTES = MIB


class SocketStream(asyncio.Protocol):
    """What HTTP/1.1 and HTTP/2 are spoken through.

    On asyncio itself: anyio's streams cost more, and a task that was cancelled while it wrote could
    leave half a TLS record behind. Writing here only ever hands bytes to the transport.
    """

    def __init__(self) -> None:
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._is_over = False
        self._failure: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _MAX_HELD_BYTES:
            self.abort()
        self._wake()

    def eof_received(self) -> None:
        self._is_over = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._failure = self._failure or error
        self.eof_received()

    async def read(self, max_bytes: int) -> bytes:
        """Return what came, at most ``max_bytes``; nothing at the end.

        Waits without end: every wait in the client is under a deadline of its fetch.

        Raises:
            httpcore2.ReadError: The connection broke.
        """
        if not self._held and not self._is_over:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self._held:
            return self._taken(max_bytes)
        if self._failure:
            raise httpcore2.ReadError("the connection broke") from self._failure
        return b""

    def send(self, data: bytes) -> int:
        """Hand ``data`` to the transport, without waiting; returns how much it has not sent yet.

        Raises:
            httpcore2.WriteError: The connection is closed.
        """
        if self._is_over or self._transport.is_closing():
            raise httpcore2.WriteError("the connection is closed") from self._failure
        self._transport.write(data)
        return self._transport.get_write_buffer_size()

    async def secure(self, tls: ssl.SSLContext, host: str, seconds: float) -> None:
        """Put TLS over the connection, and verify that it is ``host``'s.

        Raises:
            httpcore2.ConnectError: TLS failed; the cause tells why.
            httpcore2.ConnectTimeout: It took too long.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                secured = await loop.start_tls(self._transport, self, tls, server_hostname=host)
        except BaseException as error:
            self.abort()
            if isinstance(error, TimeoutError):
                raise httpcore2.ConnectTimeout("TLS took too long") from None
            if isinstance(error, OSError):
                raise httpcore2.ConnectError("TLS failed") from error
            raise
        self._transport = cast("asyncio.Transport", secured)

    def abort(self) -> None:
        """Close at once, without TLS's farewell: nobody waits for it."""
        self._is_over = True
        self._transport.abort()

    def chosen_protocol(self) -> str | None:
        """What both sides agreed on under TLS (ALPN)."""
        tls = self._transport.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol() if tls else None

    def is_readable(self) -> bool:
        """Whether something came, most likely the end; looks past what the loop has seen so far."""
        if self._held or self._is_over:
            return True
        waiting = select.poll()
        waiting.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return bool(waiting.poll(0))

    def _taken(self, max_bytes: int) -> bytes:
        data = self._held.popleft()
        if len(data) > max_bytes:
            self._held.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self._held_bytes -= len(data)
        return data

    def _wake(self) -> None:
        if self._news and not self._news.done():
            self._news.set_result(None)
