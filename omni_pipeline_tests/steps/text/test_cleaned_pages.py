"""What a refresh says of the texts that it found."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import WORDS, Crawler, page, site_of


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite(site_of(3)) as site:
        yield site


@pytest.fixture
def crawler(site: ScriptedSite, database: Database, tmp_path: Path) -> Crawler:
    return Crawler(database=database, home=tmp_path, site=site)


def changes(crawler: Crawler) -> list[str]:
    """The lines, with paths for URLs."""
    _, report = crawler.crawl_and_clean()
    return [line.replace(crawler.site.url.rstrip("/"), "") for line in report.changes]


def sections(**texts: str) -> str:
    return page("/", text="".join(f"</p><h2>{name}</h2><p>{t}" for name, t in texts.items()))


def test_new_changed_and_gone_pages_are_told_in_words(site: ScriptedSite, crawler: Crawler) -> None:
    site.pages["/page-1"] = sections(Ebb="It goes.", Flood=WORDS)
    assert changes(crawler) == [
        "new: / (Home)",
        "new: /page-0 (Page /page-0)",
        "new: /page-1 (A page)",
        "new: /page-2 (Page /page-2)",
    ]
    site.pages["/page-1"] = sections(Ebb="It went.", Springs="High.", Flood=WORDS)
    site.pages["/"] = page("/page-0", "/page-1", "/page-2", "/page-9", title="Home")
    site.pages["/page-9"] = page(title="Nine")
    del site.pages["/page-2"]

    assert changes(crawler) == [
        "new: /page-9 (Nine)",
        "changed: / (under Home)",
        "changed: /page-1 (under Ebb, Springs)",
        "gone: /page-2 (the site says that it is not there)",
    ]
    assert changes(crawler) == []


def test_many_changes_are_counted(site: ScriptedSite, crawler: Crawler) -> None:
    site.pages.update(site_of(40))

    lines = changes(crawler)

    assert len(lines) == 11
    assert lines[-1] == "new: 31 more pages"


def test_a_page_that_returns_is_new(site: ScriptedSite, crawler: Crawler) -> None:
    changes(crawler)
    kept = site.pages.pop("/page-1")
    changes(crawler)
    site.pages["/page-1"] = kept

    assert changes(crawler) == ["new: /page-1 (Page /page-1)"]
