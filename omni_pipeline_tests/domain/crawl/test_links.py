"""What a page says about URLs (R-A3, S-27, S-32, S-50, F-D22, F-D35)."""

import time

import pytest

from omni_pipeline.domain.crawl.links import (
    MAX_LINKS,
    PageLinks,
    own_address,
    page_links,
)
from omni_pipeline.domain.crawl.robots_directives import robots_tag_directives
from omni_pipeline.domain.web.user_agent import PRODUCT_TOKEN
from omni_pipeline.errors import PermanentError

URL = "https://docs.example.com/guide/start"


def test_links_are_canonical_once_each_in_the_order_of_the_page() -> None:
    """R-A3."""
    html = """
        <a href="b">b</a> <a href="/a#top">a</a> <a href="./b?utm_source=x">b again</a>
        <map><area href="//other.example.com"></map> <a>none</a> <a href="">here</a>
    """
    assert page_links(html, URL).links == (
        "https://docs.example.com/guide/b",
        "https://docs.example.com/a",
        "https://other.example.com/",
    )


def test_eight_spellings_of_a_page_are_one_link() -> None:
    """F-D22."""
    spellings = ["x", "./x", "/guide/x", "X/../x", "x#a", "x?utm_medium=m", "%78", URL[:-5] + "x"]
    html = "".join(f'<a href="{spelling}">x</a>' for spelling in spellings)

    assert page_links(html, URL).links == ("https://docs.example.com/guide/x",)


@pytest.mark.parametrize(
    "reference",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,<a>",
        "file:///etc/passwd",
        "mailto:a@b.example",
        "tel:+1",
        "https:\\\\evil.test",
        "https://u:p@docs.example.com/",
        "#top",
        "http://2130706433/",
    ],
)
def test_what_is_no_web_page_is_no_link(reference: str) -> None:
    """S-24, S-32."""
    assert page_links(f'<a href="{reference}">x</a>', URL).links == ()


def test_the_base_of_the_page_counts_and_its_links_can_be_seen_to_leave_the_site() -> None:
    """S-27."""
    assert page_links('<base href="/v2/"><a href="x">', URL).links == (
        "https://docs.example.com/v2/x",
    )
    assert page_links('<base href="http://127.0.0.1/"><a href="x">', URL).links == (
        "http://127.0.0.1/x",
    )
    assert page_links('<base href="file:///etc/"><a href="x">', URL).links == (
        "https://docs.example.com/guide/x",
    )


def test_a_page_may_forbid_to_follow_and_to_index() -> None:
    link = '<a href="x">'
    plain = page_links(link, URL)
    noindex = page_links(f'<meta name="ROBOTS" content="NoIndex, follow">{link}', URL)
    neither = page_links(f'<meta name="robots" content="none">{link}', URL)

    assert (plain.nofollow, plain.noindex, len(plain.links)) == (False, False, 1)
    assert (noindex.nofollow, noindex.noindex, len(noindex.links)) == (False, True, 1)
    assert (neither.nofollow, neither.noindex, len(neither.links)) == (True, True, 0)


def test_a_link_may_ask_not_to_be_followed() -> None:
    html = '<a rel="external NoFollow" href="x"><a rel="nofollower" href="y">'
    assert page_links(html, URL).links == ("https://docs.example.com/guide/y",)


def test_the_page_names_its_own_url() -> None:
    html = '<head><link rel="Canonical" href="/guide/?utm_source=x#y"></head>'
    assert page_links(html, URL).canonical == "https://docs.example.com/guide/"
    assert page_links('<link rel="canonical" href="javascript:x">', URL).canonical is None
    assert page_links("<p>", URL).canonical is None


@pytest.mark.parametrize("content", ["0; url=next", "5;URL='next'", '0, url = "next"'])
def test_a_meta_refresh_is_a_link_and_nothing_more(content: str) -> None:
    """S-27."""
    html = f"<meta http-equiv=Refresh content='{content}'>".replace("''", "'")
    if "'" in content:
        html = f'<meta http-equiv=Refresh content="{content}">'
    assert page_links(html, URL).links == ("https://docs.example.com/guide/next",)


def test_a_page_gives_as_many_links_as_a_crawl_can_take_and_says_how_many_more_there_are() -> None:
    """S-50."""
    html = "".join(f"<a href=/{number}>{number}</a>" for number in range(MAX_LINKS + 1000))

    found = page_links(html, URL)

    assert (len(found.links), found.left_out) == (MAX_LINKS, 1000)
    assert found.links[0] == "https://docs.example.com/0"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<span>" * 1_000 + "</p>" * 100_000,
        "<a " + "".join(f"a{number} " for number in range(100_000)) + ">",
        "<select>" + "<option>" * 100_000,
        "".join(f"<a href=/{number}>" for number in range(900_000)),
    ],
    ids=["deep", "deep and long", "attributes", "options", "links"],
)
def test_a_page_that_would_stall_the_parser_is_refused_in_time(html: str) -> None:
    """F-D35, S-50."""
    started = time.process_time()

    with pytest.raises(PermanentError) as caught:
        page_links(html, URL)

    assert caught.value.kind in ("permanent.too_deep", "permanent.too_complex")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "html", ["<div>" * 6_500, "<ul><li>" * 4_000, "<dl><dt><li>" * 2_700, "<a b c d" * 4_000]
)
def test_a_page_too_short_to_be_judged_is_too_short_to_stall_the_parser(html: str) -> None:
    """F-D35."""
    started = time.process_time()

    page_links(html, URL)

    assert time.process_time() - started < 3


@pytest.mark.parametrize("html", ["", "\0", "<a href>", "<a href='\ud800'>", "<" * 10_000])
def test_broken_html_has_no_links_and_no_errors(html: str) -> None:
    assert page_links(html, URL).links == ()


def test_the_same_page_in_other_languages_is_a_link() -> None:
    """R-A3."""
    html = """<link rel="alternate" hreflang="de" href="/de/guide">
        <link rel=Alternate hreflang=x-default href="https://other.example.com/">
        <link rel="alternate" type="application/rss+xml" href="/feed.xml">
        <link rel="stylesheet" hreflang="de" href="/style.css"><a href="x">"""

    assert page_links(html, URL).links == (
        "https://docs.example.com/de/guide",
        "https://other.example.com/",
        "https://docs.example.com/guide/x",
    )


def test_directives_for_robots_may_name_this_crawler_or_another() -> None:
    ours = page_links('<meta name="Omni_Pipeline" content="noindex">', URL)
    other = page_links('<meta name="googlebot" content="noindex">', URL)

    assert (ours.noindex, other.noindex) == (True, False)


def test_a_time_after_which_a_page_is_unavailable_is_not_its_end_now() -> None:
    html = '<meta name="robots" content="unavailable_after: Mon, 23 Nov 2020 10:00:00 GMT">'
    assert not page_links(html, URL).noindex


@pytest.mark.parametrize(
    ("header", "directives"),
    [
        (None, set()),
        ("", set()),
        ("noindex", {"noindex"}),
        ("NoIndex , NOFOLLOW", {"noindex", "nofollow"}),
        ("none", {"none"}),
        ("googlebot: noindex", set()),
        ("googlebot: noindex, nofollow", set()),
        ("omni_pipeline: noindex, nofollow", {"noindex", "nofollow"}),
        ("*: noindex", {"noindex"}),
        ("googlebot: noindex, Omni_Pipeline: nofollow, noarchive", {"nofollow", "noarchive"}),
        ("noarchive, otherbot: noindex", {"noarchive"}),
        ("googlebot: nofollow\nnoindex", {"noindex"}),
        ("unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noindex", {"noindex"}),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", set()),
        ("max-snippet: -1, max-image-preview:large, nofollow", {"nofollow"}),
        ("googlebot: max-snippet: 5, noindex", set()),
        (":, ,noindex,", {"noindex"}),
    ],
)
def test_the_header_says_what_is_asked_of_this_crawler(
    header: str | None, directives: set[str]
) -> None:
    assert robots_tag_directives(header, PRODUCT_TOKEN) == directives


START = "https://docs.example.com/"


def _own(canonical: str | None, url: str, start_url: str = START) -> str | None:
    return own_address(PageLinks(canonical=canonical), url, start_url)


@pytest.mark.parametrize(
    ("url", "canonical", "own"),
    [
        ("/guide/?sort=up", "/guide/", "/guide/"),
        ("/guide", "/guide/", "/guide/"),
        ("/guide/", "/guide", "/guide"),
        ("/guide/index.html", "/guide/", "/guide/"),
        ("/guide/Index.PHP", "/guide", "/guide"),
        ("/Guide/Start", "/guide/start", "/guide/start"),
        ("/shop?id=5&color=red", "/shop?id=5", "/shop?id=5"),
        ("/shop?PHPSESSID=1", "/shop", "/shop"),
        ("/index.html", "/", "/"),
    ],
)
def test_a_page_may_choose_between_the_spellings_of_its_url(
    url: str, canonical: str, own: str
) -> None:
    """F-D22."""
    for origin in (
        "https://docs.example.com",
        "http://docs.example.com",
        "https://www.docs.example.com",
    ):
        assert _own(origin + canonical, START[:-1] + url) == START[:-1] + own


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("/guide", None),
        ("/guide", "/guide"),
        ("/guide", "/"),
        ("/guide", "/other"),
        ("/guide", "/guide/other"),
        ("/?page_id=2", "/"),
        ("/?anything", "/"),
        ("/list?page=2", "/list"),
        ("/list?page=2", "/list?page=1"),
        ("/view.php?id=5", "/view.php"),
        ("/view?productId=5", "/view?productId=6"),
        ("/find?q=a", "/find"),
    ],
)
def test_a_wrong_canonical_on_every_page_does_not_lose_a_site(
    url: str, canonical: str | None
) -> None:
    """F-D10."""
    named = None if canonical is None else START[:-1] + canonical
    assert _own(named, START[:-1] + url) is None


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", "https://docs.example.com:8443", "http://127.0.0.1"],
)
def test_a_page_cannot_name_another_site_as_its_address(origin: str) -> None:
    """S-27."""
    assert _own(f"{origin}/guide", f"{START}guide/") is None


def test_the_same_page_over_http_needs_no_other_address() -> None:
    assert _own("http://www.docs.example.com/guide", f"{START}guide") is None


def test_a_start_page_with_a_query_keeps_it() -> None:
    start = f"{START}?view=home"

    assert _own(start, START, start) == start
    assert _own(start, f"{START}?view=other", start) is None
