"""Each page's text: what changed is said, and only that is due for chunking."""

from dataclasses import replace
from datetime import date

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.index import chunks
from omni_pipeline.store.index.embedding_models import ensure
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline_tests.store.conftest import (
    CHUNKER,
    HOST,
    MISSING,
    Run,
    count,
    new_revision,
    new_text,
    start_run,
)


def clean(run: Run, markdown_by_page: dict[int, str]) -> int:
    with run.fenced():
        return run.clean(dict.fromkeys(markdown_by_page, "html"), markdown_by_page)


def due(run: Run, *, model_id: int | None = None, chunker: str = CHUNKER) -> list[int]:
    texts = cleaned_pages.due_for_chunking(
        run.conn,
        run.claim,
        model_id=model_id or run.model.id,
        chunker=chunker,
        after_id=0,
        limit=100,
    )
    return [text.page_id for text in texts]


def stage(run: Run, page_id: int, markdown: str) -> None:
    with run.fenced():
        revision = new_revision(page_id, [markdown])
        chunks.stage(run.conn, run.claim, [revision], model_id=run.model.id, chunker=CHUNKER)


def test_saving_counts_the_texts_that_say_something_else(run: Run) -> None:
    """R-A11: the same text from another body is no change."""
    first, second = run.save_pages("p", "q")
    assert clean(run, {first: "one", second: "two"}) == 2
    assert clean(run, {first: "one", second: "two"}) == 0
    assert clean(run, {first: "one", second: "three"}) == 1


def test_a_text_that_says_the_same_stays_to_the_letter(run: Run) -> None:
    """R-A11: the offsets of published chunks are counted in it."""
    (page_id,) = run.save_pages("p")
    before = new_text(page_id, "html", "Seen 5 minutes ago.")
    after = replace(before, markdown="Seen 10 minutes ago.")
    for text in (before, after):
        with run.fenced():
            cleaned_pages.save(run.conn, run.claim, [text], cleaner_version=1)
    rows = run.conn.execute("SELECT markdown FROM cleaned_pages").fetchall()
    assert rows == [(before.markdown,)]


def test_a_saved_text_is_what_chunking_gets(run: Run) -> None:
    (page_id,) = run.save_pages("p")
    clean(run, {page_id: "# Title\n\n`ä` \N{SNOWMAN}"})
    (text,) = cleaned_pages.due_for_chunking(
        run.conn, run.claim, model_id=run.model.id, chunker=CHUNKER, after_id=0, limit=9
    )
    assert text == cleaned_pages.DueText(
        page_id=page_id,
        url=f"https://{HOST}/p",
        title="Title",
        language="en",
        markdown="# Title\n\n`ä` \N{SNOWMAN}",
        content_hash=text_hash("# Title\n\n`ä` \N{SNOWMAN}"),
    )


def test_a_text_is_due_until_it_is_staged_and_again_when_it_changes(run: Run) -> None:
    """R-A11"""
    (page_id,) = run.save_pages("p")
    clean(run, {page_id: "one"})
    assert due(run) == [page_id]
    stage(run, page_id, "one")
    assert due(run) == []
    clean(run, {page_id: "two"})
    assert due(run) == [page_id]


def test_a_published_text_is_due_only_when_it_changes(run: Run) -> None:
    (page_id,) = run.save_pages("p")
    run.publish({page_id: ["one"]})
    assert due(run) == []
    clean(run, {page_id: "one"})
    assert due(run) == [], "the same text from another look costs nothing"
    clean(run, {page_id: "two"})
    assert due(run) == [page_id]
    stage(run, page_id, "two")
    assert due(run) == []


def test_a_text_that_went_back_to_what_is_published_replaces_what_was_staged(run: Run) -> None:
    """What is staged would be published next, so it has to follow the text, even back."""
    (page_id,) = run.save_pages("p")
    run.publish({page_id: ["one"]})
    clean(run, {page_id: "two"})
    stage(run, page_id, "two")
    clean(run, {page_id: "one"})
    assert due(run) == [page_id]


def test_another_chunking_makes_every_text_due_once(run: Run) -> None:
    """R-A13: a changed configuration cuts anew at the next refresh, and never mixes."""
    (page_id,) = run.save_pages("p")
    run.publish({page_id: ["one"]})
    assert due(run, chunker="md-2/200") == [page_id]
    revision = new_revision(page_id, ["one"])
    with run.fenced():
        chunks.stage(run.conn, run.claim, [revision], model_id=run.model.id, chunker="md-2/200")
    assert due(run, chunker="md-2/200") == []
    assert due(run) == [page_id], "and back again"


def test_another_model_has_its_own_due_texts(run: Run) -> None:
    """R-C5: another index is built beside the active one."""
    (page_id,) = run.save_pages("p")
    run.publish({page_id: ["one"]})
    second = ensure(run.conn, name="other", dimensions=4, is_lexical=False)
    assert due(run, model_id=second.id) == [page_id]
    assert due(run) == []


def test_a_text_whose_page_is_gone_is_not_due_and_can_be_forgotten(run: Run) -> None:
    gone, stays = run.save_pages("p", "q")
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {f"https://{HOST}/p": MISSING})
    assert due(run) == [stays]
    with run.fenced():
        cleaned_pages.remove(run.conn, [gone])
    assert count(run.conn, "SELECT page_id FROM cleaned_pages") == stays


def test_texts_of_another_domain_are_not_due_here(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    other.save_pages("p")
    assert due(run) == []
    assert len(due(other)) == 1


def test_dates_and_breadcrumbs_are_columns_of_lists_of_any_length(run: Run) -> None:
    first, second = run.save_pages("p", "q")
    dated = replace(
        new_text(first, "new", "one"),
        published_on=date(2024, 2, 29),
        breadcrumbs=("Home", 'With "quotes", commas'),
    )
    with run.fenced():
        texts = [dated, new_text(second, "new", "two")]
        cleaned_pages.save(run.conn, run.claim, texts, cleaner_version=1)
    rows = run.conn.execute(
        "SELECT published_on, modified_on, breadcrumbs FROM cleaned_pages ORDER BY page_id"
    ).fetchall()
    assert rows == [(date(2024, 2, 29), None, list(dated.breadcrumbs)), (None, None, [])]


def told(run: Run, limit: int = 10) -> list[tuple[str, str, list[str], int]]:
    changes = cleaned_pages.changes(run.conn, run.claim, max_of_a_kind=limit)
    return [
        (change.kind, change.url[-1], list(change.headings), change.pages) for change in changes
    ]


def test_changes_are_those_since_the_last_refresh_that_came_to_its_end(run: Run) -> None:
    """What a refresh that broke off had found, the next one tells."""
    first, second, third = run.save_pages("p", "q", "r")
    assert told(run) == [("new", "p", [], 3), ("new", "q", [], 3), ("new", "r", [], 3)]
    assert len(told(run, limit=1)) == 1
    assert crawl_jobs.finish(run.conn, run.claim, error=None, is_whole=True)

    broken = start_run(run.conn)
    assert told(broken) == []
    text = replace(new_text(first, "other", "other"), changed_headings=("Ebb",))
    with broken.fenced():
        cleaned_pages.save(broken.conn, broken.claim, [text], cleaner_version=1)
    assert crawl_jobs.finish(broken.conn, broken.claim, error=("x", "y"), is_whole=False)

    last = start_run(run.conn)
    with last.fenced():
        raw_pages.remove_pages(last.conn, last.claim, {f"https://{HOST}/r": MISSING})
        cleaned_pages.remove(last.conn, [third])
    assert told(last) == [("changed", "p", ["Ebb"], 1), ("gone", "r", [], 1)]
    assert second


def test_what_another_cleaner_makes_of_the_same_body_is_no_change_of_the_page(run: Run) -> None:
    (page_id,) = run.save_pages("p")
    assert crawl_jobs.finish(run.conn, run.claim, error=None, is_whole=True)
    later = start_run(run.conn)
    with later.fenced():
        text = new_text(page_id, f"https://{HOST}/p", "cleaned better")
        assert cleaned_pages.save(later.conn, later.claim, [text], cleaner_version=2) == 1
    assert told(later) == []


def test_only_unchanged_pages_of_another_decision_are_behind(run: Run) -> None:
    """A page that says where its content is has none, and one whose body is new is due anyway."""
    ids = run.save_pages("p", "q", "r", "s")
    for page_id, version, html in zip(ids, (1, 2, None, 1), ("p", "q", "r", "other"), strict=True):
        body = f"https://{HOST}/{html}" if html != "other" else html
        text = replace(new_text(page_id, body, "text"), boilerplate_version=version)
        with run.fenced():
            cleaned_pages.save(run.conn, run.claim, [text], cleaner_version=1)
    behind = cleaned_pages.behind(run.conn, run.claim, boilerplate_version=2, limit=9)
    assert behind == ids[:1]
    assert cleaned_pages.count_behind(run.conn, run.claim, boilerplate_version=2) == 1
