"""Sites to crawl, each served by a process of its own, and cheaply: crawlers are what counts.

    python -m benchmarks.site_process folder /usr/share/doc/python3/html
    python -m benchmarks.site_process pages 1200

Prints its URL and serves until its standard input ends. Beside a folder's pages and generated ones
there are three bad neighbours: ``drip`` sends a byte a second, ``trap`` links on without end, and
the pages of ``bomb`` inflate to 100 MB.
"""

import argparse
import asyncio
import gzip
import hashlib
import mimetypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent

PAGES_PER_SITEMAP = 5_000
LINKS = 60
BOMB = gzip.compress(b"\0" * 100 * 1024 * 1024)
_TEXT = "<p>" + "The quick brown fox jumps over the lazy dog. " * 12 + "</p>"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
_PIECE_SECONDS = 1.0

Answer = tuple[bytes, bytes]
"""What is sent at once, and what is sent a byte a second."""

Site = Callable[[str, str, str], Answer]
"""Answers a path; also told the validator that came with it, and the site's own origin."""


@contextmanager
def serve(kind: str, argument: object = "") -> Iterator[str]:
    """A site in a process of its own; gives its origin, such as ``http://127.0.0.1:8000``."""
    command = [sys.executable, "-m", "benchmarks.site_process", kind, str(argument)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def whole(body: bytes, kind: str = "text/html; charset=utf-8", extra: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def validated(body: bytes, kind: str, validator: str) -> bytes:
    """The document, or 304 for those who hold it."""
    etag = f'"{hashlib.blake2b(body, digest_size=10).hexdigest()}"'
    if validator == etag:
        return f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()
    return whole(body, kind, f"ETag: {etag}\r\n")


def folder_site(folder: str) -> Site:
    """Files as they are, read once."""
    root = Path(folder).resolve()
    bodies: dict[str, bytes | None] = {}

    def read(path: str) -> bytes | None:
        name = f"{path}index.html" if path.endswith("/") else path
        file = (root / unquote(name).lstrip("/")).resolve()
        return file.read_bytes() if file.is_relative_to(root) and file.is_file() else None

    def answer(path: str, validator: str, _origin: str) -> Answer:
        path = path.partition("?")[0]
        if path not in bodies:
            bodies[path] = read(path)
        body = bodies[path]
        if body is None:
            return _NOT_FOUND, b""
        return validated(body, mimetypes.guess_type(path)[0] or "text/html", validator), b""

    return answer


def generated_site(count: str) -> Site:
    """So many pages of a few kilobytes, all of them listed in a sitemap index."""
    limit = int(count)

    def answer(path: str, validator: str, origin: str) -> Answer:
        name, _, number = path.rpartition("/")
        if path == "/robots.txt":
            return whole(f"Sitemap: {origin}/sitemap.xml\n".encode(), "text/plain"), b""
        if path == "/sitemap.xml":
            files = range(0, limit, PAGES_PER_SITEMAP)
            return _xml("sitemapindex", "sitemap", [f"{origin}/listed/{n}" for n in files]), b""
        if name == "/listed":
            start = int(number)
            pages = range(start, min(start + PAGES_PER_SITEMAP, limit))
            return _xml("urlset", "url", [f"{origin}/page/{n}" for n in pages]), b""
        if path == "/" or (name == "/page" and number.isdigit() and int(number) < limit):
            return validated(_page(int(number or 0), limit), "text/html", validator), b""
        return _NOT_FOUND, b""

    return answer


def _xml(name: str, entry: str, urls: list[str]) -> bytes:
    entries = "".join(f"<{entry}><loc>{url}</loc></{entry}>" for url in urls)
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return whole(f'<{name} xmlns="{namespace}">{entries}</{name}>'.encode(), "application/xml")


def _page(number: int, limit: int) -> bytes:
    links = "".join(
        f'<li><a href="/page/{other}">Page {other}</a>'
        for other in ((number + step) % limit for step in (1, 7, 49, 343))
    )
    paragraphs = "".join(f"<h2>Part {number}.{part}</h2>{_TEXT}" for part in range(4))
    head = f"<!doctype html><html lang=en><title>Page {number} of {limit}</title>"
    return f"{head}<nav><ul>{links}</ul></nav><h1>Page {number}</h1>{paragraphs}".encode()


def drip_site(_: str) -> Site:
    """A start page, and behind it pages that take a day to arrive."""
    body = _page(0, LINKS)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"

    def answer(path: str, _validator: str, _origin: str) -> Answer:
        if path == "/":
            return whole(_links([f"/page/{n}" for n in range(LINKS)])), b""
        return (head.encode(), body) if path.startswith("/page/") else (_NOT_FOUND, b"")

    return answer


def trap_site(_: str) -> Site:
    """A calendar: each page links to days that nobody has seen."""

    def answer(path: str, _validator: str, _origin: str) -> Answer:
        if path == "/robots.txt":
            return _NOT_FOUND, b""
        digits = "".join(filter(str.isdigit, path))
        day = int(digits or 0) % 10**9
        further = [f"/day/{day * 7 + step}" for step in range(LINKS)]
        return whole(_links([*further, *(f"{path}/more?from={day}&by={n}" for n in range(5))])), b""

    return answer


def bomb_site(_: str) -> Site:
    """100 kB on the wire, 100 MB for those who inflate all of it."""

    def answer(path: str, _validator: str, _origin: str) -> Answer:
        if path == "/":
            return whole(_links([f"/page/{n}" for n in range(LINKS)])), b""
        if path.startswith("/page/"):
            return whole(BOMB, extra="Content-Encoding: gzip\r\n"), b""
        return _NOT_FOUND, b""

    return answer


def _links(urls: list[str]) -> bytes:
    return f"<h1>Links</h1>{''.join(f'<p><a href={url}>{url}</a>' for url in urls)}".encode()


SITES: dict[str, Callable[[str], Site]] = {
    "folder": folder_site,
    "pages": generated_site,
    "drip": drip_site,
    "trap": trap_site,
    "bomb": bomb_site,
}


class _Connection(asyncio.Protocol):
    """One client: requests in, answers out, kept alive."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self._origin = f"http://{host}:{port}"

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            path, validator = _read_head(head.decode("latin-1"))
            at_once, slowly = self._site(path, validator, self._origin)
            self._transport.write(at_once)
            self._send_slowly(slowly)

    def _send_slowly(self, body: bytes) -> None:
        if body and not self._transport.is_closing():
            self._transport.write(body[:1])
            loop = asyncio.get_running_loop()
            loop.call_later(_PIECE_SECONDS, self._send_slowly, body[1:])


def _read_head(head: str) -> tuple[str, str]:
    """The path that is asked for, and the validator that came with it, if any."""
    request, *lines = head.split("\r\n")
    fields = (line.partition(":") for line in lines)
    validators = (value for name, _, value in fields if name.lower() == "if-none-match")
    return request.split(" ")[1], next(validators, "").strip()


async def run(site: Site) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(site), "127.0.0.1", 0, backlog=512)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=SITES)
    parser.add_argument("argument", nargs="?", default="", help="a folder, or how many pages")
    given = parser.parse_args()
    asyncio.run(run(SITES[given.kind](given.argument)))


if __name__ == "__main__":
    main()
