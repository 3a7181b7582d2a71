"""Pages that move: found at every moment, and paid for once."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from omni_pipeline.domain.chunks.chunking import Chunker
from omni_pipeline.errors import TemporaryError
from omni_pipeline.settings import Settings
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index import embeddings
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import Page, Script, ScriptedSite, redirect
from omni_pipeline_tests.steps.conftest import CountingClient, Pipeline

NAMES = tuple(f"part-{number}" for number in range(12))


def say(name: str, version: int = 0) -> str:
    """A text of a page's own, in paragraphs that make several chunks."""
    return "".join(
        f"<h2>{name} section {n}</h2><p>"
        + f"What {name} says in section {n} of version {version} is said nowhere else. " * 8
        for n in range(3)
    )


def make_page(body: str, links: tuple[str, ...] = ()) -> str:
    anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    return (
        f"<html lang=en><title>{body[4:20]}</title><main>{body}</main><nav>{anchors}</nav></html>"
    )


def make_site(folder: str = "/", names: tuple[str, ...] = NAMES) -> dict[str, Script]:
    paths = {name: f"{folder}{name}" for name in names}
    home = make_page(say("home"), tuple(paths.values()))
    pages: dict[str, Script] = {path: make_page(say(name)) for name, path in paths.items()}
    return pages | {"/": home}


@dataclass(kw_only=True)
class Mover:
    """A refreshed site of thirteen pages, and what readers find of it."""

    pipeline: Pipeline
    web_site: ScriptedSite

    def replace_pages(self, pages: Mapping[str, Script]) -> None:
        self.web_site.pages.clear()
        self.web_site.pages.update(pages)

    def texts(self) -> set[str]:
        rows = self.pipeline.query(b"SELECT DISTINCT text FROM live_chunks")
        return {str(text) for (text,) in rows}

    def paths(self) -> set[str]:
        rows = self.pipeline.query(b"SELECT DISTINCT url FROM live_chunks")
        return {str(url).removeprefix(self.web_site.url[:-1]) for (url,) in rows}

    def refresh(self) -> list[str]:
        """The texts that were paid for."""
        self.pipeline.refresh(force_rescrape=True)
        return list(self.pipeline.client.texts)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """No snapshot of a reader lacks a text that stands before and after."""
        before = self.texts()
        snapshots: list[set[str]] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                snapshots.append(self.texts())

        reader = threading.Thread(target=watch)
        reader.start()
        try:
            yield
        finally:
            done.set()
            reader.join()
        lasting = before & self.texts()
        assert lasting
        assert [lasting - seen for seen in snapshots if lasting - seen] == []


@pytest.fixture
def mover(database: Database, chunker: Chunker, tmp_path: Path) -> Iterator[Mover]:
    with ScriptedSite(make_site()) as site:
        host = f"127.0.0.1:{site.port}"
        with database.connect() as conn:
            domains.add(conn, NewDomain(host=host, start_url=site.url, delay_seconds=0))
        pipeline = Pipeline(
            database=database,
            settings=Settings(home=tmp_path, allow_addresses=site.allowed),
            host=host,
            site=site,  # type: ignore[arg-type] # the pipeline only crawls it
            chunker=chunker,
        )
        mover = Mover(pipeline=pipeline, web_site=site)
        assert len(mover.refresh()) == len(mover.texts()) > len(NAMES)
        yield mover


def moved_by_redirect() -> dict[str, Script]:
    redirects: dict[str, Script] = {f"/{n}": redirect(f"/docs/{n}", 301) for n in NAMES}
    return make_site("/docs/") | redirects


MOVES: dict[str, dict[str, Script]] = {
    "a folder, with redirects": moved_by_redirect(),
    "three pages, without": {
        **make_site(names=NAMES[3:]),
        **make_site("/docs/", NAMES[:3]),
        "/": make_page(
            say("home"), (*(f"/docs/{n}" for n in NAMES[:3]), *(f"/{n}" for n in NAMES[3:]))
        ),
    },
    "a copy that names its new address": {
        **make_site("/docs/"),
        **{
            f"/{n}": make_page(say(n)).replace(
                "<title>", f'<link rel=canonical href="/docs/{n}"><title>'
            )
            for n in NAMES
        },
    },
}


@pytest.mark.parametrize("pages", MOVES.values(), ids=list(MOVES))
def test_pages_that_move_stay_found_and_are_not_paid_for_again(
    mover: Mover, pages: dict[str, Script]
) -> None:
    texts = mover.texts()
    mover.replace_pages(pages)
    with mover.watched():
        assert mover.refresh() == []
    assert mover.texts() == texts
    expected = {path for path in pages if path == "/" or path.startswith("/docs/")}
    assert expected <= mover.paths()
    gone = {
        str(u) for (u,) in mover.pipeline.query(b"SELECT url FROM raw_pages WHERE status = 'gone'")
    }
    assert not {f"{mover.web_site.url[:-1]}{path}" for path in mover.paths()} & gone
    assert mover.pipeline.violations() == []


def edited_and_moved() -> dict[str, Script]:
    pages = moved_by_redirect()
    return pages | {f"/docs/{n}": make_page(say(n) + say(n, version=1)) for n in NAMES}


def test_an_endpoint_that_fails_takes_no_page_from_readers(mover: Mover) -> None:
    mover.replace_pages(edited_and_moved())
    before = mover.texts()
    mover.pipeline.client = CountingClient(breaks_after=0)
    for _ in range(2):
        with mover.watched(), pytest.raises(TemporaryError, match="went away"):
            mover.refresh()
        assert mover.texts() == before
    assert mover.pipeline.violations() == []
    mover.pipeline.client = CountingClient()
    with mover.watched():
        bought = mover.refresh()
    assert bought
    assert not set(bought) & before
    assert not {f"/{n}" for n in NAMES} & mover.paths()
    assert mover.pipeline.violations() == []


def test_a_page_stays_while_its_new_address_is_refused(mover: Mover) -> None:
    pages = moved_by_redirect()
    pages["/docs/part-0"] = make_page(say("part-0") + say("unspeakable"))
    mover.replace_pages(pages)
    before = mover.texts()
    mover.pipeline.client = CountingClient(refuses="unspeakable")
    with mover.watched():
        report = mover.pipeline.refresh(force_rescrape=True).embeddings
    assert (report.pages_failed, report.pages_waiting) == (1, 1)
    assert report.pages_removed == len(NAMES) - 1
    assert mover.texts() == before
    assert "/part-0" in mover.paths()
    assert mover.pipeline.violations() == []
    mover.pipeline.client = CountingClient()
    assert all("unspeakable" in text for text in mover.refresh())
    assert "/part-0" not in mover.paths()
    assert mover.pipeline.violations() == []


def test_a_text_stays_while_the_other_page_that_has_it_is_refused(mover: Mover) -> None:
    """Nobody says where it went: the text itself does."""
    pages = make_site(names=NAMES[1:])
    pages["/new"] = make_page(say("part-0") + say("unspeakable"))
    pages["/"] = make_page(say("home"), ("/new", *(f"/{n}" for n in NAMES[1:])))
    mover.replace_pages(pages)
    before = mover.texts()
    mover.pipeline.client = CountingClient(refuses="unspeakable")
    assert mover.pipeline.refresh(force_rescrape=True).embeddings.pages_waiting == 1
    assert mover.texts() == before
    assert mover.pipeline.violations() == []


def test_a_page_that_comes_back_is_not_paid_for_again(mover: Mover) -> None:
    """410, then 200."""
    pages = dict(mover.web_site.pages)
    before = mover.texts()
    mover.web_site.pages["/part-0"] = Page(status=410)
    assert mover.refresh() == []
    assert "/part-0" not in mover.paths()
    mover.replace_pages(pages)
    assert mover.refresh() == []
    assert mover.texts() == before


def test_an_edit_that_is_taken_back_is_not_paid_for_again(mover: Mover) -> None:
    """A, B, A."""
    page = mover.web_site.pages["/part-0"]
    mover.web_site.pages["/part-0"] = make_page(say("part-0", version=1))
    assert mover.refresh()
    mover.web_site.pages["/part-0"] = page
    assert mover.refresh() == []


def test_a_crawl_alone_takes_nothing_from_readers(mover: Mover) -> None:
    """Whatever ends the run after it: a kill, a budget, a check."""
    before = mover.texts()
    mover.replace_pages(moved_by_redirect())
    with mover.pipeline.open() as refresh, mover.pipeline.web() as web:
        report = crawl(refresh, web, user_agent="test", force_rescrape=True)
    assert report.pages_live == len(NAMES) + 1
    assert mover.texts() == before
    assert mover.refresh() == []
    assert mover.texts() == before


def test_a_section_that_goes_to_another_page_is_missed_at_no_moment(
    mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round and round: each page gives its own to the next, swapped a few at a time."""
    monkeypatch.setattr(embeddings, "PUBLISH_PAGES", 2)
    pages = make_site()
    for name, other in zip(NAMES[:6], (*NAMES[1:6], NAMES[0]), strict=True):
        pages[f"/{name}"] = make_page(f"<p>{name}, with what another one said.</p>" + say(other))
    mover.replace_pages(pages)
    before = mover.texts()
    with mover.watched():
        bought = mover.refresh()
    assert not set(bought) & before
    assert len(mover.texts() & before) > len(before) / 2
    assert mover.pipeline.violations() == []


def test_a_page_keeps_a_section_while_the_page_it_went_to_is_refused(mover: Mover) -> None:
    mover.web_site.pages["/part-0"] = make_page(say("part-0", version=1))
    mover.web_site.pages["/part-1"] = make_page(say("part-0") + say("unspeakable"))
    before = mover.texts()
    mover.pipeline.client = CountingClient(refuses="unspeakable")
    report = mover.pipeline.refresh(force_rescrape=True).embeddings
    assert (report.pages_failed, report.pages_waiting) == (1, 1)
    assert mover.texts() == before
    assert mover.pipeline.violations() == []
