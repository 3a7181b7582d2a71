"""References as browsers read them: cases of the URL standard's tests, in this project's words."""

import pytest

from omni_pipeline.domain.web.references import referenced_url

BASE = "https://docs.example.com/guide/start?x=1"
SITE = "https://docs.example.com"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        # relative forms
        ("next", "/guide/next"),
        ("./next", "/guide/next"),
        ("../next", "/next"),
        ("../../../next", "/next"),
        ("/next/", "/next/"),
        ("next/..", "/guide/"),
        ("a/./b/../c", "/guide/a/c"),
        ("?y=2", "/guide/start?y=2"),
        ("", "/guide/start?x=1"),
        ("#part", "/guide/start?x=1"),
        ("//docs.example.com/a", "/a"),
        ("HTTPS://DOCS.Example.COM/a", "/a"),
        ("https://docs.example.com:443/a", "/a"),
        ("https://docs.example.com", "/"),
        ("https://docs.example.com?y", "/?y"),
        # white space
        (" \t\n next \r\f", "/guide/next"),
        ("ne\nxt", "/guide/next"),
        ("ne\r\n\txt", "/guide/next"),
        ("https://docs.exa\nmple.com/a", "/a"),
        ("h\nttps://docs.example.com/a", "/a"),
        ("a b", "/guide/a%20b"),
        # backslashes
        ("a\\b", "/guide/a/b"),
        ("\\a", "/a"),
        ("..\\a", "/a"),
        ("a?b\\c", None),
        # what has to be escaped, and what has not
        ("%61%2f%7E", "/guide/a%2F~"),
        ("100%", "/guide/100%25"),
        ("\u00e9", "/guide/%C3%A9"),
        ("a;b=1", "/guide/a;b=1"),
        # no address of a page
        ("mailto:a@example.com", None),
        ("javascript:void(0)", None),
        ("data:text/html,x", None),
        ("ftp://docs.example.com/a", None),
        ("http://", None),
        ("https://docs.example.com:99999/", None),
        ("https://docs.example.com:port/", None),
    ],
)
def test_a_reference_leads_where_browsers_go(reference: str, url: str | None) -> None:
    assert referenced_url(reference, BASE) == (url and SITE + url)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("https://user:word@docs.example.com/", "no credentials are sent"),
        ("https://docs.example.com\\@evil.test/", "two parsers may see two hosts"),
        ("https:\\\\evil.test", "two parsers may see two hosts"),
        ("\\\\evil.test", "two parsers may see two hosts"),
        ("/\\evil.test", "two parsers may see two hosts"),
        ("https:/evil.test", "a slash is missing"),
        ("https:evil", "a slash is missing"),
        ("https:///evil.test", "there is one slash too many"),
        ("http://2130706433/", "an address that is not written as one"),
        ("http://0x7f.1/", "an address that is not written as one"),
        ("http://0177.0.0.1/", "an address that is not written as one"),
        ("https://my_docs.example.com/", "no name by the rules of DNS"),
        ("https://wiki/", "no full name"),
        ("https://docs.example.com./", "no name in its usual form"),
        ("https://docs%2Eexample.com/", "an escaped host"),
        ("a\x00b", "a control character"),
        ("a\ud800b", "half a character"),
    ],
)
def test_what_browsers_repair_and_this_crawler_refuses(reference: str, why: str) -> None:
    assert referenced_url(reference, BASE) is None, why


@pytest.mark.parametrize(
    ("charset", "query"),
    [
        ("utf-8", "%D0%BA%D0%BD"),
        ("utf-16-le", "%D0%BA%D0%BD"),
        ("cp1251", "%EA%ED"),
        ("koi8-r", "%CB%CE"),
        ("cp1252", "%26%231082%3B%26%231085%3B"),
    ],
)
def test_a_query_is_sent_in_the_charset_of_its_page_and_a_path_never(
    charset: str, query: str
) -> None:
    found = referenced_url("/\u043a?name=\u043a\u043d&a=1#\u043a", BASE, charset=charset)
    assert found == f"{SITE}/%D0%BA?name={query}&a=1"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("/a;jsessionid=0A1B2C?x=1", "/a?x=1"),
        ("/a;JSESSIONID=0A1B2C/b", "/a/b"),
        ("/a;v=1", "/a;v=1"),
        ("/(S(lit3py55t21z5v55vlm25s55))/orders", "/orders"),
        ("/a?PHPSESSID=1&b=2", "/a?b=2"),
        ("/a?b=2&%70hpsessid=1", "/a?b=2"),
        ("/a;%6asessionid=1", "/a"),
        ("/a?sid=0123456789abcdef01", "/a"),
        ("/a?sid=4711", "/a?sid=4711"),
        ("/a?session_id=12", "/a?session_id=12"),
    ],
)
def test_what_a_url_says_of_its_visitor_is_left_out(reference: str, url: str) -> None:
    found = referenced_url(reference, BASE)

    assert found == SITE + url
    assert referenced_url(found, BASE) == found
