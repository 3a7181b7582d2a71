"""The address table against S-1 to S-17 and S-25."""

import ipaddress
import random

import pytest
import ssrfguard

from omni_pipeline.domain.web.addresses import AddressPolicy, not_public

REFUSED = {
    "S-1": ["127.0.0.1", "127.255.255.254", "::1"],
    "S-2": ["0.0.0.0", "0.1.2.3", "::"],
    "S-3": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fe80::1"],
    "S-4": ["169.254.169.254", "169.254.170.2", "fd00:ec2::254"],
    "S-5": ["100.64.0.1", "100.100.100.200"],
    "S-6": ["168.63.129.16"],
    "S-7": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "S-8": ["192.0.0.8", "192.0.0.192"],
    "S-9": ["::127.0.0.1", "::a9fe:a9fe", "::8.8.8.8"],
    "S-10": ["::ffff:127.0.0.1", "::ffff:169.254.169.254"],
    "S-11": ["::ffff:0:127.0.0.1"],
    "S-12": ["64:ff9b::a9fe:a9fe", "64:ff9b::127.0.0.1"],
    "S-13": ["64:ff9b:1::1", "100:0:0:1::1", "100::1", "5f00::1", "3fff::1"],
    "S-14": ["2002:7f00:1::1", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "S-15": ["fec0::1"],
    "S-16": ["198.18.0.1", "203.0.113.1", "192.88.99.1", "240.0.0.1", "255.255.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.7", "2001:db8::1"],
    "ISATAP": ["2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:7f00:1"],
}
ALLOWED = {
    "S-17": ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "192.31.196.1"],
    "edges": ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255"],
    "NAT64 of a public address": ["64:ff9b::808:808"],
    "ISATAP of a public address": ["2a00:1450::5efe:8.8.8.8"],
}


def _rows(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(row, address) for row, addresses in table.items() for address in addresses]


@pytest.mark.parametrize(("row", "address"), _rows(REFUSED))
def test_an_address_that_is_not_a_public_host_is_refused(row: str, address: str) -> None:
    assert AddressPolicy().refuses(ipaddress.ip_address(address), 443) is not None


@pytest.mark.parametrize(("row", "address"), _rows(ALLOWED))
def test_a_public_host_is_allowed(row: str, address: str) -> None:
    assert AddressPolicy().refuses(ipaddress.ip_address(address), 443) is None


def test_nothing_that_python_calls_private_is_ever_allowed() -> None:
    """A second opinion: ``is_global`` allows too much, but what it refuses must be refused."""
    source = random.Random(7)
    v4 = [ipaddress.IPv4Address(source.getrandbits(32)) for _ in range(20_000)]
    # Half of the IPv6 addresses near the special blocks, which pure chance would never meet.
    special = [0x2001 << 112, 0x2002 << 112, 0x3FFF << 112, 0x64FF9B << 96, 0xFFFF << 32, 0]
    v6 = [ipaddress.IPv6Address(source.getrandbits(128)) for _ in range(10_000)]
    v6 += [
        ipaddress.IPv6Address(source.choice(special) | source.getrandbits(source.choice([8, 40])))
        for _ in range(10_000)
    ]
    every: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [*v4, *v6]
    for address in every:
        is_nat64 = address in ipaddress.ip_network("64:ff9b::/96")
        assert address.is_global or is_nat64 or not_public(address), address


def test_nothing_that_ssrfguard_refuses_is_ever_allowed() -> None:
    """S-1, S-17: A third opinion, by another reading of IANA's registries, on 100,000 addresses."""
    source = random.Random(11)
    blocks = [block.network for block in ssrfguard.DEFAULT_DENIED.blocks]
    for _ in range(50_000):
        anywhere = ipaddress.ip_address(source.getrandbits(source.choice([32, 128])))
        _assert_no_laxer_than_ssrfguard(anywhere)
        _assert_no_laxer_than_ssrfguard(_near(source.choice(blocks), source))


def _near(
    block: ipaddress.IPv4Network | ipaddress.IPv6Network, source: random.Random
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """In the block, at its edges, or just outside: what pure chance would never meet."""
    low, high = int(block.network_address), int(block.broadcast_address)
    number = source.choice([source.randint(low, high), low, high, low - 1, high + 1])
    return type(block.network_address)(min(max(number, 0), 2**block.max_prefixlen - 1))


def _assert_no_laxer_than_ssrfguard(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not_public(address) is None:
        assert not ssrfguard.DEFAULT_DENIED.classify(address).blocked, address


def test_an_address_that_the_operator_named_is_allowed_on_that_port_alone() -> None:
    loopback = ipaddress.ip_address("127.0.0.1")
    policy = AddressPolicy(allowed=frozenset({(loopback, 8080)}))

    assert policy.refuses(loopback, 8080) is None
    assert policy.refuses(loopback, 80) is not None
    assert policy.refuses(ipaddress.ip_address("127.0.0.2"), 8080) is not None
    assert policy.refuses(ipaddress.ip_address("::ffff:127.0.0.1"), 8080) is not None


@pytest.mark.parametrize("port", [22, 25, 3000, 5432, 6379, 8080, 11211])
def test_ports_of_other_services_are_refused_before_any_name_is_resolved(port: int) -> None:
    """S-25."""
    policy = AddressPolicy(allowed=frozenset({(ipaddress.ip_address("127.0.0.1"), 9999)}))

    assert policy.refuses(ipaddress.ip_address("8.8.8.8"), port) is not None
    assert policy.refuses_port(port)
    assert not policy.refuses_port(9999)
    assert not policy.refuses_port(443)
