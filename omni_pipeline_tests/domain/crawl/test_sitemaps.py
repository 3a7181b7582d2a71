"""Reading sitemaps that may be hostile (R-A3, F-D24 to F-D26, S-28, S-47)."""

import gzip
import time
import tracemalloc
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.crawl.sitemaps import MAX_URLS, SitemapPage, lastmod_time, parse_sitemap
from omni_pipeline.domain.web.inflate import PIECE_BYTES

MIB = 1024 * 1024
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
URLSET = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset {NAMESPACE} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url>
    <loc> https://example.com/a?x=1&amp;y=2 </loc>
    <lastmod>2026-11-01</lastmod>
    <image:image><image:loc>https://example.com/a.png</image:loc></image:image>
  </url>
  <url><loc>https://example.com/b</loc></url>
  <url><lastmod>2026-11-01</lastmod></url>
</urlset>"""
PAGES = (
    SitemapPage(url="https://example.com/a?x=1&y=2", lastmod="2026-11-01"),
    SitemapPage(url="https://example.com/b"),
)


@pytest.mark.parametrize(
    "body",
    [
        URLSET.encode(),
        b"\xef\xbb\xbf" + URLSET.encode(),
        gzip.compress(URLSET.encode(), mtime=0),
        URLSET.replace("UTF-8", "utf-16").encode("utf-16"),
        URLSET.replace("UTF-8", "iso-8859-1").encode("latin-1"),
        URLSET.replace(NAMESPACE, 'xmlns="urn:wrong"').encode(),
        URLSET.replace(NAMESPACE, "").encode(),
        URLSET.replace("<url", "<s:url").replace("</url", "</s:url").encode(),
    ],
)
def test_pages_are_read_from_xml_however_it_is_wrapped(body: bytes) -> None:
    """R-A3."""
    sitemap = parse_sitemap(body)

    assert sitemap.pages == PAGES
    assert sitemap.children == ()
    assert sitemap.problem is None


def test_an_index_names_its_children() -> None:
    index = f"""<sitemapindex {NAMESPACE}>
        <sitemap><loc>https://example.com/1.xml.gz</loc><lastmod>2026-11-01</lastmod></sitemap>
        <sitemap><loc>file:///etc/passwd</loc></sitemap></sitemapindex>"""

    sitemap = parse_sitemap(index.encode())

    assert sitemap.children == ("https://example.com/1.xml.gz", "file:///etc/passwd")
    assert sitemap.pages == ()


def test_a_plain_list_of_urls_is_a_sitemap_too() -> None:
    body = b"\xef\xbb\xbfhttps://example.com/a\r\n\r\nnot a url\nhttp://example.com/b"

    pages = parse_sitemap(body).pages

    assert [page.url for page in pages] == ["https://example.com/a", "http://example.com/b"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (URLSET[:-40].encode(), "not valid XML"),
        (URLSET.replace("</urlset>", "&nbsp;").encode(), "not valid XML"),
        (URLSET.replace("</urlset>", "<a>" * 200_000).encode(), "inside each other"),
        (gzip.compress(URLSET.encode())[:-9], "too early"),
    ],
)
def test_what_came_before_the_damage_is_kept(body: bytes, problem: str) -> None:
    """F-D26."""
    sitemap = parse_sitemap(body)

    assert sitemap.pages[:1] == PAGES[:1]
    assert problem in (sitemap.problem or "")


@pytest.mark.parametrize("body", [b"", b"<html><p>hello", b"no list", b"\x1f\x8bnot gzip", b"\0"])
def test_what_is_no_sitemap_says_so_instead_of_listing_nothing(body: bytes) -> None:
    sitemap = parse_sitemap(body)

    assert sitemap.pages == ()
    assert sitemap.problem is not None


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
        '<!doctype x SYSTEM "http://169.254.169.254/x.dtd">',
        "<!--" + "x" * 100_000 + '--><!DOCTYPE x [<!ENTITY l9 "lol">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_that_declares_or_loads_is_refused_before_it_can_do_anything(
    prolog: str, encoding: str
) -> None:
    """F-D26, S-47."""
    body = f'<?xml version="1.0" encoding="{encoding}"?>{prolog}<urlset><url><loc>&l9;</loc>'

    sitemap = parse_sitemap(body.encode(encoding))

    assert "DOCTYPE" in (sitemap.problem or "")
    assert sitemap.pages == ()


@pytest.mark.parametrize("before_the_cut", range(1, 9))
def test_a_doctype_across_the_border_of_two_pieces_is_seen(before_the_cut: int) -> None:
    """S-47."""
    comment = "<!--" + "x" * (PIECE_BYTES - before_the_cut - len("<!---->")) + "-->"
    doctype = '<!DOCTYPE x [<!ENTITY a "b">]>'
    body = f"{comment}{doctype}<urlset><url><loc>https://example.com/</loc></url></urlset>"

    sitemap = parse_sitemap(body.encode())

    assert "DOCTYPE" in (sitemap.problem or "")
    assert sitemap.pages == ()


ENTRIES = "<url><loc>https://example.com/a</loc></url><url><loc>https://example.com/b</loc></url>"
LIST = f"<urlset>{ENTRIES}</urlset>"
FEED = """<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
    <link>https://example.com/</link><atom:link rel="self" href="https://example.com/feed"/>
    <image><url>https://example.com/logo.png</url><link>https://example.com/</link></image>
    <item><title>A</title><link>https://example.com/a</link><pubDate>yesterday</pubDate></item>
    <item><link><![CDATA[https://example.com/b]]></link></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://example.com/"/>
    <entry><link rel="edit" href="https://example.com/edit"/><link href="https://example.com/a"/>
    </entry><entry><link rel="alternate" href="https://example.com/b"/></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="urn:r"><channel><link>https://example.com/</link></channel>
    <item><link>https://example.com/a</link></item><item><link>https://example.com/b</link></item>
    </rdf:RDF>"""


@pytest.mark.parametrize(
    "body",
    [
        f"\r\n\r\n<?xml version='1.0'?>{LIST}".encode(),
        b"\n \xef\xbb\xbf" + f"<?xml version='1.0'?>{LIST}".encode(),
        f"<br />\n<b>Warning</b>: x on line <b>3</b><br />\n<?xml version='1.0'?>{LIST}".encode(),
        f"<!-- made by hand --><?xml version='1.0'?>{LIST}".encode(),
        f"<?xml version='1.0'?><?xml-stylesheet href='x.xsl'?>{LIST}".encode(),
        f"<!DOCTYPE urlset>{LIST}".encode(),
        f"<?xml version='1.0' encoding='utf8mb4'?>{LIST}".encode(),
        f"<?xml version='1.0' encoding='hex'?>{LIST}".encode(),
        f"{LIST}\n<!-- 12 queries --><div>0.2 s</div>".encode(),
        LIST.upper().replace("HTTPS://EXAMPLE.COM/", "https://example.com/").lower().encode(),
        LIST.replace("<url>", "<url><title>Fish & chips &nbsp; \x0b</title>", 1).encode(),
        LIST.replace("/a<", "/a<![CDATA[]]><").encode(),
        gzip.compress(gzip.compress(LIST.encode(), mtime=0), mtime=0),
        b"https://example.com/a\rhttps://example.com/b\r",
        "HTTPS://example.com/a\nhttps://example.com/b".replace("HTTPS", "https").encode("utf-16"),
        *(text.encode() for text in (FEED, ATOM, RDF)),
    ],
)
def test_sitemaps_are_read_as_sites_write_them(body: bytes) -> None:
    sitemap = parse_sitemap(body)

    assert [page.url for page in sitemap.pages] == [
        "https://example.com/a",
        "https://example.com/b",
    ]
    assert sitemap.problem is None


@pytest.mark.parametrize(
    "encoding",
    [
        *("GBK", "gb2312", "gb18030", "Shift_JIS", "EUC-KR", "EUC-JP", "Big5", "iso-2022-jp"),
        *("windows-1251", "koi8-r", "x-sjis", "utf-16"),
    ],
)
def test_a_sitemap_may_be_written_in_any_charset_of_the_web(encoding: str) -> None:
    body = f"<?xml version='1.0' encoding='{encoding}'?>{LIST}"

    sitemap = parse_sitemap(body.encode("ascii"))

    assert (len(sitemap.pages), sitemap.problem) == (2, None)


def test_letters_of_another_charset_in_a_url_are_read_in_it() -> None:
    body = (
        "<?xml version='1.0' encoding='gb2312'?><urlset><url><loc>https://a.cn/\u4e2d</loc></url>"
    )
    assert parse_sitemap(body.encode("gb2312")).pages[0].url == "https://a.cn/\u4e2d"


@pytest.mark.parametrize("ampersand", ["&", "&amp;", "&#38;", "&#x26;", "<![CDATA[&]]>"])
def test_an_ampersand_is_one_however_it_is_written(ampersand: str) -> None:
    body = f"<urlset><url><loc>https://example.com/?a=1{ampersand}b=2</loc></url></urlset>"

    sitemap = parse_sitemap(body.encode())

    assert [page.url for page in sitemap.pages] == ["https://example.com/?a=1&b=2"]
    assert sitemap.problem is None


@pytest.mark.parametrize("token", ["<![CDATA[https://example.com/?x=1&y]]>", "https://e.com/&amp;"])
@pytest.mark.parametrize("before_the_cut", [1, 4, 9, 20])
def test_what_lies_across_the_border_of_two_pieces_is_read_whole(
    token: str, before_the_cut: int
) -> None:
    start = "<urlset><url><loc>"
    padding = " " * (PIECE_BYTES - len(start) - before_the_cut)
    whole = parse_sitemap(f"{start}{token}</loc></url></urlset>".encode())

    assert parse_sitemap(f"{start}{padding}{token}</loc></url></urlset>".encode()) == whole
    assert whole.problem is None


@pytest.mark.parametrize(
    ("body", "is_sitemap"),
    [
        (b"<!DOCTYPE html><html><body>Not found", False),
        (b"Not found", False),
        (b"", False),
        (b"<urlset><url><loc>https://example.com/", True),
        (b"<urlset/>", True),
    ],
)
def test_a_page_in_the_place_of_a_sitemap_is_told_from_a_broken_one(
    body: bytes, *, is_sitemap: bool
) -> None:
    assert parse_sitemap(body).is_sitemap == is_sitemap


@pytest.mark.parametrize(
    "token", ["<!--", "<![CDATA[", "<!doctype", "&", "&a", "<urlset", "<urlset><!--<![CDATA["]
)
def test_a_file_of_beginnings_without_ends_is_given_up_in_time(token: str) -> None:
    started = time.process_time()

    parse_sitemap(token.encode() * (20 * MIB // len(token)))

    assert time.process_time() - started < 8


def test_reading_stops_at_fifty_thousand_urls() -> None:
    """F-D25."""
    body = "<urlset>" + "<url><loc>https://example.com/x</loc></url>" * (MAX_URLS + 1)

    sitemap = parse_sitemap(body.encode())

    assert len(sitemap.pages) == MAX_URLS
    assert "50000" in (sitemap.problem or "")


@pytest.mark.parametrize("head", [b"<urlset>", b"https://example.com/a\n"])
def test_a_gzip_bomb_is_defused_in_little_memory(head: bytes) -> None:
    """F-D25."""
    bomb = gzip.compress(head + b" " * (100 * MIB))

    tracemalloc.start()
    try:
        sitemap = parse_sitemap(bomb)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "larger than" in (sitemap.problem or "")
    assert peak_bytes < 8 * MIB


@pytest.mark.parametrize(
    "body",
    [
        b'<urlset a="' + b"x" * (30 * MIB),
        b"<urlset><!--" + b"x" * (30 * MIB),
        b"<urlset>" + b"<a/>" * (7 * MIB),
        b"<urlset><url><loc>" + b"x" * (30 * MIB),
    ],
    ids=["one endless tag", "one endless comment", "seven million tags", "one endless text"],
)
def test_xml_made_to_be_slow_is_given_up(body: bytes) -> None:
    """F-D26."""
    started = time.process_time()

    sitemap = parse_sitemap(body)

    assert sitemap.problem is not None
    assert time.process_time() - started < 8


def test_a_url_that_could_not_be_stored_is_left_out() -> None:
    """F-D38."""
    body = f"<urlset><url><loc>https://example.com/{'x' * 9000}</loc></url></urlset>"
    assert parse_sitemap(body.encode()).pages == ()


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes) -> None:
    parse_sitemap(body)
    parse_sitemap(b"<urlset>" + body)
    parse_sitemap(b"\x1f\x8b" + body)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T10:15:02Z", "2026-11-23T10:15:02"),
        ("2026-11-23T10:15:02+01:00", "2026-11-23T09:15:02"),
        ("2026-11-23T23:30-05:00", "2026-11-24T04:30:00"),
        ("2026-11-23T10:15:02.45Z", "2026-11-23T10:15:02.450000"),
        ("2026-11-23T10:15:02.123456789Z", "2026-11-23T10:15:02.123456"),
        (" 2026-11-23t10:15z\n", "2026-11-23T10:15:00"),
        ("2026-11-23 10:15:02", "2026-11-23T10:15:02"),
        ("2026-11-23T10:15:02+0100", "2026-11-23T09:15:02"),
        ("2026-11-23", "2026-11-23T23:59:59"),
        ("2024-02", "2024-02-29T23:59:59"),
        ("2026", "2026-12-31T23:59:59"),
        ("0001", "0001-12-31T23:59:59"),
    ],
)
def test_lastmod_is_the_latest_moment_that_it_may_mean(text: str, moment: str) -> None:
    found = lastmod_time(text)

    assert found is not None
    assert found.tzinfo is UTC
    assert found.isoformat().removesuffix("+00:00") == moment


def test_lastmod_does_not_depend_on_the_zone_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = lastmod_time("2026-11-23T10:15")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found is not None
    assert found.hour == 10


@pytest.mark.parametrize(
    "text",
    [
        *("", "never", "2026-02-30", "2026-13", "2026-00", "2026-11-00", "0000", "20261123"),
        *("2026-W47", "2026-11-23T25:00Z", "2026-11-23T10:61Z", "2026-11-23T10", "23.11.2026"),
        *("9999-12-31T23:59-01:00", "0001-01-01T00:00+01:00", "2026-11-23T10:15:02+99:00"),
        *(
            "\u0662\u0660\u0662\u0666",
            "2026-11-23T10:15:02Z" * 1000,
            "Mon, 23 Nov 2026 10:15:02 GMT",
        ),
    ],
)
def test_what_is_no_date_is_no_hint(text: str) -> None:
    assert lastmod_time(text) is None


@given(st.text("0123456789-:TZ+. ", max_size=30))
def test_no_lastmod_breaks_the_reading(text: str) -> None:
    moment = lastmod_time(text)
    assert moment is None or moment.tzinfo is UTC
