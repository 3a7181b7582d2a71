"""Whatever bytes a site answers with, a fetch ends in an outcome, soon, small and without error."""

import ssl
import struct
import time
import tracemalloc
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import FetchRequest, Outcome
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import KIB, MIB, FetchLimits
from omni_pipeline_tests.gateways.http.http2_site import Conversation
from omni_pipeline_tests.gateways.http.test_http2 import client_to, site_of
from omni_pipeline_tests.sites import Page, ScriptedSite

LIMITS = FetchLimits(
    connect_seconds=2.0,
    first_byte_seconds=0.2,
    whole_seconds=1.0,
    slow_seconds=0.3,
    body_bytes=64 * KIB,
    attempts=1,
    hold_seconds=0.0,
)
FUZZ = settings(max_examples=100, deadline=None)
SMALL = st.binary(max_size=64)
NAMES = st.sampled_from(
    [
        *(b"Content-Type", b"Content-Length", b"Content-Encoding", b"Transfer-Encoding"),
        *(b"Location", b"Retry-After", b"ETag", b"X-Robots-Tag", b"Connection", b"Upgrade"),
    ]
)
VALUES = st.sampled_from(
    [
        *(b"text/html", b"text/html; charset=\xff", b"gzip", b"deflate", b"chunked", b"close"),
        *(b"0", b"5", b"-1", b"99999999999999999999", b"1e3", b"", b"//\xc3", b"http://[", b"h2c"),
        *(b"Mon, 99 Nov 2026 99:99:99 GMT", b"text/html; charset*=utf-8''%ff", b"a;b;;=c;\x80"),
    ]
)
HEADERS = st.lists(st.tuples(NAMES | SMALL, VALUES | SMALL), max_size=6)
STATUSES = st.sampled_from([b"200", b"203", b"304", b"301", b"404", b"429", b"503", b"101", b"103"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Something like HTTP/1.1."""
    status = draw(STATUSES | SMALL)
    lines = [b"HTTP/1." + draw(st.sampled_from([b"1", b"0", b"9"])) + b" " + status + b" ?"]
    lines += [name + b": " + value for name, value in draw(HEADERS)]
    end = draw(st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n"]))
    return b"\r\n".join(lines) + end + draw(st.binary(max_size=300))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Something like a frame of HTTP/2."""
    kind, flags = draw(st.integers(0, 11)), draw(st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D]))
    stream_id = draw(st.sampled_from([0, 1, 1, 2, 3, 5, 0x7FFFFFFF]))
    payload = draw(st.binary(max_size=40) | st.sampled_from([b"\x88", bytes(4), bytes(8)]))
    length = len(payload) if draw(st.integers(0, 9)) else draw(st.integers(0, 2**24 - 1))
    head = struct.pack(">I", length)[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id)
    return head + payload


@pytest.fixture(scope="module")
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as running:
        yield running


def _client(site: ScriptedSite) -> HttpClient:
    return HttpClient(
        policy=AddressPolicy(allowed=site.allowed),
        user_agent="x",
        limits=LIMITS,
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )


def _check(unopened: HttpClient, url: str) -> None:
    """Fetch by a client of its own: what a host asks for in one example, it gets in that one."""
    started = time.monotonic()
    tracemalloc.start()
    try:
        with unopened as client:
            outcome = client.fetch(FetchRequest(url=url, etag='"v1"'))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(outcome, get_args(Outcome))
    assert outcome.url == url
    assert time.monotonic() - started < 5.0
    assert peak_bytes < 4 * MIB


@FUZZ
@given(answer=answers() | st.binary(max_size=2000))
def test_arbitrary_bytes_end_in_an_outcome(site: ScriptedSite, answer: bytes) -> None:
    site.pages["/"] = Page(raw=answer)
    _check(_client(site), site.url)


@FUZZ
@given(headers=HEADERS, body=st.binary(max_size=300), status=STATUSES)
def test_arbitrary_headers_end_in_an_outcome(
    site: ScriptedSite, headers: list[tuple[bytes, bytes]], body: bytes, status: bytes
) -> None:
    """Values that h11 lets through, so that the reading of each of them is reached."""
    lines = [b"HTTP/1.1 " + status + b" OK"]
    lines += [
        name + b": " + bytes(byte for byte in value if byte >= 0x20)
        for name, value in headers
        if name.replace(b"-", b"").isalpha()
    ]
    site.pages["/"] = Page(raw=b"\r\n".join(lines) + b"\r\n\r\n" + body)
    _check(_client(site), site.url)


@settings(FUZZ, max_examples=50)
@given(talk=st.lists(frames() | st.binary(max_size=100), min_size=1, max_size=8))
def test_arbitrary_frames_end_in_an_outcome(talk: list[bytes]) -> None:
    def say(conversation: Conversation, stream_id: int) -> None:
        conversation.send_raw(b"".join(talk))
        conversation.hang_up()

    with site_of({"/": say}) as site:
        _check(client_to(site, LIMITS), site.url)
