"""One HTTP/1.1 connection of the HTTP client: one page after the other (RFC 9112).

Over ``h11``, which knows the protocol and does no input or output. httpcore2's own connection is
not used: its locks, traces and generators within generators cost more than the protocol itself.
"""

import time
from contextlib import suppress

import h11
import httpcore2

from omni_pipeline.gateways.http.limits import KIB
from omni_pipeline.gateways.http.messages import RequestHead, Response
from omni_pipeline.gateways.http.stream import SocketStream

_READ_BYTES = 64 * KIB
# Of a head that has not ended; one that has is measured by the caller.
_MAX_HEAD_BYTES = 100 * KIB
# Servers that close idle connections sooner (Apache: 5 s) are noticed by their closing.
_KEEPALIVE_SECONDS = 30.0


class Http11Connection:
    """Sends a request and hands out the answer, which is also its own body: there is one."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._is_busy = True  # whoever opened it has the first request
        self._is_closed = False
        self._idle_since = 0.0

    def is_available(self) -> bool:
        return not self._is_busy and not self._is_closed

    def has_expired(self) -> bool:
        """Whether it was idle for long, or something came that nobody asked for: its end."""
        is_old = time.monotonic() - self._idle_since > _KEEPALIVE_SECONDS
        return is_old or self._stream.is_readable()

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
        self._stream.abort()

    async def send(self, request: RequestHead) -> Response:
        """Send ``request`` and return the head of the answer, whose body is then read off it.

        Raises:
            httpcore2.NetworkError: The connection broke.
            httpcore2.ProtocolError: The site does not speak HTTP/1.1.
        """
        self._is_busy = True
        try:
            self._send(request)
            event = await self._next_event()
            while isinstance(event, h11.InformationalResponse):
                event = await self._next_event()
        except BaseException:
            self.close()
            raise
        assert isinstance(event, h11.Response), "h11 lets nothing else follow a request"
        return Response(status=event.status_code, headers=list(event.headers), body=self)

    async def read(self) -> bytes:
        """The next piece of the answer's body; nothing at its end."""
        if self._h11.their_state is not h11.SEND_BODY:
            return b""
        event = await self._next_event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def finish(self) -> None:
        """Make room for the next request, where this one was answered to its end and no further."""
        states = self._h11.our_state, self._h11.their_state
        if states != (h11.DONE, h11.DONE) or self._h11.trailing_data[0]:
            self.close()
            return
        self._h11.start_next_cycle()
        self._idle_since = time.monotonic()
        self._is_busy = False

    def _send(self, request: RequestHead) -> None:
        headers = [(b"Host", request.authority.encode("ascii")), *request.headers]
        try:
            head = h11.Request(method=b"GET", target=request.target, headers=headers)
            data = self._h11.send(head) + self._h11.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:  # a validator that came over HTTP/2
            raise httpcore2.LocalProtocolError("it cannot be said in HTTP/1.1") from error
        with suppress(httpcore2.WriteError):  # who has had enough may say so before they close
            self._stream.send(data)

    async def _next_event(self) -> object:
        """What came next: one of h11's events."""
        try:
            while (event := self._h11.next_event()) is h11.NEED_DATA:
                self._h11.receive_data(await self._stream.read(_READ_BYTES))
        except h11.RemoteProtocolError as error:
            raise httpcore2.RemoteProtocolError("it does not keep to HTTP/1.1") from error
        return event
