"""The sample of a domain's pages: the same in any order, renewed where bodies changed."""

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.text import boilerplate_samples
from omni_pipeline.store.text.boilerplate_samples import MAX_PAGES, Decision, Sample
from omni_pipeline_tests.store.conftest import CLEANER, HOST, MISSING, Run, new_body


def due(run: Run, *, cleaner_version: int = CLEANER) -> list[int]:
    return boilerplate_samples.due_samples(run.conn, run.claim, cleaner_version=cleaner_version)


def note(run: Run, page_id: int, html: str, blocks: bytes | None) -> None:
    sample = Sample(page_id=page_id, body_hash=text_hash(html), blocks=blocks)
    with run.fenced():
        boilerplate_samples.note(run.conn, run.claim, [sample], cleaner_version=CLEANER)


def test_a_page_of_the_sample_is_due_until_its_blocks_are_those_of_its_body(run: Run) -> None:
    (page_id,) = run.save_pages("p")
    url = f"https://{HOST}/p"
    assert due(run) == [page_id]
    note(run, page_id, url, b"12345678")
    assert due(run) == []
    assert due(run, cleaner_version=CLEANER + 1) == [page_id]
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(url, "another body")])
    assert due(run) == [page_id]


def test_a_look_that_is_not_trusted_keeps_the_blocks(run: Run) -> None:
    first, second = run.save_pages("p", "q")
    note(run, first, "p", b"12345678")
    note(run, first, "wall", None)
    note(run, second, "wall", None)
    assert sorted(boilerplate_samples.samples(run.conn, run.claim)) == [b"", b"12345678"]


def test_the_sample_is_bounded_and_forgets_who_left(run: Run) -> None:
    ids = run.save_pages(*(f"p{number}" for number in range(MAX_PAGES + 5)))
    sampled = due(run)
    assert len(sampled) == MAX_PAGES
    assert set(sampled) < set(ids)
    for page_id in sampled[:3]:
        note(run, page_id, "html", b"")
    url = f"https://{HOST}/p{ids.index(sampled[0])}"
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {url: MISSING})
        boilerplate_samples.forget_others(run.conn, run.claim)
    assert len(boilerplate_samples.samples(run.conn, run.claim)) == 2


def test_a_decision_replaces_the_one_before(run: Run) -> None:
    assert boilerplate_samples.decision(run.conn, run.claim) == Decision()
    for decided in (Decision(version=1, blocks=b"12345678"), Decision(version=2)):
        with run.fenced():
            boilerplate_samples.decide(run.conn, run.claim, decided)
        assert boilerplate_samples.decision(run.conn, run.claim) == decided
