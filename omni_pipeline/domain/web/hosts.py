"""The grammar of hosts and ports, as they stand between ``//`` and the path of a URL."""

import ipaddress
import re
from functools import lru_cache

import idna

from omni_pipeline.settings import MAX_PORT

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HOST_BYTES = 253

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class BadHostError(ValueError):
    """The message is the broken rule, as the rest of "this host ..."."""


@lru_cache(maxsize=4096)
def canonical_authority(authority: str, scheme: str) -> str | None:
    """Return ``host[:port]`` in its one spelling, or None when the grammar refuses it."""
    host, port = split_authority(authority)
    try:
        number = port_number(port, default=DEFAULT_PORTS[scheme])
        host = canonical_host(host)
    except BadHostError:
        return None
    return bracketed(host) if number == DEFAULT_PORTS[scheme] else f"{bracketed(host)}:{number}"


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def split_authority(authority: str) -> tuple[str, str]:
    """Split at the colon of the port, and take off the brackets of an IPv6 address.

    Brackets around anything else stay, so that no later rule can take it for a host.
    """
    if authority.startswith("["):
        host, closing, rest = authority[1:].partition("]")
        is_ipv6 = bool(closing) and ":" in host and (not rest or rest[0] == ":")
        return (host, rest[1:]) if is_ipv6 else (authority, "")
    host, _, port = authority.partition(":")
    return host, port


def port_number(text: str, *, default: int) -> int:
    if not text:
        return default
    number = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    if not 1 <= number <= MAX_PORT:
        raise BadHostError("has a port that is not a number from 1 to 65535")
    return number


def canonical_host(text: str) -> str:
    """Return the one spelling of a host name or address.

    Raises:
        BadHostError: It is neither a full name by the rules of DNS nor a plain IP address.
    """
    if ":" in text:
        return _ipv6(text)
    host = text.lower() if text.isascii() else _punycode(text)
    labels = host.split(".")
    if is_numeric(host):
        return _ipv4(text)
    if labels[-1] == "localhost":
        raise BadHostError("names this very machine: write its address, such as 127.0.0.1:8080")
    if len(labels) == 1 or len(host) > MAX_HOST_BYTES or not all(map(_LABEL.fullmatch, labels)):
        raise BadHostError(
            "is not a full host name: letters, digits and hyphens in dot-separated labels, "
            f"at least two of them, at most {MAX_HOST_BYTES} characters"
        )
    if "xn--" in host:
        _check_punycode(host)
    return host


def without_www(host: str) -> str:
    """The host without a leading ``www.``, unless that is its name: ``www.com``."""
    bare = host.removeprefix("www.")
    return bare if "." in bare else host


def is_numeric(host: str) -> bool:
    """WHATWG: a host whose last label is a number is an IPv4 address or nothing (S-21)."""
    return bool(_NUMBER.fullmatch(host.rpartition(".")[2]))


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise BadHostError("is not an IPv6 address") from error
    if address.scope_id:
        raise BadHostError("has an interface name in its address")
    return address.compressed


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise BadHostError("is a number, but not an IPv4 address in plain dotted form") from error


def _punycode(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise BadHostError("is not a valid international host name") from error


def _check_punycode(host: str) -> None:
    try:
        idna.decode(host)
    except UnicodeError as error:
        raise BadHostError("is not valid punycode") from error
