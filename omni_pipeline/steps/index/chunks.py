"""Step 3: cut changed texts into chunks and stage them; search does not see them yet.

So are the texts of pages that are published and not as they were written: see `store.repairs`.
"""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.domain.chunks.chunking import Chunk, Chunker
from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.index import chunks, repairs
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim, Counters
from omni_pipeline.store.monitoring import invariants, verifications
from omni_pipeline.store.text import cleaned_pages
from omni_pipeline.store.text.cleaned_pages import DueText

# Chunks are small: a batch this large pays for its commit and its round trips.
BATCH_PAGES = 200


@dataclass(frozen=True, kw_only=True)
class ChunksReport:
    """Pages staged for publication and their chunks; ``pages_broken`` are published anew."""

    pages_staged: int
    chunks_staged: int
    pages_failed: int
    pages_broken: int
    chunker: str


def stage_chunks(refresh: Refresh, model: StoredModel, chunker: Chunker) -> ChunksReport:
    """Stage a new revision of every page whose text, or whose chunking, changed.

    Args:
        refresh: The claimed domain.
        model: Whose vectors the chunks are for; pages are due or not by model.
        chunker: Cuts by that model's tokens; its ``version`` is stored with the chunks (R-A13).
    """
    pages = count = failed = 0
    after_id = 0
    with refresh.stage("chunks"):
        broken = refresh.write(_find_broken, model.id)
        known = refresh.read(
            cleaned_pages.count_due_for_chunking,
            model_id=model.id,
            chunker=chunker.version,
            broken=broken,
        )
        while due := refresh.read(
            cleaned_pages.due_for_chunking,
            model_id=model.id,
            chunker=chunker.version,
            after_id=after_id,
            limit=BATCH_PAGES,
            broken=broken,
        ):
            revisions, failures = _cut(due, chunker)
            count += refresh.write(
                _save, revisions, failures, model_id=model.id, chunker=chunker.version
            )
            pages += len(revisions)
            failed += len(failures)
            after_id = due[-1].page_id
            refresh.report(Progress(stage="chunks", done=pages, known=known, failed=failed))
    return ChunksReport(
        pages_staged=pages,
        chunks_staged=count,
        pages_failed=failed,
        pages_broken=len(broken),
        chunker=chunker.version,
    )


def _find_broken(conn: Connection, claim: Claim, model_id: int) -> list[int]:
    """Not every text is read again where the last check found nothing wrong."""
    basis = verifications.basis(conn, invariants.fingerprint())
    [found] = verifications.due(conn, basis, host=claim.host, only_changed=False)
    return repairs.find_broken(conn, claim, model_id=model_id, is_thorough=found.since is None)


def _cut(due: list[DueText], chunker: Chunker) -> tuple[list[NewRevision], list[Failure]]:
    revisions: list[NewRevision] = []
    failures: list[Failure] = []
    for text in due:
        try:
            pieces = chunker.split(text.markdown)
        except PermanentError as error:
            failures.append(Failure(url=text.url, kind=error.kind, reason=str(error)))
            continue
        revisions.append(_revision(text, pieces))
    return revisions, failures


def _revision(text: DueText, pieces: tuple[Chunk, ...]) -> NewRevision:
    return NewRevision(
        page_id=text.page_id,
        content_hash=text.content_hash,
        title=text.title,
        language=text.language,
        chunks=pieces,
    )


def _save(
    conn: Connection,
    claim: Claim,
    revisions: list[NewRevision],
    failures: list[Failure],
    *,
    model_id: int,
    chunker: str,
) -> int:
    failed_pages.record(conn, claim, "chunk", failures)
    count = chunks.stage(conn, claim, revisions, model_id=model_id, chunker=chunker)
    crawl_jobs.add_to_counters(conn, claim, Counters(chunks_staged=count))
    return count
