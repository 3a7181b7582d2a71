"""One page by itself: by the rules of a crawl, shown with the way that led to it (R-B8)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Outcome
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.steps.explore.page_preview import MAX_REDIRECTS, ScrapedPage, scrape
from omni_pipeline_tests.sites import Canary, Page, ScriptedSite, Seen, redirect

PAGE = """<html lang="en"><head><title>Pumps | Shop</title><meta name="description" content="All.">
<link rel="canonical" href="/pumps"></head><body><main><h1>Pumps</h1><p>They pump water up.</p>
<a href="/more">More</a></main></body></html>"""


@contextmanager
def opened(*sites: ScriptedSite) -> Iterator[HttpClient]:
    allowed = frozenset().union(*(site.allowed for site in sites))
    policy = AddressPolicy(allowed=allowed)
    limits = FetchLimits(pause_seconds=0.01)
    with HttpClient(policy=policy, user_agent="omni_test/1", limits=limits) as web:
        yield web


def look(site: ScriptedSite, path: str = "page", *others: ScriptedSite) -> ScrapedPage:
    with opened(site, *others) as web:
        return scrape(web, site.url + path, user_agent="omni_test/1", rendering="http")


def refused(site: ScriptedSite, path: str = "page") -> OmniError:
    with pytest.raises(OmniError) as caught:
        look(site, path)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_page_comes_with_its_text_and_what_it_says_of_itself() -> None:
    with ScriptedSite({"/page": PAGE}) as site:
        page = look(site)
    assert isinstance(page.text, CleanedPage)
    assert page.text.title == "Pumps"
    assert (page.text.language, page.text.description) == ("en", "All.")
    assert page.text.canonical_url == f"{site.url}pumps"
    assert "They pump water up." in page.text.markdown
    assert page.reading.links == (f"{site.url}more",)
    assert (page.document.status, page.redirects) == (200, ())


def test_redirects_are_followed_and_shown() -> None:
    with ScriptedSite({"/page": redirect("/b"), "/b": redirect("/c", 301), "/c": PAGE}) as site:
        page = look(site)
    assert [hop.target for hop in page.redirects] == [f"{site.url}b", f"{site.url}c"]
    assert page.document.url == f"{site.url}c"


def test_ten_redirects_are_followed_and_no_more() -> None:
    """F-D20"""
    pages = {f"/{n}": redirect(f"/{n + 1}") for n in range(MAX_REDIRECTS + 1)}
    with ScriptedSite({**pages, f"/{MAX_REDIRECTS + 1}": PAGE}) as site:
        assert look(site, "1").document.url.endswith(f"/{MAX_REDIRECTS + 1}")
        error = refused(site, "0")
    assert error.kind == "permanent.redirect_loop"
    assert f"/{MAX_REDIRECTS + 1}" in str(error), "it says how far it came"


def test_a_page_that_robots_txt_forbids_is_not_asked_for() -> None:
    """F-D14"""
    robots = Page(body=b"User-agent: *\nDisallow: /page")
    with ScriptedSite({"/page": PAGE, "/robots.txt": robots}) as site:
        error = refused(site)
        assert site.targets() == ["/robots.txt"]
    assert error.kind == "permanent.robots"
    assert f"{site.url}page" in str(error)


def test_robots_txt_of_the_site_that_a_redirect_leads_to_holds_there() -> None:
    """F-D14: also when reached by a redirect."""
    robots = Page(body=b"User-agent: *\nDisallow: /secret")
    with (
        ScriptedSite({"/secret": PAGE, "/robots.txt": robots}) as other,
        ScriptedSite({"/page": redirect(f"{other.url}secret")}) as site,
    ):
        with pytest.raises(PermanentError, match="forbids") as caught:
            look(site, "page", other)
        assert other.targets() == ["/robots.txt"]
    assert f"where {site.url}page redirects to" in str(caught.value)


def test_nothing_is_asked_for_while_robots_txt_cannot_be_read() -> None:
    """F-D15"""
    with ScriptedSite({"/page": PAGE, "/robots.txt": Page(status=503)}) as site:
        error = refused(site)
        assert set(site.targets()) == {"/robots.txt"}
    assert isinstance(error, TemporaryError)
    assert error.kind == "transient.robots_unreachable"


def test_a_redirect_to_a_forbidden_address_reaches_nobody() -> None:
    """R-C8: robots.txt and page alike."""
    with Canary() as canary, ScriptedSite() as site:
        site.pages["/page"] = redirect(f"http://127.0.0.1:{canary.port}/")
        assert "is refused" in str(refused(site))
        assert canary.accepts() == 0


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        (Page(status=404), "permanent.gone", "404"),
        (Page(status=403), "permanent.blocked", "403"),
        (Page(status=500), "transient.status", "500"),
        (
            Page(body=b"%PDF-1.7", headers={"content-type": "application/pdf"}),
            "permanent.not_html",
            "pdf",
        ),
    ],
)
def test_what_is_no_page_is_an_error_that_says_why(answer: Page, kind: str, word: str) -> None:
    with ScriptedSite({"/page": answer}) as site:
        error = refused(site)
    assert error.kind == kind
    assert word in str(error)
    assert f"{site.url}page" in str(error)
    assert isinstance(error, PermanentError if kind.startswith("permanent") else TemporaryError)


def test_a_page_without_text_is_not_taken_for_a_page() -> None:
    with ScriptedSite({"/page": "<div id=root></div><script src=x.js></script>"}) as site:
        page = look(site)
    assert isinstance(page.text, Unreadable)
    assert "root" in page.reading.html, "its HTML can be shown"


def test_a_page_that_asks_not_to_be_indexed_is_shown_as_such() -> None:
    with ScriptedSite({"/page": f"<meta name=robots content=noindex>{PAGE}"}) as site:
        page = look(site)
    assert page.reading.leaves is not None
    assert page.reading.leaves.reason == "noindex"


class Recorder:
    """A door that keeps the requests it was asked."""

    def __init__(self) -> None:
        self.requests: list[FetchRequest] = []

    def fetch(self, request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome:
        self.requests.append(request)
        return Fetched(
            url=request.url,
            status=200,
            body=PAGE.encode(),
            content_type="text/html",
            elapsed_seconds=0.1,
            is_rendered=True,
        )

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]:
        raise AssertionError("one page is asked for by itself")

    def fetch_following(
        self, url: str, *, hops: int, max_bytes: int, delay_seconds: float = 0.0
    ) -> Outcome:
        return Fetched(
            url=url, status=200, body=b"", content_type="text/plain", elapsed_seconds=0.1
        )


def test_the_wish_for_a_browser_reaches_the_client() -> None:
    client = Recorder()
    page = scrape(client, "https://a.test/", user_agent="omni_test/1", rendering="browser")
    assert [request.rendering for request in client.requests] == ["browser"]
    assert page.document.is_rendered


def test_the_crawler_says_who_it_is_to_robots_rules_too() -> None:
    def only_others(seen: Seen) -> Page:
        return Page(body=b"User-agent: omni_test\nDisallow: /\nUser-agent: *\nAllow: /")

    with ScriptedSite({"/page": PAGE, "/robots.txt": only_others}) as site:
        assert refused(site).kind == "permanent.robots"
