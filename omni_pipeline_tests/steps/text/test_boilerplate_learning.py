"""What a site repeats is left out of its texts, slowly enough, and never taken for a change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from omni_pipeline.gateways.cleaning.pool import CleaningLimits
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.text import cleaned_pages
from omni_pipeline.steps.text.cleaned_pages import CleanedPagesReport, clean_pages
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import WORDS, Crawler

MENU = "".join(
    f"<p><a href='/page-{number}'>Chapter number {number}</a></p>" for number in range(6)
)
FOOTER = "<p>All that is said here was measured, and none of it is advice about your own roof.</p>"
PATHS = [f"/page-{number}" for number in range(30)]
LINKS = "".join(f"<a href='{path}'></a>" for path in PATHS)


def bare(title: str, *, menu: str = MENU, footer: str = FOOTER, text: str = "") -> str:
    """A page that does not say where its content is."""
    text = text or f"{title}: {WORDS * 12}"
    return (
        f"<html><head><title>{title}</title></head><body>{menu}<h1>{title}</h1>"
        f"<p>{text}</p><p>More of {title}.</p>{footer}{LINKS}</body></html>"
    )


def bare_site(paths: list[str] = PATHS) -> dict[str, str]:
    return {path: bare(f"Page {path}") for path in ("/", *paths)}


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite(bare_site()) as site:
        yield site


@pytest.fixture
def crawler(site: ScriptedSite, database: Database, tmp_path: Path) -> Crawler:
    return Crawler(database=database, home=tmp_path, site=site)


def texts(crawler: Crawler) -> dict[str, str]:
    rows = crawler.query(
        "SELECT p.url, cp.markdown FROM cleaned_pages cp JOIN raw_pages p ON p.id = cp.page_id"
    )
    return {crawler.path(str(url)): str(markdown) for url, markdown in rows}


def refresh(crawler: Crawler) -> CleanedPagesReport:
    return crawler.crawl_and_clean()[1]


def version(crawler: Crawler) -> object:
    rows = crawler.query("SELECT version FROM boilerplate")
    return rows[0][0] if rows else 0


def test_menus_and_footers_of_pages_without_landmarks_go_in_the_first_refresh(
    crawler: Crawler,
) -> None:
    refresh(crawler)

    for path, markdown in texts(crawler).items():
        assert "Chapter" not in markdown
        assert "advice" not in markdown
        assert f"More of Page {path}." in markdown
    assert crawler.violations() == []


def test_the_next_refresh_of_the_same_site_cleans_and_decides_nothing(crawler: Crawler) -> None:
    """R-A11"""
    refresh(crawler)
    before = crawler.query("SELECT page_id, xmin::text FROM cleaned_pages ORDER BY 1")
    decided = crawler.query("SELECT xmin::text FROM boilerplate")

    report = refresh(crawler)

    assert (report.pages_cleaned, report.pages_caught_up, report.pages_behind) == (0, 0, 0)
    assert crawler.query("SELECT page_id, xmin::text FROM cleaned_pages ORDER BY 1") == before
    assert crawler.query("SELECT xmin::text FROM boilerplate") == decided


def test_one_page_more_changes_no_other_text(site: ScriptedSite, crawler: Crawler) -> None:
    refresh(crawler)
    before = texts(crawler)
    for number in range(5):
        site.pages[f"/new-{number}"] = bare(f"New {number}")
        site.pages["/"] = bare("Page /") + f"<a href='/new-{number}'>n</a>"
        refresh(crawler)

    after = texts(crawler)
    assert len(after) == len(before) + 5
    assert version(crawler) == 1
    assert {path: after[path] for path in before if path != "/"} == {
        path: text for path, text in before.items() if path != "/"
    }


def test_another_decision_reaches_pages_that_nobody_edited_at_a_bounded_pace(
    site: ScriptedSite, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaned_pages, "MAX_CAUGHT_UP_OF_FEW", 4)
    site.pages.update({path: bare(path, menu="", footer="") for path in ("/", *PATHS)})
    refresh(crawler)
    site.pages.update({path: bare(path, footer="") for path in PATHS[:10]})
    report = refresh(crawler)
    assert version(crawler) == 1
    assert (report.pages_caught_up, report.pages_behind) == (4, 17)
    assert report.pages_changed == 0

    waiting = [refresh(crawler).pages_behind for _ in range(5)]

    assert waiting == [13, 9, 5, 1, 0]
    assert crawler.query("SELECT count(*) FROM cleaned_pages WHERE markdown LIKE '%Chapter%'") == [
        (0,)
    ]


def test_text_that_is_left_out_now_is_not_taken_for_a_site_that_shrank(
    site: ScriptedSite, crawler: Crawler
) -> None:
    """The guard against walls looks at what the site says, not at what is left of it.

    R-A12, F-D36.
    """
    long_menu = "".join(f"<p>An entry of the menu that is rather long: {n}.</p>" for n in range(60))
    site.pages.update({path: bare(path, menu=f"{long_menu}<p>{path}</p>") for path in PATHS[:3]})
    for path in ("/", *PATHS[3:]):
        del site.pages[path]
    site.pages["/"] = bare("Home", menu=f"{long_menu}")
    refresh(crawler)
    assert version(crawler) == 0
    site.pages.update(
        {path: bare(f"{path} too", menu=long_menu, text=f"{path} {WORDS * 5}") for path in PATHS}
    )

    report = refresh(crawler)

    assert version(crawler) == 1
    assert report.pages_held == 0
    assert not [text for text in texts(crawler).values() if "entry of the menu" in text]


def test_a_wall_in_front_of_the_site_teaches_nothing(site: ScriptedSite, crawler: Crawler) -> None:
    """It stands on every page, and would else be boilerplate, and the menus none any more.

    F-D36.
    """
    refresh(crawler)
    before, decided = texts(crawler), crawler.query("SELECT blocks FROM boilerplate")
    wall = "Please confirm that you are of age, before you may read about the weather of gardens."
    site.pages.update(
        {path: f"<title>{path}</title><p>{path}</p><p>{wall}</p>{LINKS}" for path in ("/", *PATHS)}
    )

    report = refresh(crawler)

    assert report.pages_held == len(PATHS) + 1
    assert crawler.query("SELECT blocks FROM boilerplate") == decided
    assert texts(crawler) == before


def test_a_page_of_the_sample_that_left_is_forgotten(site: ScriptedSite, crawler: Crawler) -> None:
    refresh(crawler)
    site.pages[PATHS[0]] = bare("Changed")
    del site.pages[PATHS[1]]
    refresh(crawler)

    known = crawler.query(
        "SELECT count(*) FROM boilerplate_samples s JOIN raw_pages p ON p.id = s.page_id "
        "WHERE p.status = 'live'"
    )
    assert crawler.query("SELECT count(*) FROM boilerplate_samples") == known == [(len(PATHS),)]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", range(7))
def test_a_run_that_is_killed_is_gone_on_with_to_the_same_texts(
    crawler: Crawler, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """R-A19: after any of its commits."""
    with crawler.open() as opened, crawler.web() as web:
        crawl(opened, web, user_agent="omni_pipeline/0.1")
    with pytest.raises(KilledError), killed_after(crawler, after, monkeypatch) as clean:
        clean()
    refresh(crawler)
    state = texts(crawler)

    assert version(crawler) == 1
    assert crawler.query("SELECT count(DISTINCT boilerplate_version) FROM cleaned_pages") == [(1,)]
    assert len(state) == len(PATHS) + 1
    assert not [text for text in state.values() if "Chapter" in text or "advice" in text]


@contextmanager
def killed_after(
    crawler: Crawler, commits: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], object]]:
    """A way to clean that ends after so many transactions."""
    with crawler.open() as opened:
        write, done = type(opened).write, 0

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal done
            if done == commits:
                raise KilledError
            done += 1
            return write(self, *args, **kwargs)

        monkeypatch.setattr(type(opened), "write", counted)
        try:
            yield lambda: clean_pages(opened)
        finally:
            monkeypatch.undo()


def test_workers_clean_to_the_same_texts(
    site: ScriptedSite, database: Database, tmp_path: Path, crawler: Crawler
) -> None:
    with crawler.open() as opened, crawler.web() as web:
        crawl(opened, web, user_agent="omni_pipeline/0.1")
        clean_pages(opened, CleaningLimits(min_bytes=0))
    pooled = texts(crawler)
    crawler.query("DELETE FROM cleaned_pages RETURNING 1")
    refresh(crawler)

    assert texts(crawler) == pooled


def test_a_page_over_its_budget_is_on_the_ledger_and_the_others_are_cleaned(
    site: ScriptedSite, crawler: Crawler
) -> None:
    """F-D35, R-A17"""
    site.pages["/page-3"] = "<title>x</title>" + "<p>one word and another</p>" * 100_000
    with crawler.open() as opened, crawler.web() as web:
        crawl(opened, web, user_agent="omni_pipeline/0.1")
        report = clean_pages(opened, CleaningLimits(memory_bytes=8 << 20))

    assert (report.pages_cleaned, report.pages_failed) == (31, 1)
    assert crawler.query("SELECT url, stage, error_kind FROM failed_pages") == [
        (f"{site.url.rstrip('/')}/page-3", "clean", "permanent.over_budget")
    ]
    assert crawler.violations() == []
