"""One fetch through the HTTP client: every answer of a site becomes one outcome.

P-6, P-8, R-A15.
"""

import gzip
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    Forbidden,
    Gone,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import MIB, FetchLimits
from omni_pipeline_tests.sites import Page, ScriptedSite, html, in_turn, redirect

AGENT = "omni-pipeline/0.1 (+https://example.com/crawler)"
QUICK = FetchLimits(
    connect_seconds=1.0,
    first_byte_seconds=0.5,
    whole_seconds=2.0,
    slow_seconds=0.4,
    pause_seconds=0.01,
)
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the system's takes 40 ms
PATIENT = FetchLimits(
    connect_seconds=0.3, first_byte_seconds=0.5, whole_seconds=4.0, slow_seconds=0.4, attempts=1
)


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as running:
        yield running


def _client(site: ScriptedSite, limits: FetchLimits = QUICK) -> HttpClient:
    policy = AddressPolicy(allowed=site.allowed)
    return HttpClient(policy=policy, user_agent=AGENT, limits=limits, tls=NO_AUTHORITIES)


def _fetch(site: ScriptedSite, limits: FetchLimits = QUICK, target: str = "") -> Outcome:
    with _client(site, limits) as client:
        return client.fetch(FetchRequest(url=site.url + target))


def test_a_page_comes_with_its_bytes_its_type_and_its_validators(site: ScriptedSite) -> None:
    site.pages["/"] = Page(
        body="Grüße".encode("cp1252"),
        headers={"content-type": 'Text/HTML; Charset="ISO-8859-1"', "last-modified": "yesterday"},
        etag='"v1"',
    )

    outcome = _fetch(site)

    assert isinstance(outcome, Fetched)
    assert outcome.body == "Grüße".encode("cp1252")
    assert (outcome.content_type, outcome.charset) == ("text/html", "ISO-8859-1")
    assert (outcome.etag, outcome.last_modified) == ('"v1"', "yesterday")
    assert (outcome.url, outcome.status, outcome.truncated) == (site.url, 200, False)
    assert outcome.elapsed_seconds > 0


def test_the_site_learns_who_asks_and_nothing_else(site: ScriptedSite) -> None:
    """S-78, S-29."""
    site.pages["/"] = html("x", set_cookie="id=1")
    with _client(site) as client:
        client.fetch(FetchRequest(url=site.url))
        client.fetch(FetchRequest(url=site.url))

    assert site.requests[1].headers == {
        "host": f"127.0.0.1:{site.port}",
        "user-agent": AGENT,
        "accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
        "accept-encoding": "gzip, deflate",
    }


def test_validators_are_sent_and_a_304_means_the_copy_is_good(site: ScriptedSite) -> None:
    """F-D1."""
    site.pages["/"] = Page(etag='W/"v1"', headers={"content-type": "text/html"})
    request = FetchRequest(url=site.url, etag='W/"v1"', last_modified="Mon, 01 Jan 2026 00:00:00")

    with _client(site) as client:
        first, second = client.fetch(request), client.fetch(request)

    assert first == second == NotModified(url=site.url)
    assert site.requests[0].headers["if-modified-since"] == "Mon, 01 Jan 2026 00:00:00"
    assert site.connections == 1, "a 304 keeps its connection"


def test_a_304_that_nobody_asked_for_is_no_answer(site: ScriptedSite) -> None:
    """F-D2."""
    site.pages["/"] = Page(status=304)
    assert isinstance(_fetch(site), Unusable)


@pytest.mark.parametrize("value", ["v\x01", "ü", "x" * 600, ""])
def test_a_validator_that_could_not_be_stored_and_sent_back_is_dropped(
    site: ScriptedSite, value: str
) -> None:
    site.pages["/"] = html("x", last_modified=value)
    outcome = _fetch(site)
    assert getattr(outcome, "last_modified", None) is None


def _answer(*lines: bytes, body: bytes = b"x") -> Page:
    return Page(raw=b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body]))


def test_what_robots_may_do_with_a_page_comes_with_it(site: ScriptedSite) -> None:
    site.pages["/"] = _answer(b"X-Robots-Tag: noindex, nofollow", b"x-robots-tag: otherbot: none")
    site.pages["/none"] = html("x")
    outcome, without = _fetch(site), _fetch(site, target="none")

    assert isinstance(outcome, Fetched)
    assert outcome.robots_tag == "noindex, nofollow\notherbot: none"
    assert isinstance(without, Fetched)
    assert without.robots_tag is None


def test_a_robots_tag_is_bounded_and_storable(site: ScriptedSite) -> None:
    site.pages["/"] = _answer(b"X-Robots-Tag: no\xffindex", b"X-Robots-Tag: " + b"y" * 5000)
    outcome = _fetch(site)

    assert isinstance(outcome, Fetched)
    assert (outcome.robots_tag or "").startswith("no index\nyyy")
    assert len(outcome.robots_tag or "") == 512


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_page_is_reported_and_never_followed(
    site: ScriptedSite, status: int
) -> None:
    site.pages["/"] = redirect("/new?utm_source=x#y", status)
    site.pages["/new"] = html("x")

    assert _fetch(site) == Redirected(
        url=site.url, target=site.url + "new", permanent=status in (301, 308)
    )
    assert site.targets() == ["/"]


def test_a_redirect_out_of_the_web_is_forbidden(site: ScriptedSite) -> None:
    """S-24."""
    for target in ("file:///etc/passwd", "http://a@127.0.0.1/", "http://0x7f.1/", "javascript:x"):
        site.pages["/"] = redirect(target)
        assert isinstance(_fetch(site), Forbidden), target


@pytest.mark.parametrize("target", ["/", "", "#top"])
def test_a_redirect_to_itself_is_a_loop(site: ScriptedSite, target: str) -> None:
    """F-D20."""
    site.pages["/"] = redirect(target)
    outcome = _fetch(site)
    assert isinstance(outcome, Unusable)
    assert outcome.kind in ("permanent.redirect_loop", "permanent.redirect")


def test_a_loop_by_cookie_is_a_loop(site: ScriptedSite) -> None:
    """F-D20."""
    headers = {"location": "/", "set-cookie": "seen=1"}
    site.pages["/"] = lambda seen: (
        html("x") if "cookie" in seen.headers else Page(status=302, headers=headers)
    )
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.redirect_loop"
    assert len(site.requests) == 1


@pytest.mark.parametrize("location", [b"/a\rSet-Cookie: x=1", b"/a\x00b", b"/a b\x0bc", b"//\x7f/"])
def test_a_location_with_control_characters_leads_nowhere(
    site: ScriptedSite, location: bytes
) -> None:
    """F-D33."""
    site.pages["/"] = Page(raw=b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n")
    assert isinstance(_fetch(site), Forbidden | Unreachable)


@pytest.mark.parametrize("status", [404, 410])
def test_gone_is_the_sites_own_word_and_is_not_asked_twice(site: ScriptedSite, status: int) -> None:
    site.pages["/"] = Page(status=status)

    assert _fetch(site) == Gone(url=site.url, status=status)
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_asked_twice_and_is_not_gone(site: ScriptedSite, status: int) -> None:
    site.pages["/"] = Page(status=status)
    outcome = _fetch(site)

    assert isinstance(outcome, Blocked)
    assert (outcome.status, outcome.kind) == (status, "permanent.blocked")
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [400, 418, 451, 202, 204, 206, 300])
def test_other_answers_are_unusable(site: ScriptedSite, status: int) -> None:
    site.pages["/"] = Page(status=status)
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert (outcome.status, outcome.kind) == (status, "permanent.status")


def test_a_server_error_is_tried_three_times_and_is_never_gone(
    site: ScriptedSite,
) -> None:
    """R-A15, F-D11."""
    site.pages["/"] = Page(status=500)
    outcome = _fetch(site)

    assert isinstance(outcome, Unreachable)
    assert (outcome.kind, outcome.temporary) == ("transient.status", True)
    assert len(site.requests) == 3


def test_what_fails_once_and_then_answers_has_answered(site: ScriptedSite) -> None:
    """R-A15."""
    site.pages["/"] = in_turn(Page(status=502), Page(raw=b""), html("here"))

    assert isinstance(_fetch(site), Fetched)


def test_a_short_retry_after_is_waited_for(site: ScriptedSite) -> None:
    """R-A15, F-D13."""
    site.pages["/"] = in_turn(Page(status=429, headers={"retry-after": "1"}), html("here"))

    assert isinstance(_fetch(site), Fetched)
    assert site.requests[1].at - site.requests[0].at >= 1.0


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_left_to_the_caller(site: ScriptedSite, status: int) -> None:
    """F-D13."""
    site.pages["/"] = Page(status=status, headers={"retry-after": "301"})
    outcome = _fetch(site)

    assert isinstance(outcome, Blocked)
    assert (outcome.kind, outcome.retry_after_seconds) == ("throttled", 301.0)
    assert len(site.requests) == 1


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png", "text/plain"])
def test_what_says_it_is_no_html_is_not_even_read(site: ScriptedSite, content_type: str) -> None:
    """F-D30."""

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65536)

    site.pages["/"] = Page(stream=endless, headers={"content-type": content_type})
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.not_html"
    assert content_type in outcome.reason


def test_what_says_it_is_html_and_is_not_is_refused(site: ScriptedSite) -> None:
    """F-D30."""
    site.pages["/"] = Page(body=b"%PDF-1.7 ...", headers={"content-type": "text/html"})
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.not_html"


def test_an_empty_page_is_fetched_and_judged_elsewhere(site: ScriptedSite) -> None:
    """F-D34."""
    site.pages["/"] = html("")
    outcome = _fetch(site)
    assert isinstance(outcome, Fetched)
    assert outcome.body == b""


def _raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


@pytest.mark.parametrize(
    ("coding", "squeeze"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_one_layer_of_compression_is_taken_off(
    site: ScriptedSite, coding: str, squeeze: Callable[[bytes], bytes]
) -> None:
    text = b"<p>hello</p>" * 1000
    site.pages["/"] = Page(
        body=squeeze(text), headers={"content-type": "text/html", "content-encoding": coding}
    )
    outcome = _fetch(site)

    assert isinstance(outcome, Fetched)
    assert outcome.body == text


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "gzip, br", "deflate,gzip", "x"])
def test_other_codings_and_more_layers_are_refused_unread(site: ScriptedSite, coding: str) -> None:
    """F-D27, S-46."""
    headers = {"content-type": "text/html", "content-encoding": coding}
    site.pages["/"] = Page(body=gzip.compress(gzip.compress(bytes(MIB))), headers=headers)
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.encoding"
    assert len(site.requests) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_defused_within_thirty_two_megabytes(site: ScriptedSite, coding: str) -> None:
    """F-D27, S-45."""
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    headers = {"content-type": "text/html", "content-encoding": coding}
    site.pages["/"] = Page(body=squeeze(b" " * (64 * MIB)), headers=headers)

    tracemalloc.start()
    try:
        outcome = _fetch(site)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"
    assert peak_bytes < 32 * MIB


def test_a_page_without_end_is_cut_at_the_limit(site: ScriptedSite) -> None:
    """F-D31."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    site.pages["/"] = Page(stream=endless, headers={"content-type": "text/html"})
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"
    assert sent < 30 * MIB, "the rest was never sent"


def test_a_page_of_exactly_the_limit_is_taken_whole(site: ScriptedSite) -> None:
    limits = FetchLimits(body_bytes=1000)
    site.pages["/"] = html("x" * 1000)
    site.pages["/more"] = html("x" * 1001)

    assert isinstance(_fetch(site, limits), Fetched)
    assert isinstance(_fetch(site, limits, "more"), Unusable)


def test_compressed_data_that_never_inflates_to_anything_is_cut_too(site: ScriptedSite) -> None:
    empty_members = gzip.compress(b"") * 60_000
    headers = {"content-type": "text/html", "content-encoding": "gzip"}
    site.pages["/"] = Page(body=empty_members, headers=headers)
    outcome = _fetch(site, FetchLimits(body_bytes=MIB, attempts=1))

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"


@pytest.mark.parametrize(
    "page",
    [
        Page(body=b"<p>" * 100, cut_after=50, headers={"content-type": "text/html"}),
        Page(
            body=gzip.compress(b"<p>" * 1000)[:-5],
            headers={"content-type": "text/html", "content-encoding": "gzip"},
        ),
        Page(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
        Page(raw=b""),
        Page(raw=b"HTTP/1.1 200 OK\r\nContent-"),
        Page(raw=b"\x16\x03\x01 this is no HTTP \r\n\r\n"),
    ],
    ids=["cut body", "cut gzip", "cut chunk", "no answer", "cut head", "not http"],
)
def test_an_incomplete_answer_is_transient_and_never_a_shorter_page(
    site: ScriptedSite, page: Page
) -> None:
    """F-D27, F-D31."""
    site.pages["/"] = page
    outcome = _fetch(site)

    assert isinstance(outcome, Unreachable)
    assert (outcome.kind, outcome.temporary) == ("transient.connection", True)
    assert len(site.requests) == 3


def test_more_than_the_announced_length_is_not_read_and_harms_no_other_page(
    site: ScriptedSite,
) -> None:
    """F-D31."""
    headers = {"content-type": "text/html", "content-length": "5"}
    site.pages["/"] = Page(body=b"hello and more", headers=headers)
    site.pages["/other"] = html("other")
    with _client(site) as client:
        lying = client.fetch(FetchRequest(url=site.url))
        other = client.fetch(FetchRequest(url=site.url + "other"))

    assert isinstance(lying, Fetched)
    assert lying.body == b"hello"
    assert isinstance(other, Fetched)
    assert other.body == b"other"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: -5",
        b"Content-Length: 5x",
        b"Content-Length: " + b"9" * 400,
        b"Transfer-Encoding: gzip, chunked",
    ],
)
def test_lengths_that_make_no_sense_are_no_answer(site: ScriptedSite, framing: bytes) -> None:
    """F-D31."""
    site.pages["/"] = _answer(framing, body=b"hello")
    outcome = _fetch(site)

    assert isinstance(outcome, Unreachable)
    assert outcome.kind == "transient.connection"


def test_damaged_compression_is_not_tried_again(site: ScriptedSite) -> None:
    headers = {"content-type": "text/html", "content-encoding": "gzip"}
    site.pages["/"] = Page(body=b"<p>not gzip at all", headers=headers)
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.encoding"
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(100_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MIB + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 66_000 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["100,000 headers", "a line of 1 MB", "just above 64 KiB"],
)
def test_a_header_bomb_is_refused(site: ScriptedSite, raw: bytes) -> None:
    """F-D33."""
    site.pages["/"] = Page(raw=raw)
    outcome = _fetch(site)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.headers"


def _trickle() -> Iterator[bytes]:
    for _ in range(200):
        time.sleep(0.02)
        yield b"x"


def _burst_then_trickle() -> Iterator[bytes]:
    yield b"x" * 100_000
    yield from _trickle()


def _nothing() -> Iterator[bytes]:
    time.sleep(3.0)
    yield b"x"


def _silence() -> Iterator[bytes]:
    yield b"x" * 5000
    time.sleep(1.5)


@pytest.mark.parametrize(
    "page",
    [
        Page(wait_seconds=1.5, body=b"late"),
        Page(drip_seconds=0.1, body=b"a head that trickles in"),
        Page(stream=_trickle, headers={"content-type": "text/html"}),
        Page(stream=_burst_then_trickle, headers={"content-type": "text/html"}),
        Page(stream=_silence, headers={"content-type": "text/html"}),
        Page(stream=_nothing, headers={"content-type": "text/html"}),
    ],
    ids=["no first byte", "slow head", "slow body", "after a burst", "silent body", "no body"],
)
def test_a_site_that_keeps_us_waiting_is_left_long_before_the_last_limit(
    site: ScriptedSite, page: Page
) -> None:
    """F-D32."""
    site.pages["/"] = page
    started = time.monotonic()

    outcome = _fetch(site, PATIENT)

    assert isinstance(outcome, Unreachable)
    assert outcome.kind == "transient.timeout"
    assert time.monotonic() - started < 2.5


def test_a_large_page_may_take_longer_than_its_head_may(site: ScriptedSite) -> None:
    def steady() -> Iterator[bytes]:
        for _ in range(15):
            time.sleep(0.1)
            yield b"x" * 4096

    site.pages["/"] = Page(stream=steady, headers={"content-type": "text/html"})
    outcome = _fetch(site, PATIENT)

    assert isinstance(outcome, Fetched)
    assert len(outcome.body) == 15 * 4096


def test_no_answer_takes_longer_than_the_whole_limit(site: ScriptedSite) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            time.sleep(0.1)
            yield b"x" * 4096

    site.pages["/"] = Page(stream=endless, headers={"content-type": "text/html"})
    outcome = _fetch(site, FetchLimits(whole_seconds=0.5, attempts=1))

    assert isinstance(outcome, Unreachable)
    assert outcome.reason.endswith("there was no complete answer in time")


def test_endless_informational_answers_end_too(site: ScriptedSite) -> None:
    """F-D32."""
    site.pages["/"] = Page(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000)
    assert isinstance(_fetch(site, PATIENT), Unreachable)


def test_a_closed_port_is_unreachable() -> None:
    with ScriptedSite() as closed:
        url = closed.url
    with _client(closed) as client:
        outcome = client.fetch(FetchRequest(url=url))

    assert isinstance(outcome, Unreachable)
    assert outcome.kind == "transient.connect"
    assert outcome.reason == f"{url}: it refuses connections or cannot be reached"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "HTTP://Example.com", "http://x.test/#y", ""]
)
def test_only_canonical_urls_are_asked_for(site: ScriptedSite, url: str) -> None:
    with _client(site) as client:
        assert isinstance(client.fetch(FetchRequest(url=url)), Forbidden)


def test_files_are_followed_through_redirects_up_to_a_limit(site: ScriptedSite) -> None:
    """F-D17."""
    for hop in range(6):
        site.pages[f"/{hop}"] = redirect(f"/{hop + 1}")
    site.pages["/5"] = Page(body=b"User-agent: *", headers={"content-type": "text/plain"})

    with _client(site) as client:
        five = client.fetch_following(site.url + "0", hops=5, max_bytes=1000)
        four = client.fetch_following(site.url + "0", hops=4, max_bytes=1000)

    assert isinstance(five, Fetched)
    assert (five.url, five.body) == (site.url + "5", b"User-agent: *")
    assert isinstance(four, Unusable)
    assert four.kind == "permanent.redirect_loop"


def test_a_redirect_loop_ends(site: ScriptedSite) -> None:
    """F-D20."""
    site.pages["/a"] = redirect("/b")
    site.pages["/b"] = redirect("/a")

    with _client(site) as client:
        outcome = client.fetch_following(site.url + "a", hops=10, max_bytes=1000)

    assert isinstance(outcome, Unusable)
    assert len(site.requests) == 11


def test_a_chain_of_redirects_without_end_costs_eleven_requests(site: ScriptedSite) -> None:
    """F-D20."""
    for hop in range(5000):
        site.pages[f"/{hop}"] = redirect(f"/{hop + 1}")

    with _client(site) as client:
        outcome = client.fetch_following(site.url + "0", hops=10, max_bytes=1000)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.redirect_loop"
    assert len(site.requests) == 11


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_file_that_is_too_large_is_cut_and_says_so(site: ScriptedSite, coding: str) -> None:
    """F-D18, F-D25."""
    data = b"Disallow: /x\n" * MIB
    body = gzip.compress(data) if coding == "gzip" else data
    site.pages["/robots.txt"] = Page(body=body, headers={"content-encoding": coding})

    with _client(site) as client:
        outcome = client.fetch_following(site.url + "robots.txt", hops=5, max_bytes=512_000)

    assert isinstance(outcome, Fetched)
    assert outcome.truncated
    assert outcome.body == data[:512_000]
