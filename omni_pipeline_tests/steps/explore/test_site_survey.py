"""A quick look at a site: what it says, what five pages are like, what a crawl may come to.

R-B8.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.steps.explore.site_report import (
    Estimate,
    RobotsReport,
    SampledPage,
    SitemapReport,
    SiteReport,
    estimate,
)
from omni_pipeline.steps.explore.site_survey import SAMPLE_PAGES, discover
from omni_pipeline_tests.sites import Page, Script, ScriptedSite, redirect

WORDS = " ".join(["water"] * 98)
SHELL = "<body><div id=root></div><script src=app.js></script></body>"
DELAY = 0.5


def article(*links: str, head: str = "") -> str:
    anchors = "".join(f'<a href="{link}"></a>' for link in links)
    return f"<head>{head}</head><body><main><p>{WORDS} and more.</p></main>{anchors}</body>"


def sitemap(*paths: str, lastmod: str = "2026-05-01T08:00:00Z") -> Page:
    urls = "".join(f"<url><loc>{path}</loc><lastmod>{lastmod}</lastmod></url>" for path in paths)
    return Page(
        body=f"<?xml version='1.0'?><urlset>{urls}</urlset>".encode(),
        headers={"content-type": "application/xml"},
    )


class Looker:
    """Looks at sites and keeps the pauses it was told to make."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def look(self, site: ScriptedSite, *others: ScriptedSite, price: float = 0.02) -> SiteReport:
        allowed = frozenset().union(*(each.allowed for each in (site, *others)))
        with HttpClient(
            policy=AddressPolicy(allowed=allowed),
            user_agent="omni_test/1",
            limits=FetchLimits(pause_seconds=0.01),
        ) as web:
            return discover(
                web,
                parse_site(site.url, allowed=allowed),
                user_agent="omni_test/1",
                delay_seconds=DELAY,
                count_tokens=lambda text: len(text.split()),
                dollars_per_million_tokens=price,
                pause=self.pauses.append,
            )


def look(pages: Mapping[str, Script]) -> tuple[SiteReport, ScriptedSite]:
    with ScriptedSite(pages) as site:
        return Looker().look(site), site


def test_a_site_with_a_sitemap_is_counted_sampled_and_estimated() -> None:
    looker = Looker()
    with ScriptedSite() as site:
        listed = [f"{site.url}{number}" for number in range(40)]
        site.pages |= {f"/{number}": article() for number in range(40)}
        site.pages |= {"/": article(), "/sitemap.xml": sitemap(*listed)}
        report = looker.look(site)
        pages = [t for t in site.targets() if t not in ("/robots.txt", "/sitemap.xml")]
    assert report.robots.allows_start
    assert (report.sitemap.urls, report.sitemap.disallowed) == (40, 0)
    assert report.sitemap.newest == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert len(report.sample) == SAMPLE_PAGES == len(set(pages))
    assert pages[0] == "/"
    assert looker.pauses == [DELAY] * (SAMPLE_PAGES - 1)
    assert {page.words for page in report.readable} == {100}
    assert report.estimate == Estimate(
        pages=41,
        is_minimum=False,
        tokens=4100,
        dollars=4100 / 1_000_000 * 0.02,
        dollars_per_million_tokens=0.02,
        delay_seconds=DELAY,
        seconds=20.5,
    )
    add, refresh = report.next_commands
    assert add == f"omni domains add {site.url}"
    assert refresh == f"omni refresh 127.0.0.1:{site.port}"


def test_two_looks_see_the_same_pages() -> None:
    with ScriptedSite({"/": article(*(f"/{n}" for n in range(50)))}) as site:
        first, second = Looker().look(site), Looker().look(site)
    assert [page.url for page in first.sample] == [page.url for page in second.sample]


def test_without_a_sitemap_links_are_counted_and_called_the_least() -> None:
    pages: dict[str, Script] = {"/": article("/a", "/b"), "/a": article("/c"), "/b": article()}
    report, _ = look(pages)
    assert report.sitemap == SitemapReport()
    assert report.estimate is not None
    assert (report.estimate.pages, report.estimate.is_minimum) == (4, True)


def test_what_robots_txt_forbids_is_neither_asked_for_nor_counted() -> None:
    """F-D14"""
    with ScriptedSite() as site:
        site.pages |= {
            "/robots.txt": Page(body=b"User-agent: *\nDisallow: /private\nCrawl-delay: 4"),
            "/sitemap.xml": sitemap(f"{site.url}private/a", f"{site.url}open"),
            "/": article("/private/b"),
            "/open": article(),
        }
        report = Looker().look(site)
        assert not [target for target in site.targets() if "private" in target]
    assert (report.sitemap.urls, report.sitemap.disallowed) == (2, 1)
    assert report.estimate is not None
    assert (report.estimate.pages, report.estimate.delay_seconds) == (2, 4)
    assert report.robots.asked_delay_seconds == 4


@pytest.mark.parametrize(
    "robots",
    [Page(status=503), Page(body=b"User-agent: *\nCrawl-delay: 600")],
    ids=["cannot be read", "asks for ten minutes"],
)
def test_a_site_that_may_not_be_crawled_is_left_alone(robots: Page) -> None:
    """F-D15, F-D19"""
    report, site = look({"/robots.txt": robots, "/": article()})
    assert set(site.targets()) == {"/robots.txt"}
    assert (report.sample, report.estimate, report.next_commands) == ((), None, ())
    assert (report.robots.unreachable is not None) != report.robots.is_too_slow


def test_a_forbidden_start_page_is_said_with_the_reason() -> None:
    report, _ = look({"/robots.txt": Page(body=b"User-agent: *\nDisallow: /"), "/": article()})
    assert not report.robots.allows_start
    assert report.next_commands == ()
    [page] = report.sample
    assert "robots.txt forbids" in (page.problem or "")


def test_a_site_of_scripts_is_to_be_crawled_with_a_browser() -> None:
    with ScriptedSite({"/": SHELL, "/a": SHELL}) as site:
        site.pages["/sitemap.xml"] = sitemap(f"{site.url}a")
        report = Looker().look(site)
    assert len(report.need_browser) == 2
    assert report.next_commands[0].endswith(" --render browser")
    assert report.estimate is not None
    assert report.estimate.tokens is None


def test_structured_data_is_counted_over_the_sample() -> None:
    product = '<script type="application/ld+json">{"@type": "Product"}</script>'
    pages: dict[str, Script] = {
        "/": article("/a", head='<meta property="og:type" content="website">'),
        "/a": article("/b", head=product),
        "/b": article(head=product),
    }
    report, _ = look(pages)
    assert report.declared["Open Graph website"] == 1
    assert report.declared["JSON-LD Product"] >= 1


def test_a_sitemap_that_cannot_be_read_is_a_problem_not_an_absence() -> None:
    with ScriptedSite({"/": article(), "/map.xml": Page(status=500)}) as site:
        site.pages["/robots.txt"] = Page(body=f"Sitemap: {site.url}map.xml".encode())
        report = Looker().look(site)
    [problem] = report.sitemap.problems
    assert f"{site.url}map.xml" in problem


def test_a_site_that_moved_is_to_be_looked_at_where_it_is() -> None:
    """F-D21"""
    with (
        ScriptedSite({"/": article("/a")}) as there,
        ScriptedSite({"/": redirect(there.url, 301)}) as here,
    ):
        report = Looker().look(here, there)
    assert report.moved_to == there.url
    assert report.estimate is None
    assert report.next_commands == (f"omni discover {there.url}",)


def test_pages_that_fail_are_shown_and_do_not_end_the_look() -> None:
    pages: dict[str, Script] = {"/": article("/a", "/b"), "/a": Page(status=500), "/b": article()}
    report, site = look(pages)
    problem = {page.url: page.problem for page in report.sample}
    assert "500" in (problem[f"{site.url}a"] or "")
    assert problem[f"{site.url}b"] is None


@pytest.mark.parametrize(
    ("pages", "options"),
    [(5_000, ""), (5_001, " --max-pages 7000"), (80_000, " --max-pages 96000")],
)
def test_a_site_above_the_page_limit_is_given_room(pages: int, options: str) -> None:
    sample = (SampledPage(url="https://a.test/", words=9, tokens=9),)
    report = SiteReport(
        key="a.test",
        start_url="https://a.test/",
        moved_to=None,
        robots=RobotsReport(
            unreachable=None, allows_start=True, asked_delay_seconds=None, sitemaps=()
        ),
        sitemap=SitemapReport(),
        sample=sample,
        estimate=estimate(
            sample, pages=pages, is_minimum=False, delay_seconds=1, dollars_per_million_tokens=0.02
        ),
    )
    assert report.next_commands[0] == f"omni domains add https://a.test/{options}"


def guess(page: SampledPage, *, price: float | None) -> Estimate:
    return estimate(
        (page,), pages=10, is_minimum=False, delay_seconds=1, dollars_per_million_tokens=price
    )


def test_what_nobody_can_know_is_not_estimated() -> None:
    page = SampledPage(url="https://a.test/", words=9, tokens=9)
    unpriced = guess(page, price=None)
    assert (unpriced.tokens, unpriced.dollars) == (90, None)
    unread = guess(replace(page, problem="it answered 500"), price=0.02)
    assert (unread.tokens, unread.dollars) == (None, None)
    assert guess(page, price=0.0).dollars == 0
