"""The web door over HTTP/2: what holds over HTTP/1.1 holds here, against an h2 server on loopback.

F-D13, F-D27, F-D30 to F-D33, S-18, S-31, S-45.
"""

import contextlib
import gzip
import ssl
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from functools import cache

import pytest
import trustme
from h2.exceptions import ProtocolError

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import (
    Fetched,
    FetchRequest,
    Forbidden,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import MIB, FetchLimits
from omni_pipeline_tests.gateways.http.http2_site import Conversation, Http2Site, Script
from omni_pipeline_tests.gateways.http.test_guard import FakeResolver
from omni_pipeline_tests.sites import Page, ScriptedSite, html, redirect

CALM = FetchLimits(pause_seconds=0.02)
QUICK = FetchLimits(
    connect_seconds=2.0,
    first_byte_seconds=0.7,
    whole_seconds=3.0,
    slow_seconds=0.4,
    pause_seconds=0.02,
)
IMPATIENT = FetchLimits(first_byte_seconds=1.0, whole_seconds=2.0, slow_seconds=0.4, attempts=1)
HTML = {"content-type": "text/html"}
HEADERS, RST_STREAM, PING, CONTINUATION = 1, 3, 6, 9


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("site.test").configure_cert(context)
    return context


def site_of(pages: Mapping[str, Script], max_streams: int = 100) -> Http2Site:
    return Http2Site(pages, server_tls(), max_streams=max_streams)


def client_to(site: Http2Site, limits: FetchLimits = CALM) -> HttpClient:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(trust)
    return HttpClient(
        policy=AddressPolicy(allowed=site.allowed),
        user_agent="omni-pipeline/0.1",
        limits=limits,
        resolver=FakeResolver(["127.0.0.1"]),
        tls=trust,
    )


def _fetch(site: Http2Site, path: str = "") -> Outcome:
    with client_to(site) as client:
        return client.fetch(FetchRequest(url=site.url + path))


def _crawl(site: Http2Site, *paths: str, limits: FetchLimits = CALM) -> dict[str, Outcome]:
    requests = (FetchRequest(url=site.url + path) for path in paths)
    with client_to(site, limits) as client:
        return {
            outcome.url.removeprefix(site.url): outcome
            for outcome in client.fetch_all(requests, concurrency=8)
        }


def _frame(kind: int, stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream_id)
        + payload
    )


def test_all_pages_of_a_site_share_one_connection() -> None:
    paths = [str(number) for number in range(40)]
    with site_of({f"/{path}": html(path) for path in paths}) as site:
        outcomes = _crawl(site, *paths)

        for path, outcome in outcomes.items():
            assert isinstance(outcome, Fetched)
            assert outcome.body == path.encode()
        assert site.connections == 1
        assert len(site.requests) == 40


def test_the_site_learns_who_asks_and_nothing_else() -> None:
    """S-78, S-29."""
    with site_of({"/": html("x", set_cookie="id=1")}) as site:
        with client_to(site) as client:
            client.fetch(FetchRequest(url=site.url))
            client.fetch(FetchRequest(url=site.url, etag='"v1"'))

        assert site.requests[1] == {
            b":method": b"GET",
            b":authority": f"site.test:{site.port}".encode(),
            b":scheme": b"https",
            b":path": b"/",
            b"user-agent": b"omni-pipeline/0.1",
            b"accept": b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
            b"accept-encoding": b"gzip, deflate",
            b"if-none-match": b'"v1"',
        }


def test_a_name_is_judged_dialled_and_verified_as_over_http_1() -> None:
    """S-18, S-19, S-31."""
    with site_of({"/": html("x")}) as site:
        client = client_to(site)
        resolver = client._dialler._resolver
        assert isinstance(resolver, FakeResolver)
        with client:
            assert isinstance(client.fetch(FetchRequest(url=site.url)), Fetched)
            client.fetch(FetchRequest(url=site.url))
            other = client.fetch(FetchRequest(url=f"https://other.test:{site.port}/"))
        refused = AddressPolicy(allowed=frozenset())
        with HttpClient(policy=refused, user_agent="x", resolver=resolver) as client:
            assert isinstance(client.fetch(FetchRequest(url=site.url)), Forbidden)

        assert resolver.asked == ["site.test", "other.test"]
        assert isinstance(other, Unreachable)
        assert other.kind == "permanent.tls"


def test_a_site_without_http_2_gets_http_1() -> None:
    with ScriptedSite({"/": html("x")}, tls=server_tls()) as site:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _authority().configure_trust(trust)
        policy = AddressPolicy(allowed=site.allowed)
        resolver = FakeResolver(["127.0.0.1"])
        url = f"https://site.test:{site.port}/"
        with HttpClient(policy=policy, user_agent="x", resolver=resolver, tls=trust) as client:
            outcomes = list(client.fetch_all(iter([FetchRequest(url=url)] * 20), concurrency=4))

        assert all(isinstance(outcome, Fetched) for outcome in outcomes)
        assert site.connections <= 4


def test_answers_without_a_body_are_read_alike() -> None:
    """F-D1, S-26."""
    pages = {"/same": Page(status=304), "/old": redirect("/new", 308)}
    with site_of(pages) as site, client_to(site) as client:
        same = client.fetch(FetchRequest(url=site.url + "same", etag='"v1"'))
        old = client.fetch(FetchRequest(url=site.url + "old"))

        assert same == NotModified(url=site.url + "same")
        assert old == Redirected(url=site.url + "old", target=site.url + "new", permanent=True)


@pytest.mark.parametrize("location", ["/a\r\nSet-Cookie: x=1", "/a\x00b"])
def test_a_location_with_control_characters_leads_nowhere(location: str) -> None:
    """F-D33."""
    with site_of({"/": redirect(location)}) as site:
        assert isinstance(_fetch(site), Forbidden)


def test_a_robots_tag_with_control_characters_can_be_stored() -> None:
    with site_of({"/": html("x", x_robots_tag="no\x00\r\nindex")}) as site:
        outcome = _fetch(site)

    assert isinstance(outcome, Fetched)
    assert outcome.robots_tag == "no   index"


def test_bodies_that_nobody_reads_are_stopped_and_starve_no_other_page() -> None:
    """The PDFs together are more than the connection's window: unstopped, they would fill it.

    F-D30.
    """
    pdf = Page(body=bytes(2 * MIB), headers={"content-type": "application/pdf"})
    pages: dict[str, Script] = {f"/{n}.pdf": pdf for n in range(8)}
    pages |= {f"/{n}": html("x" * 100_000) for n in range(8)}
    with site_of(pages) as site, client_to(site) as client:
        for path in [f"{n}.pdf" for n in range(8)]:
            assert isinstance(client.fetch(FetchRequest(url=site.url + path)), Unusable)
        for path in map(str, range(8)):
            assert isinstance(client.fetch(FetchRequest(url=site.url + path)), Fetched)

        assert len(site.requests) == 16, "nothing had to be asked for twice"
        assert len(site.resets) == 8
        assert site.connections == 1


def test_a_bomb_is_defused_within_thirty_two_megabytes() -> None:
    """F-D27, S-45."""
    bomb = Page(body=gzip.compress(b" " * (64 * MIB)), headers=HTML | {"content-encoding": "gzip"})
    with site_of({"/": bomb}) as site:
        tracemalloc.start()
        try:
            outcome = _fetch(site)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"
    assert peak_bytes < 32 * MIB


def test_a_page_larger_than_the_limit_is_cut_there() -> None:
    """F-D31."""
    limits = FetchLimits(body_bytes=MIB)
    with site_of({"/": html("x" * 8 * MIB), "/small": html("y")}) as site:
        with client_to(site, limits) as client:
            large = client.fetch(FetchRequest(url=site.url))
            small = client.fetch(FetchRequest(url=site.url + "small"))

        assert isinstance(large, Unusable)
        assert large.kind == "permanent.too_large"
        assert isinstance(small, Fetched)
        assert (len(site.resets), site.connections) == (1, 1)


def test_a_header_bomb_is_refused_and_its_neighbours_live() -> None:
    """F-D33."""
    bomb = Page(headers=HTML | {f"x-{n}": "y" * 100 for n in range(1000)}, body=b"z")
    with site_of({"/": bomb} | {f"/{n}": html("x") for n in range(16)}) as site:
        outcomes = _crawl(site, "", *map(str, range(16)))

        assert isinstance(bombed := outcomes.pop(""), Unusable)
        assert bombed.kind == "permanent.headers"
        assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())
        assert len(site.requests) == 17
        assert site.connections == 1


def _hpack_bomb(talk: Conversation, stream_id: int) -> None:
    """4 kB in the table of headers, and then a byte for each further time it is meant."""
    entry = b"\x40\x01x\x7f\x81\x1e" + b"y" * 4000
    block = b"\x88" + entry + b"\xbe" * 12_000
    talk.send_raw(_frame(HEADERS, stream_id, block, flags=0x4 | 0x1))


def _continuations(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(_frame(HEADERS, stream_id, b"\x88"))
    for _ in range(2000):
        talk.send_raw(_frame(CONTINUATION, stream_id, b"\x00\x01a\x01b" * 100))


def _empty_continuations(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(_frame(HEADERS, stream_id, b"\x88"))
    talk.send_raw(_frame(CONTINUATION, stream_id) * 100_000)


def _reset(talk: Conversation, stream_id: int) -> None:
    talk.h2.reset_stream(stream_id)
    talk.flush()


def _storm_of_resets(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(b"".join(_frame(RST_STREAM, n, bytes(4)) for n in range(2, 20_000, 2)))


def _pings(talk: Conversation, stream_id: int) -> None:
    for _ in range(200):
        talk.send_raw(_frame(PING, 0, bytes(8)) * 2000)


def _goodbye(talk: Conversation, stream_id: int) -> None:
    talk.h2.close_connection()
    talk.flush()


def _no_status(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(_frame(HEADERS, stream_id, b"\x00\x01a\x01b", flags=0x4 | 0x1))


def _wild_status(talk: Conversation, stream_id: int) -> None:
    talk.h2.send_headers(stream_id, [(b":status", b"-2_0")], end_stream=True)
    talk.flush()


def _short_body(talk: Conversation, stream_id: int) -> None:
    talk.send_head(stream_id, Page(headers=HTML | {"content-length": "100"}))
    talk.h2.send_data(stream_id, b"too little", end_stream=True)
    talk.flush()


def _garbage(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(b"HTTP/1.1 200 OK\r\n\r\n" * 1000)


def _silence(talk: Conversation, stream_id: int) -> None:
    pass


def _hints_without_end(talk: Conversation, stream_id: int) -> None:
    talk.send_raw(_frame(HEADERS, stream_id, b"\x08\x03103", flags=0x4) * 50_000)


def _silent_body(talk: Conversation, stream_id: int) -> None:
    talk.send_head(stream_id, Page(headers=HTML))
    talk.send_data(stream_id, b"x" * 5000)


def _trickle(talk: Conversation, stream_id: int) -> None:
    talk.send_head(stream_id, Page(headers=HTML))

    def drip() -> None:
        with contextlib.suppress(OSError, ProtocolError):  # the client has had enough
            for _ in range(200):
                time.sleep(0.02)
                talk.send_data(stream_id, b"x")

    threading.Thread(target=drip, daemon=True).start()


def _empty_data_without_end(talk: Conversation, stream_id: int) -> None:
    talk.send_head(stream_id, Page(headers=HTML))
    talk.send_raw(_frame(0, stream_id) * 500_000)


@pytest.mark.parametrize(
    "attack",
    [
        _hpack_bomb,
        _continuations,
        _empty_continuations,
        _reset,
        _storm_of_resets,
        _pings,
        _goodbye,
        _no_status,
        _wild_status,
        _short_body,
        _garbage,
        _silence,
        _hints_without_end,
        _silent_body,
        _trickle,
        _empty_data_without_end,
    ],
)
def test_whatever_a_site_sends_the_fetch_ends_and_costs_little(
    attack: Callable[[Conversation, int], None],
) -> None:
    """F-D31, F-D32, F-D33."""
    with site_of({"/": attack, "/good": html("x")}) as site, client_to(site, IMPATIENT) as client:
        started = time.thread_time()
        outcome = client.fetch(FetchRequest(url=site.url))
        cpu_seconds = time.thread_time() - started
        good = client.fetch(FetchRequest(url=site.url + "good"))

    assert isinstance(outcome, Unreachable)
    assert outcome.kind.startswith("transient.")
    assert cpu_seconds < IMPATIENT.whole_seconds
    assert isinstance(good, Fetched), "the client goes on, over a new connection where need be"


@pytest.mark.parametrize("attack", [_hpack_bomb, _continuations])
def test_no_attack_takes_much_memory(attack: Callable[[Conversation, int], None]) -> None:
    """S-45."""
    with site_of({"/": attack}) as site, client_to(site, IMPATIENT) as client:
        tracemalloc.start()
        try:
            client.fetch(FetchRequest(url=site.url))
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes < 32 * MIB


def test_pages_that_a_goodbye_cuts_off_are_asked_for_again() -> None:
    site = site_of({f"/{n}": html(str(n)) for n in range(60)})

    def bye(talk: Conversation, stream_id: int) -> None:
        site.pages["/30"] = html("30")
        talk.h2.close_connection()
        talk.flush()

    site.pages["/30"] = bye
    with site:
        outcomes = _crawl(site, *map(str, range(60)))

        assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())
        assert site.connections == 2
        assert len(site.requests) <= 60 + 8


def test_a_connection_ends_before_servers_say_goodbye() -> None:
    """nginx closes a connection after 1,000 requests, and what is under way is lost."""
    with site_of({"/": html("x")}) as site, client_to(site) as client:
        outcomes = list(client.fetch_all(iter([FetchRequest(url=site.url)] * 1000), concurrency=8))

        assert all(isinstance(outcome, Fetched) for outcome in outcomes)
        assert (len(site.requests), site.connections) == (1000, 2)


def test_a_site_that_takes_few_requests_at_a_time_gets_few_on_a_connection() -> None:
    with site_of({f"/{n}": html("x") for n in range(20)}, max_streams=2) as site:
        outcomes = _crawl(site, *map(str, range(20)))

        assert all(isinstance(outcome, Fetched) for outcome in outcomes.values())
        assert 2 <= site.connections <= 5


def test_a_silent_page_does_not_hold_up_the_others_of_its_connection() -> None:
    """F-D32."""
    pages: dict[str, Script] = {f"/{n}": html("x" * 5000) for n in range(100)}
    with site_of(pages | {"/50": _silence, "/60": _trickle, "/70": _silent_body}) as site:
        outcomes = _crawl(site, *map(str, range(100)), limits=QUICK)

    late = {path for path, outcome in outcomes.items() if isinstance(outcome, Unreachable)}
    assert late == {"50", "60", "70"}
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes.values()) == 97


def test_a_site_that_is_down_is_dialled_once_for_all_that_wait() -> None:
    with site_of({}) as site:
        pass
    client = client_to(site, FetchLimits(attempts=1))
    resolver = client._dialler._resolver
    assert isinstance(resolver, FakeResolver)
    requests = (FetchRequest(url=f"{site.url}{n}") for n in range(8))
    with client:
        outcomes = list(client.fetch_all(requests, concurrency=8))

    assert {getattr(outcome, "kind", None) for outcome in outcomes} == {"transient.connect"}
    assert len(resolver.asked) == 1
