"""A whole refresh, step by step, on the sample site: what it costs and what it leaves."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from psycopg import Connection

from omni_pipeline.domain.chunks.chunking import make_chunker
from omni_pipeline.errors import DomainBusyError, LeaseLostError, PermanentError, TemporaryError
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.crawl.removal import Losses, Move, Removed, remove_pages
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.crawl import frontier
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline_tests.steps.conftest import CountingClient, Pipeline

PAGE = "/docs/watering.html"
ROWS = (
    b"SELECT 'chunk', id, xmin::text FROM chunks UNION ALL "
    b"SELECT 'vector', chunk_id, xmin::text FROM embeddings ORDER BY 1, 2"
)


def edit(pipeline: Pipeline, path: str, old: str, new: str) -> None:
    html = pipeline.site.read(path)
    assert old in html
    pipeline.site.pages[path] = html.replace(old, new)


def moved_to(url: str) -> Move:
    return Move(target=url, evidence=RemovalEvidence(reason="moved", http_status=301))


def test_a_refresh_makes_every_page_of_the_site_searchable(pipeline: Pipeline) -> None:
    """R-A3, R-A14: found by links and by the sitemap, counted, conserved."""
    report = pipeline.refresh()
    crawled = report.raw_pages
    assert crawled.pages_live == crawled.pages_changed > 10
    assert crawled.pages_discovered == (
        crawled.pages_changed + crawled.pages_gone + crawled.pages_failed + crawled.pages_skipped
    )
    assert report.embeddings.chunks_live == report.embeddings.embeddings_live > 20
    assert report.embeddings.chunks_embedded == len(pipeline.client.texts)
    assert pipeline.violations() == []


def test_a_second_refresh_pays_nothing_and_writes_no_chunk_or_vector(pipeline: Pipeline) -> None:
    """R-A11, also under force_rescrape."""
    pipeline.refresh()
    before = pipeline.query(ROWS)
    report = pipeline.refresh(force_rescrape=True)
    assert pipeline.client.texts == []
    assert report.embeddings.pages_published == 0
    assert pipeline.query(ROWS) == before
    assert report.raw_pages.pages_unchanged == report.raw_pages.pages_live


def test_a_recently_fetched_page_is_not_fetched_unless_forced(pipeline: Pipeline) -> None:
    """R-A5: inside the recency window no page is asked for; with the flag every page is."""
    first = pipeline.refresh()
    pages = [r.path for r in pipeline.site.requests if r.path.endswith((".html", "/"))]
    pipeline.site.requests.clear()
    pipeline.refresh()
    asked = [r.path for r in pipeline.site.requests if r.status == 200]
    assert not set(asked) - {"/robots.txt", "/sitemap.xml"}
    pipeline.site.requests.clear()
    pipeline.refresh(force_rescrape=True)
    again = {r.path for r in pipeline.site.requests}
    assert {path for path in pages if path in again} == set(pages)
    assert first.raw_pages.pages_live > 0


def test_after_the_window_an_unchanged_page_costs_one_conditional_request(
    pipeline: Pipeline,
) -> None:
    """R-A11, F-D1: the validators are sent, the answer is 304, nothing but the time is written."""
    report = pipeline.refresh()
    pipeline.query(b"UPDATE raw_pages SET checked_at = now() - interval '25 hours' RETURNING id")
    before = pipeline.query(ROWS)
    pipeline.site.requests.clear()
    second = pipeline.refresh()
    assert pipeline.site.count_by_status[304] == report.raw_pages.pages_live
    assert second.raw_pages.pages_unchanged == report.raw_pages.pages_live
    assert pipeline.query(ROWS) == before
    assert pipeline.client.texts == []


def test_editing_one_paragraph_embeds_exactly_the_chunks_whose_text_changed(
    pipeline: Pipeline,
) -> None:
    """R-A11: new texts of the page = texts paid for; every other row stays the row it was."""
    pipeline.refresh()
    before, rows = pipeline.published_texts(PAGE), set(pipeline.query(ROWS))
    edit(pipeline, PAGE, "suspends the plan", "suspends this one plan")
    report = pipeline.refresh(force_rescrape=True)
    changed = set(pipeline.published_texts(PAGE)) - set(before)
    assert changed
    assert sorted(pipeline.client.texts) == sorted(changed)
    assert report.embeddings.chunks_embedded == len(changed)
    replaced = set(pipeline.query(ROWS)) - rows
    assert len([row for row in replaced if row[0] == "vector"]) == len(changed)
    assert pipeline.violations() == []


def test_force_reembed_pays_for_every_chunk_again(pipeline: Pipeline) -> None:
    """R-A11: the separate, explicit way to pay again; nothing is fetched for it."""
    first = pipeline.refresh()
    report = pipeline.refresh(force_reembed=True)
    assert report.embeddings.chunks_embedded == first.embeddings.chunks_embedded
    assert report.embeddings.embeddings_live == first.embeddings.embeddings_live
    assert pipeline.violations() == []


def test_another_chunking_rechunks_every_page_on_the_next_refresh(pipeline: Pipeline) -> None:
    """R-A13, F-D4: one configuration, versioned; its change never leaves a mix behind."""
    pipeline.refresh()
    pipeline.chunker = make_chunker("text-embedding-3-small", 60)
    report = pipeline.refresh()
    assert report.embeddings.pages_published == report.raw_pages.pages_live
    kinds = pipeline.query(b"SELECT DISTINCT chunker FROM page_revisions WHERE state = 'live'")
    assert kinds == [(pipeline.chunker.version,)]
    assert pipeline.violations() == []


def test_a_page_that_is_gone_twice_leaves_with_its_chunks(pipeline: Pipeline) -> None:
    """R-A12: 404 is confirmed by a second request in the same refresh."""
    pipeline.refresh()
    pipeline.site.remove(PAGE)
    pipeline.site.requests.clear()
    report = pipeline.refresh(force_rescrape=True)
    assert [r.path for r in pipeline.site.requests].count(PAGE) == 2
    assert pipeline.published_texts(PAGE) == []
    assert report.raw_pages.pages_gone >= 1
    assert pipeline.violations() == []


def test_a_page_that_comes_back_is_published_again(pipeline: Pipeline) -> None:
    pipeline.refresh()
    pipeline.site.remove(PAGE)
    pipeline.refresh(force_rescrape=True)
    del pipeline.site.pages[PAGE]
    pipeline.refresh(force_rescrape=True)
    assert pipeline.published_texts(PAGE)
    assert pipeline.violations() == []


def test_a_site_that_answers_404_everywhere_loses_nothing(pipeline: Pipeline) -> None:
    """R-A12, F-D9: an implausible loss is held, and what was published is still answered."""
    live = pipeline.refresh().raw_pages.pages_live
    for (url,) in pipeline.query(b"SELECT url FROM raw_pages"):
        pipeline.site.remove(str(url).removeprefix(pipeline.site.url))
    report = pipeline.refresh(force_rescrape=True)
    assert (report.raw_pages.pages_gone, report.raw_pages.pages_held) == (0, live)
    assert pipeline.query(b"SELECT count(*) FROM raw_pages WHERE status = 'live'") == [(live,)]
    assert pipeline.published_texts(PAGE)
    assert pipeline.violations() == []


def test_a_site_that_redirects_everything_to_its_home_page_loses_nothing(
    pipeline: Pipeline,
) -> None:
    """R-A12, F-D10: one page as the answer to everything is no answer."""
    pipeline.refresh()
    home = f"{pipeline.site.url}/"
    urls = [str(url) for (url,) in pipeline.query(b"SELECT url FROM raw_pages") if url != home]
    losses = Losses(moves=dict.fromkeys(urls, moved_to(home)))
    with pipeline.open() as refresh:
        refresh.write(frontier.open_crawl, is_forced=True, recency_seconds=0)
        retired = refresh.write(remove_pages, losses, start_url=home)
    assert retired == Removed(pages_gone=0, pages_held=len(urls))
    assert pipeline.violations() == []


def test_a_page_that_moved_is_gone_when_its_new_place_is_live(pipeline: Pipeline) -> None:
    pipeline.refresh()
    old, new = f"{pipeline.site.url}{PAGE}", f"{pipeline.site.url}/faq.html"
    start = f"{pipeline.site.url}/"
    with pipeline.open() as refresh:
        nowhere = Losses(moves={old: moved_to(f"{pipeline.site.url}/not-yet-there.html")})
        assert refresh.write(remove_pages, nowhere, start_url=start).pages_gone == 0
        arrived = Losses(moves={old: moved_to(new)})
        assert refresh.write(remove_pages, arrived, start_url=start).pages_gone == 1
    assert pipeline.published_texts(PAGE), "readers have it until the refresh is through"
    assert pipeline.violations() == []


def test_server_errors_remove_nothing_and_are_on_the_ledger(pipeline: Pipeline) -> None:
    """R-A12, R-A17, F-D11: 500 is a failure of the look, not of the page."""
    pipeline.refresh()
    before = pipeline.published_texts(PAGE)
    pipeline.site.remove(PAGE, HTTPStatus.INTERNAL_SERVER_ERROR)
    report = pipeline.refresh(force_rescrape=True)
    assert report.raw_pages.pages_failed == 1
    assert pipeline.published_texts(PAGE) == before
    [(url, stage)] = pipeline.query(
        b"SELECT url, stage FROM failed_pages WHERE resolved_at IS NULL"
    )
    assert (url, stage) == (f"{pipeline.site.url}{PAGE}", "fetch")


def test_an_unreachable_site_fails_with_one_clear_line(pipeline: Pipeline) -> None:
    with pipeline.database.connect() as conn:
        conn.execute(b"UPDATE domains SET start_url = 'https://omni-pipeline.invalid/'")
    with pytest.raises(TemporaryError, match=r"robots\.txt could not be read"):
        pipeline.refresh()


def test_a_site_that_asks_for_an_absurd_delay_is_not_crawled(pipeline: Pipeline) -> None:
    """F-D19: skipped with a visible reason, instead of one page a week."""
    pipeline.site.pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 1000000000\n"
    with pytest.raises(PermanentError, match="between requests"):
        pipeline.refresh()
    assert {r.path for r in pipeline.site.requests} == {"/robots.txt"}


def test_a_sitemap_at_an_address_that_is_not_public_is_not_fetched_and_said_to_be_unread(
    pipeline: Pipeline,
) -> None:
    """S-28: named in robots.txt, it is asked for where the web is, and only there; said it is."""
    pipeline.site.pages["/robots.txt"] = (
        "Sitemap: http://169.254.169.254/latest/meta-data\nSitemap: http://127.0.0.1:1/s.xml\n"
    )
    report = pipeline.refresh()
    assert [note.partition(" could not")[0] for note in report.raw_pages.notes] == [
        "The sitemap http://169.254.169.254/latest/meta-data",
        "The sitemap http://127.0.0.1:1/s.xml",
    ]
    assert report.raw_pages.pages_live > 10


def test_the_page_limit_truncates_and_says_so(pipeline: Pipeline) -> None:
    report = pipeline.refresh(max_pages=5)
    assert report.raw_pages.pages_discovered == 5
    assert report.raw_pages.is_truncated


def test_vectors_paid_for_before_a_failure_are_not_paid_for_again(pipeline: Pipeline) -> None:
    """R-A19: what was answered before the endpoint went away is kept."""
    pipeline.client = CountingClient(breaks_after=1)
    with pytest.raises(TemporaryError):
        pipeline.refresh()
    paid = list(pipeline.client.texts)
    assert paid
    pipeline.client = CountingClient()
    pipeline.refresh()
    assert not set(pipeline.client.texts) & set(paid)
    assert pipeline.violations() == []


def test_a_refused_text_keeps_only_its_own_page_back(pipeline: Pipeline) -> None:
    """F-C17: the page keeps what it had published, the others go on."""
    pipeline.refresh()
    before = pipeline.published_texts(PAGE)
    edit(pipeline, PAGE, "suspends the plan", "suspends the UNSPEAKABLE plan")
    pipeline.client = CountingClient(refuses="UNSPEAKABLE")
    report = pipeline.refresh(force_rescrape=True)
    assert report.embeddings.pages_failed == 1
    assert pipeline.published_texts(PAGE) == before
    assert pipeline.violations() == []


def test_the_second_of_two_refreshes_is_told_who_holds_the_domain(pipeline: Pipeline) -> None:
    """R-A8: the loser leaves at once, without a request."""
    with pipeline.open("run-of-the-winner"):
        pipeline.site.requests.clear()
        with (
            pytest.raises(DomainBusyError, match="run-of-the-winner"),
            pipeline.open("run-of-the-loser"),
        ):
            pass
        assert pipeline.site.requests == []


def crawl_then(pipeline: Pipeline, disturb: Callable[[Connection], object]) -> None:
    """Crawl, let something happen to the domain, and go on as if nothing had."""
    with pipeline.open() as refresh, pipeline.web() as web:
        crawl(refresh, web, user_agent="test")
        with pipeline.database.connect() as conn:
            disturb(conn)
        clean_pages(refresh)


def test_a_run_that_lost_its_domain_writes_nothing_more(pipeline: Pipeline) -> None:
    """R-A8, P-3: fenced out in the middle, at the next write."""
    with pytest.raises(LeaseLostError):
        crawl_then(pipeline, lambda conn: reaping.reap(conn, lease_seconds=-1))
    assert pipeline.query(b"SELECT count(*) FROM cleaned_pages") == [(0,)]
    [(status, ended_by)] = pipeline.query(b"SELECT status, ended_by FROM crawl_jobs")
    assert (status, ended_by) == ("failed", "reaper")


def test_removing_a_domain_in_mid_refresh_ends_it_and_says_why(pipeline: Pipeline) -> None:
    """R-B3: no orphan, and the job row keeps host and reason."""
    with pytest.raises(LeaseLostError):
        crawl_then(pipeline, lambda conn: domains.remove(conn, pipeline.host))
    [(host, status, kind)] = pipeline.query(b"SELECT host, status, error_kind FROM crawl_jobs")
    assert (host, status, kind) == (pipeline.host, "failed", "permanent.domain_removed")
    assert pipeline.violations() == []


def test_every_step_may_run_twice(pipeline: Pipeline) -> None:
    """R-A10, habit 10: a repeated step changes nothing."""
    pipeline.refresh()
    before = pipeline.query(ROWS)
    with pipeline.open() as refresh:
        for _ in range(2):
            clean_pages(refresh)
            stage_chunks(refresh, pipeline.model(), pipeline.chunker)
            embed_and_publish(refresh, pipeline.model(), pipeline.client)
    assert pipeline.query(ROWS) == before
