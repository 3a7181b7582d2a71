"""Learns what a domain repeats on its pages, before the texts of a refresh are written.

From a sample of the domain's pages, of which only those that changed are looked at again. A body
whose text is not to be trusted (it cannot be read, or has lost most of it) teaches nothing: a
cookie wall in front of a site is on all of its pages, too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.domain.text.boilerplate import decide, fingerprint, pack, unpack
from omni_pipeline.domain.text.cleaning import CLEANER_VERSION, CleanedPage, Unreadable
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl.raw_pages import DuePage
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.text import boilerplate_samples
from omni_pipeline.store.text.boilerplate_samples import Decision, Sample

BATCH_PAGES = 20


@dataclass(frozen=True, kw_only=True)
class SampleText:
    """What a page of the sample says, and whether that is to be believed."""

    page: DuePage
    answer: CleanedPage | Unreadable
    is_trusted: bool


def learn_boilerplate(refresh: Refresh, look: Callable[[list[int]], list[SampleText]]) -> Decision:
    """Look at what changed in the sample, and decide; the decision is in force when this returns.

    A run that is killed in between goes on with the same sample and comes to the same decision.
    """
    due = refresh.read(boilerplate_samples.due_samples, cleaner_version=CLEANER_VERSION)
    for start in range(0, len(due), BATCH_PAGES):
        samples = [_sample(seen) for seen in look(due[start : start + BATCH_PAGES])]
        refresh.write(boilerplate_samples.note, samples, cleaner_version=CLEANER_VERSION)
    return refresh.write(_decide)


def _sample(seen: SampleText) -> Sample:
    page, answer = seen.page, seen.answer
    blocks = None
    if seen.is_trusted and isinstance(answer, CleanedPage):
        blocks = b"" if answer.is_marked_off else fingerprint(answer.markdown)
    return Sample(page_id=page.page_id, body_hash=page.body_hash, blocks=blocks)


def _decide(conn: Connection, claim: Claim) -> Decision:
    boilerplate_samples.forget_others(conn, claim)
    before = boilerplate_samples.decision(conn, claim)
    blocks = pack(decide(boilerplate_samples.samples(conn, claim), unpack(before.blocks)))
    if blocks == before.blocks:
        return before
    decided = Decision(version=before.version + 1, blocks=blocks)
    boilerplate_samples.decide(conn, claim, decided)
    return decided
