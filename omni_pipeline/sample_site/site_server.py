"""Serves a folder of pages on loopback: the bundled sample site, or a static site under test."""

import hashlib
import json
import mimetypes
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import unquote, urlsplit

SAMPLE_SITE = Path(__file__).resolve().parent

HEADING = re.compile(r"<h1>(.*?)</h1>")


@dataclass(frozen=True, kw_only=True)
class SampleQuestion:
    """A question that the sample site answers, and the path of the page that does."""

    question: str
    path: str


def read_questions() -> tuple[SampleQuestion, ...]:
    """Read what a demonstration asks about the sample site."""
    entries = json.loads((SAMPLE_SITE / "questions.json").read_text(encoding="utf-8"))
    return tuple(SampleQuestion(**entry) for entry in entries)


@dataclass(frozen=True, kw_only=True)
class SeenRequest:
    """What a client asked and the status it got; ``path`` has the query, header names are small."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]


class SampleServer:
    """A site on loopback for as long as the ``with`` block runs.

    The site can be edited meanwhile: ``server.pages["/x.html"] = html`` adds or replaces a page,
    a status in place of HTML makes the page answer with it, and ``del`` brings the file back.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one, which ``url`` then names.
        folder: The files to serve as they are; None is the bundled sample site.

    Attributes:
        url: Scheme, host and port, without a slash at the end.
        pages: What is served in place of, or beside, the files of the folder.
        requests: Every request seen, in the order of the answers.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, folder: Path | None = None) -> None:
        self._server = _HttpServer((host, port))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._server.site = _Pages(folder) if folder else _SampleSite(self.url)
        self.pages = self._server.site.pages
        self.requests = self._server.requests

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    @property
    def count_by_status(self) -> Counter[int]:
        return Counter(request.status for request in self.requests)

    def read(self, path: str) -> str:
        """What ``path`` is answered with now, and so what an edit starts from.

        Raises:
            KeyError: There is no such page.
        """
        page = self._server.site.page(path)
        if isinstance(page, HTTPStatus):
            raise KeyError(path)
        return page.decode()

    def remove(self, path: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> None:
        """Answer ``path`` with ``status`` until ``pages`` says otherwise."""
        self.pages[path] = status


class _Pages:
    """Files of a folder, and the pages put in place of some of them."""

    def __init__(self, folder: Path) -> None:
        self.pages: dict[str, str | HTTPStatus] = {}
        self._folder = folder.resolve()
        self._seen: dict[str, tuple[str, datetime]] = {}

    def page(self, path: str) -> bytes | HTTPStatus:
        """The bytes at ``path``, or the status of a path that has none."""
        page = self.pages.get(path)
        if page is None:
            file = self._file(path)
            return self._render(path, file) if file else HTTPStatus.NOT_FOUND
        return page if isinstance(page, HTTPStatus) else page.encode()

    def validators(self, path: str, body: bytes) -> tuple[str, datetime]:
        """ETag and time of the last change, which is when the change was first served."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        seen = self._seen.get(path)
        if seen is None or seen[0] != etag:
            file = self._file(path) if seen is None and path not in self.pages else None
            changed_at = file.stat().st_mtime if file else time.time()
            self._seen[path] = (etag, datetime.fromtimestamp(int(changed_at), UTC))
        return self._seen[path]

    def _file(self, path: str) -> Path | None:
        name = f"{path}index.html" if path.endswith("/") else path
        with suppress(OSError, ValueError):  # names that no file can have
            file = (self._folder / unquote(name).lstrip("/")).resolve()
            if file.is_relative_to(self._folder) and file.is_file():
                return file
        return None

    def _render(self, _path: str, file: Path) -> bytes:
        return file.read_bytes()


class _SampleSite(_Pages):
    """The bundled pages, each inside the frame that they share."""

    def __init__(self, url: str) -> None:
        super().__init__(SAMPLE_SITE / "pages")
        self._url = url
        self._layout = (SAMPLE_SITE / "layout.html").read_text(encoding="utf-8")

    def _render(self, path: str, file: Path) -> bytes:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".html":
            text = self._frame(path, text)
        return text.replace("{{base}}", self._url).encode()

    def _frame(self, path: str, content: str) -> str:
        heading = HEADING.search(content)
        page = self._layout.replace("{{title}}", heading[1] if heading else path)
        return page.replace("{{path}}", path).replace("{{content}}", content)


class _HttpServer(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # server_close() then waits for them: no thread outlives the server

    site: _Pages

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.requests: list[SeenRequest] = []
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End kept-alive connections, which would go on being served after the server is gone."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may leave when they like
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; as two, the second waits 40 ms for the first's ACK
    server: _HttpServer

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        page = self.server.site.page(path)
        if isinstance(page, HTTPStatus):
            self._send(page, f"<h1>{page.value} {page.phrase}</h1>".encode(), {})
            return
        etag, changed_at = self.server.site.validators(path, page)
        validators = {"ETag": etag, "Last-Modified": format_datetime(changed_at, usegmt=True)}
        if self._is_current(etag, changed_at):
            self._send(HTTPStatus.NOT_MODIFIED, b"", validators)
        else:
            self._send(HTTPStatus.OK, page, validators)

    do_GET = do_HEAD = _answer  # noqa: N815 - http.server looks for these names

    def _is_current(self, etag: str, changed_at: datetime) -> bool:
        """Whether the client has this version; an ETag outranks a date (RFC 9110, 13.2.2)."""
        if known := self.headers.get("If-None-Match"):
            return etag in known
        with suppress(TypeError, ValueError):
            return changed_at <= parsedate_to_datetime(self.headers["If-Modified-Since"])
        return False

    def _send(self, status: HTTPStatus, body: bytes, validators: Mapping[str, str]) -> None:
        self._remember(status)
        self.send_response(status)
        for name, value in validators.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", self._content_type(status))
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _remember(self, status: HTTPStatus) -> None:
        """Before the answer goes out: a client that has it may read the log at once."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(
            SeenRequest(method=self.command, path=self.path, status=status, headers=headers)
        )

    def _content_type(self, status: HTTPStatus) -> str:
        guessed = mimetypes.guess_type(urlsplit(self.path).path)[0]
        kind = guessed if guessed and status is HTTPStatus.OK else "text/html"
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

    def log_message(self, *_: Any, **__: Any) -> None:
        """Stay quiet: ``SampleServer.requests`` is the log."""
