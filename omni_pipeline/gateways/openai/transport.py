"""HTTP for the embedding client that ends: by the clock, by size, and at the first host.

Imported only when a client is opened: httpx2 is not free.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import httpcore2
import httpx2

ANSWER_BYTES = 32 * 1024 * 1024

# Proxies add headers, some of them large. What is cut off at them was paid for all the same.
HEADER_BYTES = 1024 * 1024
httpcore2.HTTP11Connection.MAX_INCOMPLETE_EVENT_SIZE = HEADER_BYTES

# Whoever says so has not begun to answer, or has hung up; other faults are in what was answered.
_HUNG_UP = ("disconnected", "peer closed", "closed connection")


class AnswerRefusedError(httpx2.TransportError):
    """The answer was not read to its end, because of its size, its encoding or its form."""


class Deadline:
    """The moment at which the request under way must be over."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds

    def restart(self) -> None:
        self._ends_at = self._clock() + self.seconds

    def cap(self, timeout: float | None) -> float:
        """The time that one network operation may take, or ReadTimeout when none is left."""
        left = self._ends_at - self._clock()
        if left <= 0:
            raise httpcore2.ReadTimeout(f"no whole answer within {self.seconds:g} s")
        return left if timeout is None else min(timeout, left)


class BoundedTransport(httpx2.BaseTransport):
    """Sends one request at a time and gives it ``deadline.seconds`` from connect to last byte.

    The client's own timeout is per read: an endpoint that drips one byte at a time outlived it
    (F-C7). Here every read, also one of headers, gets only what is left of the deadline.
    """

    def __init__(self, deadline: Deadline, *, tls: ssl.SSLContext | None = None) -> None:
        """Send within ``deadline``; ``tls`` says whose certificates are trusted."""
        self._deadline = deadline
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=1,
            network_backend=_DeadlineBackend(deadline),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._deadline.restart()
        outgoing = httpcore2.Request(
            method=request.method,
            url=str(request.url),
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        with _as_httpx2_errors():
            answer = self._pool.handle_request(outgoing)
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_BoundedStream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _BoundedStream(httpx2.SyncByteStream):
    """The body as it is on the wire: nothing is inflated, so its size is what memory it takes."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        self._refuse_encoding()
        size = 0
        with _as_httpx2_errors():
            for piece in self._answer.iter_stream():
                size += len(piece)
                if size > ANSWER_BYTES:
                    raise AnswerRefusedError(f"the answer is longer than {ANSWER_BYTES} bytes")
                yield piece

    def _refuse_encoding(self) -> None:
        for name, value in self._answer.headers:
            if name.lower() == b"content-encoding" and value.strip().lower() != b"identity":
                raise AnswerRefusedError("the answer is compressed although that was not asked for")

    def close(self) -> None:
        self._answer.close()


class _DeadlineBackend(httpcore2.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._backend.connect_tcp(
            host, port, self._deadline.cap(timeout), local_address, socket_options
        )
        return _DeadlineStream(stream, self._deadline)


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.cap(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._deadline.cap(timeout))
        return _DeadlineStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


@contextmanager
def _as_httpx2_errors() -> Iterator[None]:
    """The pool speaks httpcore2's errors; the client knows only httpx2's."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except httpcore2.ConnectError as error:
        raise httpx2.ConnectError(str(error)) from error
    except httpcore2.RemoteProtocolError as error:
        if any(words in str(error).lower() for words in _HUNG_UP):
            raise httpx2.RemoteProtocolError(str(error)) from error
        raise AnswerRefusedError(f"the answer is no HTTP: {error}") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise httpx2.RemoteProtocolError(str(error)) from error
