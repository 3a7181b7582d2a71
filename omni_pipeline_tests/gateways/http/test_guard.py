"""Where the client connects to, shown by listeners that count who came.

The policy of these tests names ``127.0.0.1`` and one port where a connection is wanted; canaries
listen on other ports or addresses of loopback and must stay lonely.

S-1 to S-31, F-D39 to F-D40.
"""

import asyncio
import ipaddress
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cache

import pytest
import trustme

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import (
    Fetched,
    FetchRequest,
    Forbidden,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.dialling import system_resolver, tls_context
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.sites import LOOPBACK, Canary, Page, ScriptedSite, html, redirect

QUICK = FetchLimits(connect_seconds=0.4, first_byte_seconds=1.0, pause_seconds=0.01)
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the system's takes 40 ms
Resolver = Callable[[str, int], Awaitable[Sequence[IPAddress]]]


class FakeResolver:
    """Gives each question the next answer, the last one for ever; records the questions."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[IPAddress]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [ipaddress.ip_address(address) for address in answer]


def _client(
    *ports: int, resolver: Resolver | None = None, tls: ssl.SSLContext = NO_AUTHORITIES
) -> HttpClient:
    allowed = frozenset[tuple[IPAddress, int]]((LOOPBACK, port) for port in ports)
    return HttpClient(
        policy=AddressPolicy(allowed=allowed),
        user_agent="omni-pipeline/0.1",
        limits=QUICK,
        resolver=resolver,
        tls=tls,
    )


def _fetch(client: HttpClient, url: str) -> Outcome:
    with client as opened:
        return opened.fetch(FetchRequest(url=url))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_private_address_is_refused_without_a_connection(address: str) -> None:
    """S-1."""
    with Canary("127.0.0.2") if address == "127.0.0.2" else Canary() as canary:
        host = f"[{address}]" if ":" in address else address
        outcome = _fetch(_client(), f"http://{host}:{canary.port}/")

        assert isinstance(outcome, Forbidden)
        assert outcome.kind == "permanent.forbidden"
        assert canary.accepts() == 0


def test_the_ports_of_a_named_address_are_each_their_own_permission() -> None:
    """S-25."""
    with ScriptedSite({"/": html("x")}) as site, Canary() as canary:
        assert isinstance(_fetch(_client(site.port), site.url), Fetched)
        refused = _fetch(_client(site.port), f"http://127.0.0.1:{canary.port}/")

        assert isinstance(refused, Forbidden)
        assert canary.accepts() == 0


@pytest.mark.parametrize("port", [22, 25, 3000, 5432, 6379, 11211])
def test_other_ports_are_refused_before_the_name_is_even_resolved(port: int) -> None:
    """S-25."""
    resolver = FakeResolver(["93.184.216.34"])

    assert isinstance(_fetch(_client(resolver=resolver), f"http://site.test:{port}/"), Forbidden)
    assert resolver.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["93.184.216.34", "::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["64:ff9b::7f00:1"],
    ],
)
def test_one_refused_answer_refuses_the_whole_name(answers: list[str]) -> None:
    """S-18, S-20."""
    with ScriptedSite() as site, Canary() as canary:
        # The canary's port is allowed for another address: the port alone opens nothing.
        policy = AddressPolicy(allowed=frozenset({(ipaddress.ip_address("10.1.1.1"), canary.port)}))
        client = HttpClient(
            policy=policy, user_agent="x", limits=QUICK, resolver=FakeResolver(answers)
        )
        outcome = _fetch(client, f"http://site.test:{canary.port}/")

        assert isinstance(outcome, Forbidden)
        assert outcome.reason.endswith("it leads to an address that is not public")
        assert not any(answer in outcome.reason for answer in answers)
        assert canary.accepts() == 0
        assert site.connections == 0


def test_a_name_that_rebinds_is_dialled_where_it_was_judged() -> None:
    """S-19."""
    with ScriptedSite({"/": html("x")}) as site:
        resolver = FakeResolver(["127.0.0.1"], ["127.0.0.2"])

        outcome = _fetch(_client(site.port, resolver=resolver), f"http://site.test:{site.port}/")

        assert isinstance(outcome, Fetched)
        assert resolver.asked == ["site.test"], "one question for one connection"
        assert site.requests[0].headers["host"] == f"site.test:{site.port}"


def test_a_name_that_rebinds_between_connections_is_judged_again() -> None:
    """S-19."""
    close = Page(body=b"x", headers={"connection": "close", "content-type": "text/html"})
    with ScriptedSite({"/": close}) as site:
        resolver = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
        url = f"http://site.test:{site.port}/"
        with _client(site.port, resolver=resolver) as client:
            first, second = client.fetch(FetchRequest(url=url)), client.fetch(FetchRequest(url=url))

        assert isinstance(first, Fetched)
        assert isinstance(second, Forbidden)
        assert site.connections == 1


def test_each_hop_of_a_file_is_judged() -> None:
    """S-26, S-28."""
    with ScriptedSite() as site, Canary() as canary:
        site.pages["/robots.txt"] = redirect("/second")
        for target in (f"http://127.0.0.1:{canary.port}/", "http://169.254.169.254/latest"):
            site.pages["/second"] = redirect(target)
            with _client(site.port) as client:
                outcome = client.fetch_following(site.url + "robots.txt", hops=5, max_bytes=1000)

            assert isinstance(outcome, Forbidden)
        assert canary.accepts() == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "[::1]", "0x7f.1"])
def test_no_code_of_redirects_leads_to_a_private_address(status: int, address: str) -> None:
    """S-26."""
    with ScriptedSite() as site, Canary() as canary:
        site.pages["/"] = redirect(f"http://{address}:{canary.port}/", status)
        with _client(site.port) as client:
            page = client.fetch(FetchRequest(url=site.url))
            file = client.fetch_following(site.url, hops=5, max_bytes=1000)

        assert not isinstance(page, Fetched)
        assert isinstance(file, Forbidden | Unusable)
        assert canary.accepts() == 0
        assert site.targets() == ["/", "/"]


def test_a_refresh_header_is_a_redirect_and_not_followed() -> None:
    """S-27."""
    with ScriptedSite() as site, Canary() as canary:
        site.pages["/"] = html("x", refresh=f"0; url=http://127.0.0.1:{canary.port}/")

        assert isinstance(_fetch(_client(site.port), site.url), Redirected)
        assert canary.accepts() == 0


def test_what_one_host_set_another_is_not_sent() -> None:
    """S-29."""
    leave = {"set-cookie": "id=1; Path=/", "www-authenticate": 'Basic realm="x"'}
    with ScriptedSite({"/robots.txt": html("x")}) as other, ScriptedSite() as site:
        target = f"http://user.test:{other.port}/robots.txt"
        site.pages["/robots.txt"] = Page(status=302, headers=leave | {"location": target})
        resolver = FakeResolver(["127.0.0.1"])
        with _client(site.port, other.port, resolver=resolver) as client:
            outcome = client.fetch_following(site.url + "robots.txt", hops=5, max_bytes=1000)

        assert isinstance(outcome, Fetched)
        assert set(other.requests[0].headers) == {"host", "user-agent", "accept", "accept-encoding"}


def test_a_redirect_of_a_page_to_a_private_address_is_only_reported() -> None:
    """S-26."""
    with ScriptedSite() as site, Canary() as canary:
        target = f"http://127.0.0.1:{canary.port}/"
        site.pages["/"] = redirect(target)

        assert _fetch(_client(site.port), site.url) == Redirected(
            url=site.url, target=target, permanent=False
        )
        assert canary.accepts() == 0


def test_of_several_addresses_the_one_that_answers_is_used() -> None:
    with ScriptedSite({"/": html("x")}) as site:
        dead = ipaddress.ip_address("127.0.0.3")
        policy = AddressPolicy(allowed=site.allowed | {(dead, site.port)})
        client = HttpClient(
            policy=policy,
            user_agent="x",
            limits=QUICK,
            resolver=FakeResolver(["127.0.0.3", "127.0.0.1"]),
        )
        assert isinstance(_fetch(client, f"http://site.test:{site.port}/"), Fetched)


@pytest.mark.parametrize(
    "failure",
    [
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        socket.gaierror(socket.EAI_AGAIN, "SERVFAIL"),
        [],
    ],
)
def test_a_name_without_an_address_is_unreachable_for_now(
    failure: Sequence[str] | OSError,
) -> None:
    """F-D39."""
    outcome = _fetch(_client(resolver=FakeResolver(failure)), "http://site.test/")

    assert isinstance(outcome, Unreachable)
    assert (outcome.kind, outcome.temporary) == ("transient.dns", True)


def test_the_system_resolver_gives_every_address_it_knows() -> None:
    assert ipaddress.ip_address("127.0.0.1") in asyncio.run(system_resolver("localhost", 80))


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"])
def test_proxies_of_the_environment_are_not_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-30."""
    with ScriptedSite({"/": html("x")}) as site, Canary() as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert isinstance(_fetch(_client(site.port), site.url), Fetched)
        assert proxy.accepts() == 0


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def _certificate(kind: str) -> trustme.LeafCert:
    """A certificate of site.test: a good one, one of last year, one of an authority unknown."""
    if kind == "self-signed":
        return _self_signed()
    if kind == "expired":
        return _authority().issue_cert("site.test", not_after=datetime(2025, 1, 1, tzinfo=UTC))
    issuer = _authority() if kind == "valid" else trustme.CA()
    return issuer.issue_cert("site.test")


def _self_signed() -> trustme.LeafCert:
    """A certificate of an authority that nobody trusts, shown by that authority itself."""
    authority = trustme.CA()
    own = authority.cert_pem.bytes()
    return trustme.LeafCert(authority.private_key_pem.bytes(), own, [])


def _server_tls(certificate: str, names: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certificate(certificate).configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


def _client_tls() -> ssl.SSLContext:
    context = tls_context()
    _authority().configure_trust(context)
    return context


def test_tls_verifies_the_name_while_the_address_is_pinned() -> None:
    """S-31."""
    names: list[str | None] = []
    with ScriptedSite({"/": html("x")}, tls=_server_tls("valid", names)) as site:
        client = _client(site.port, resolver=FakeResolver(["127.0.0.1"]), tls=_client_tls())

        assert isinstance(_fetch(client, f"https://site.test:{site.port}/"), Fetched)
        assert names == ["site.test"], "the name, not the address, is what the server is asked for"


@pytest.mark.parametrize(
    ("certificate", "host", "word"),
    [
        ("valid", "other.test", "mismatch"),
        ("expired", "site.test", "expired"),
        ("unknown authority", "site.test", "issuer"),
        ("self-signed", "site.test", "self-signed"),
    ],
)
def test_a_certificate_that_does_not_hold_is_a_permanent_failure(
    certificate: str, host: str, word: str
) -> None:
    """F-D40, S-31."""
    with ScriptedSite({"/": html("x")}, tls=_server_tls(certificate, [])) as site:
        client = _client(site.port, resolver=FakeResolver(["127.0.0.1"]), tls=_client_tls())
        outcome = _fetch(client, f"https://{host}:{site.port}/")

        assert isinstance(outcome, Unreachable)
        assert (outcome.kind, outcome.temporary) == ("permanent.tls", False)
        assert word in outcome.reason.lower()
        assert "127.0.0.1" not in outcome.reason
        assert site.requests == []
        assert site.connections == 1, "not tried again"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(version: ssl.TLSVersion) -> None:
    """F-D40."""
    context = _server_tls("valid", [])
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with ScriptedSite({"/": html("x")}, tls=context) as site:
        client = _client(site.port, resolver=FakeResolver(["127.0.0.1"]), tls=_client_tls())
        outcome = _fetch(client, f"https://site.test:{site.port}/")

    assert isinstance(outcome, Unreachable)
    assert (outcome.kind, outcome.temporary) == ("permanent.tls", False)


def test_a_server_that_speaks_no_tls_fails_without_a_word_in_clear() -> None:
    with ScriptedSite({"/": html("x")}) as site:
        client = _client(site.port, resolver=FakeResolver(["127.0.0.1"]), tls=_client_tls())

        assert isinstance(_fetch(client, f"https://site.test:{site.port}/"), Unreachable)
        assert site.requests == []
