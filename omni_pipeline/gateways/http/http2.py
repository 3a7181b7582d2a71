"""One HTTP/2 connection of the HTTP client, shared by the pages of a site (RFC 9113).

Over ``h2``, which knows the protocol and does no input or output. httpcore2's own HTTP/2 is not
used: it never resets a stream whose body is not read to its end (a PDF, a page too large), so the
site goes on sending, nothing acknowledges what comes, and after 16 MiB of such bodies the
connection has no window left and every further page of the site times out.
"""

import asyncio
import re
from dataclasses import dataclass, field

import h2.exceptions
import httpcore2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes, Settings

from omni_pipeline.gateways.http.limits import KIB, MIB
from omni_pipeline.gateways.http.messages import Headers, RequestHead, Response
from omni_pipeline.gateways.http.stream import SocketStream

_READ_BYTES = 64 * KIB
# What a site may send of one page, and of all together, before the client has taken any of it.
_PAGE_WINDOW_BYTES = 256 * KIB
_WINDOW_BYTES = 4 * MIB
# What may come that is no part of a page: every frame costs 10 us, and may be empty.
_MAX_USELESS_BYTES = 256 * KIB
# Headers are inflated up to here, so that the one page with too many is refused and its
# neighbours live; beyond it the connection ends.
_MAX_HEADER_BYTES = MIB
# nginx says goodbye after 1,000 requests, and h2 then drops the pages that are under way.
_MAX_REQUESTS = 900
# Answers to pings and settings that the site does not take.
_MAX_UNSENT_BYTES = 256 * KIB
_STATUS = re.compile(rb"[1-9][0-9]{2}")


@dataclass(kw_only=True)
class _Stream:
    """A request, and what has come for it; ``useful_before`` is the connection's count then."""

    useful_before: int
    headers: Headers | None = None
    data: bytearray = field(default_factory=bytearray)
    owed_bytes: int = 0
    is_over: bool = False
    failure: Exception | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Return when more has come.

        Raises:
            httpcore2.NetworkError, httpcore2.ProtocolError: Nothing more will.
        """
        if self.failure:
            raise self.failure
        self.news.clear()
        await self.news.wait()

    def end(self, failure: Exception | None = None) -> None:
        self.is_over, self.failure = True, failure
        self.news.set()


class Http2Connection:
    """Sends requests and hands out the answers; one task reads for all of them."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        # Sites send header names in upper case and "connection: keep-alive"; that is harmless.
        self._h2 = H2Connection(H2Configuration(validate_inbound_headers=False))
        self._streams: dict[int, _Stream] = {}
        self._requests = 0
        self._useful_events = 0
        self._useless_bytes = 0
        self._failure: Exception | None = None
        self._introduce()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    def is_available(self) -> bool:
        limit = min(self._h2.remote_settings.max_concurrent_streams, 100)
        return (
            self._failure is None and self._requests < _MAX_REQUESTS and len(self._streams) < limit
        )

    def is_closed(self) -> bool:
        return self._failure is not None

    def has_expired(self) -> bool:
        """Never: the reading task sees a goodbye when it comes."""
        return False

    def close(self) -> None:
        self._end(httpcore2.ReadError("the connection was closed"))
        self._reading.cancel()

    async def send(self, request: RequestHead) -> Response:
        """Send ``request`` and return the head of the answer, whose body is then read off it.

        Raises:
            httpcore2.NetworkError: The connection broke.
            httpcore2.ProtocolError: The site reset the request, or does not speak HTTP/2.
        """
        self._requests += 1
        stream_id = self._h2.get_next_available_stream_id()
        stream = self._streams[stream_id] = _Stream(useful_before=self._useful_events)
        try:
            self._h2.send_headers(stream_id, _sent_headers(request), end_stream=True)
            self._flush()
            while stream.headers is None:
                await stream.wait()
            status, headers = _status_and_headers(stream.headers)
        except BaseException:
            self.finish(stream_id)
            raise
        return Response(status=status, headers=headers, body=_StreamBody(self, stream_id))

    async def read(self, stream_id: int) -> bytes:
        """The next piece of a body, as it comes. What was taken makes room for as much again."""
        stream = self._streams[stream_id]
        while not stream.data:
            if stream.is_over and not stream.failure:
                return b""
            await stream.wait()
        data, stream.data = bytes(stream.data), bytearray()
        self._acknowledge(stream_id, stream)
        self._flush()
        return data

    def finish(self, stream_id: int) -> None:
        """Forget an exchange, and stop the site if it has not ended it."""
        stream = self._streams.pop(stream_id, None)
        if stream is None or self._failure:
            return
        self._acknowledge(stream_id, stream)
        if not stream.is_over:
            self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            # So much may be on its way.
            self._useless_bytes = max(self._useless_bytes - _PAGE_WINDOW_BYTES, -_WINDOW_BYTES)
        self._flush()
        is_silent = not stream.is_over and self._useful_events == stream.useful_before
        if is_silent or (self._requests >= _MAX_REQUESTS and not self._streams):
            self.close()

    def _introduce(self) -> None:
        values = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.MAX_HEADER_LIST_SIZE: 64 * KIB,
            SettingCodes.INITIAL_WINDOW_SIZE: _PAGE_WINDOW_BYTES,
        }
        self._h2.local_settings = Settings(client=True, initial_values=values)
        self._h2.decoder.max_header_list_size = _MAX_HEADER_BYTES
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW_BYTES)
        self._flush()

    async def _read(self) -> None:
        """Read for all exchanges until the connection ends, which then ends them."""
        failure: Exception = httpcore2.RemoteProtocolError("it closed the connection")
        try:
            while self._failure is None and (data := await self._stream.read(_READ_BYTES)):
                self._useless_bytes += len(data)
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()
                if self._useless_bytes > _MAX_USELESS_BYTES:
                    failure = httpcore2.RemoteProtocolError("it sends much that is no page")
                    break
        except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
            failure = error
        except h2.exceptions.ProtocolError as error:
            failure = httpcore2.RemoteProtocolError("it does not keep to HTTP/2")
            failure.__cause__ = error
        finally:
            self._end(failure)

    def _take(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            raise httpcore2.RemoteProtocolError("it says goodbye")
        stream = self._streams.get(getattr(event, "stream_id", 0))
        if stream is None:
            return
        match event:
            case ResponseReceived():
                stream.headers = event.headers
                self._useful_events += 1
                self._useless_bytes = min(self._useless_bytes, 0)
            case DataReceived():
                stream.data += event.data
                stream.owed_bytes += event.flow_controlled_length
                self._useful_events += 1
                self._useless_bytes -= len(event.data)
            case StreamEnded():
                stream.end()
            case StreamReset():
                stream.end(httpcore2.RemoteProtocolError("it reset the request"))
        stream.news.set()

    def _acknowledge(self, stream_id: int, stream: _Stream) -> None:
        owed, stream.owed_bytes = stream.owed_bytes, 0
        if owed and self._failure is None:
            self._h2.acknowledge_received_data(owed, stream_id)

    def _flush(self) -> None:
        """Send what h2 has to say; where that cannot be, the connection has ended."""
        data = self._h2.data_to_send()
        if not data or self._failure:
            return
        try:
            unsent_bytes = self._stream.send(data)
        except httpcore2.WriteError as error:
            self._end(error)
            return
        if unsent_bytes > _MAX_UNSENT_BYTES:
            self._end(httpcore2.WriteError("it does not read"))

    def _end(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            self._stream.abort()
        for stream in self._streams.values():
            if not stream.is_over:
                stream.end(self._failure)


class _StreamBody:
    """What an answer needs of its connection."""

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        self._connection = connection
        self._stream_id = stream_id

    async def read(self) -> bytes:
        return await self._connection.read(self._stream_id)

    def finish(self) -> None:
        self._connection.finish(self._stream_id)


def _sent_headers(request: RequestHead) -> Headers:
    """HTTP/1.1's headers as HTTP/2 has them: small names, the host among the pseudo-headers."""
    return [
        (b":method", b"GET"),
        (b":authority", request.authority.encode("ascii")),
        (b":scheme", request.scheme.encode("ascii")),
        (b":path", request.target.encode("ascii")),
        *((name.lower(), value) for name, value in request.headers),
    ]


def _status_and_headers(headers: Headers) -> tuple[int, Headers]:
    status = dict(headers).get(b":status", b"")
    if not _STATUS.fullmatch(status):
        raise httpcore2.RemoteProtocolError("it answered without a status")
    return int(status), [(name, value) for name, value in headers if name[:1] != b":"]
