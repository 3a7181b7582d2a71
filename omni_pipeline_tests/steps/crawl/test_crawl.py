"""Crawls of scripted sites: what is asked for, what is kept, what leaves, and on which evidence."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from omni_pipeline.errors import TemporaryError
from omni_pipeline.steps.checks.plausibility import check_changes, check_failures, check_removals
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import Page, ScriptedSite, Seen, html, in_turn, redirect
from omni_pipeline_tests.steps.crawl.scripted_crawls import (
    Crawler,
    CutOffError,
    conserved,
    is_probe,
    page,
    site_of,
)

MakeCrawler = Callable[..., Crawler]


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as scripted:
        yield scripted


@pytest.fixture
def make(database: Database, site: ScriptedSite, tmp_path: Path) -> MakeCrawler:
    def make_crawler(**config: Any) -> Crawler:
        return Crawler(database=database, home=tmp_path, site=site, **config)

    return make_crawler


def robots(text: str) -> Page:
    return Page(body=text.encode(), headers={"content-type": "text/plain"})


def sitemap(*urls: str, lastmod: str | None = None) -> Page:
    stamp = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    entries = "".join(f"<url><loc>{url}</loc>{stamp}</url>" for url in urls)
    body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
    return Page(body=body.encode(), headers={"content-type": "application/xml"})


# Removal by evidence


def test_a_404_is_asked_for_twice_and_believed_the_second_time(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A12, F-D6: confirmed at the end of the same refresh."""
    site.pages.update(site_of(3))
    crawler = make()
    crawler.crawl()
    del site.pages["/page-1"]
    report = crawler.crawl()
    assert crawler.asked().count("/page-1") == 2
    assert crawler.gone() == {"/page-1": "missing"}
    assert report.pages_gone == 1
    assert conserved(report)


def test_a_404_that_was_a_slip_removes_nothing(site: ScriptedSite, make: MakeCrawler) -> None:
    """R-A12, F-D5"""
    site.pages.update(site_of(3))
    crawler = make()
    crawler.crawl()
    site.pages["/page-1"] = in_turn(Page(status=404), page("/", title="Page /page-1"))
    report = crawler.crawl()
    assert crawler.gone() == {}
    assert report.pages_gone == 0
    assert conserved(report)


def test_a_410_is_believed_at_once(site: ScriptedSite, make: MakeCrawler) -> None:
    """R-A12, F-D7"""
    site.pages.update(site_of(3))
    crawler = make()
    crawler.crawl()
    site.pages["/page-1"] = Page(status=410)
    crawler.crawl()
    assert crawler.asked().count("/page-1") == 1
    assert crawler.gone() == {"/page-1": "missing"}


def test_a_page_that_returns_is_live_again(site: ScriptedSite, make: MakeCrawler) -> None:
    """F-D8"""
    site.pages.update(site_of(2))
    crawler = make()
    crawler.crawl()
    kept = site.pages.pop("/page-1")
    crawler.crawl()
    site.pages["/page-1"] = kept
    crawler.crawl(force_rescrape=True)
    assert "/page-1" in crawler.live()
    assert crawler.gone() == {}


def test_a_site_that_vanishes_is_held_until_a_person_confirms(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A12, F-D9: nothing is retired, the check is red, and confirming is believed next time."""
    site.pages.update(site_of(20))
    crawler = make()
    crawler.crawl()
    for number in range(12):
        del site.pages[f"/page-{number}"]
    report = crawler.crawl()
    assert (report.pages_gone, report.pages_held) == (0, 12)
    assert len(crawler.live()) == 21
    assert conserved(report)
    with crawler.database.connect() as conn:
        red = check_removals(conn, crawler.host)
    assert not red.passed
    assert "12 live pages" in red.summary
    assert f"omni domains confirm-removals {crawler.host}" in red.summary
    assert crawler.confirm() == 12
    report = crawler.crawl()
    assert (report.pages_gone, report.pages_held) == (12, 0)
    assert crawler.held() == {}
    with crawler.database.connect() as conn:
        assert check_removals(conn, crawler.host).passed


def test_confirming_one_loss_does_not_wave_the_next_one_through(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A12"""
    site.pages.update(site_of(40))
    crawler = make()
    crawler.crawl()
    for number in range(15):
        del site.pages[f"/page-{number}"]
    crawler.crawl()
    crawler.confirm()
    for number in range(15, 40):
        del site.pages[f"/page-{number}"]
    report = crawler.crawl()
    assert (report.pages_gone, report.pages_held) == (0, 40)


def test_pages_that_come_back_are_held_no_longer(site: ScriptedSite, make: MakeCrawler) -> None:
    """F-D9: the outage ended by itself."""
    pages = site_of(20)
    site.pages.update(pages)
    crawler = make()
    crawler.crawl()
    for number in range(12):
        del site.pages[f"/page-{number}"]
    crawler.crawl()
    assert len(crawler.held()) == 12
    site.pages.update(pages)
    report = crawler.crawl()
    assert crawler.held() == {}
    assert report.pages_unchanged == 21


def not_found(seen: Seen) -> str:
    """A "not found" page that answers 200 and repeats what was asked for."""
    return page("/", title="Not found", text=f"Sorry, {seen.target} does not exist any more.")


def test_a_not_found_page_that_answers_200_is_evidence_and_not_content(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D10: the site is asked once for a page that cannot exist, and so gives itself away."""

    def any_other(seen: Seen) -> str:
        return not_found(seen)

    pages = site_of(4)
    site.pages.update(pages)
    crawler = make()
    crawler.crawl()
    assert len([target for target in site.targets() if is_probe(target)]) == 1
    site.pages["/page-2"] = not_found
    site.fallback = any_other
    site.pages["/"] = page("/page-0", "/page-1", "/page-2", "/page-3", "/never-was", title="Home")
    report = crawler.crawl()
    assert crawler.gone() == {"/page-2": "soft_404"}
    assert "/never-was" not in crawler.live()
    assert conserved(report)


def test_the_same_new_body_at_many_urls_is_no_content(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D10: five pages that are alike to the byte are one page, and not one of these."""
    site.pages.update(site_of(30))
    crawler = make()
    crawler.crawl()
    for number in range(5):
        site.pages[f"/page-{number}"] = page("/", title="Our new look", text="Come back soon.")
    crawler.crawl()
    assert crawler.gone() == {f"/page-{number}": "soft_404" for number in range(5)}


def test_a_page_that_asks_not_to_be_indexed_leaves(site: ScriptedSite, make: MakeCrawler) -> None:
    """R-A12: by its meta element or by X-Robots-Tag; its links are followed all the same."""
    site.pages.update(site_of(4))
    crawler = make()
    crawler.crawl()
    site.pages["/page-1"] = page("/new", head='<meta name="robots" content="noindex">')
    site.pages["/page-2"] = html(page("/"), x_robots_tag="noindex")
    site.pages["/new"] = page(title="New")
    report = crawler.crawl()
    assert crawler.gone() == {"/page-1": "noindex", "/page-2": "noindex"}
    assert "/new" in crawler.live()
    assert conserved(report)


def test_a_page_that_names_its_own_url_is_indexed_there_and_only_there(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A3, F-D22: one row per page, not one per way to write its address."""
    canonical = f'<link rel="canonical" href="{site.url}shop">'
    site.pages["/"] = page("/shop?sort=price", "/shop?sort=name", title="Home")
    site.pages["/shop"] = page("/", title="Shop", head=canonical)
    crawler = make()
    report = crawler.crawl()
    assert crawler.live() == {"/", "/shop"}
    assert conserved(report)


def test_two_pages_that_name_each_other_as_the_original_are_both_kept(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A3: a hint that leads nowhere loses no page."""
    one, two = (
        page(title=name, head=f'<link rel="canonical" href="{site.url}{other}">')
        for name, other in (("One", "a?sort=2"), ("Two", "a?sort=1"))
    )
    site.pages.update({"/": page("/a?sort=1", "/a?sort=2", title="Home")})
    site.pages.update({"/a?sort=1": one, "/a?sort=2": two})
    crawler = make()
    report = crawler.crawl()
    assert crawler.live() == {"/", "/a?sort=1", "/a?sort=2"}
    assert conserved(report)


def test_a_home_page_named_as_canonical_by_every_page_loses_nothing(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D10: a common mistake of templates."""
    head = f'<link rel="canonical" href="{site.url}">'
    site.pages["/"] = page("/a", "/b", title="Home", head=head)
    site.pages["/a"] = page("/", title="A", head=head)
    site.pages["/b"] = page("/", title="B", head=head)
    crawler = make()
    crawler.crawl()
    assert crawler.live() == {"/", "/a", "/b"}


def test_pages_that_the_domain_excludes_leave_the_index(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A2: without a request, and as the operator's own wish."""
    site.pages.update(site_of(4))
    crawler = make()
    crawler.crawl()
    crawler.query("UPDATE domains SET exclude_patterns = '{/page-2}' RETURNING id")
    crawler.crawl()
    assert "/page-2" not in crawler.asked()
    assert crawler.gone() == {"/page-2": "excluded"}


@pytest.mark.parametrize("status", [500, 502, 503, 403, 401, 429])
def test_no_other_answer_removes_a_page(site: ScriptedSite, make: MakeCrawler, status: int) -> None:
    """R-A12, F-D11: old content stays, and the failure is on the ledger."""
    site.pages.update(site_of(4))
    crawler = make()
    crawler.crawl()
    site.pages["/page-1"] = Page(status=status)
    report = crawler.crawl()
    assert "/page-1" in crawler.live()
    assert report.pages_failed == 1
    assert conserved(report)
    assert crawler.query("SELECT count(*) FROM failed_pages WHERE resolved_at IS NULL") == [(1,)]


def test_a_page_that_turned_into_a_file_is_a_failure_while_its_text_is_still_answered(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A17: nothing that is in the index goes stale without a word."""
    site.pages.update(site_of(2))
    crawler = make()
    crawler.crawl()
    site.pages["/page-1"] = Page(body=b"%PDF-1.7", headers={"content-type": "application/pdf"})
    report = crawler.crawl()
    assert report.pages_failed == 1
    assert "/page-1" in crawler.live()


# The site as a whole


def test_a_site_that_only_fails_is_asked_a_few_times_and_left_alone(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D12: 50 requests at most, and the run fails."""
    site.pages.update(site_of(200))
    crawler = make(concurrency=8)
    crawler.crawl()
    for path in list(site.pages):
        site.pages[path] = Page(status=503)
    site.pages["/robots.txt"] = robots("")
    with pytest.raises(TemporaryError, match="10 pages in a row failed"):
        crawler.crawl()
    assert len(crawler.asked()) <= 50
    assert len(crawler.live()) == 201


def test_a_site_that_asks_for_an_hour_is_left_alone_at_once(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D13"""
    site.pages.update(site_of(50))
    crawler = make(concurrency=2)
    crawler.crawl()
    for number in range(50):
        site.pages[f"/page-{number}"] = Page(status=429, headers={"retry-after": "3600"})
    with pytest.raises(TemporaryError, match="3600 s"):
        crawler.crawl()
    assert len(crawler.asked()) <= 5


def test_what_robots_disallows_is_never_asked_for_however_it_was_found(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D14: by a link, by the sitemap, by a redirect, or because it was crawled before."""
    site.pages.update(
        {
            "/": page("/private/a", "/hop", "/known", title="Home"),
            "/hop": redirect("/private/b", status=301),
            "/known": page(title="Known"),
            "/private/a": page(),
            "/private/b": page(),
            "/sitemap.xml": sitemap(f"{site.url}private/c"),
            "/robots.txt": robots("User-agent: *\nDisallow: /private/"),
        }
    )
    crawler = make()
    crawler.crawl()
    assert not [target for target in site.targets() if "private" in target]
    site.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /private/\nDisallow: /known")
    crawler.crawl()
    assert "/known" not in crawler.asked()
    assert "/known" in crawler.live(), "robots.txt removes nothing"


@pytest.mark.parametrize("status", [500, 503])
def test_a_site_whose_robots_cannot_be_read_is_not_crawled(
    site: ScriptedSite, make: MakeCrawler, status: int
) -> None:
    """F-D15: complete disallow."""
    site.pages.update(site_of(2) | {"/robots.txt": Page(status=status)})
    crawler = make()
    with pytest.raises(TemporaryError, match=r"robots\.txt could not be read"):
        crawler.crawl()
    assert site.targets() == ["/robots.txt"] * len(site.targets())


def test_while_robots_cannot_be_read_its_last_copy_rules(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D15: a copy holds for 30 days, and the report says so."""
    site.pages.update(site_of(3))
    site.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /page-1")
    crawler = make()
    crawler.crawl()
    site.pages["/robots.txt"] = Page(status=503)
    report = crawler.crawl()
    assert sorted(crawler.asked()) == ["/", "/page-0", "/page-2"]
    assert any("copy" in note for note in report.notes)
    crawler.query("UPDATE robots_files SET fetched_at = now() - interval '31 days' RETURNING 1")
    with pytest.raises(TemporaryError, match=r"robots\.txt could not be read"):
        crawler.crawl()


@pytest.mark.parametrize("status", [403, 404])
def test_a_site_without_robots_may_be_crawled(
    site: ScriptedSite, make: MakeCrawler, status: int
) -> None:
    """F-D16"""
    site.pages.update(site_of(2) | {"/robots.txt": Page(status=status)})
    assert make().crawl().pages_live == 3


def test_a_site_that_moved_away_keeps_its_pages_and_says_where(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D21"""
    site.pages.update(site_of(12))
    crawler = make()
    crawler.crawl()
    for path in list(site.pages):
        site.pages[path] = redirect(f"https://elsewhere.test{path}", status=301)
    report = crawler.crawl()
    assert len(crawler.live()) == 13
    with crawler.database.connect() as conn:
        assert domains.get(conn, crawler.host).moved_to == "https://elsewhere.test/"
    assert any("another site" in note for note in report.notes)
    site.pages.update(site_of(12))
    crawler.crawl()
    with crawler.database.connect() as conn:
        assert domains.get(conn, crawler.host).moved_to is None


def test_every_spelling_of_an_address_is_one_row(site: ScriptedSite, make: MakeCrawler) -> None:
    """R-A3, F-D22, F-D37"""
    host = crawler_host = site.url.removeprefix("http://").rstrip("/")
    spellings = (
        "/a",
        "/a#part",
        "/./a",
        "/b/../a",
        "/%61",
        f"HTTP://{host.upper()}/a",
        f"http://{crawler_host}/a?utm_source=x",
        "/a?",
    )
    site.pages.update({"/": page(*spellings, title="Home"), "/a": page(title="A")})
    crawler = make()
    crawler.crawl()
    assert crawler.live() == {"/", "/a"}
    assert crawler.asked() == ["/", "/a"]


# Traps


def test_an_endless_calendar_ends_and_says_that_it_was_cut(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D23: bounded by pattern, reported as truncated, and the rest of the site is whole."""

    def calendar(seen: Seen) -> str:
        day = int(seen.target.partition("day=")[2] or 0)
        later = (f"/cal?day={day * 10 + step}" for step in range(10))
        return page(*later, title=f"Day {day}")

    site.pages.update(site_of(5))
    site.pages["/"] = page("/cal?day=1", *(f"/page-{n}" for n in range(5)), title="Home")
    site.pages["/cal"] = calendar
    crawler = make(concurrency=8)
    report = crawler.crawl()
    assert report.is_truncated
    assert any("/cal" in note or "?day" in note for note in report.notes)
    assert len(crawler.asked()) <= 206
    assert {f"/page-{n}" for n in range(5)} <= crawler.live()


def test_links_that_lead_ever_deeper_end(site: ScriptedSite, make: MakeCrawler) -> None:
    """F-D23: paths that repeat themselves."""
    deeper = page("more/", title="Deeper")
    site.pages["/"] = deeper
    for depth in range(1, 40):
        site.pages["/" + "more/" * depth] = deeper.replace("Deeper", f"Depth {depth}")
    report = make().crawl()
    assert report.pages_live <= 4
    assert report.is_truncated


def test_links_are_followed_to_a_bounded_depth_and_no_further(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D23: depth 16, and the report says that something was left out."""
    names = [f"/{chr(97 + depth)}" for depth in range(20)]
    site.pages["/"] = page(names[0], title="Home")
    for here, there in pairwise(names):
        site.pages[here] = page(there, title=f"At {here}")
    report = make().crawl()
    assert report.pages_live == 17
    assert report.is_truncated
    assert any("16 links away" in note for note in report.notes)


def test_a_domain_registered_without_a_word_stops_at_five_thousand_urls() -> None:
    """F-D23: an endless site ends in any case."""
    assert domains.NewDomain(host="a.test", start_url="https://a.test/").page_limit == 5_000


# Looking again


def test_a_recent_page_is_asked_for_when_the_sitemap_says_that_it_changed(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A3, R-A5: lastmod is a hint; one in the future is none."""
    site.pages.update(site_of(3))
    crawler = make(recency_hours=24.0)
    crawler.crawl()
    crawler.query("UPDATE raw_pages SET checked_at = now() - interval '2 hours' RETURNING 1")
    site.pages["/sitemap.xml"] = sitemap(f"{site.url}page-0", lastmod="2999-01-01")
    crawler.crawl()
    assert crawler.asked() == []
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    site.pages["/sitemap.xml"] = sitemap(f"{site.url}page-0", lastmod=an_hour_ago)
    crawler.crawl()
    assert crawler.asked() == ["/page-0"]


def test_a_daily_refresh_looks_at_every_page_every_day(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A1, R-A5: what yesterday's reached after its tick is not a day old at today's."""
    site.pages.update(site_of(3))
    crawler = make(recency_hours=24.0)
    crawler.crawl()
    crawler.query("UPDATE raw_pages SET checked_at = now() - interval '1435 min' RETURNING 1")
    tick = datetime.now(UTC) - timedelta(minutes=1)
    crawler.crawl(scheduled_for=tick)
    assert len(crawler.asked()) == 4
    crawler.crawl(scheduled_for=tick + timedelta(seconds=1))
    assert crawler.asked() == [], "looked at since the tick"


def test_a_page_that_failed_is_asked_for_again_when_its_time_has_come(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A17"""
    site.pages.update({"/": page("/flaky", title="Home"), "/flaky": Page(status=500)})
    crawler = make(recency_hours=24.0)
    crawler.crawl()
    site.pages["/flaky"] = page(title="Fine")
    crawler.crawl()
    assert crawler.asked() == []
    crawler.query("UPDATE failed_pages SET next_try_at = now() RETURNING 1")
    crawler.crawl()
    assert crawler.asked() == ["/flaky"]
    assert crawler.query("SELECT count(*) FROM failed_pages WHERE resolved_at IS NULL") == [(0,)]


def test_many_failures_turn_a_check_red(site: ScriptedSite, make: MakeCrawler) -> None:
    """R-A17: above a tenth, and not for a handful."""
    site.pages.update(site_of(20))
    crawler = make()
    crawler.crawl()
    with crawler.database.connect() as conn:
        assert check_failures(conn, crawler.host).passed
    for number in range(0, 20, 4):
        site.pages[f"/page-{number}"] = Page(status=500)
    crawler.crawl()
    with crawler.database.connect() as conn:
        red = check_failures(conn, crawler.host)
    assert not red.passed
    assert red.summary.startswith("5 of 21 pages failed")


# Bodies that shrink


def test_a_wall_in_front_of_the_site_does_not_replace_its_texts(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D36: most of the text gone from most of the pages is held back, and can be confirmed."""
    site.pages.update(site_of(20))
    crawler = make()
    crawler.crawl_and_clean()
    texts = "SELECT string_agg(md5(markdown), ',' ORDER BY page_id) FROM cleaned_pages"
    before = crawler.query(texts)
    for number in range(12):
        site.pages[f"/page-{number}"] = page(title=f"{number}", text="Please accept cookies.")
    _, cleaned = crawler.crawl_and_clean()
    assert cleaned.pages_held == 12
    assert crawler.query(texts) == before
    with crawler.database.connect() as conn:
        red = check_changes(conn, crawler.host)
    assert not red.passed
    assert "12 live pages" in red.summary
    _, cleaned = crawler.crawl_and_clean()
    assert cleaned.pages_held == 12, "waiting does not make it believable"
    crawler.confirm()
    _, cleaned = crawler.crawl_and_clean()
    assert (cleaned.pages_held, cleaned.pages_changed) == (0, 12)
    with crawler.database.connect() as conn:
        assert check_changes(conn, crawler.host).passed


def test_a_page_found_empty_is_believed_the_third_time(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D34: until then its old text stays, and the failure is on the ledger."""
    site.pages.update(site_of(3))
    crawler = make()
    crawler.crawl_and_clean()
    texts = "SELECT count(*) FROM cleaned_pages WHERE markdown <> ''"
    site.pages["/page-1"] = "<html><body></body></html>"
    for _ in range(2):
        _, cleaned = crawler.crawl_and_clean()
        assert cleaned.pages_failed == 1
        assert crawler.query(texts) == [(4,)]
    _, cleaned = crawler.crawl_and_clean()
    assert cleaned.pages_failed == 0
    assert crawler.query(texts) == [(3,)]
    assert crawler.query("SELECT count(*) FROM failed_pages WHERE resolved_at IS NULL") == [(0,)]


def test_a_page_that_is_again_what_it_was_has_not_failed(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """R-A17: a failure is resolved when there is nothing left of it."""
    pages = site_of(2)
    site.pages.update(pages)
    crawler = make()
    crawler.crawl_and_clean()
    site.pages["/page-1"] = "<html><body></body></html>"
    crawler.crawl_and_clean()
    site.pages.update(pages)
    crawler.crawl_and_clean()
    assert crawler.query("SELECT count(*) FROM failed_pages WHERE resolved_at IS NULL") == [(0,)]


def test_the_same_bytes_under_a_new_etag_are_the_same_page(
    site: ScriptedSite, make: MakeCrawler
) -> None:
    """F-D3: the text decides, not the validator that a CDN bumped."""
    site.pages["/"] = html(page(), etag='"one"')
    crawler = make()
    crawler.crawl_and_clean()
    site.pages["/"] = html(page(), etag='"two"')
    crawled, cleaned = crawler.crawl_and_clean()
    assert (crawled.pages_changed, crawled.pages_unchanged) == (0, 1)
    assert cleaned.pages_cleaned == 0
    assert crawler.query("SELECT etag FROM raw_pages") == [('"two"',)], "what to ask with next time"


def test_a_few_pages_may_shrink(site: ScriptedSite, make: MakeCrawler) -> None:
    """F-D36"""
    site.pages.update(site_of(20))
    crawler = make()
    crawler.crawl_and_clean()
    for number in range(3):
        site.pages[f"/page-{number}"] = page(title=f"{number}", text="Short now.")
    _, cleaned = crawler.crawl_and_clean()
    assert (cleaned.pages_held, cleaned.pages_changed) == (0, 3)


# Resuming


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_crawl_that_was_cut_off_asks_again_for_a_page_per_slot_at_most(
    site: ScriptedSite, make: MakeCrawler, concurrency: int
) -> None:
    """R-A19"""
    site.pages.update(site_of(100))
    crawler = make(concurrency=concurrency, recency_hours=24.0)
    with pytest.raises(CutOffError):
        crawler.crawl(cut_off_after=50)
    before = crawler.asked()
    report = crawler.crawl()
    again = [target for target in crawler.asked() if target in before]
    assert len(again) <= 2 * concurrency
    assert report.pages_live == 101
    assert crawler.violations() == []
