"""Where the browser's proxy connects to, and what it passes (S-18 to S-26, S-40 to S-43, F-E11).

The proxy runs on a loop in a thread; the tests speak to it over real sockets, as anybody on the
machine could. Canaries listen on loopback and must stay lonely.
"""

import asyncio
import base64
import ipaddress
import itertools
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

import pytest
import trustme

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.gateways.egress.proxy import EgressLimits, EgressProxy
from omni_pipeline.gateways.http.dialling import Resolver
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.sites import LOOPBACK, Canary, Page, ScriptedSite, html


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


QUICK = EgressLimits(connect_seconds=0.4, idle_seconds=0.4)
NOWHERE: IPAddress = ipaddress.ip_address("10.1.1.1")
TO_LOOPBACK = FakeResolver(["127.0.0.1"])


def _site_test(host: str) -> bool:
    return host == "site.test"


def _any_host(host: str) -> bool:
    return True


@contextmanager
def _running(
    *ports: int,
    allowed: frozenset[tuple[IPAddress, int]] = frozenset(),
    allows_host: Callable[[str], bool] = _site_test,
    resolver: Resolver = TO_LOOPBACK,
    limits: EgressLimits | None = None,
) -> Iterator[EgressProxy]:
    """A proxy that may reach these ports of 127.0.0.1."""
    policy = AddressPolicy(allowed=allowed | {(LOOPBACK, port) for port in ports})
    proxy = EgressProxy(
        policy=policy,
        allows_host=allows_host,
        resolver=resolver,
        limits=limits or EgressLimits(),
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(5)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _dial(proxy: EgressProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(proxy.server.rpartition(":")[2])), 5)


def _authorization(proxy: EgressProxy) -> str:
    pair = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    return f"Proxy-Authorization: Basic {pair}\r\n"


def _head(proxy: EgressProxy, line: str, headers: str = "") -> bytes:
    return f"{line} HTTP/1.1\r\n{_authorization(proxy)}{headers}\r\n".encode()


def _say(proxy: EgressProxy, data: bytes) -> bytes:
    """Send these bytes on a connection of their own, and read one answer as a browser would."""
    with _dial(proxy) as client, client.makefile("rb") as lines:
        client.sendall(data)
        head = b"".join(iter(lambda: lines.readline().strip(b"\r\n") + b"\r\n", b"\r\n"))
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        return head and head + b"\r\n" + lines.read(int(length[1]) if length else -1)


def _ask(proxy: EgressProxy, line: str, headers: str = "") -> bytes:
    return _say(proxy, _head(proxy, line, headers))


def _read_all(client: socket.socket) -> bytes:
    parts: list[bytes] = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def _status(answer: bytes) -> int:
    return int(answer.split()[1])


@contextmanager
def _tunnel(proxy: EgressProxy, port: int, host: str = "site.test") -> Iterator[socket.socket]:
    with _dial(proxy) as client:
        client.sendall(_head(proxy, f"CONNECT {host}:{port}"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert _status(answer) == 200
        yield client


@contextmanager
def _listening() -> Iterator[tuple[socket.socket, int]]:
    """A web server that the test itself plays."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(5)
        yield listener, listener.getsockname()[1]


def _accept(listener: socket.socket) -> socket.socket:
    connection, _ = listener.accept()
    connection.settimeout(5)
    return connection


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        part = connection.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    return data


# What is passed


def test_a_page_of_an_allowed_host_comes_through_in_clear() -> None:
    with ScriptedSite({"/a?b=c": html("hello")}) as site, _running(site.port) as proxy:
        answer = _ask(
            proxy,
            f"GET http://site.test:{site.port}/a?b=c",
            "Host: other.test\r\nAccept: text/html\r\nProxy-Connection: keep-alive\r\n"
            "Connection: X-Private, Keep-Alive\r\nX-Private: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n",
        )

        assert _status(answer) == 200
        assert answer.endswith(b"hello")
        assert dict(site.requests[0].headers) == {
            "host": f"site.test:{site.port}",
            "accept": "text/html",
            "connection": "close",
        }
        assert proxy.refusals == {}


def test_an_allowed_host_comes_through_a_tunnel_with_tls_to_its_own_name() -> None:
    """S-31."""
    authority = trustme.CA()
    server, client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("site.test").configure_cert(server)
    authority.configure_trust(client_tls)
    with (
        ScriptedSite({"/": html("secret")}, tls=server) as site,
        _running(site.port) as proxy,
        _tunnel(proxy, site.port) as client,
        client_tls.wrap_socket(client, server_hostname="site.test") as secured,
    ):
        secured.sendall(b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")

        assert _read_until(secured, b"secret").startswith(b"HTTP/1.1 200")


def test_the_body_of_a_request_is_passed_by_its_length_and_nothing_after_it() -> None:
    with _listening() as (listener, port), _running(port) as proxy, _dial(proxy) as client:
        line = f"POST http://site.test:{port}/form"
        headers = "Content-Length: 5\r\nConnection: content-length\r\n"
        client.sendall(_head(proxy, line, headers) + b"12345GET /smuggled HTTP/1.1\r\n\r\n")
        with _accept(listener) as web:
            received = _read_all(web)

        assert received.endswith(b"\r\nContent-Length: 5\r\n\r\n12345")
        assert b"smuggled" not in received


def test_bytes_from_the_web_are_counted_in_clear_and_in_tunnels() -> None:
    with _listening() as (listener, port), _running(port) as proxy:
        with _tunnel(proxy, port) as client, _accept(listener) as web:
            web.sendall(b"x" * 1000)
            _read_until(client, b"x" * 1000)
            client.sendall(b"y" * 500)
            _read_until(web, b"y" * 500)
        assert proxy.bytes_received == 1000

        with _dial(proxy) as client:
            client.sendall(_head(proxy, f"GET http://site.test:{port}/"))
            with _accept(listener) as web:
                web.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * 100)
            _read_all(client)
        assert proxy.bytes_received == 1000 + 19 + 100


def test_interim_answers_are_skipped_and_the_answer_says_that_the_connection_ends() -> None:
    """S-41."""
    raw = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=9\r\nX: 1\r\n\r\nbody"
    )
    with ScriptedSite({"/": Page(raw=raw)}) as site, _running(site.port) as proxy:
        answer = _ask(proxy, f"GET http://site.test:{site.port}/")

    assert answer == b"HTTP/1.1 200 OK\r\nX: 1\r\nConnection: close\r\n\r\nbody"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 407 No\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX",
        b"",
    ],
)
def test_what_no_web_server_may_answer_becomes_502(raw: bytes) -> None:
    with ScriptedSite({"/": Page(raw=raw)}) as site, _running(site.port) as proxy:
        answer = _ask(proxy, f"GET http://site.test:{site.port}/")

    assert _status(answer) == 502
    assert b"Authenticate" not in answer
    assert b"SSH" not in answer


# Where it goes


@pytest.mark.parametrize("line", ["GET http://{}:{}/", "CONNECT {}:{}"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[::]",
        "0.0.0.0",
        "localhost",
        "a.localhost",
        "localhost.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "user@127.0.0.1",
        "site.test@127.0.0.1",
        "127.0.0.1%2f.site.test",
        "10.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "intranet",
    ],
)
def test_no_forbidden_address_is_ever_dialled(host: str, line: str) -> None:
    """S-1, S-24."""
    with (
        Canary("0.0.0.0") as canary,
        # The port is allowed for another address: the port alone opens nothing.
        _running(allowed=frozenset({(NOWHERE, canary.port)}), allows_host=_any_host) as proxy,
    ):
        answer = _ask(proxy, line.format(host, canary.port))

        assert _status(answer) == 403
        assert next(iter(proxy.refusals)).endswith(f":{canary.port}")
        assert canary.accepts() == 0


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["93.184.216.34", "::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
    ],
)
def test_one_refused_answer_refuses_the_name_without_a_word_of_addresses(
    answers: list[str],
) -> None:
    """S-20."""
    resolver = FakeResolver(answers)
    with (
        Canary() as canary,
        _running(allowed=frozenset({(NOWHERE, canary.port)}), resolver=resolver) as proxy,
    ):
        answer = _ask(proxy, f"CONNECT site.test:{canary.port}")

        assert _status(answer) == 403
        assert canary.accepts() == 0
    reason = proxy.refusals[f"site.test:{canary.port}"]
    assert reason == "it leads to an address that is not public"
    assert not any(address in answer.decode() for address in answers)


def test_a_name_that_rebinds_is_dialled_where_it_was_judged() -> None:
    """S-19, S-40."""
    resolver = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    with (
        ScriptedSite({"/": "x"}) as site,
        _running(site.port, resolver=resolver) as proxy,
    ):
        first = _ask(proxy, f"GET http://site.test:{site.port}/", "Connection: close\r\n")
        assert resolver.asked == ["site.test"], "one question for one connection"
        second = _ask(proxy, f"GET http://site.test:{site.port}/")

        assert (_status(first), _status(second)) == (200, 403)
        assert site.connections == 1


@pytest.mark.parametrize("port", [22, 25, 5432, 8080])
def test_other_ports_are_refused_before_the_name_is_resolved(port: int) -> None:
    """S-25."""
    resolver = FakeResolver(["93.184.216.34"])
    with _running(resolver=resolver) as proxy:
        assert _status(_ask(proxy, f"CONNECT site.test:{port}")) == 403

    assert resolver.asked == []


def test_hosts_beyond_the_crawl_are_refused_before_they_are_resolved() -> None:
    """S-42."""
    resolver, asked = FakeResolver(["127.0.0.1"]), list[str]()

    def allows(host: str) -> bool:
        asked.append(host)
        return False

    with Canary() as canary, _running(canary.port, allows_host=allows, resolver=resolver) as proxy:
        assert _status(_ask(proxy, "CONNECT Accounts.Google.COM:443")) == 403
        assert _status(_ask(proxy, f"GET http://SITE.test:{canary.port}/")) == 403

        assert asked == ["accounts.google.com", "site.test"]
        assert list(proxy.refusals) == ["accounts.google.com:443", f"site.test:{canary.port}"]
        assert resolver.asked == []
        assert canary.accepts() == 0


def test_a_second_request_on_a_kept_connection_reaches_nobody() -> None:
    """S-41."""
    with (
        ScriptedSite({"/": "first"}) as site,
        Canary() as canary,
        _running(site.port) as proxy,
        _dial(proxy) as client,
    ):
        client.sendall(_head(proxy, f"GET http://site.test:{site.port}/"))
        _read_until(client, b"first")
        client.sendall(_head(proxy, f"GET http://127.0.0.1:{canary.port}/"))

        assert _read_all(client) == b""
        assert canary.accepts() == 0
        assert site.targets() == ["/"]


def test_of_several_addresses_the_one_that_answers_is_used() -> None:
    dead: IPAddress = ipaddress.ip_address("127.0.0.3")
    resolver = FakeResolver(["127.0.0.3", "127.0.0.1"])
    with (
        ScriptedSite({"/": "x"}) as site,
        _running(site.port, allowed=frozenset({(dead, site.port)}), resolver=resolver) as proxy,
    ):
        assert _status(_ask(proxy, f"GET http://site.test:{site.port}/", "")) == 200


@pytest.mark.parametrize("answer", [[], OSError("no such name")])
def test_a_name_without_an_address_is_a_failure_and_not_a_refusal(
    answer: Sequence[str] | OSError,
) -> None:
    with _running(resolver=FakeResolver(answer)) as proxy:
        assert _status(_ask(proxy, "CONNECT site.test:443")) == 502
        assert proxy.refusals == {}


def test_a_dead_server_is_a_failure_and_not_a_refusal(free_port: int) -> None:
    with _running(free_port) as proxy:
        assert _status(_ask(proxy, f"CONNECT site.test:{free_port}")) == 502
        assert proxy.refusals == {}


# Who may ask, and how


def test_nobody_uses_the_proxy_without_its_own_credentials() -> None:
    """S-43."""
    with (
        ScriptedSite({"/": "x"}) as site,
        _running(site.port) as proxy,
        _running(site.port) as other,
    ):
        line = f"GET http://site.test:{site.port}/"
        empty = "Proxy-Authorization: Basic Og==\r\n"
        bearer = _authorization(proxy).replace("Basic", "Bearer")
        for headers in ("", empty, bearer, _authorization(other)):
            answer = _say(proxy, f"{line} HTTP/1.1\r\n{headers}\r\n".encode())

            assert _status(answer) == 407
            assert b"\r\nProxy-Authenticate: Basic " in answer
        refused = b"CONNECT localhost:80 HTTP/1.1\r\n\r\n"
        assert _status(_say(proxy, refused)) == 407

        assert site.connections == 0
        assert proxy.refusals == {}, "strangers write nothing into it"
        assert _status(_ask(proxy, line)) == 200


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /origin-form HTTP/1.1\r\n\r\n", 400),
        ("GET https://site.test/ HTTP/1.1\r\n\r\n", 400),
        ("GET ftp://site.test/ HTTP/1.1\r\n\r\n", 400),
        ("GET http:///path HTTP/1.1\r\n\r\n", 400),
        ("GET http://site.test/#fragment HTTP/1.1\r\n\r\n", 400),
        ("GET  http://site.test/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://site.test/a b HTTP/1.1\r\n\r\n", 400),
        ("GET http://site.test/\x00 HTTP/1.1\r\n\r\n", 400),
        ("GET http://site.test/ HTTP/2.0\r\n\r\n", 400),
        ("GET http://site.test/\r\n\r\n", 400),
        ("CONNECT site.test HTTP/1.1\r\n\r\n", 400),
        ("CONNECT http://site.test:443 HTTP/1.1\r\n\r\n", 400),
        ("GET http://site.test/ HTTP/1.1\n\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA: b\n\r\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA: b\r\n\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA : b\r\n\r\n", 400),
        ("GET http://site.test/ HTTP/1.1\r\nA\r\n\r\n", 400),
        ("POST http://site.test/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST http://site.test/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        ("POST http://site.test/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400),
        (
            "POST http://site.test/ HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
            400,
        ),
        ("POST http://site.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (
            "POST http://a.test/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
            411,
        ),
        ("GET http://site.test/ HTTP/1.1\r\nA: " + "x" * 70_000, 431),
        ("GET http://site.test/ HTTP/1.1\r\n" + "A: b\r\n" * 12_000, 431),
        ("\r\nGET http://site.test/ HTTP/1.1\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\n", 400),
    ],
)
def test_what_could_be_read_in_two_ways_is_answered_with_an_error(
    request_text: str, status: int
) -> None:
    resolver = FakeResolver(["93.184.216.34"])
    with _running(resolver=resolver) as proxy, _dial(proxy) as client:
        head, found, rest = request_text.partition("\r\n\r\n")
        text = f"{head}\r\n{_authorization(proxy)}\r\n{rest}" if found else request_text
        client.sendall(text.encode("latin-1"))
        client.shutdown(socket.SHUT_WR)
        answer = _read_all(client)

    # A large head may be cut off before its sender has read why.
    assert _status(answer) == status if answer else status == 431
    assert resolver.asked == []


# Bounds


def test_slow_and_silent_browser_connections_hold_up_nobody() -> None:
    with (
        ScriptedSite({"/": "x"}) as site,
        _running(site.port) as proxy,
        _dial(proxy) as half,
        _dial(proxy),
        _tunnel(proxy, site.port),
    ):
        half.sendall(b"GET http://site.te")
        started = time.monotonic()

        assert _status(_ask(proxy, f"GET http://site.test:{site.port}/")) == 200
        assert time.monotonic() - started < 2


def test_a_browser_that_does_not_read_stops_the_download_and_holds_up_no_stop() -> None:
    endless = Page(stream=lambda: itertools.repeat(b"x" * 65536))
    with ScriptedSite({"/": endless}) as site, ExitStack() as sockets:
        with _running(site.port) as proxy:
            client = sockets.enter_context(_dial(proxy))
            client.sendall(_head(proxy, f"GET http://site.test:{site.port}/"))
            before = -1
            while before != proxy.bytes_received:
                before = proxy.bytes_received
                time.sleep(0.3)
            stopped_at = time.monotonic()

        assert time.monotonic() - stopped_at < 2
        assert 0 < proxy.bytes_received < 30 * 2**20, "what the sockets' buffers hold"


@pytest.mark.parametrize("is_tunnel", [True, False])
def test_when_the_browser_leaves_the_web_connection_ends(is_tunnel: bool) -> None:  # noqa: FBT001
    with _listening() as (listener, port), _running(port) as proxy:
        with _dial(proxy) as client:
            line = f"CONNECT site.test:{port}" if is_tunnel else f"GET http://site.test:{port}/"
            client.sendall(_head(proxy, line))
            web = _accept(listener)
        with web:
            _read_all(web)


def test_a_thousand_refused_hosts_leave_only_the_latest_two_hundred() -> None:
    with _running() as proxy:
        for number in range(1000):
            _ask(proxy, f"CONNECT host-{number}.test:443")
        _ask(proxy, f"CONNECT {'a' * 5000}:443")

        _ask(proxy, "CONNECT host-900.test:443")

        *hosts, long, again = proxy.refusals
        assert hosts == [f"host-{number}.test:443" for number in range(801, 1000) if number != 900]
        assert len(long) == 300
        assert again == "host-900.test:443"


def test_more_connections_than_allowed_are_cut_off_and_later_ones_served() -> None:
    limits = EgressLimits(connections=2)
    with ScriptedSite({"/": "x"}) as site, _running(site.port, limits=limits) as proxy:
        line = f"GET http://site.test:{site.port}/"
        with _tunnel(proxy, site.port), _tunnel(proxy, site.port), _dial(proxy) as third:
            assert _read_all(third) == b""
        deadline = time.monotonic() + 5
        while not (answer := _try(proxy, line)) and time.monotonic() < deadline:
            time.sleep(0.05)

        assert _status(answer) == 200


def _try(proxy: EgressProxy, line: str) -> bytes:
    try:
        return _ask(proxy, line)
    except OSError:
        return b""


def test_a_silent_tunnel_is_closed_and_a_busy_one_is_not() -> None:
    with (
        _listening() as (listener, port),
        _running(port, limits=QUICK) as proxy,
        _tunnel(proxy, port) as client,
        _accept(listener) as web,
    ):
        for _ in range(8):  # twice the limit, in one direction only
            time.sleep(0.1)
            web.sendall(b".")
        assert _read_until(client, b"." * 8)
        assert _read_all(client) == b""
        assert _read_all(web) == b""


def test_a_browser_connection_that_never_asks_is_closed() -> None:
    with _running(limits=QUICK) as proxy, _dial(proxy) as client:
        assert _read_all(client) == b""


def test_a_resolver_that_hangs_is_given_up() -> None:
    async def hang(host: str, port: int) -> Sequence[IPAddress]:
        await asyncio.sleep(60)
        return []

    with _running(resolver=hang, limits=QUICK) as proxy:
        assert _status(_ask(proxy, "CONNECT site.test:443")) == 504


def test_a_stopped_proxy_cuts_its_tunnels_and_takes_nobody() -> None:
    """F-E11."""
    with ExitStack() as sockets, _listening() as (listener, port):
        with _running(port) as proxy:
            silent = sockets.enter_context(_dial(proxy))
            client = sockets.enter_context(_tunnel(proxy, port))
            web = sockets.enter_context(_accept(listener))

        assert _read_all(client) == b""
        assert _read_all(silent) == b""
        assert _read_all(web) == b""
        with pytest.raises(ConnectionRefusedError):
            _dial(proxy)


def test_credentials_are_random_and_the_server_is_a_free_port_of_loopback() -> None:
    """S-43."""
    with _running() as one, _running() as two:
        assert len({one.username, two.username}) == 2
        assert len({one.password, two.password}) == 2
        assert one.server != two.server
        assert one.server.startswith("http://127.0.0.1:")
