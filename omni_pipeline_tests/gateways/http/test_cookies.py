"""Cookies: sent where a host insists on them, to nobody else, for no longer than one crawl."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Redirected
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.cookies import MAX_COOKIES, CookieJar
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.sites import LOOPBACK, Page, ScriptedSite, Seen, html

NOW = datetime(2026, 11, 1, tzinfo=UTC)
URL = "https://docs.example.com/guide/start"


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as running:
        yield running


def _client(site: ScriptedSite) -> HttpClient:
    async def resolver(host: str, port: int) -> list[IPAddress]:
        return [LOOPBACK]

    return HttpClient(policy=AddressPolicy(allowed=site.allowed), user_agent="x", resolver=resolver)


def _insisting(page: str, target: str = "/?cookietest=1") -> Callable[[Seen], Page]:
    def answer(seen: Seen) -> Page:
        if "seen=1" in seen.headers.get("cookie", ""):
            return html(page)
        headers = {"location": target, "set-cookie": "seen=1; Path=/; HttpOnly"}
        return Page(status=302, headers=headers)

    return answer


def test_a_site_that_insists_on_its_cookie_gets_it_back(site: ScriptedSite) -> None:
    site.pages |= {"/": _insisting("home"), "/a": _insisting("a")}
    with _client(site) as client:
        home = client.fetch(FetchRequest(url=site.url))
        other = client.fetch(FetchRequest(url=f"{site.url}a"))

    assert isinstance(home, Fetched)
    assert isinstance(other, Fetched)
    assert site.targets() == ["/", "/", "/a"]


def test_a_site_that_redirects_to_itself_to_see_its_cookie_is_read(site: ScriptedSite) -> None:
    site.pages["/"] = _insisting("home", target="/?lang=en")
    site.pages["/?lang=en"] = _insisting("home", target="/")
    with _client(site) as client:
        assert isinstance(client.fetch(FetchRequest(url=site.url)), Fetched)


def test_a_site_that_needs_no_cookies_gets_none(site: ScriptedSite) -> None:
    site.pages["/"] = html("x", set_cookie="id=1")
    with _client(site) as client:
        for _ in range(2):
            client.fetch(FetchRequest(url=site.url))

    assert all("cookie" not in seen.headers for seen in site.requests)


def test_cookies_that_change_no_answer_are_sent_once_and_never_again(site: ScriptedSite) -> None:
    moved = Page(status=302, headers={"location": "/login", "set-cookie": "id=1; Path=/"})
    site.pages |= {"/": moved, "/a": html("a")}
    with _client(site) as client:
        assert isinstance(client.fetch(FetchRequest(url=site.url)), Redirected)
        client.fetch(FetchRequest(url=f"{site.url}a"))

    assert ["cookie" in seen.headers for seen in site.requests] == [False, True, False]


def test_no_cookie_leaves_for_another_host_whatever_its_domain_says(site: ScriptedSite) -> None:
    def answer(seen: Seen) -> Page:
        if "seen=1" in seen.headers.get("cookie", ""):
            return html("x")
        cookie = "seen=1; Path=/; Domain=example.com"
        return Page(status=302, headers={"location": "/x", "set-cookie": cookie})

    site.pages["/"] = answer
    with _client(site) as client:
        client.fetch(FetchRequest(url=f"http://a.example.com:{site.port}/"))
        site.requests.clear()
        client.fetch(FetchRequest(url=f"http://b.example.com:{site.port}/"))

    assert "cookie" not in site.requests[0].headers


def test_the_next_crawl_begins_without_cookies(site: ScriptedSite) -> None:
    site.pages["/"] = _insisting("home")
    for _ in range(2):
        with _client(site) as client:
            client.fetch(FetchRequest(url=site.url))

    assert ["cookie" in seen.headers for seen in site.requests] == [False, True, False, True]


def _jar(*cookies: str, url: str = URL) -> CookieJar:
    jar = CookieJar()
    jar.take(url, [("set-cookie", cookie) for cookie in cookies], NOW)
    jar.may_help(url, 0)
    return jar


@pytest.mark.parametrize(
    ("cookies", "url", "sent"),
    [
        (["a=1"], URL, "a=1"),
        (["a=1", "b=2; Path=/"], URL, "a=1; b=2"),
        (["a=1", "a=2"], URL, "a=2"),
        (['a="1"'], URL, "a=1"),
        (["a=1; Path=/guide"], "https://docs.example.com/guide", "a=1"),
        (["a=1; Path=/guide"], "https://docs.example.com/guidebook", None),
        (["a=1"], "https://docs.example.com/other", None),
        (["a=1; Path=/; Secure"], "http://docs.example.com/", None),
        (["a=1", "a=; Max-Age=0"], URL, None),
        (["a=1; Expires=Sat, 31 Oct 2026 23:59:59 GMT"], URL, None),
        (["a=1; Expires=Sun, 01 Nov 2026 00:00:01 GMT"], URL, "a=1"),
        (["a=1; Expires=never; Max-Age=soon"], URL, "a=1"),
        (["no cookie", "=1", "a=\x01", "a=ä", f"a={'x' * 5000}"], URL, None),
    ],
)
def test_cookies_are_kept_as_browsers_keep_them(
    cookies: list[str], url: str, sent: str | None
) -> None:
    assert _jar(*cookies).header(url) == sent


def test_a_host_may_set_so_many_cookies_and_no_more() -> None:
    jar = _jar(*(f"c{number}=1" for number in range(MAX_COOKIES + 5)), "c0=2")
    header = jar.header(URL) or ""

    assert header.count("=") == MAX_COOKIES
    assert header.startswith("c0=2")
