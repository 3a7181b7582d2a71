"""Ordinary sites that nobody of this project made: each is read whole, or says what was left out.

Every story is a small site as sites of its kind are built, over real sockets.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from omni_pipeline.domain.crawl.links import MAX_LINKS
from omni_pipeline.domain.web.outcomes import Fetched
from omni_pipeline.steps.crawl.batch import CrawlBatch
from omni_pipeline.steps.crawl.page_reading import PageReading
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport
from omni_pipeline.store.crawl.frontier import Due
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import Page, ScriptedSite, Seen, html
from omni_pipeline_tests.steps.crawl.scripted_crawls import Crawler, conserved, page, site_of

XML = "<?xml version='1.0' encoding='UTF-8'?>"
ALL = {"/", "/alpha", "/beta", "/gamma"}


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as running:
        running.pages.update({path: page(title=f"The {path[1:]}") for path in ALL - {"/"}})
        running.pages["/"] = page(title="Home")
        yield running


@pytest.fixture
def crawler(site: ScriptedSite, database: Database, tmp_path: Path) -> Crawler:
    return Crawler(database=database, home=tmp_path, site=site, page_limit=5000)


def text(body: str | bytes, **headers: str) -> Page:
    """Any file."""
    return Page(body=body if isinstance(body, bytes) else body.encode(), headers=headers)


def checked(crawler: Crawler) -> RawPagesReport:
    """Crawl and clean; whatever the site is, every URL is counted once and the index is sound."""
    report, _ = crawler.crawl_and_clean()
    assert conserved(report)
    assert crawler.violations() == []
    assert report.pages_live == len(crawler.live())
    return report


def texts(crawler: Crawler) -> str:
    return "\n".join(str(row[0]) for row in crawler.query("SELECT markdown FROM cleaned_pages"))


def failures(crawler: Crawler) -> dict[str, str]:
    rows = crawler.query(
        "SELECT url, error_kind FROM failed_pages WHERE resolved_at IS NULL AND stage = 'fetch'"
    )
    return {crawler.path(str(url)): str(kind) for url, kind in rows}


def one_at_a_time(crawler: Crawler) -> None:
    """So that pages arrive in the order in which they were queued."""
    crawler.query("UPDATE domains SET concurrency = 1 RETURNING 1")


def urlset(*urls: str) -> str:
    return f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>"


# Sitemaps


def _after_a_blank_line(root: str) -> dict[str, Page]:
    return {"/sitemap.xml": text(f"\n\n{XML}{urlset(*(root + path for path in ALL))}")}


def _named_relatively(root: str) -> dict[str, Page]:
    return {
        "/robots.txt": text("User-agent: *\nAllow: /\nSitemap: /maps/all.xml"),
        "/maps/all.xml": text(urlset("../alpha", "/beta", "../gamma")),
    }


def _feeds(root: str) -> dict[str, Page]:
    return {
        "/robots.txt": text(f"Sitemap: {root}/rss\nSitemap: {root}/atom"),
        "/rss": text(
            f"<rss><channel><item><link>{root}/alpha</link></item><item><link>/beta</link></item>"
            "</channel></rss>"
        ),
        "/atom": text(f"<feed><entry><link href='{root}/gamma'/></entry></feed>"),
    }


def _declared_gbk(root: str) -> dict[str, Page]:
    urls = urlset(*(root + path for path in ALL))
    return {"/sitemap.xml": text(f"<?xml version='1.0' encoding='GBK'?>{urls}")}


def _of_wordpress(root: str) -> dict[str, Page]:
    index = f"<sitemapindex><sitemap><loc>{root}/posts.xml</loc></sitemap></sitemapindex>"
    return {
        "/wp-sitemap.xml": text(index),
        "/posts.xml": text(urlset(*(root + path for path in ALL))),
    }


def _nowhere_named_ones(root: str) -> dict[str, Page]:
    return {
        "/robots.txt": text(f"Sitemap: {root}/moved-away.xml"),
        "/sitemap.xml": text(urlset(*(root + path for path in ALL))),
    }


@pytest.mark.parametrize(
    "files",
    [_after_a_blank_line, _named_relatively, _feeds, _declared_gbk, _of_wordpress],
)
def test_a_sitemap_is_read_as_its_site_wrote_it(
    site: ScriptedSite, crawler: Crawler, files: Callable[[str], dict[str, Page]]
) -> None:
    site.pages.update(files(site.url.rstrip("/")))
    report = checked(crawler)
    assert crawler.live() == ALL
    assert report.notes == ()


def test_where_no_named_sitemap_lists_anything_the_usual_one_is_read(
    site: ScriptedSite, crawler: Crawler
) -> None:
    site.pages.update(_nowhere_named_ones(site.url.rstrip("/")))
    report = checked(crawler)
    assert crawler.live() == ALL
    assert "moved-away.xml" in " ".join(report.notes), "it is missing, and that is told"


def test_a_sitemap_on_another_host_counts_for_this_site_alone(
    site: ScriptedSite, crawler: Crawler
) -> None:
    with ScriptedSite() as other:
        crawler.settings = replace(crawler.settings, allow_addresses=site.allowed | other.allowed)
        site.pages["/robots.txt"] = text(f"Sitemap: {other.url}map.xml")
        listed = [site.url + path[1:] for path in ALL]
        other.pages["/map.xml"] = text(urlset(*listed, f"{other.url}foreign"))
        checked(crawler)
        assert other.targets() == ["/map.xml"]
    assert crawler.live() == ALL


def test_an_index_may_have_hundreds_of_files(site: ScriptedSite, crawler: Crawler) -> None:
    names = [f"/item-{number}" for number in range(120)]
    children = "".join(f"<sitemap><loc>/map{name}</loc></sitemap>" for name in names)
    site.pages["/sitemap.xml"] = text(f"<sitemapindex>{children}</sitemapindex>")
    for name in names:
        site.pages[f"/map{name}"] = text(urlset(name))
        site.pages[name] = page(title=f"Item {name}")
    report = checked(crawler)
    assert crawler.live() == {"/", *names}
    assert report.notes == ()


def test_a_host_that_answers_everything_with_a_page_has_no_sitemap_and_no_note(
    site: ScriptedSite, crawler: Crawler
) -> None:
    site.pages["/"] = page("/alpha", title="Home")
    shell = html("<!DOCTYPE html><html><body><div id=root></div></body></html>")
    site.pages |= dict.fromkeys(("/robots.txt", "/sitemap.xml"), shell)
    assert checked(crawler).notes == ()
    assert crawler.live() == {"/", "/alpha"}


# HTML as browsers read it


def test_hrefs_with_line_breaks_tabs_and_backslashes_lead_where_browsers_go(
    site: ScriptedSite, crawler: Crawler
) -> None:
    site.pages["/"] = page("/al\npha", "\t/be\tta", "\\gam\nma", title="Home")
    checked(crawler)
    assert crawler.live() == ALL


def test_queries_are_sent_in_the_charset_of_their_page(
    site: ScriptedSite, crawler: Crawler
) -> None:
    body = page("/book?name=книга", title="Книги").encode("cp1251")
    site.pages["/"] = text(body, **{"content-type": "text/html; charset=windows-1251"})
    site.pages["/book?name=%EA%ED%E8%E3%E0"] = page(title="A book")
    checked(crawler)
    assert crawler.live() == {"/", "/book?name=%EA%ED%E8%E3%E0"}


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        ("<!-- <meta charset=iso-8859-1> --><meta charset=utf-8>", "utf-8"),
        ("<script>'<meta charset=koi8-r>'</script><meta charset=utf-8>", "utf-8"),
        ("<meta name=keywords content='charset=koi8-r'><meta charset=utf-8>", "utf-8"),
        ("<meta charset=x-cp1251>", "cp1251"),
        ("<meta charset=koi>", "koi8-r"),
        ("<meta charset=x-mac-cyrillic>", "mac-cyrillic"),
    ],
)
def test_a_page_is_read_in_the_charset_that_a_browser_finds(
    site: ScriptedSite, crawler: Crawler, head: str, charset: str
) -> None:
    body = page(title="Здравствуйте", head=head).encode(charset)
    site.pages["/"] = text(body, **{"content-type": "text/html"})
    checked(crawler)
    assert "Здравствуйте" in texts(crawler)


def test_frames_are_pages_of_the_site(site: ScriptedSite, crawler: Crawler) -> None:
    site.pages["/"] = "<title>Docs</title><frameset><frame src=alpha><frame src=beta></frameset>"
    site.pages["/beta"] = page(title="Beta") + "<iframe src='/gamma'></iframe>"
    checked(crawler)
    assert crawler.live() == ALL


@pytest.mark.parametrize(
    "stub",
    [
        "<meta http-equiv=refresh content='0; url=/alpha'><p>Redirecting ...",
        "<meta http-equiv='Refresh' content='5;URL=\"/alpha\"'><p>This page has moved.",
        html("<p>Redirecting ...", refresh="0; url=/alpha"),
    ],
)
def test_a_page_that_only_sends_its_readers_on_is_a_redirect(
    site: ScriptedSite, crawler: Crawler, stub: str | Page
) -> None:
    site.pages |= {"/": page("/old", title="Home"), "/old": stub}
    report = checked(crawler)
    assert crawler.live() == {"/", "/alpha"}
    assert (report.pages_skipped, report.pages_failed) == (1, 0)


@pytest.mark.parametrize(
    "head",
    [
        "<meta http-equiv=refresh content='300; url=/alpha'>",
        "<meta http-equiv=refresh content='5; url=/alpha'>",
        "<meta http-equiv=refresh content='0'>",
        "<noscript><meta http-equiv=refresh content='0; url=/alpha'></noscript>",
    ],
)
def test_a_page_with_something_to_read_stays_one_although_it_refreshes(
    site: ScriptedSite, crawler: Crawler, head: str
) -> None:
    site.pages |= {"/": page("/news", title="Home"), "/news": page(title="News", head=head)}
    checked(crawler)
    assert "/news" in crawler.live()


def test_a_header_may_name_the_own_url_of_a_page(site: ScriptedSite, crawler: Crawler) -> None:
    site.pages["/"] = page("/alpha", "/alpha?view=print", title="Home")
    printed = html(page(title="Printed"), link=f'<{site.url}alpha>; rel="canonical"')
    site.pages["/alpha?view=print"] = printed
    checked(crawler)
    assert crawler.live() == {"/", "/alpha"}


@pytest.mark.parametrize(
    ("tag", "is_kept"),
    [
        ("noarchive, nosnippet", True),
        ("otherbot: noindex, nofollow", True),
        ("none", False),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", False),
        ("unavailable_after: Friday, 25-Jun-2010 15:00:00 PST, noarchive", False),
        ("unavailable_after: 2010-06-25", False),
        ("unavailable_after: 25 Jun 2090 15:00:00 PST", True),
        ("otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST", True),
        ("otherbot: nofollow, omni_pipeline: noindex", False),
    ],
)
def test_robots_metadata_is_obeyed_in_all_its_forms(
    site: ScriptedSite, crawler: Crawler, tag: str, *, is_kept: bool
) -> None:
    site.pages |= {"/": page("/x", title="Home"), "/x": html(page(title="X"), x_robots_tag=tag)}
    checked(crawler)
    assert ("/x" in crawler.live()) == is_kept


@pytest.mark.parametrize(
    "content_type", ["text/html, text/html", "text/html charset=utf-8", "html", "unknown/unknown"]
)
def test_an_odd_content_type_is_read_as_browsers_read_it(
    site: ScriptedSite, crawler: Crawler, content_type: str
) -> None:
    site.pages["/"] = text(page("/alpha", title="Home"), **{"content-type": content_type})
    checked(crawler)
    assert crawler.live() == {"/", "/alpha"}


# Copies


def test_an_article_under_six_queries_is_kept_once_under_its_plain_address(
    site: ScriptedSite, crawler: Crawler
) -> None:
    copies = [f"/alpha?{query}" for query in ("theme=a", "theme=b", "font=1", "font=2", "font=3")]
    site.pages["/"] = page(*copies, "/alpha", "/beta", title="Home")
    report = checked(crawler)
    assert crawler.live() == {"/", "/alpha", "/beta"}
    assert set(crawler.gone().values()) == {"duplicate"}
    assert "5 addresses show the same page" in " ".join(report.notes)
    assert "alpha" in texts(crawler)
    again = checked(crawler)
    assert (again.pages_gone, crawler.live()) == (0, {"/", "/alpha", "/beta"})


def test_a_page_in_all_its_spellings_is_kept_once(site: ScriptedSite, crawler: Crawler) -> None:
    spellings = ("/alpha/", "/Alpha", "/alpha/index.html", "/alpha;v=1", "/alpha?ref=nav")
    for spelling in spellings:
        site.pages[spelling] = site.pages["/alpha"]
    site.pages["/"] = page(*spellings, "/alpha", title="Home")
    checked(crawler)
    assert crawler.live() == {"/", "/alpha"}


def test_a_page_that_nobody_translated_is_kept_once(site: ScriptedSite, crawler: Crawler) -> None:
    paths = [f"/{language}/alpha" for language in ("de", "fr", "it", "es", "pl", "nl")]
    site.pages |= dict.fromkeys(paths, page(title="The alpha"))
    site.pages["/"] = page(*paths, title="Home")
    checked(crawler)
    assert len(crawler.live()) == 2


def test_a_published_page_stays_when_it_changes_and_copies_of_it_appear(
    site: ScriptedSite, crawler: Crawler
) -> None:
    site.pages.update(site_of(8))
    checked(crawler)
    refs = [f"/page-1?ref={place}" for place in ("top", "side", "foot", "mail", "app")]
    site.pages["/page-1"] = page(title="Corrected on Tuesday")
    site.pages["/"] = page(*(f"/page-{n}" for n in range(8)), *refs, title="Home")
    report = checked(crawler)
    assert crawler.live() == set(site_of(8))
    assert (report.pages_gone, report.pages_skipped) == (0, 5)
    assert "Corrected on Tuesday" in texts(crawler)


def test_alike_pages_that_say_that_nothing_is_there_are_none(
    site: ScriptedSite, crawler: Crawler
) -> None:
    missing = page("/", title="Oops", text="Sorry, this page does not exist any more.")
    site.pages |= {"/": page("/x", "/y", "/alpha", title="Home"), "/x": missing, "/y": missing}
    report = checked(crawler)
    assert crawler.live() == {"/", "/alpha"}
    assert report.pages_gone == 2


# Sites that ask for time


def _asking(seconds: int) -> Page:
    return Page(status=503, headers={"retry-after": str(seconds)})


def test_a_page_that_asks_for_an_hour_stops_nobody_else_today_or_tomorrow(
    site: ScriptedSite, crawler: Crawler
) -> None:
    one_at_a_time(crawler)
    site.pages.update(site_of(12))
    site.pages["/page-0"] = _asking(3600)
    for _ in range(2):
        report = checked(crawler)
        assert report.pages_live == 12
        assert failures(crawler) == {"/page-0": "throttled"}
        assert crawler.asked().count("/page-0") <= 1
        crawler.query("UPDATE failed_pages SET next_try_at = now() RETURNING 1")
    assert crawler.asked()[-1] == "/page-0", "who failed comes last"


def test_what_was_fetched_counts_when_a_site_asks_to_be_left_alone(
    site: ScriptedSite, crawler: Crawler
) -> None:
    one_at_a_time(crawler)
    site.pages.update(site_of(30))
    for number in range(10, 30):
        site.pages[f"/page-{number}"] = _asking(3600)
    report = checked(crawler)
    assert report.pages_live >= 8
    assert report.is_truncated
    assert "asks to be left alone for 3600 s" in " ".join(report.notes)
    assert len(crawler.asked()) <= 20
    for number in range(10, 30):
        site.pages[f"/page-{number}"] = page(title=f"Page {number}")
    crawler.query("UPDATE failed_pages SET next_try_at = now() RETURNING 1")
    assert checked(crawler).pages_live == 31, "the rest waited for the next refresh"


def test_no_two_requests_are_closer_than_robots_txt_asks(
    site: ScriptedSite, crawler: Crawler
) -> None:
    site.pages["/robots.txt"] = text("User-agent: *\nCrawl-delay: 0.3")
    children = "".join(f"<sitemap><loc>/map-{number}</loc></sitemap>" for number in range(3))
    site.pages["/sitemap.xml"] = text(f"<sitemapindex>{children}</sitemapindex>")
    site.pages |= {f"/map-{number}": text(urlset("/alpha")) for number in range(3)}
    checked(crawler)
    times = [seen.at for seen in site.requests]
    assert {"/sitemap.xml", "/map-2", "/alpha"} <= set(site.targets())
    assert min(later - sooner for sooner, later in pairwise(times)) >= 0.25


# Long lists, sessions, cookies


@pytest.mark.parametrize("form", ["/word/w{:04d}x", "/index.php?id={}"])
def test_a_page_that_lists_thousands_is_read_whole(
    site: ScriptedSite, crawler: Crawler, form: str
) -> None:
    paths = [form.format(number) for number in range(2_300)]
    site.pages |= {path: Page(status=410) for path in paths}
    site.pages |= {"/": page("/az", title="Home"), "/az": page(*paths, title="A to Z")}
    report = checked(crawler)
    assert set(paths) <= set(crawler.asked())
    assert report.notes == ()


def test_a_cms_whose_menu_is_on_every_page_is_read_whole(
    site: ScriptedSite, crawler: Crawler
) -> None:
    def entry(seen: Seen) -> str:
        number = int(seen.target.partition("id=")[2] or 0)
        later = (f"/index.php?id={number * 5 + step}" for step in range(1, 6))
        links = [link for link in later if int(link.partition("=")[2]) < 300]
        return page(*links, title=f"Entry {number}", text=f"This is what entry {number} says.")

    site.pages |= {"/": page("/index.php?id=0", title="Home"), "/index.php": entry}
    report = checked(crawler)
    assert report.pages_live == 301
    assert report.notes == ()


def test_login_links_of_every_page_end_and_are_counted(
    site: ScriptedSite, crawler: Crawler
) -> None:
    paths = [f"/topic/{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(260)]
    site.pages |= {path: page(f"/login?next={path}", title=f"About {path}") for path in paths}
    site.pages |= {"/": page(*paths, title="Home"), "/login": lambda seen: page(title=seen.target)}
    report = checked(crawler)
    assert sum(path.startswith("/login") for path in crawler.asked()) == 200
    assert "60 of them were left out" in " ".join(report.notes)


def test_links_beyond_what_is_read_of_one_page_are_counted(
    site: ScriptedSite, crawler: Crawler
) -> None:
    links = "".join(f"<a href=/n{number}></a>" for number in range(MAX_LINKS + 7))
    site.pages["/"] = page("/alpha", title="Home") + links
    crawler.page_limit = 1
    crawler.register()
    report = checked(crawler)
    assert report.is_truncated
    assert "8 links more than are read of one page" in " ".join(report.notes)


def test_sessions_are_taken_off_links(site: ScriptedSite, crawler: Crawler) -> None:
    visits = iter(range(10**6))

    def links(seen: Seen) -> str:
        session = f"{next(visits):032X}"
        ways = (f";jsessionid={session}", f"?PHPSESSID={session}&a=1", f"?sid=k{session}")
        paths = ("/alpha", "/beta", "/gamma")
        return page(*(path + way for path, way in zip(paths, ways, strict=True)), title="Home")

    site.pages["/"] = links
    checked(crawler)
    assert crawler.live() == {"/", "/alpha", "/beta?a=1", "/gamma"}


def test_a_site_that_answers_nobody_without_its_cookie_is_read(
    site: ScriptedSite, crawler: Crawler
) -> None:
    def insisting(seen: Seen) -> Page | str:
        if "seen=1" in seen.headers.get("cookie", ""):
            return page("/alpha", "/beta", title=f"At {seen.target}")
        path, _, query = seen.target.partition("?")
        target = path if query else f"{path}?cookietest=1"
        return Page(status=302, headers={"location": target, "set-cookie": "seen=1; Path=/"})

    site.pages |= dict.fromkeys(("/", "/alpha", "/beta"), insisting)
    checked(crawler)
    assert crawler.live() == {"/", "/alpha", "/beta"}


def test_a_page_that_breaks_its_reader_is_that_pages_failure() -> None:
    def read(page: Fetched) -> PageReading:
        raise ValueError(page.url)

    url = "https://site.test/"
    batch = CrawlBatch(read=read)
    due = Due(id=1, url=url, depth=0, source="start", is_held=True, etag=None, last_modified=None)
    batch.add(due, Fetched(url=url, status=200, body=b"x", content_type="", elapsed_seconds=0.0))
    assert batch.outcomes == {url: "failed"}
    assert [failure.kind for failure in batch.failures] == ["permanent.unreadable"]
