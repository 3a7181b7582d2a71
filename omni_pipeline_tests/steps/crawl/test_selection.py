"""Refreshes of a part of a site (R-B1): what they ask for, and what they leave alone."""

from collections.abc import Sequence

import pytest

from omni_pipeline.domain.crawl.selection import CrawlSelection, name_part
from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.catalogue.price_snapshots import snapshot_prices
from omni_pipeline.steps.catalogue.products import ProductsReport, extract
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport, crawl
from omni_pipeline.steps.run.claimed_refresh import open_refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.store.crawl import frontier
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline_tests.steps.conftest import Pipeline

SHOP = name_part(None, ["/shop/*"])
# Asked for of every site: its rules, its lists, and how it says "not found".
ALWAYS = ("/robots.txt", "/sitemap", "/.well-known", "no7page")


def refresh(
    pipeline: Pipeline, part: CrawlSelection, *, is_forced: bool = True
) -> tuple[RawPagesReport, ProductsReport]:
    request = Request(run_id="run-1", worker=this_worker(), job_type=part.job_type, part=part)
    opened = open_refresh(pipeline.database, pipeline.settings, pipeline.host, request)
    with opened as running, pipeline.web() as web:
        crawled = crawl(running, web, user_agent="test", force_rescrape=is_forced)
        found = extract(running)
        snapshot_prices(running)
        return crawled, found


def paths_asked(pipeline: Pipeline, since: int) -> set[str]:
    paths = {request.path for request in pipeline.site.requests[since:]}
    return {path for path in paths if not any(one in path for one in ALWAYS)}


def bodies(pipeline: Pipeline, like: bytes = b"%") -> dict[object, tuple[object, ...]]:
    rows = pipeline.query(
        b"SELECT url, status, body_hash, checked_at, fence FROM raw_pages WHERE url LIKE '"
        + like
        + b"'"
    )
    return {url: tuple(rest) for url, *rest in rows}


def last_success(pipeline: Pipeline) -> object:
    return pipeline.query(b"SELECT last_success_at FROM domains")


def test_only_pages_that_match_are_asked_for_and_others_stay_as_they_are(
    pipeline: Pipeline,
) -> None:
    pipeline.refresh()
    refresh(pipeline, name_part(None, ()))
    before, succeeded, asked = bodies(pipeline), last_success(pipeline), len(pipeline.site.requests)
    site = pipeline.site
    site.pages["/faq.html"] = "<h1>Other questions</h1>"
    site.remove("/docs/hardware.html")
    site.remove("/shop/frost-lamp.html")
    site.pages["/shop/vent-motor.html"] = site.read("/shop/vent-motor.html").replace("129", "119")

    crawled, found = refresh(pipeline, SHOP)

    assert all(path.startswith("/shop/") for path in paths_asked(pipeline, asked))
    assert (crawled.pages_changed, crawled.pages_gone, crawled.pages_unchanged) == (1, 1, 4)
    assert crawled.pages_discovered == 6
    assert crawled.pages_live == len(before) - 1
    after = bodies(pipeline)
    assert {url for url in before if before[url] != after[url]} == {
        url for url in before if "/shop/" in str(url)
    }
    assert found.products_listed == 5, "a card in the list still shows the lamp"
    assert last_success(pipeline) == succeeded, "the domain is as stale as it was"
    assert pipeline.violations() == []


def test_the_job_says_what_it_was_about_and_counts_its_own_pages(pipeline: Pipeline) -> None:
    """R-A14, R-B1"""
    refresh(pipeline, name_part(None, ()))
    refresh(pipeline, SHOP)
    [job] = pipeline.query(
        b"SELECT job_type, only_patterns, status, pages_discovered, pages_changed + pages_unchanged"
        b" + pages_gone + pages_failed + pages_skipped FROM crawl_jobs ORDER BY id DESC LIMIT 1"
    )
    assert job == ("category", ["/shop/*"], "completed", 6, 6)


@pytest.mark.parametrize(
    ("job_type", "pages"),
    [
        ("category", {"/shop/"}),
        ("product", {"vent-motor", "drip-kit", "frost-lamp", "leaf-sensor", "seed-box"}),
        (
            "distributor",
            {"/shop/", "vent-motor", "drip-kit", "frost-lamp", "leaf-sensor", "seed-box"},
        ),
    ],
)
def test_a_type_without_patterns_means_the_known_pages_that_show_products(
    pipeline: Pipeline, job_type: str, pages: set[str]
) -> None:
    refresh(pipeline, name_part(None, ()))
    asked = len(pipeline.site.requests)
    refresh(pipeline, name_part(job_type, ()))
    names = {
        path.removeprefix("/shop/").removesuffix(".html") or path
        for path in paths_asked(pipeline, asked)
    }
    assert names == pages


def test_new_pages_join_when_they_match_and_only_then(pipeline: Pipeline) -> None:
    refresh(pipeline, name_part(None, ()))
    site = pipeline.site
    links = '<a href="/shop/wind-vane.html">Wind vane</a> <a href="/docs/vane.html">Manual</a>'
    site.pages["/shop/"] = site.read("/shop/") + links
    site.pages["/shop/wind-vane.html"] = site.read("/shop/vent-motor.html").replace("motor", "vane")
    site.pages["/docs/vane.html"] = "<h1>The vane</h1>"
    crawled, _ = refresh(pipeline, SHOP)
    assert crawled.pages_discovered == 7
    assert len(bodies(pipeline, b"%/shop/wind-vane.html")) == 1
    assert not bodies(pipeline, b"%/docs/vane.html")


def test_pages_checked_lately_are_skipped_here_too(pipeline: Pipeline) -> None:
    """R-A5"""
    refresh(pipeline, name_part(None, ()))
    crawled, _ = refresh(pipeline, SHOP, is_forced=False)
    assert crawled.pages_skipped == crawled.pages_discovered == 6


def test_what_an_interrupted_crawl_had_found_waits_for_the_next_whole_one(
    pipeline: Pipeline,
) -> None:
    """R-A19: the page that links there may answer "not modified" for ever."""
    refresh(pipeline, name_part(None, ()))
    pipeline.site.pages["/docs/late.html"] = "<h1>Late</h1><p>Found by a crawl that was killed.</p>"
    late = f"{pipeline.site.url}/docs/late.html"
    leave_interrupted(pipeline, [late])
    asked = len(pipeline.site.requests)

    refresh(pipeline, SHOP)
    assert all(path.startswith("/shop/") for path in paths_asked(pipeline, asked))
    refresh(pipeline, SHOP)
    crawled, _ = refresh(pipeline, name_part(None, ()), is_forced=False)

    assert crawled.pages_changed == 1
    assert late in bodies(pipeline)
    assert pipeline.query(b"SELECT FROM postponed_urls") == []


def leave_interrupted(
    pipeline: Pipeline, found: Sequence[str], *, only: Sequence[str] | None = None
) -> None:
    request = Request(run_id="run-0", worker=this_worker())
    opened = open_refresh(pipeline.database, pipeline.settings, pipeline.host, request)
    with opened as running:
        running.write(frontier.open_crawl, is_forced=False, recency_seconds=0, only=only)
        running.write(
            frontier.add_urls,
            dict.fromkeys(found, 2),
            source="link",
            is_forced=False,
            page_limit=None,
        )


def test_a_whole_crawl_takes_over_what_a_part_had_begun(pipeline: Pipeline) -> None:
    whole, _ = refresh(pipeline, name_part(None, ()))
    leave_interrupted(pipeline, [], only=[f"{pipeline.site.url}/shop/"])
    assert len(pipeline.query(b"SELECT FROM crawl_frontier")) == 1
    again, _ = refresh(pipeline, name_part(None, ()))
    assert (again.pages_live, again.pages_unchanged) == (whole.pages_live, whole.pages_live)


def test_a_pattern_that_fits_nothing_is_an_error_with_a_remedy(pipeline: Pipeline) -> None:
    refresh(pipeline, name_part(None, ()))
    before = bodies(pipeline)
    with pytest.raises(PermanentError, match=r"among /shpo/\*\. Correct the pattern") as raised:
        refresh(pipeline, name_part(None, ["/shpo/*"]))
    assert raised.value.kind == "permanent.nothing_matches"
    assert bodies(pipeline) == before
