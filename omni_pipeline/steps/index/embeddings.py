"""Step 4: pay for the vectors that are missing, keep them at once, and publish pages whole.

The one path from text to vectors (R-A7). Nothing here holds a transaction open across the network:
vectors are paid for and kept first, and a page is swapped in one short transaction afterwards
(R-A9). Pages that the site no longer has leave last, when whatever replaces them is published: no
reader misses a text that the site shows under another address.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.chunks.linked_pages import join_linked
from omni_pipeline.gateways.embedding.results import Refusal
from omni_pipeline.steps.index.budgeted_embedding import BudgetedEmbedder, Embedder
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.index import chunks, embeddings
from omni_pipeline.store.index.chunks import (
    Published,
    PublishedCounts,
    RemovedPages,
    StagedPage,
    TextToEmbed,
)
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.index.embeddings import Reused
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim, Counters
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Batch, Bill

PUBLISH_PAGES = 50


@dataclass(frozen=True, kw_only=True)
class EmbeddingsReport:
    """What was paid, what was not, and what became live.

    Attributes:
        cost_usd: None where the price is unknown.
        pages_removed: Gone from the site, and now from the index.
        pages_waiting: Gone or changed, and searchable as they were until the page is published on
            which their texts stand now.
        notes: What a person should know of other models' indexes, if anything.
    """

    pages_published: int
    chunks_embedded: int
    chunks_reused: int
    tokens_embedded: int
    tokens_reused: int
    cost_usd: float | None
    pages_failed: int
    pages_removed: int
    pages_waiting: int
    chunks_live: int
    embeddings_live: int
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _EmbeddingTotals:
    pages: int = 0
    embedded: int = 0
    reused: int = 0
    tokens_reused: int = 0
    failed: int = 0
    waiting: int = 0
    chunks_done: int = 0
    chunks_known: int = 0


def embed_and_publish(
    refresh: Refresh, model: StoredModel, client: Embedder, *, force_reembed: bool = False
) -> EmbeddingsReport:
    """Give every staged chunk its vector and make the staged pages live.

    Args:
        refresh: The claimed domain.
        model: The model whose index is written.
        client: Turns texts into vectors.
        force_reembed: Pay again for every chunk of the domain, also the unchanged ones.
    """
    with refresh.stage("embeddings"):
        if force_reembed:
            refresh.write(chunks.stage_reembedding, model_id=model.id)
        work = _Work(refresh, model, client)
        sums = work.run()
        faults.point("CP12")
        removed = refresh.write(_remove_gone, model.id)
        refresh.write(embeddings.forget_staged)
        live = refresh.read(_count_live)
    return EmbeddingsReport(
        pages_published=sums.pages,
        chunks_embedded=sums.embedded,
        chunks_reused=sums.reused,
        tokens_embedded=work.embedder.tokens,
        tokens_reused=sums.tokens_reused,
        cost_usd=work.embedder.cost_usd(),
        pages_failed=sums.failed,
        pages_removed=removed.pages,
        pages_waiting=removed.pages_waiting + sums.waiting,
        chunks_live=live.chunks,
        embeddings_live=live.embeddings,
    )


class _Work:
    """Goes through the staged pages, fifty at a time."""

    def __init__(self, refresh: Refresh, model: StoredModel, client: Embedder) -> None:
        self._refresh = refresh
        self._model = model
        self._sums = _EmbeddingTotals()
        self._groups = join_linked(refresh.read(chunks.handovers, model_id=model.id))
        self._group_of = {id_: n for n, group in enumerate(self._groups) for id_ in group}
        self.embedder = BudgetedEmbedder(refresh, model, client)

    def run(self) -> _EmbeddingTotals:
        backlog = self._refresh.read(chunks.count_staged, model_id=self._model.id)
        self._sums.chunks_known = backlog.chunks
        for pages in self._batches():
            self._embed_and_publish(pages)
        return self._sums

    def _batches(self) -> Iterator[list[StagedPage]]:
        """Fifty pages each, or more where text goes from one page to another: those go together."""
        linked: dict[int, StagedPage] = {}
        after_id = 0
        while pages := self._refresh.read(
            chunks.staged_pages, model_id=self._model.id, after_id=after_id, limit=PUBLISH_PAGES
        ):
            linked |= {p.revision_id: p for p in pages if p.revision_id in self._group_of}
            if free := [page for page in pages if page.revision_id not in self._group_of]:
                yield free
            after_id = pages[-1].revision_id
        batch: list[StagedPage] = []
        for group in self._groups:
            if batch and len(batch) + len(group) > PUBLISH_PAGES:
                yield batch
                batch = []
            batch = batch + [linked[id_] for id_ in group if id_ in linked]
        if batch:
            yield batch

    def _embed_and_publish(self, pages: list[StagedPage]) -> None:
        """Embed what these pages lack, then publish those that are complete."""
        missing = self._refresh.read(_texts_to_embed, [page.revision_id for page in pages])
        refused = self.embedder.refused_before(missing)
        missing = [text for text in missing if text.text_hash not in refused]
        asked = 0
        for texts in self.embedder.requests(missing):
            refused |= self.embedder.embed_within_budget(texts)
            faults.point("CP06")
            asked += len(texts)
            self._report(self._sums.chunks_done + asked)
        paid = [text.text_hash for text in missing if text.text_hash in self.embedder.bought]
        failures, complete = self._sort_out(pages, refused)
        published, reused = self._refresh.write(
            _publish, complete, failures, self.embedder.new_batch(), paid_hashes=paid
        )
        faults.point("CP10")
        self._sums.pages += published.pages
        self._sums.embedded += len(paid)
        self._sums.reused += reused.chunks
        self._sums.tokens_reused += reused.tokens
        self._sums.failed += len(failures)
        self._sums.chunks_done += sum(page.chunk_count for page in pages)
        self._report(self._sums.chunks_done)

    def _sort_out(
        self, pages: list[StagedPage], refused: dict[bytes, Refusal]
    ) -> tuple[list[Failure], list[StagedPage]]:
        """Pages with a refused text fail and keep what they had published; the others go on.

        But those that give up a text which a failed page was to take on: they wait for it.
        """
        ids = [page.revision_id for page in pages]
        refusal_by_revision: dict[int, Refusal] = {}
        for text_hash, refusal in refused.items():
            for id_ in self._refresh.read(_revisions_with_texts, ids, [text_hash]):
                refusal_by_revision.setdefault(id_, refusal)
        failures = [
            Failure(url=page.url, kind=found.kind, reason=found.reason)
            for page in pages
            if (found := refusal_by_revision.get(page.revision_id))
        ]
        blocked = {self._group_of.get(id_) for id_ in refusal_by_revision} - {None}
        complete = [
            page
            for page in pages
            if page.revision_id not in refusal_by_revision
            and self._group_of.get(page.revision_id) not in blocked
        ]
        self._sums.waiting += len(pages) - len(complete) - len(failures)
        return failures, complete

    def _report(self, done: int) -> None:
        self._refresh.report(
            Progress(
                stage="embeddings",
                done=done,
                known=self._sums.chunks_known,
                failed=self._sums.failed,
            )
        )


def _texts_to_embed(conn: Connection, _: Claim, revision_ids: list[int]) -> list[TextToEmbed]:
    return chunks.texts_to_embed(conn, revision_ids)


def _revisions_with_texts(
    conn: Connection, _: Claim, revision_ids: list[int], text_hashes: list[bytes]
) -> set[int]:
    return chunks.revisions_with_texts(conn, revision_ids, text_hashes)


def _remove_gone(conn: Connection, claim: Claim, model_id: int) -> RemovedPages:
    return chunks.remove_gone(conn, claim, model_id=model_id)


def _count_live(conn: Connection, claim: Claim) -> PublishedCounts:
    return chunks.count_published(conn, claim.domain_id)


def _publish(
    conn: Connection,
    claim: Claim,
    pages: list[StagedPage],
    failures: list[Failure],
    batch: Batch,
    *,
    paid_hashes: list[bytes],
) -> tuple[Published, Reused]:
    """Publish complete pages and write down the others, in one transaction."""
    failed_pages.record(conn, claim, "embed", failures)
    failed_pages.resolve(conn, claim, [page.url for page in pages], "chunk", "embed")
    ids = [page.revision_id for page in pages]
    reused = embeddings.count_reused(conn, ids, paid_hashes=paid_hashes)
    published = chunks.publish(conn, claim, ids)
    if reused.tokens:
        token_usage.settle(conn, claim, batch, Bill(tokens_reused=reused.tokens))
    crawl_jobs.add_to_counters(
        conn,
        claim,
        Counters(
            pages_published=published.pages,
            chunks_reused=reused.chunks,
            tokens_reused=reused.tokens,
        ),
    )
    return published, reused
