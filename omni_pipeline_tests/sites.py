"""Web sites for tests: real sockets on loopback that answer by script and record what was asked.

``ScriptedSite`` serves pages that a test may change while it runs; ``Canary`` is an address that
nobody should ever connect to.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from omni_pipeline.settings import IPAddress

LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it arrived; ``connection`` counts from 1, names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer.

    Attributes:
        etag: Sent, and answered with 304 when the request names it.
        wait_seconds: Before anything is sent.
        drip_seconds: Between the bytes of the whole answer, head included.
        cut_after: Close the connection after so many bytes of the body.
        stream: Gives the body in parts instead, without a length, until the connection closes.
        raw: Exactly these bytes instead of an HTTP answer; then the connection closes.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0
    cut_after: int | None = None
    stream: Callable[[], Iterable[bytes]] | None = None
    raw: bytes | None = None


Script = Page | str | Callable[[Seen], "Page | str"]
"""A string is an HTML page; a function decides when it is asked."""


def html(text: str, **headers: str) -> Page:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Page(body=text.encode(), headers={"content-type": "text/html; charset=utf-8"} | named)


def redirect(target: str, status: int = 302) -> Page:
    return Page(status=status, headers={"location": target})


def in_turn(*pages: Page | str) -> Callable[[Seen], Page | str]:
    """Each request gets the next page; the last one stays."""
    left = list(pages)
    return lambda seen: left.pop(0) if len(left) > 1 else left[0]


class ScriptedSite:
    """A web server on a free port of 127.0.0.1, for a ``with`` statement.

    ``pages`` maps targets (path and query, or the path alone) to scripts; anything else gets
    ``fallback``, a 404.
    """

    def __init__(
        self, pages: Mapping[str, Script] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.pages: dict[str, Script] = dict(pages or {})
        self.fallback: Script = Page(status=404, body=b"not here")
        self.requests: list[Seen] = []
        self.connections = 0
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/"

    @property
    def allowed(self) -> frozenset[tuple[IPAddress, int]]:
        """For an address policy or ``parse_site``."""
        return frozenset({(LOOPBACK, self.port)})

    def targets(self) -> list[str]:
        return [seen.target for seen in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing alone would not wake the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(
                target=self._serve, args=(connection, self.connections), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            with connection, contextlib.suppress(OSError):
                self._talk(self._secured(connection), number)
        finally:
            with self._lock:
                self._open.discard(connection)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection

    def _talk(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as lines:
            while first := lines.readline().decode("latin-1").split():
                headers = dict(_header(line) for line in iter(lines.readline, b"\r\n") if line)
                seen = Seen(
                    method=first[0],
                    target=first[1],
                    headers=headers,
                    connection=number,
                    at=time.monotonic(),
                )
                self.requests.append(seen)
                if not _send(connection, self._page(seen), seen):
                    return

    def _page(self, seen: Seen) -> Page:
        script = self.pages.get(seen.target) or self.pages.get(seen.target.partition("?")[0])
        script = script or self.fallback
        answer = script(seen) if callable(script) else script
        return html(answer) if isinstance(answer, str) else answer


class Canary:
    """A listening address that must stay lonely: ``accepts()`` counts who came."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((address, 0))
        self._listener.settimeout(0)
        self.port: int = self._listener.getsockname()[1]
        self._count = 0

    def accepts(self) -> int:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                self._count += 1
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip().lower(), value.strip()


def _send(connection: socket.socket, page: Page, seen: Seen) -> bool:
    """Send the page; False when the connection is to be closed."""
    time.sleep(page.wait_seconds)
    if page.raw is not None:
        connection.sendall(page.raw)
        return False
    if page.etag and seen.headers.get("if-none-match") == page.etag:
        connection.sendall(f"HTTP/1.1 304 Not Modified\r\nETag: {page.etag}\r\n\r\n".encode())
        return True
    if page.stream is not None:
        connection.sendall(_head(page, {"connection": "close"}))
        for part in page.stream():
            connection.sendall(part)
        return False
    head = _head(page, {"content-length": str(len(page.body))})
    _drip(connection, head + page.body[: page.cut_after], page.drip_seconds)
    return page.cut_after is None


def _head(page: Page, framing: Mapping[str, str]) -> bytes:
    headers = dict(framing) | dict(page.headers) | ({"etag": page.etag} if page.etag else {})
    lines = [f"HTTP/1.1 {page.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _drip(connection: socket.socket, data: bytes, seconds: float) -> None:
    if not seconds:
        connection.sendall(data)
        return
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(seconds)
