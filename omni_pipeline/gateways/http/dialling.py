"""Connections of the HTTP client: resolve once, judge every answer, dial what was judged.

The name goes through the policy and the address that passed is what the socket connects to, so a
resolver that changes its mind between two questions finds no second question (S-18 to S-20).
TLS still verifies the name (S-31). No message that leaves here holds a resolved address: error
texts would otherwise tell strangers what names mean inside the operator's network.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import certifi
import httpcore2

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.gateways.http.stream import SocketStream
from omni_pipeline.settings import IPAddress

Resolver = Callable[[str, int], Awaitable[Sequence[IPAddress]]]
"""Gives all addresses of a host name; raises OSError when there are none."""

# Of many addresses, one of them IPv6 without a route: two tries cover both families.
_MAX_TRIES = 3


class NotAllowedError(Exception):
    """The address policy refuses; the message is the reason, without any address in it."""


class NameNotResolvedError(Exception):
    """The resolver has no address for the name, or did not answer."""


class PinnedDialler:
    """Opens connections to allowed addresses only."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def connect(self, host: str, port: int, seconds: float) -> SocketStream:
        """Connect, within ``seconds`` for resolving and dialling together.

        Raises:
            NotAllowedError: One of the addresses is refused: then none is dialled (S-18).
            NameNotResolvedError: There is no address.
            httpcore2.ConnectError: Every address refused the connection.
            httpcore2.ConnectTimeout: None answered in time.
        """
        try:
            async with asyncio.timeout(seconds):
                addresses = await judged_addresses(
                    host, port, policy=self._policy, resolver=self._resolver
                )
                return await _dial(addresses[:_MAX_TRIES], port, seconds)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("connecting took too long") from None


async def judged_addresses(
    host: str, port: int, *, policy: AddressPolicy, resolver: Resolver
) -> Sequence[IPAddress]:
    """Return all addresses of ``host``, each allowed by ``policy``.

    Raises:
        NotAllowedError: One of them is refused, and with it the name (S-18).
        NameNotResolvedError: There is none.
    """
    if policy.refuses_port(port):
        raise NotAllowedError(f"port {port} is not crawled, only 80 and 443")
    literal = _literal(host)
    addresses = [literal] if literal else await _resolve(host, port, resolver)
    if any(policy.refuses(address, port) for address in addresses):
        raise NotAllowedError("it leads to an address that is not public")
    return addresses


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


async def _dial(addresses: Sequence[IPAddress], port: int, seconds: float) -> SocketStream:
    loop = asyncio.get_running_loop()
    failure: Exception = httpcore2.ConnectError("nothing to dial")
    for address in addresses:
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                _, stream = await loop.create_connection(SocketStream, str(address), port)
                return stream
        except TimeoutError:
            failure = httpcore2.ConnectTimeout("connecting took too long")
        except OSError as error:
            failure = httpcore2.ConnectError("it cannot be reached")
            failure.__cause__ = error
    raise failure


async def _resolve(host: str, port: int, resolver: Resolver) -> Sequence[IPAddress]:
    try:
        addresses = await resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise NameNotResolvedError from error
    if not addresses:
        raise NameNotResolvedError
    return addresses


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
