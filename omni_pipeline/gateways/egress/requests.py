"""What a browser may say to the egress proxy: one request, read by one strict grammar.

Anything that two parsers could read in two ways is refused, not repaired: bare line feeds, folded
lines, repeated or combined framing headers, chunked bodies (request smuggling, RFC 9112, 11.2).
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from omni_pipeline.domain.web.hosts import (
    DEFAULT_PORTS,
    bracketed,
    canonical_host,
    port_number,
    split_authority,
)

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for a name
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e]+) HTTP/1\.[01]")
_HEADER = re.compile(rf"({_TOKEN}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_ABSOLUTE = re.compile(r"http://([^/?#]+)([^#]*)", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"[^/?#]+:[0-9]+")
_LENGTH = re.compile(r"[0-9]{1,15}")

# Between two neighbours only (RFC 9110, 7.6.1); and those which are written anew.
_NOT_FORWARDED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

HeaderLines = Sequence[tuple[str, str]]
"""Names in lower case, in the order in which they came."""


class DeclinedError(Exception):
    """The proxy answers by itself: with ``status``, and the message as the text."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ProxyRequest:
    """One request to the proxy.

    Attributes:
        authority: ``host[:port]`` as it was sent; ``destination`` judges it.
        target: Path and query for the web server; None asks for a tunnel (CONNECT).
        body_bytes: The length of the body, None without one.
        credentials: What follows ``Basic``.
    """

    method: str
    authority: str
    target: str | None
    headers: HeaderLines
    body_bytes: int | None
    credentials: str

    def destination(self) -> tuple[str, int]:
        """The canonical host, without brackets, and the port.

        Raises:
            BadHostError: The grammar of hosts refuses it.
        """
        host, port = split_authority(self.authority)
        return canonical_host(host), port_number(port, default=DEFAULT_PORTS["http"])

    def forwarded_head(self) -> bytes:
        """The head for the web server; Host is the dialled one, whatever the browser sent."""
        host, port = self.destination()
        at_port = "" if port == DEFAULT_PORTS["http"] else f":{port}"
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            f"Host: {bracketed(host)}{at_port}",
            *(f"{name}: {value}" for name, value in self._end_to_end_headers()),
            "Connection: close",
        ]
        if self.body_bytes is not None:
            lines.append(f"Content-Length: {self.body_bytes}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _end_to_end_headers(self) -> Iterable[tuple[str, str]]:
        named = ",".join(value for name, value in self.headers if name == "connection")
        dropped = _NOT_FORWARDED | {name.strip().lower() for name in named.split(",")}
        return ((name, value) for name, value in self.headers if name not in dropped)


async def read_request(reader: asyncio.StreamReader, *, max_bytes: int) -> ProxyRequest:
    """Read one request up to its body.

    Raises:
        DeclinedError: It breaks the grammar, or its head is larger than ``most_bytes``.
    """
    try:
        lines = await read_head(reader, max_bytes=max_bytes)
    except EOFError:
        raise _malformed("the request ends within its head") from None
    except ValueError:
        raise DeclinedError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large"
        ) from None
    first, *rest, _ = map(_text, lines)
    headers = [_header(line) for line in rest]
    method, authority, target = _request_line(first)
    return ProxyRequest(
        method=method,
        authority=authority,
        target=target,
        headers=headers,
        body_bytes=_body_bytes(headers),
        credentials=_credentials(headers),
    )


async def read_head(reader: asyncio.StreamReader, *, max_bytes: int) -> list[bytes]:
    """Read the lines of a head, each with its end, the empty one included.

    Raises:
        EOFError: The other side closed before it.
        ValueError: There are more than ``most_bytes``.
    """
    lines: list[bytes] = []
    left = max_bytes
    while line := await reader.readline():
        lines.append(line)
        left -= len(line)
        if left < 0:
            raise ValueError("the head is too large")
        if len(lines) > 1 and line in {b"\r\n", b"\n"}:
            return lines
    raise EOFError


def _text(line: bytes) -> str:
    if not line.endswith(b"\r\n"):
        raise _malformed("a line of the head does not end with CR LF")
    return line[:-2].decode("latin-1")


def _request_line(line: str) -> tuple[str, str, str | None]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _malformed("the request line is malformed")
    method, target = match.groups()
    if method == "CONNECT":
        if not _HOST_AND_PORT.fullmatch(target):
            raise _malformed("CONNECT needs host:port")
        return method, target, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise _malformed("only CONNECT and absolute http:// targets are served")
    path = absolute[2]
    return method, absolute[1], path if path.startswith("/") else f"/{path}"


def _header(line: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise _malformed("a header line is malformed")
    return match[1].lower(), match[2].rstrip(" \t")


def _body_bytes(headers: HeaderLines) -> int | None:
    if any(name == "transfer-encoding" for name, _ in headers):
        raise DeclinedError(HTTPStatus.LENGTH_REQUIRED, "bodies need a Content-Length")
    length = _only(headers, "content-length")
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise _malformed("Content-Length is not a number")
    return int(length)


def _credentials(headers: HeaderLines) -> str:
    scheme, _, credentials = (_only(headers, "proxy-authorization") or "").partition(" ")
    return credentials.strip() if scheme.lower() == "basic" else ""


def _only(headers: HeaderLines, wanted: str) -> str | None:
    values = [value for name, value in headers if name == wanted]
    if len(values) > 1:
        raise _malformed(f"the header {wanted} is repeated")
    return values[0] if values else None


def _malformed(reason: str) -> DeclinedError:
    return DeclinedError(HTTPStatus.BAD_REQUEST, reason)
