"""Hosts, sites and URLs: one grammar at every door.

S-21 to S-25, S-32, S-33, S-54, F-D22, F-D38.
"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.web.urls import (
    MAX_URL_BYTES,
    Site,
    canonical_url,
    check_partition_key,
    in_scope,
    parse_site,
    site_url,
    url_parts,
)
from omni_pipeline.errors import SettingsError

BASE = "https://docs.example.com/guide/start.html?a=1"
NOTHING_ALLOWED = frozenset[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]()
LOOPBACK_8080 = frozenset({(ipaddress.ip_address("127.0.0.1"), 8080)})


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("HTTP://Docs.Example.COM", "http://docs.example.com/"),
        ("https://docs.example.com:443/", "https://docs.example.com/"),
        ("http://docs.example.com:80", "http://docs.example.com/"),
        ("https://docs.example.com:080/", "https://docs.example.com:80/"),
        ("https://docs.example.com:/x", "https://docs.example.com/x"),
        ("https://docs.example.com/a/./b/../c", "https://docs.example.com/a/c"),
        ("https://docs.example.com/../../c", "https://docs.example.com/c"),
        ("https://docs.example.com/a/..", "https://docs.example.com/"),
        ("https://docs.example.com/a/%2e%2E/b", "https://docs.example.com/b"),
        ("https://docs.example.com/a//b", "https://docs.example.com/a//b"),
        ("https://docs.example.com/.hidden", "https://docs.example.com/.hidden"),
        ("https://docs.example.com/#part", "https://docs.example.com/"),
        ("https://docs.example.com/?#", "https://docs.example.com/"),
        ("https://docs.example.com/%7euser/%e4", "https://docs.example.com/~user/%E4"),
        ("https://docs.example.com/a b|c", "https://docs.example.com/a%20b%7Cc"),
        ("https://docs.example.com/100%", "https://docs.example.com/100%25"),
        ("https://docs.example.com/ä?q=ö", "https://docs.example.com/%C3%A4?q=%C3%B6"),
        ("https://docs.example.com/?utm_source=x&b=2", "https://docs.example.com/?b=2"),
        ("https://docs.example.com/?utm%5Fsource=x", "https://docs.example.com/"),
        ("https://docs.example.com/?gclid=1&fbclid=2", "https://docs.example.com/"),
        ("https://docs.example.com/?b=2&a=1&&", "https://docs.example.com/?b=2&a=1"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2001:DB8::0:1]/", "https://[2001:db8::1]/"),
        ("  https://docs.example.com/ \n", "https://docs.example.com/"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
    ],
)
def test_a_url_has_one_spelling(written: str, canonical: str) -> None:
    """F-D22."""
    assert canonical_url(written) == canonical


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("next.html", "https://docs.example.com/guide/next.html"),
        ("/", "https://docs.example.com/"),
        ("?b=2", "https://docs.example.com/guide/start.html?b=2"),
        ("", BASE),
        ("#part", BASE),
        ("../x", "https://docs.example.com/x"),
        ("..", "https://docs.example.com/"),
        ("//other.example.com/x", "https://other.example.com/x"),
        ("http://other.example.com", "http://other.example.com/"),
        ("./a:b", "https://docs.example.com/guide/a:b"),
    ],
)
def test_a_reference_is_resolved_against_its_page(reference: str, target: str) -> None:
    assert canonical_url(reference, BASE) == target


@pytest.mark.parametrize(
    "url",
    [
        # S-21: numbers that other parsers read as 127.0.0.1
        *("http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/"),
        *("http://0/", "http://0x7f.1/", "http://127.0.0.1./", "http://127.0.0.256/"),
        # S-22: names that become something else
        *("http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://\uff11\uff12\uff17.0.0.1/"),
        *("http://good\u200d.test/", "http://localhost./", "http://LOCALHOST/"),
        *("http://a.localhost/", "http://\uff41.localhost/", "http://good.test./"),
        # S-23: two hosts in one URL
        *("http://good.test@127.0.0.1/", "http://good.test\\@127.0.0.1/", "http://u:p@good.test/"),
        *("http://good.test:80@127.0.0.1/", "http:///127.0.0.1", "http:127.0.0.1", "http:/x.test"),
        *("http://good.test/\tx", "http://good\n.test/", "http://good.test/\rx", "http://a\0b.c/"),
        *("http://good.test/\x7f", "http://good.test/\u2028", "http://good.test/\ud800"),
        # S-24: other schemes
        *("file:///etc/passwd", "gopher://good.test/", "ftp://good.test/", "javascript:alert(1)"),
        *("data:text/html,x", "view-source:http://good.test/", "chrome://settings", "about:blank"),
        *("blob:https://good.test/1", "ws://good.test/", "mailto:a@good.test"),
        # S-32, and hosts outside of the grammar
        *("https:\\\\evil.test", "http://-a.test/", "http://a_b.test/", "http://a..test/"),
        *("http://" + "a" * 64 + ".test/", "http://" + "a." * 130 + "test/", "http://single/"),
        *("http://xn--zzzz.test/", "http://[127.0.0.1]/", "http://[good.test]/", "http://[::1/"),
        *("http://[fe80::1%25eth0]/", "http://good.test:0/", "http://good.test:65536/"),
        *("http://good.test:x/", "http://good.test:-1/", "http://good.test:٣/", "http://"),
        # F-D38
        "http://good.test/" + "a" * MAX_URL_BYTES,
        "http://good.test/" + "ä" * (MAX_URL_BYTES // 6),
    ],
)
def test_what_is_no_plain_web_url_is_refused(url: str) -> None:
    assert canonical_url(url) is None
    resolved = canonical_url(url, BASE)
    assert resolved is None or url_parts(resolved).host == "docs.example.com"


def test_a_fragment_cannot_smuggle_a_host() -> None:
    """S-23."""
    assert canonical_url("http://127.0.0.1#@good.test/") == "http://127.0.0.1/"


@given(st.text(max_size=60), st.sampled_from(["", "/", "https://a.example/", "//a.example?", "?"]))
def test_a_canonical_url_is_its_own_canonical_form(text: str, start: str) -> None:
    url = canonical_url(start + text, BASE)
    if url is not None:
        assert canonical_url(url) == url
        assert url.isascii()
        assert url_parts(url).target.startswith("/")


@pytest.mark.parametrize(
    ("typed", "key", "start_url"),
    [
        ("docs.example.com", "docs.example.com", "https://docs.example.com/"),
        (" Docs.Example.com ", "docs.example.com", "https://docs.example.com/"),
        ("https://docs.example.com/x", "docs.example.com", "https://docs.example.com/x"),
        ("http://docs.example.com", "docs.example.com", "http://docs.example.com/"),
        ("docs.example.com/x?utm_source=a", "docs.example.com", "https://docs.example.com/x"),
        ("docs.example.com:80", "docs.example.com", "http://docs.example.com/"),
        ("https://docs.example.com:80", "docs.example.com:80", "https://docs.example.com:80/"),
        ("docs.example.com:8080", "docs.example.com:8080", "http://docs.example.com:8080/"),
        ("bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
        ("127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", "http://127.0.0.1:8080/"),
    ],
)
def test_what_a_person_typed_becomes_a_site(typed: str, key: str, start_url: str) -> None:
    site = parse_site(typed, allowed=LOOPBACK_8080)

    assert (site.key, site.start_url) == (key, start_url)
    assert check_partition_key(site.key) == key


def test_an_ipv6_site_keeps_its_brackets_in_key_and_url() -> None:
    allowed = frozenset({(ipaddress.ip_address("::1"), 8080)})

    site = parse_site("[::1]:8080", allowed=allowed)

    assert (site.key, site.host, site.start_url) == ("[::1]:8080", "::1", "http://[::1]:8080/")
    assert check_partition_key(site.key) == site.key


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", ["not a full host name"]),
        ("ftp://docs.example.com", ["'ftp'", "http and https"]),
        ("https://me:secret@docs.example.com", ["user name or password"]),
        ("me:secret@docs.example.com", ["user name or password"]),
        ("docs", ["'docs'", "not a full host name"]),
        ("localhost:8080", ["this very machine", "127.0.0.1:8080"]),
        ("127.1", ["plain dotted form"]),
        ("127.0.0.1:9090", ["loopback", "OMNI_ALLOW_ADDRESSES=127.0.0.1:9090"]),
        ("http://10.0.0.1", ["private", "OMNI_ALLOW_ADDRESSES=10.0.0.1:80"]),
        ("[::1]:9090", ["loopback", "OMNI_ALLOW_ADDRESSES=[::1]:9090"]),
        ("8.8.8.8", ["by name", "OMNI_ALLOW_ADDRESSES=8.8.8.8:80"]),
        ("docs.example.com:9090", ["port 9090", "OMNI_ALLOW_ADDRESSES="]),
        ("docs.example.com:99999", ["port", "65535"]),
        ("https://docs.example.com/" + "a" * 3000, ["longer than 2048"]),
        ("docs.exa\nmple.com", ["control character"]),
    ],
)
def test_a_bad_site_is_refused_in_one_line_with_value_rule_and_remedy(
    typed: str, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_site(typed, allowed=LOOPBACK_8080)

    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "secret" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "key",
    [
        "x'; DROP TABLE chunks;--",
        "../../etc",
        "a\nb",
        "docs.example.com\n",
        "a" * 300,
        "a\0b.example",
        "🦊.example",
        "Docs.example.com",
        "docs.example.com/",
        "docs.example.com:",
        "docs.example.com:99999",
        "https://docs.example.com",
        "user@docs.example.com",
        "docs.example.com?x",
        "docs",
        "*",
        "127.1",
        "",
    ],
)
def test_nothing_takes_a_partition_key_outside_of_the_grammar(key: str) -> None:
    """S-54."""
    with pytest.raises(SettingsError):
        check_partition_key(key)


def _site(typed: str = "example.com") -> Site:
    return parse_site(typed, allowed=LOOPBACK_8080)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x",
        "http://example.com/x",
        "https://www.example.com/x",
        "http://www.example.com/",
    ],
)
def test_www_and_the_default_scheme_do_not_leave_the_site(url: str) -> None:
    assert in_scope(url, _site("example.com"))
    assert in_scope(url, _site("http://www.example.com"))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil-example.com/",
        "https://example.com.evil.test/",
        "https://docs.example.com/",
        "https://wwwexample.com/",
        "https://example.com:8443/",
        "https://example.com:80/",
        "http://example.com:443/",
        "https://xn--exmple-cua.com/",
        "https://www.com/",
        "http://127.0.0.1/",
    ],
)
def test_another_host_or_port_is_out_of_scope(url: str) -> None:
    """S-33."""
    assert not in_scope(url, _site())


def test_a_site_on_an_odd_port_is_that_port_alone() -> None:
    site = _site("127.0.0.1:8080")

    assert in_scope("http://127.0.0.1:8080/x", site)
    assert not in_scope("http://127.0.0.1/x", site)
    assert not in_scope("http://127.0.0.1:8081/x", site)
    assert not in_scope("https://127.0.0.1:8080/x", site)
    assert not in_scope("https://example.com:8080/", site)


def test_www_com_is_a_name_and_not_all_of_com() -> None:
    """S-33."""
    assert in_scope("https://www.com/", _site("www.com"))
    assert not in_scope("https://com.com/", _site("www.com"))


@pytest.mark.parametrize(
    ("typed", "own"),
    [
        ("example.com", "https://example.com/x?a=1"),
        ("http://example.com", "http://example.com/x?a=1"),
        ("www.example.com", "https://www.example.com/x?a=1"),
    ],
)
def test_a_page_of_the_site_has_one_url_whatever_links_to_it(typed: str, own: str) -> None:
    """F-D22."""
    site = _site(typed)

    for scheme in ("http", "https"):
        for host in ("example.com", "www.example.com"):
            assert site_url(f"{scheme}://{host}/x?a=1", site) == own


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example.com/",
        "https://example.com:8443/",
        "https://example.com:80/",
        "http://127.0.0.1/",
    ],
)
def test_the_url_of_another_site_stays_as_it_is(url: str) -> None:
    assert site_url(url, _site()) == url


def test_a_site_on_an_odd_port_keeps_it() -> None:
    site = _site("127.0.0.1:8080")

    assert site_url("http://127.0.0.1:8080/x", site) == "http://127.0.0.1:8080/x"
    assert site_url("https://127.0.0.1:8080/x", site) == "https://127.0.0.1:8080/x"
