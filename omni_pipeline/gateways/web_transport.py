"""Connections of the web door: resolve once, judge every answer, dial what was judged.

The name goes through the policy and the address that passed is what the socket connects to, so a
resolver that changes its mind between two questions finds no second question (FAULTS S18-S20).
TLS still verifies the name (S31). No message that leaves here holds a resolved address: error
texts would otherwise tell strangers what names mean inside the operator's network.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import certifi
import httpcore2

from omni_pipeline.domain.addresses import AddressPolicy
from omni_pipeline.settings import IPAddress

Resolver = Callable[[str, int], Awaitable[Sequence[IPAddress]]]
"""Gives all addresses of a host name; raises OSError when there are none."""

# Of many addresses, one of them IPv6 without a route: two tries cover both families.
_MOST_TRIES = 3


class NotAllowedError(Exception):
    """The address policy refuses; the message is the reason, without any address in it."""


class NameNotResolvedError(Exception):
    """The resolver has no address for the name, or did not answer."""


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for httpcore2 to allowed addresses only."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._sockets = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,  # noqa: ARG002 - httpcore2's signature
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect, within ``timeout`` seconds for resolving and dialling together.

        Raises:
            NotAllowedError: One of the addresses is refused: then none is dialled (S18).
            NameNotResolvedError: There is no address.
            httpcore2.ConnectError: Every address refused the connection.
            httpcore2.ConnectTimeout: None answered in time.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._judged(host, port)
                return await self._dial(addresses, port, timeout, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("connecting took too long") from None

    async def _judged(self, host: str, port: int) -> Sequence[IPAddress]:
        if self._policy.refuses_port(port):
            raise NotAllowedError(f"port {port} is not crawled, only 80 and 443")
        literal = _literal(host)
        addresses = [literal] if literal else await self._resolve(host, port)
        if any(self._policy.refuses(address, port) for address in addresses):
            raise NotAllowedError("it leads to an address that is not public")
        return addresses

    async def _resolve(self, host: str, port: int) -> Sequence[IPAddress]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise NameNotResolvedError from error
        if not addresses:
            raise NameNotResolvedError
        return addresses

    async def _dial(
        self,
        addresses: Sequence[IPAddress],
        port: int,
        seconds: float | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        tries = addresses[:_MOST_TRIES]
        each = seconds / len(tries) if seconds else None
        failure: Exception = httpcore2.ConnectError("nothing to dial")
        for address in tries:
            try:
                return await self._sockets.connect_tcp(
                    str(address), port, timeout=each, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


async def system_resolver(host: str, port: int) -> Sequence[IPAddress]:
    """Ask the operating system, which knows /etc/hosts and search rules as well as DNS."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(address[0]) for *_, address in answers]


def tls_context() -> ssl.SSLContext:
    """Verify certificates against the system's authorities, or certifi's where it has none.

    A minimal Debian image has no ``ca-certificates``; every https site would look broken.
    """
    context = ssl.create_default_context()  # TLS 1.2 at least, since Python 3.10
    paths = ssl.get_default_verify_paths()
    has_directory = bool(paths.capath) and any(Path(paths.capath).glob("*.0"))
    if not paths.cafile and not has_directory:
        context.load_verify_locations(certifi.where())
    return context


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
