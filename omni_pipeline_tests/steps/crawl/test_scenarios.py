"""Crawls of sites that change, lie and break between refreshes, judged by what may be in the index.

The random histories are judged by a model of their own, `paper_sites`. Every other test is one
story.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from omni_pipeline.domain.web.outcomes import FetchRequest, Outcome
from omni_pipeline.errors import LeaseLostError, TemporaryError
from omni_pipeline.steps.checks.plausibility import check_removals
from omni_pipeline.steps.crawl.site import CrawlSite
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import Page, Script, Seen, in_turn, redirect
from omni_pipeline_tests.steps.crawl.scripted_crawls import CutOffError, conserved, page, site_of
from omni_pipeline_tests.steps.crawl.simulated_sites import SimulatedCrawler, SimulatedSite
from omni_pipeline_tests.steps.crawl.site_models import ModelSite, judge

MakeCrawler = Callable[..., SimulatedCrawler]

# A few seconds' worth; a long night's worth is OMNI_SCENARIO_SEEDS=1000.
SEEDS = int(os.environ.get("OMNI_SCENARIO_SEEDS", "6"))

NOINDEX = '<meta name="robots" content="noindex">'


@pytest.fixture
def make(database: Database, tmp_path: Path) -> MakeCrawler:
    def make_crawler(
        pages: Mapping[str, Script],
        *,
        url: str = "https://site.test/",
        seed: int = 0,
        **config: Any,
    ) -> SimulatedCrawler:
        site = SimulatedSite(url, pages, seed=seed)
        return SimulatedCrawler(database=database, home=tmp_path, site=site, **config)

    return make_crawler


def with_etag(html: str) -> Page:
    return Page(body=html.encode(), headers={"content-type": "text/html"}, etag='"1"')


def robots(*rules: str) -> Page:
    return Page(body="\n".join(("User-agent: *", *rules)).encode())


def sitemap(*urls: str) -> Page:
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return Page(body=f"<urlset>{entries}</urlset>".encode())


def canonical(target: str) -> str:
    return f'<link rel="canonical" href="{target}">'


def answers_at(origin: str, pages: Mapping[str, Script]) -> Callable[[str], Script]:
    """A server for ``elsewhere``: these pages under one origin, 404 for all else."""
    return lambda url: pages.get(url.removeprefix(origin), Page(status=404))


def lose(crawler: SimulatedCrawler, pages: int) -> None:
    """Take the first pages of a ``site_of`` away."""
    for number in range(pages):
        crawler.site.pages[f"/page-{number}"] = Page(status=404)


def configure(crawler: SimulatedCrawler, **changes: Any) -> None:
    start_url = changes.pop("start_url", None)
    with crawler.database.connect() as conn:
        domains.configure(conn, crawler.host, changes, start_url=start_url)


def open_failures(crawler: SimulatedCrawler) -> set[str]:
    rows = crawler.query("SELECT url FROM failed_pages WHERE resolved_at IS NULL")
    return {crawler.path(str(url)) for (url,) in rows}


# Histories


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_a_site_does_the_index_holds_what_the_evidence_says(
    make: MakeCrawler, seed: int
) -> None:
    """R-A3, R-A12, R-A17, R-A19, I28: in one go, cut off and resumed, forced or not."""
    chance = random.Random(seed)
    model = ModelSite(chance=chance, has_etags=seed % 3 == 2)
    crawler = make({}, seed=seed, concurrency=chance.choice((1, 4)))
    live: set[str] = set()
    for _ in range(5):
        crawler.site.pages = model.scripts(crawler.site.url)
        configure(crawler, exclude_patterns=sorted(model.excluded))
        is_forced = chance.random() < 0.5
        verdict = judge(model, live, open_failures(crawler) if is_forced else ())
        if chance.random() < 0.4:
            with suppress(CutOffError):
                crawler.crawl(force_rescrape=is_forced, cut_off_after=chance.randrange(1, 12))
        report = crawler.crawl(force_rescrape=is_forced)
        live = crawler.live()
        assert live == verdict.live
        assert crawler.held().keys() == verdict.held
        assert conserved(report)
        assert report.pages_live == len(live)
        assert crawler.violations() == []
        counts = Counter(crawler.asked())
        assert counts.keys() <= verdict.asked
        assert max(counts.values(), default=0) <= 2
        failed = open_failures(crawler) & verdict.asked - verdict.redirecting
        assert failed == verdict.failing
        again = crawler.crawl()
        assert (again.pages_changed, crawler.live()) == (0, live), "an unchanged site"
        model.change()


# Odd sites that are understood


def test_a_start_page_that_is_not_to_be_indexed_still_leads_to_the_others(
    make: MakeCrawler,
) -> None:
    """R-A12"""
    crawler = make({**site_of(3), "/": page("/page-0", "/page-1", title="Home", head=NOINDEX)})
    assert crawler.crawl().pages_live == 2
    assert crawler.crawl().pages_unchanged == 2


def test_a_start_page_that_redirects_inside_its_site_leads_to_the_others(
    make: MakeCrawler,
) -> None:
    crawler = make({**site_of(3), "/start": redirect("/")})
    crawler.register()
    configure(crawler, start_url="https://site.test/start")
    assert crawler.crawl().pages_live == 4


def test_a_site_that_answers_under_www_is_indexed_there_once(make: MakeCrawler) -> None:
    """F-D22"""
    crawler = make({})
    crawler.site.fallback = lambda seen: redirect(f"https://www.site.test{seen.target}", 301)
    crawler.site.elsewhere = answers_at("https://www.site.test", site_of(3))
    crawler.crawl()
    assert crawler.live() == {f"https://www.site.test{path}" for path in site_of(3)}
    assert crawler.crawl().pages_unchanged == 4


def test_a_sitemap_may_list_what_is_foreign_forbidden_dead_and_too_long(
    make: MakeCrawler,
) -> None:
    """F-D14, F-D38, S-28"""
    listed = ("https://other.test/a", "/private", "/dead", "/page-9", "/" + "x" * 2100, "/a" * 1000)
    urls = [url if "://" in url else f"https://site.test{url}" for url in listed]
    crawler = make(
        {
            **site_of(2),
            "/sitemap.xml": sitemap(*urls),
            "/robots.txt": robots("Disallow: /private"),
            "/private": page(title="Private"),
            "/page-9": page(title="Only listed"),
        }
    )
    report = crawler.crawl()
    assert crawler.live() == {*site_of(2), "/page-9"}
    assert "/private" not in crawler.asked()
    assert not any("other" in target for target in crawler.asked())
    assert conserved(report)


def test_patterns_that_were_added_take_out_what_they_leave_out(make: MakeCrawler) -> None:
    """R-A2"""
    crawler = make(site_of(8))
    crawler.crawl()
    configure(crawler, include_patterns=["/page-[0-5]"])
    crawler.crawl()
    assert crawler.gone() == {"/page-6": "excluded", "/page-7": "excluded"}


def test_a_page_under_two_queries_that_names_itself_is_one_page(make: MakeCrawler) -> None:
    """R-A3, F-D22"""
    shop = page("/shop?a=1", "/shop?b=2", title="Shop", head=canonical("/shop"))
    crawler = make({"/": page("/shop?a=1", "/shop?b=2", title="Home"), "/shop": shop})
    for _ in range(3):
        crawler.crawl()
        assert crawler.live() == {"/", "/shop"}


def test_a_site_that_answers_everything_with_its_home_page_is_one_page(
    make: MakeCrawler,
) -> None:
    """F-D10"""
    home = page("/a", "/b", title="Home")
    crawler = make({"/robots.txt": robots()})
    crawler.site.fallback = home
    for _ in range(2):
        assert crawler.crawl().pages_live == 1
        assert crawler.live() == {"/"}


def test_rules_that_forbid_everything_take_nothing_out(make: MakeCrawler) -> None:
    """F-D14"""
    crawler = make(site_of(12))
    crawler.crawl()
    crawler.site.pages["/robots.txt"] = robots("Disallow: /")
    report = crawler.crawl()
    assert crawler.asked() == []
    assert len(crawler.live()) == 13
    assert (report.pages_skipped, report.pages_held) == (13, 0)


# Pages that leave without evidence


def test_held_copies_of_each_other_stay(make: MakeCrawler) -> None:
    """R-A12: the second refresh of an unchanged site changes nothing."""
    crawler = make(
        {
            "/": page("/a?sort=1", "/a?sort=2", title="Home"),
            "/a?sort=1": page(title="One", head=canonical("/a?sort=2")),
            "/a?sort=2": page(title="Two", head=canonical("/a?sort=1")),
        }
    )
    crawler.crawl()
    crawler.crawl()
    assert crawler.live() == {"/", "/a?sort=1", "/a?sort=2"}


def test_held_pages_that_redirect_to_each_other_stay_and_are_failures(make: MakeCrawler) -> None:
    """R-A12, F-D20: a loop is a mistake of the site, and no evidence."""
    crawler = make(site_of(3))
    crawler.crawl()
    crawler.site.pages["/page-0"] = redirect("/page-1", 301)
    crawler.site.pages["/page-1"] = redirect("/page-0", 301)
    crawler.crawl()
    assert {"/page-0", "/page-1"} <= crawler.live()


def test_a_copy_of_a_page_that_leaves_in_the_same_refresh_stays(make: MakeCrawler) -> None:
    """R-A12: the text is on the site, under one of its addresses."""
    crawler = make(
        {
            "/": page("/a", "/a?sort=1", title="Home"),
            "/a": page(title="A"),
            "/a?sort=1": page(title="A sorted"),
        }
    )
    crawler.crawl()
    crawler.site.pages["/a?sort=1"] = page(title="A sorted", head=canonical("/a"))
    crawler.site.pages["/a"] = Page(status=410)
    crawler.crawl()
    assert "/a?sort=1" in crawler.live()


def test_a_small_site_that_vanishes_whole_is_held_as_well(make: MakeCrawler) -> None:
    """R-A12: an implausible share of a site, whatever its size."""
    crawler = make(site_of(8))
    crawler.crawl()
    crawler.site.pages.clear()
    with suppress(TemporaryError):
        crawler.crawl()
    assert len(crawler.live()) == 9


# Refreshes that cannot succeed, or do not look


@pytest.mark.parametrize("is_forced", [False, True])
@pytest.mark.parametrize("cause", ["dead", "forbidden", "moved"])
def test_a_site_that_gave_no_page_is_asked_again_by_the_next_refresh(
    make: MakeCrawler, cause: str, *, is_forced: bool
) -> None:
    """R-A19: a person who repaired the start page need not wait for a day."""
    broken: dict[str, dict[str, Script]] = {
        "dead": {"/": Page(status=404)},
        "forbidden": {**site_of(3), "/robots.txt": robots("Disallow: /")},
        "moved": {"/": redirect("https://parked.test/")},
    }
    crawler = make(broken[cause], recency_hours=24.0)
    with pytest.raises(TemporaryError):
        crawler.crawl(force_rescrape=is_forced)
    crawler.site.pages = dict(site_of(3))
    assert crawler.crawl(force_rescrape=is_forced).pages_live == 4


def test_a_site_that_turns_to_https_is_followed(make: MakeCrawler) -> None:
    """F-D22: else every page fails for ever, and the index grows old."""
    crawler = make(site_of(3), url="http://site.test/")
    crawler.crawl()
    crawler.site.fallback = lambda seen: redirect(f"https://site.test{seen.target}", 301)
    crawler.site.pages.clear()
    crawler.site.elsewhere = answers_at("https://site.test", site_of(3))
    report = crawler.crawl()
    assert report.pages_failed == 0
    assert crawler.live() == {f"https://site.test{path}" for path in site_of(3)}


def test_a_start_page_that_redirects_to_www_and_a_language_is_followed(make: MakeCrawler) -> None:
    """F-D22"""
    crawler = make({"/": redirect("https://www.site.test/en/")})
    crawler.site.fallback = lambda seen: redirect(f"https://www.site.test{seen.target}", 301)
    home = page("/en/a", title="Home")
    pages: dict[str, Script] = {"/": redirect("/en/"), "/en/": home, "/en/a": page(title="A")}
    crawler.site.elsewhere = answers_at("https://www.site.test", pages)
    assert crawler.crawl().pages_live == 2


def test_a_start_page_that_redirects_to_https_and_then_to_www_is_followed(
    make: MakeCrawler,
) -> None:
    """F-D22"""
    www = answers_at("https://www.site.test", site_of(3))
    crawler = make({}, url="http://site.test/")
    crawler.site.fallback = lambda seen: redirect(f"https://site.test{seen.target}", 301)
    crawler.site.elsewhere = lambda url: (
        www(url) if "www." in url else redirect(url.replace("://", "://www."), 301)
    )
    assert crawler.crawl().pages_live == 4


def test_a_members_area_does_not_end_the_crawl(make: MakeCrawler) -> None:
    """R-A17, F-D12: twelve links to pages behind a login are twelve failures."""
    members = [f"/members/{number}" for number in range(12)]
    crawler = make({**site_of(3), **dict.fromkeys(members, Page(status=403))})
    crawler.site.pages["/"] = page(*members, "/page-0", "/page-1", "/page-2", title="Home")
    report = crawler.crawl()
    assert (report.pages_live, report.pages_failed) == (4, 12)


# "Not modified" hides what a page links to


@pytest.mark.parametrize(
    "what",
    [
        "it returns",
        "it is to be indexed",
        "it leads nowhere else",
        "robots allow it",
        "no pattern excludes it",
    ],
)
def test_a_page_that_may_be_indexed_again_is_found_behind_a_page_that_did_not_change(
    make: MakeCrawler, what: str
) -> None:
    """R-A3, F-D8: the page that links to it answers 304 for ever."""
    crawler = make(site_of(3))
    there = crawler.site.pages["/page-1"]
    crawler.site.pages["/"] = with_etag(site_of(3)["/"])
    if what == "it returns":
        crawler.site.pages["/page-1"] = Page(status=404)
    elif what == "it is to be indexed":
        crawler.site.pages["/page-1"] = page(head=NOINDEX)
    elif what == "it leads nowhere else":
        crawler.site.pages["/page-1"] = redirect("/page-0", 302)
    elif what == "robots allow it":
        crawler.site.pages["/robots.txt"] = robots("Disallow: /page-1")
    else:
        configure(crawler, exclude_patterns=["/page-1"])
    crawler.crawl()
    assert crawler.live() == {"/", "/page-0", "/page-2"}
    crawler.site.pages.update({"/page-1": there, "/robots.txt": robots()})
    if what == "no pattern excludes it":
        configure(crawler, exclude_patterns=[])
    crawler.crawl()
    assert "/page-1" in crawler.live()


def test_a_page_that_left_and_returns_is_found_behind_a_page_that_did_not_change(
    make: MakeCrawler,
) -> None:
    """F-D8"""
    crawler = make(site_of(3))
    there = crawler.site.pages["/page-1"]
    crawler.site.pages["/"] = with_etag(site_of(3)["/"])
    crawler.crawl()
    crawler.site.pages["/page-1"] = Page(status=410)
    crawler.crawl()
    assert "/page-1" not in crawler.live()
    crawler.site.pages["/page-1"] = there
    crawler.crawl()
    assert "/page-1" in crawler.live()
    assert crawler.query("SELECT url FROM non_pages") == []


@pytest.mark.parametrize(("days", "is_asked"), [(3, False), (9, True)])
def test_a_dead_link_is_left_alone_for_as_long_again_as_it_has_been_dead(
    make: MakeCrawler, days: int, *, is_asked: bool
) -> None:
    """R-A3: known to be dead for eight days when it was asked last."""
    crawler = make({"/": with_etag(page("/dead", title="Home"))})
    crawler.crawl()
    crawler.query(
        f"UPDATE non_pages SET checked_at = now() - interval '{days} days', "
        f"found_at = now() - interval '{days + 8} days' RETURNING 1"
    )
    crawler.crawl()
    assert ("/dead" in crawler.asked()) == is_asked


def test_where_every_page_was_read_no_dead_link_is_asked_for_that_nothing_links_to(
    make: MakeCrawler,
) -> None:
    crawler = make({"/": page("/dead", title="Home")})
    crawler.crawl()
    crawler.site.pages["/"] = page(title="Home")
    crawler.crawl()
    assert crawler.asked() == ["/"]


@pytest.mark.parametrize(
    ("rules", "is_whole"), [("# of today", False), ("Disallow: /page-9", True)]
)
def test_pages_are_sent_whole_once_after_robots_rules_changed(
    make: MakeCrawler, rules: str, *, is_whole: bool
) -> None:
    """R-A3: a comment is no rule."""
    crawler = make({"/": with_etag(page(title="Home")), "/robots.txt": robots("Disallow: /x")})
    crawler.crawl()
    crawler.site.pages["/robots.txt"] = robots("Disallow: /x", rules)
    etag = "SELECT etag IS NULL FROM raw_pages"
    with crawler.open() as refresh, crawler.web() as web:
        CrawlSite(refresh, web, "omni_pipeline", is_forced=False).robots.of(crawler.site.url)
    assert crawler.query(etag) == [(is_whole,)]
    crawler.crawl()
    assert crawler.query(etag) == [(False,)], "and not modified from then on"


def test_a_higher_page_limit_is_used_although_no_page_changed(make: MakeCrawler) -> None:
    """R-A2, R-A3"""
    crawler = make(site_of(6), page_limit=4)
    crawler.site.pages["/"] = with_etag(site_of(6)["/"])
    assert crawler.crawl().is_truncated
    configure(crawler, page_limit=None)
    assert crawler.crawl().pages_live == 7


def test_a_copy_that_was_kept_for_want_of_its_original_leaves_when_that_is_back(
    make: MakeCrawler,
) -> None:
    """R-A3, F-D22"""
    copy = page(title="Shop", head=canonical("/shop"))
    crawler = make({"/": page("/shop?sort=1", title="Home"), "/shop?sort=1": with_etag(copy)})
    crawler.crawl()
    assert crawler.live() == {"/", "/shop?sort=1"}
    crawler.site.pages |= {"/shop": copy, "/": page("/shop", "/shop?sort=1", title="Home")}
    crawler.crawl()
    assert crawler.live() == {"/", "/shop"}


def test_pages_are_sent_whole_once_the_domain_asks_whether_they_need_a_browser(
    make: MakeCrawler,
) -> None:
    """R-A2, R-A4: from ``http`` to ``auto``."""
    crawler = make({"/": with_etag(page(title="Shell"))})
    crawler.crawl()
    configure(crawler, render_mode="auto")
    asked: list[FetchRequest] = []
    answer = crawler.site.fetch

    def fetch(request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome:
        asked.append(request)
        return answer(request, delay_seconds=delay_seconds)

    crawler.site.fetch = fetch  # type: ignore[method-assign] # to listen
    crawler.crawl()
    assert [request.etag for request in asked if request.url == crawler.site.url] == [None]


# What waits for a person


@pytest.mark.parametrize("why", ["recent", "failing", "forbidden"])
def test_held_pages_that_could_not_be_looked_at_stay_held(make: MakeCrawler, why: str) -> None:
    """R-A12: the check stays red, and nothing is published, until someone has seen them."""
    crawler = make(site_of(60), recency_hours=24.0 if why == "recent" else 0.0)
    crawler.crawl()
    lose(crawler, 25)
    assert crawler.crawl(force_rescrape=True).pages_held == 25
    if why == "failing":
        for number in range(25):
            status = 500 if number % 5 else 404
            crawler.site.pages[f"/page-{number}"] = Page(status=status)
    elif why == "forbidden":
        crawler.site.pages["/robots.txt"] = robots("Disallow: /page-")
    with suppress(TemporaryError):
        crawler.crawl()
    with crawler.database.connect() as conn:
        assert not check_removals(conn, crawler.host).passed


def test_a_confirmation_waits_for_the_refresh_that_looks(make: MakeCrawler) -> None:
    """R-A12, I14"""
    crawler = make(site_of(20), recency_hours=24.0)
    crawler.crawl()
    lose(crawler, 12)
    crawler.crawl(force_rescrape=True)
    assert crawler.confirm() == 12
    crawler.crawl()
    crawler.crawl(force_rescrape=True)
    assert len(crawler.live()) == 9


def test_copies_on_a_new_site_are_no_loss_to_be_confirmed(make: MakeCrawler) -> None:
    """R-A12, F-D10: else a person has to confirm the same twelve pages every day."""
    same = [f"/soon/{number}" for number in range(12)]
    crawler = make({**site_of(10), **dict.fromkeys(same, page(title="Coming soon"))})
    crawler.site.pages["/"] = page(*same, *list(site_of(10))[1:], title="Home")
    assert crawler.crawl().pages_held == 0
    assert crawler.live() == {*site_of(10), "/soon/0"}, "one stands for the twelve"


# Redirects


def test_a_page_that_moved_twice_leaves(make: MakeCrawler) -> None:
    """R-A12: else its old text stays beside the new one for ever."""
    crawler = make(site_of(3))
    crawler.crawl()
    crawler.site.pages["/page-0"] = redirect("/b", 301)
    crawler.site.pages |= {"/b": redirect("/c", 301), "/c": page(title="C")}
    crawler.crawl()
    crawler.crawl()
    assert "/c" in crawler.live()
    assert "/page-0" not in crawler.live()


def test_redirects_without_end_end_soon(make: MakeCrawler) -> None:
    """F-D20, R-C8"""

    def hop(seen: Seen) -> Page:
        return redirect(f"/hop/{int(seen.target.rpartition('/')[2]) + 1}")

    crawler = make({"/": page("/hop/0", title="Home"), "/robots.txt": robots()}, page_limit=300)
    crawler.site.fallback = lambda seen: hop(seen) if "/hop/" in seen.target else Page(status=404)
    crawler.crawl()
    assert len(crawler.asked()) <= 20


def test_redirects_in_a_circle_are_on_the_ledger(make: MakeCrawler) -> None:
    """R-A17, F-D20"""
    crawler = make({"/": page("/a", title="Home"), "/a": redirect("/b"), "/b": redirect("/a")})
    crawler.crawl()
    assert open_failures(crawler)


@pytest.mark.parametrize("status", [301, 302])
def test_a_circle_that_stays_keeps_its_row_on_the_ledger(make: MakeCrawler, status: int) -> None:
    """R-A17: a row for each refresh would say that it had been mended in between."""
    circle = {"/a": redirect("/b", status), "/b": redirect("/a", status)}
    crawler = make({"/": page("/a", title="Home"), **circle})
    for _ in range(3):
        crawler.crawl(force_rescrape=True)
    assert crawler.query("SELECT count(*) FROM failed_pages") == [(2,)]
    crawler.site.pages["/b"] = page(title="B")
    crawler.crawl(force_rescrape=True)
    assert not open_failures(crawler)


@pytest.mark.parametrize("status", [301, 302])
def test_a_held_page_whose_new_place_is_no_page_is_a_failure_or_leaves(
    make: MakeCrawler, status: int
) -> None:
    """R-A12, R-A17: nothing that is in the index goes stale without a word."""
    crawler = make(site_of(3))
    crawler.crawl()
    crawler.site.pages["/page-1"] = redirect("/new", status)
    crawler.site.pages["/new"] = page(title="New", head=NOINDEX)
    crawler.crawl()
    assert "/page-1" not in crawler.live() or "/page-1" in open_failures(crawler)


# Bounds and limits


def test_pages_that_are_as_they_were_are_written_many_at_a_time(make: MakeCrawler) -> None:
    """R-A3: asked again after a kill they cost the site next to nothing, so they take no slot."""
    pages: dict[str, Script] = {f"/{n}": with_etag(str(n)) for n in range(100)}
    crawler = make({"/": page(*pages, title="Home"), **pages})
    crawler.crawl()
    assert crawler.crawl().pages_unchanged == 101
    assert crawler.query("SELECT count(DISTINCT xmin::text) <= 10 FROM raw_pages") == [(True,)]


def test_links_are_followed_no_deeper_the_second_time(make: MakeCrawler) -> None:
    """F-D23"""
    names = ["/", *(f"/{chr(97 + depth)}" for depth in range(24))]
    pages: dict[str, Script] = {
        here: page(there, title=f"At {here}") for here, there in pairwise(names)
    }
    crawler = make(pages)
    crawler.crawl()
    before = crawler.live()
    crawler.crawl()
    assert crawler.live() == before


def test_an_endless_calendar_does_not_grow_with_each_refresh(make: MakeCrawler) -> None:
    """F-D23"""
    days = [f"/cal?day={day}" for day in range(250)]
    crawler = make({"/": page(*days, title="Home")}, page_limit=1000)
    crawler.site.pages["/cal"] = lambda seen: page(title=seen.target)
    assert crawler.crawl().pages_live == 201
    assert crawler.crawl().pages_live == 201


def test_a_limit_below_what_is_live_bounds_the_crawl_and_is_reported(make: MakeCrawler) -> None:
    """R-A2"""
    crawler = make(site_of(10))
    crawler.crawl()
    report = crawler.crawl(page_limit=4)
    assert report.is_truncated
    assert len(crawler.asked()) <= 4


def test_under_a_limit_pages_take_turns(make: MakeCrawler) -> None:
    """R-A2: those that were looked at longest ago, and the start page."""
    crawler = make(site_of(9))
    crawler.crawl()
    turns = []
    for _ in range(3):
        crawler.crawl(page_limit=4)
        turns.append(set(crawler.asked()))
    assert set.union(*turns) == crawler.live()
    assert set.intersection(*turns) == {"/"}


def test_held_pages_that_the_limit_left_out_stay_held(make: MakeCrawler) -> None:
    """R-A12"""
    crawler = make(site_of(20))
    crawler.crawl()
    lose(crawler, 12)
    assert crawler.crawl().pages_held == 12
    crawler.site.pages |= site_of(20)
    crawler.crawl(page_limit=4)
    assert len(crawler.held()) >= 9


def test_a_site_at_its_limit_may_change_its_addresses(make: MakeCrawler) -> None:
    """R-A2, R-A12: else it is never indexed again."""
    crawler = make(site_of(5), page_limit=6)
    crawler.crawl()
    moved = {f"/page-{number}": f"/page-{number}/" for number in range(5)}
    crawler.site.pages = {"/": page(*moved.values(), title="Home")}
    crawler.site.pages |= {old: redirect(new, 301) for old, new in moved.items()}
    crawler.site.pages |= {new: page(title=new) for new in moved.values()}
    for _ in range(3):
        crawler.crawl()
    assert crawler.live() == {"/", *moved.values()}


def test_a_resumed_crawl_still_says_that_it_was_cut(make: MakeCrawler) -> None:
    """R-A19, F-D23"""
    crawler = make(site_of(30), page_limit=12)
    with pytest.raises(CutOffError):
        crawler.crawl(cut_off_after=8)
    assert crawler.crawl().is_truncated


# What a day's recency hides


def test_a_recent_page_that_failed_is_asked_for_when_its_time_has_come(make: MakeCrawler) -> None:
    """R-A17"""
    crawler = make(site_of(3), recency_hours=24.0)
    crawler.crawl()
    crawler.site.pages["/page-1"] = Page(status=500)
    crawler.crawl(force_rescrape=True)
    crawler.site.pages |= site_of(3)
    crawler.query("UPDATE failed_pages SET next_try_at = now() RETURNING 1")
    crawler.crawl()
    assert crawler.asked() == ["/page-1"]


def test_a_pattern_takes_out_a_recent_page_in_the_next_refresh(make: MakeCrawler) -> None:
    """R-A2: it needs no request."""
    crawler = make(site_of(3), recency_hours=24.0)
    crawler.crawl()
    configure(crawler, exclude_patterns=["/page-1"])
    crawler.crawl()
    assert crawler.gone() == {"/page-1": "excluded"}


# Writing


def test_pages_are_fetched_while_others_are_written(make: MakeCrawler) -> None:
    """R-A19, R-B9: the first page locks what is written to, and the sixth lets go of it."""
    crawler = make(site_of(30), concurrency=8)
    with crawler.database.connect() as conn:

        def answer(seen: Seen) -> str:
            number = len([target for target in crawler.asked() if target != "/"])
            if number == 1:
                conn.execute("BEGIN")
                conn.execute("SELECT FROM domains FOR UPDATE")
            elif number == 6:
                conn.execute("COMMIT")
            return page(title=seen.target)

        crawler.site.pages |= dict.fromkeys(site_of(30).keys() - {"/"}, answer)
        assert crawler.crawl().pages_live == 31
    assert len(crawler.asked()) == 31


def test_what_cannot_be_written_ends_the_crawl(make: MakeCrawler) -> None:
    """R-B4: the site is asked for no more than was under way."""
    crawler = make(site_of(60), concurrency=4)
    asked_before: list[str] = []

    def taken_away(seen: Seen) -> str:
        asked_before.extend(crawler.asked())
        with crawler.database.connect() as conn:
            domains.remove(conn, crawler.host)
        return page(title=seen.target)

    crawler.site.pages["/page-20"] = taken_away
    with pytest.raises(LeaseLostError):
        crawler.crawl()
    assert len(crawler.asked()) <= len(asked_before) + 2 * 4


# Spellings, probes and second looks


def test_a_domain_that_is_registered_anew_with_https_has_one_row_per_page(
    make: MakeCrawler,
) -> None:
    """F-D22: both spellings answer."""
    crawler = make(site_of(3), url="http://site.test/")
    crawler.crawl()
    crawler.site.elsewhere = answers_at("https://site.test", site_of(3))
    configure(crawler, start_url="https://site.test/")
    crawler.crawl()
    crawler.crawl()
    assert len(crawler.live()) == 4


def test_the_first_crawl_of_a_site_under_www_knows_its_not_found_page(make: MakeCrawler) -> None:
    """F-D10"""
    pages = {"/": page("/a", "/nothing-here", title="Home"), "/a": page(title="A")}
    sorry = page(title="Not found", text="Sorry, there is no such page: try the search instead.")
    crawler = make({})
    crawler.site.fallback = lambda seen: redirect(f"https://www.site.test{seen.target}", 301)
    crawler.site.elsewhere = lambda url: (
        robots()
        if url.endswith("robots.txt")
        else pages.get(url.removeprefix("https://www.site.test"), sorry)
    )
    crawler.crawl()
    assert crawler.live() == {f"https://www.site.test{path}" for path in pages}


def test_a_home_page_behind_a_redirect_is_no_not_found_page(make: MakeCrawler) -> None:
    """F-D10: the site answers every address with it."""
    home = page("/a", title="Home")
    pages: dict[str, Script] = {"/": redirect("/en/"), "/en/": home, "/a": page(title="A")}
    crawler = make({**pages, "/robots.txt": robots()})
    crawler.site.fallback = home
    crawler.crawl()
    assert crawler.live() == {"/en/", "/a"}


def test_a_copy_that_is_met_late_is_kept_where_its_original_is_no_page(make: MakeCrawler) -> None:
    """R-A3"""
    crawler = make({"/": page("/slip", title="Home"), "/slip": page(title="Slip")})
    crawler.crawl()
    crawler.site.pages["/slip"] = in_turn(Page(status=404), page("/y?sort=1", title="Slip"))
    crawler.site.pages["/y?sort=1"] = page(title="Y", head=canonical("/y"))
    crawler.crawl()
    assert "/y?sort=1" in crawler.live()


def test_a_held_copy_that_is_gone_at_the_second_look_leaves(make: MakeCrawler) -> None:
    """R-A12"""
    crawler = make({"/": page("/y?sort=1", title="Home"), "/y?sort=1": page(title="Y")})
    crawler.crawl()
    copy = page(title="Y", head=canonical("/y"))
    crawler.site.pages["/y?sort=1"] = in_turn(copy, Page(status=410))
    crawler.crawl()
    assert crawler.live() == {"/"}


def test_a_site_that_forbids_everything_is_asked_for_its_rules_alone(make: MakeCrawler) -> None:
    """F-D14"""
    crawler = make({**site_of(3), "/robots.txt": robots("Disallow: /")})
    with pytest.raises(TemporaryError):
        crawler.crawl()
    assert crawler.site.targets() == ["/robots.txt"]
