"""What goes over a connection of the HTTP client: the head of a request, and an answer to it."""

from dataclasses import dataclass
from typing import Protocol

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestHead:
    """All that is ever sent: ``GET``, and nothing after it.

    Attributes:
        authority: The host, with its port where that is unusual.
        target: Path and query.
        headers: Beside the host, which HTTP/2 has elsewhere.
    """

    scheme: str
    authority: str
    target: str
    headers: Headers


class ResponseBody(Protocol):
    """The body of an answer, of which nobody need read more than they want."""

    async def read(self) -> bytes:
        """The next piece as it comes; nothing at the end.

        Raises:
            httpcore2.NetworkError, httpcore2.ProtocolError: It broke off.
        """

    def finish(self) -> None:
        """Have the rest of it stopped, if there is more. To be called once, whatever happens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """The head of an answer, and its body while that is under way."""

    status: int
    headers: Headers
    body: ResponseBody


class Connection(Protocol):
    """HTTP/1.1's serves one page at a time, HTTP/2's many."""

    async def send(self, request: RequestHead) -> Response:
        """Send a request and return the head of the answer.

        Raises:
            httpcore2.NetworkError: The connection broke.
            httpcore2.ProtocolError: The site does not keep to HTTP.
        """

    def is_available(self) -> bool:
        """Whether it takes a request now, for all that is known."""

    def has_expired(self) -> bool:
        """Whether a look at it shows that it does not."""

    def is_closed(self) -> bool:
        """Whether it never will again."""

    def close(self) -> None:
        """End it at once."""
