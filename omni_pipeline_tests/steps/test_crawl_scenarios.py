"""Crawls of sites that change, lie and break between refreshes, judged by what may be in the index.

The random histories are judged by a model of their own: a site's pages, their links and the rules of
evidence, without a frontier, a batch or a database. Every other test is one story. Those marked as
failing are defects that are known and not yet repaired.
"""

from collections.abc import Callable, Mapping
from collections import Counter
from contextlib import suppress
import os
import random
from pathlib import Path
from typing import Any

import pytest

from omni_pipeline.errors import TemporaryError
from omni_pipeline.steps.plausibility import check_removals
from omni_pipeline.steps.raw_pages import crawl
from omni_pipeline.store import domains, failed_pages
from omni_pipeline.store.database import Database
from omni_pipeline_tests.sites import Page, Script, Seen, redirect
from omni_pipeline_tests.steps.paper_sites import PaperSite, judge
from omni_pipeline_tests.steps.imagined_sites import ImaginedCrawler, ImaginedSite
from omni_pipeline_tests.steps.scripted_crawls import CutOffError, conserved, page, site_of

MakeCrawler = Callable[..., ImaginedCrawler]


@pytest.fixture
def make(database: Database, tmp_path: Path) -> MakeCrawler:
    def make_crawler(
        pages: Mapping[str, Script] | None = None,
        *,
        url: str = "https://site.test/",
        seed: int = 0,
        **config: Any,
    ) -> ImaginedCrawler:
        site = ImaginedSite(url, pages, seed=seed)
        return ImaginedCrawler(database=database, home=tmp_path, site=site, **config)

    return make_crawler


def tagged(html: str, etag: str) -> Page:
    return Page(body=html.encode(), headers={"content-type": "text/html"}, etag=f'"{etag}"')


def robots(text: str) -> Page:
    return Page(body=text.encode(), headers={"content-type": "text/plain"})


def sitemap(*urls: str) -> Page:
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return Page(body=f"<urlset>{entries}</urlset>".encode())


def canonical(target: str) -> str:
    return f'<link rel="canonical" href="{target}">'


def configure(crawler: ImaginedCrawler, **changes: Any) -> None:
    with crawler.database.connect() as conn:
        domains.configure(conn, crawler.host, changes)  # type: ignore[arg-type] # by name


def open_failures(crawler: ImaginedCrawler) -> set[str]:
    rows = crawler.query("SELECT url FROM failed_pages WHERE resolved_at IS NULL")
    return {crawler.path(str(url)) for (url,) in rows}


@pytest.mark.parametrize("seed", range(int(os.environ.get("OMNI_SCENARIO_SEEDS", "6"))))
def test_whatever_a_site_does_the_index_holds_what_the_evidence_says(
    make: MakeCrawler, seed: int
) -> None:
    """A3, A12, A17, A19, I28: whole, cut off and resumed, forced or not."""
    chance = random.Random(seed)
    paper = PaperSite(chance=chance, has_etags=seed % 3 == 2)
    crawler = make(seed=seed, concurrency=chance.choice((1, 4)))
    live: set[str] = set()
    for _ in range(5):
        crawler.site.pages = paper.scripts(crawler.site.url)
        configure(crawler, exclude_patterns=[path for path in sorted(paper.excluded)])
        is_forced = chance.random() < 0.5
        retried = open_failures(crawler) if is_forced else set()
        verdict = judge(paper, live, retried)
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
        assert set(counts) <= verdict.asked
        assert max(counts.values(), default=0) <= 2
        assert open_failures(crawler) & verdict.asked == verdict.failing
        again = crawler.crawl()
        assert (again.pages_changed, crawler.live()) == (0, live)
        paper.change()
