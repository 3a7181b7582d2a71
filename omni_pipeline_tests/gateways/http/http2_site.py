"""A web site for tests that speaks HTTP/2 and nothing else, on loopback, by script."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.sites import LOOPBACK, Page

_FRAME_BYTES = 16_384


class Conversation:
    """One connection as scripts see it; what they send, they send under ``lock``."""

    def __init__(self, wire: ssl.SSLSocket) -> None:
        rules = H2Configuration(client_side=False, validate_outbound_headers=False)
        self.h2 = H2Connection(rules)
        self.lock = threading.RLock()
        self._wire = wire
        self._unsent: dict[int, bytes] = {}

    def send_head(self, stream_id: int, page: Page, *, is_all: bool = False) -> None:
        headers = [(b":status", str(page.status).encode())]
        headers += [(k.encode(), v.encode("latin-1")) for k, v in page.headers.items()]
        with self.lock:
            self.h2.send_headers(stream_id, headers, end_stream=is_all)
            self.flush()

    def send_page(self, stream_id: int, page: Page) -> None:
        self.send_head(stream_id, page, is_all=not page.body)
        with self.lock:
            if page.body:
                self._unsent[stream_id] = page.body
            self.pump()

    def send_data(self, stream_id: int, data: bytes) -> None:
        with self.lock:
            self.h2.send_data(stream_id, data)
            self.flush()

    def send_raw(self, data: bytes) -> None:
        """Bytes past all rules of the protocol."""
        self._wire.sendall(data)

    def hang_up(self) -> None:
        self._wire.shutdown(socket.SHUT_RDWR)

    def flush(self) -> None:
        self._wire.sendall(self.h2.data_to_send())

    def forget(self, stream_id: int) -> None:
        self._unsent.pop(stream_id, None)

    def pump(self) -> None:
        """Send of each body as much as its window lets through."""
        for stream_id in list(self._unsent):
            while body := self._unsent.get(stream_id):
                size = min(self.h2.local_flow_control_window(stream_id), _FRAME_BYTES, len(body))
                if not size:
                    break
                self.h2.send_data(stream_id, body[:size], end_stream=size == len(body))
                self._unsent[stream_id] = body[size:]
        self.flush()


Script = Page | Callable[[Conversation, int], None]
"""A page, or what to do with a request on a stream."""


class Http2Site:
    """For a ``with`` statement; ``pages`` maps paths to scripts, anything else is 404."""

    def __init__(
        self,
        pages: Mapping[str, Script],
        tls: ssl.SSLContext,
        *,
        max_streams: int = 100,
        greeting: Callable[[Conversation], None] | None = None,
    ) -> None:
        self.pages = dict(pages)
        self.requests: list[dict[bytes, bytes]] = []
        self.resets: list[int] = []
        self.connections = 0
        tls.set_alpn_protocols(["h2"])
        self._tls = tls
        self._max_streams = max_streams
        self._greeting = greeting
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://site.test:{self.port}/"

    @property
    def allowed(self) -> frozenset[tuple[IPAddress, int]]:
        return frozenset({(LOOPBACK, self.port)})

    def paths(self) -> list[str]:
        return [request[b":path"].decode() for request in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for open_socket in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ProtocolError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(connection, server_side=True) as wire:
                self._open.add(wire)
                self._converse(wire)

    def _converse(self, wire: ssl.SSLSocket) -> None:
        talk = Conversation(wire)
        talk.h2.initiate_connection()
        talk.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._max_streams})
        talk.flush()
        if self._greeting:
            self._greeting(talk)
        while data := wire.recv(65_536):
            with talk.lock:
                for event in talk.h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        self.requests.append(dict(event.headers))
                        self._answer(talk, event.stream_id)
                    elif isinstance(event, StreamReset):
                        self.resets.append(event.stream_id)
                        talk.forget(event.stream_id)
                talk.pump()

    def _answer(self, talk: Conversation, stream_id: int) -> None:
        script = self.pages.get(self.paths()[-1], Page(status=404))
        if isinstance(script, Page):
            talk.send_page(stream_id, script)
        else:
            script(talk, stream_id)
