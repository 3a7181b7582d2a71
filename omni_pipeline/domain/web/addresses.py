"""Which addresses a crawl may connect to: one table, asked about each before it is dialled.

``ipaddress.is_global`` cannot serve: on Python 3.11 it calls multicast, 6to4 around loopback,
``fec0::/10`` and ``::127.0.0.1`` global, and no library knows Azure's public-looking platform
address. Source: the IANA special-purpose registries for IPv4 and IPv6, and S-1 to S-17.
"""

import ipaddress
from dataclasses import dataclass

from omni_pipeline.settings import IPAddress

WEB_PORTS = frozenset({80, 443})

_NOT_PUBLIC_IPV4 = tuple(
    (ipaddress.IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),  # Alibaba's metadata service too
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud platform's own"),  # Azure; public by every registry
        ("169.254.0.0/16", "link-local"),  # the clouds' metadata services
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "reserved for protocols"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

# Outside of this block IPv6 holds no public host: loopback, link-local, site-local, unique local,
# multicast, and the forms that embed an IPv4 address (mapped, compatible, translated).
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

_NOT_PUBLIC_IPV6 = tuple(
    (ipaddress.IPv6Network(network), reason)
    for network, reason in (
        ("2001::/23", "reserved for protocols"),  # Teredo among them
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "for documentation"),
    )
)

# Networks without IPv4 reach every IPv4-only site through this prefix (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# RFC 5214: interface identifiers that carry an IPv4 address in their last 32 bits.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


@dataclass(frozen=True, kw_only=True)
class AddressPolicy:
    """Public addresses on ports 80 and 443, and the ``(address, port)`` pairs of ``allowed``."""

    allowed: frozenset[tuple[IPAddress, int]] = frozenset()

    def refuses(self, address: IPAddress, port: int) -> str | None:
        """Why a crawl may not connect there, as the rest of "this address is ...", or None.

        The answer must not reach people when it is about a name: what a name resolves to inside
        the operator's network is not the business of whoever registered the name.
        """
        if (address, port) in self.allowed:
            return None
        if port not in WEB_PORTS:
            return f"on port {port}, and only 80 and 443 are crawled"
        return not_public(address)

    def refuses_port(self, port: int) -> bool:
        """Whether no address at all may be reached on this port; asked before resolving a name."""
        return port not in WEB_PORTS and all(port != allowed for _, allowed in self.allowed)


def not_public(address: IPAddress) -> str | None:
    """Why the address is not a public host's, or None. Looks at every embedded IPv4 too."""
    if isinstance(address, ipaddress.IPv4Address):
        return _first_match(address, _NOT_PUBLIC_IPV4)
    if address in _NAT64:
        return not_public(_last_32_bits(address))
    if address not in _GLOBAL_UNICAST:
        return "loopback" if address.is_loopback else "not global unicast"
    if reason := _first_match(address, _NOT_PUBLIC_IPV6):
        return reason
    carries_ipv4 = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
    return not_public(_last_32_bits(address)) if carries_ipv4 else None


def _first_match(
    address: IPAddress,
    table: tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str], ...],
) -> str | None:
    return next((reason for network, reason in table if address in network), None)


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
