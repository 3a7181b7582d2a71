"""Domains whose pages need JavaScript, and those whose pages do not, with a real Chromium."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omni_pipeline.domain.web.outcomes import Rendering
from omni_pipeline.errors import PermanentError
from omni_pipeline.settings import Settings
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport, crawl
from omni_pipeline.steps.services.preflight import check_browser
from omni_pipeline.steps.services.site_access import open_web
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.gateways.browser.renderers import needs_chromium
from omni_pipeline_tests.sites import Page, Script, ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import WORDS, Crawler, site_of

SHELL = '<!DOCTYPE html><title>Shop</title><div id="app"></div><script src="/app.js"></script>'
SCRIPT = """
fetch('/api' + location.pathname).then(answer => answer.json()).then(page => {
  document.title = page.title;
  document.getElementById('app').innerHTML = '<main><h1>' + page.title + '</h1><p>' + page.text
    + '</p>' + page.links.map(link => '<a href="' + link + '">more</a>').join(' ') + '</main>';
});
"""


def file(body: str, media_type: str) -> Page:
    return Page(body=body.encode(), headers={"content-type": media_type})


def application(pages: int) -> dict[str, Script]:
    """A shop that is one empty page and a script: what its pages say is in its API."""
    links = [f"/item/{number}" for number in range(pages)]
    answers = {"/": ("Shop", links)} | {link: (f"Item {link}", ["/"]) for link in links}
    api = {
        f"/api{path}": file(
            json.dumps({"title": title, "text": f"{title}. {WORDS * 4}", "links": further}),
            "application/json",
        )
        for path, (title, further) in answers.items()
    }
    shells = dict.fromkeys(answers, SHELL)
    return {**shells, **api, "/app.js": file(SCRIPT, "text/javascript")}


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite({"/robots.txt": Page(status=404)}) as scripted:
        yield scripted


@contextmanager
def rendered(
    crawler: Crawler, settings: Settings | None = None
) -> Iterator[Callable[[], tuple[RawPagesReport, bool]]]:
    """A way to crawl with a browser at hand; tells whether it was started."""

    def run() -> tuple[RawPagesReport, bool]:
        crawler.site.requests.clear()
        with (
            crawler.open() as refresh,
            open_web(settings or crawler.settings, site_host="127.0.0.1") as access,
        ):
            check_browser(access, refresh.domain)
            report = crawl(refresh, access.web, user_agent="omni_pipeline/0.1")
            return report, access.browser.started

    yield run


def crawler_of(
    database: Database, site: ScriptedSite, home: Path, render_mode: Rendering
) -> Crawler:
    return Crawler(database=database, home=home, site=site, render_mode=render_mode, concurrency=2)


@needs_chromium
def test_a_single_page_application_is_indexed_as_people_see_it(
    database: Database, site: ScriptedSite, tmp_path: Path
) -> None:
    """Found out by evidence, remembered by pattern, linked pages found in the rendered DOM.

    R-A4.
    """
    site.pages.update(application(6))
    crawler = crawler_of(database, site, tmp_path, "auto")
    with rendered(crawler) as run:
        report, started = run()
        assert started
        assert crawler.live() == {"/", *(f"/item/{number}" for number in range(6))}
        assert report.pages_rendered == 7
        [(wordy,)] = crawler.query(
            "SELECT count(*) FROM raw_pages WHERE html LIKE '%watered at dawn%' "
            "AND rendered_by = 'browser' AND etag IS NULL"
        )
        assert wordy == 7
        shells = [target for target in crawler.asked() if target.startswith("/item")]
        assert len(shells) < 12, (
            "once a pattern is known to need a browser, HTTP is not asked first"
        )
        again, _ = run()
        assert again.pages_unchanged == 7
        assert again.pages_changed == 0


@needs_chromium
def test_a_static_site_never_starts_a_browser(
    database: Database, site: ScriptedSite, tmp_path: Path
) -> None:
    """R-A4"""
    site.pages.update(site_of(5))
    crawler = crawler_of(database, site, tmp_path, "auto")
    with rendered(crawler) as run:
        report, started = run()
    assert report.pages_live == 6
    assert not started


@needs_chromium
def test_a_page_that_only_looks_like_an_application_is_compared_once_for_its_pattern(
    database: Database, site: ScriptedSite, tmp_path: Path
) -> None:
    """The browser showed no more than was sent; the rest of the pattern is fetched plainly.

    R-A4.
    """
    stub = '<body><div id="app"></div><script src="/no.js"></script><a href="/t/{}">x</a></body>'
    site.pages["/"] = site_of(0)["/"].replace("</main>", '<a href="/t/0">teasers</a></main>')
    for number in range(5):
        site.pages[f"/t/{number}"] = stub.format(number + 1)
    site.pages["/t/5"] = stub.format(0)
    crawler = crawler_of(database, site, tmp_path, "auto")
    with rendered(crawler) as run:
        report, started = run()
    assert started
    assert report.pages_rendered == 0
    [(decided,)] = crawler.query("SELECT count(*) FROM render_decisions WHERE NOT needs_browser")
    assert decided == 1
    twice = [target for target in crawler.asked() if target.startswith("/t/")]
    assert len(twice) <= 6 + 2


@needs_chromium
def test_a_domain_in_browser_mode_renders_every_page(
    database: Database, site: ScriptedSite, tmp_path: Path
) -> None:
    """R-A4, F-D7: statuses and redirects are the site's, also through a browser."""
    site.pages.update(site_of(3))
    crawler = crawler_of(database, site, tmp_path, "browser")
    with rendered(crawler) as run:
        report, _ = run()
        assert report.pages_rendered == report.pages_live == 4
        site.pages["/page-1"] = Page(status=410)
        run()
    assert crawler.gone() == {"/page-1": "missing"}


def test_without_a_browser_only_what_needs_one_fails(
    database: Database, site: ScriptedSite, tmp_path: Path
) -> None:
    """An `auto` domain loses single pages and says so; a `browser` domain starts not.

    R-A16, F-E10.
    """
    site.pages.update(site_of(5))
    site.pages["/page-3"] = SHELL
    crawler = crawler_of(database, site, tmp_path, "auto")
    missing = Settings(
        home=tmp_path, allow_addresses=site.allowed, browser_path=Path("/no/such/browser")
    )
    with rendered(crawler, missing) as run:
        report, _ = run()
        assert (report.pages_live, report.pages_failed) == (5, 1)
        [(kind, reason)] = crawler.query("SELECT error_kind, error FROM failed_pages")
        assert kind == "permanent.browser_missing"
        assert "playwright install" in str(reason)
        with database.connect() as conn:
            domains.remove(conn, crawler.host)
        crawler.render_mode = "browser"
        crawler.register()
        with pytest.raises(PermanentError, match="playwright install"):
            run()
