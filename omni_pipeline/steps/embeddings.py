"""Step 4: pay for the vectors that are missing, keep them at once, and publish pages whole.

The one path from text to vectors (A7). Nothing here holds a transaction open across the network:
vectors are paid for and kept first, and a page is swapped in one short transaction afterwards (A9).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from psycopg import Connection

from omni_pipeline.domain.embedding_batches import plan_batches
from omni_pipeline.gateways.embedding import REQUEST_ITEMS, Embedded
from omni_pipeline.steps.refresh import Progress, Refresh
from omni_pipeline.store import chunks, crawl_jobs, embeddings, failed_pages
from omni_pipeline.store.chunks import Published, PublishedCounts, StagedPage, TextToEmbed
from omni_pipeline.store.crawl_jobs import Claim, Counters
from omni_pipeline.store.embedding_models import StoredModel
from omni_pipeline.store.failed_pages import Failure

PUBLISH_PAGES = 50

# One request: few enough that a kill loses little of what was paid for, many enough to be quick.
REQUEST_TOKENS = 32_000


class EmbeddingDoor(Protocol):
    """What this step needs of the embedding door."""

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded: ...


@dataclass(frozen=True, kw_only=True)
class EmbeddingsReport:
    """What was paid, what was not, and what became live."""

    pages_published: int
    chunks_embedded: int
    chunks_reused: int
    tokens_embedded: int
    pages_failed: int
    chunks_live: int
    embeddings_live: int


@dataclass(kw_only=True)
class _Sums:
    pages: int = 0
    embedded: int = 0
    reused: int = 0
    tokens: int = 0
    failed: int = 0
    chunks_done: int = 0
    chunks_known: int = 0


def embed_and_publish(
    refresh: Refresh, model: StoredModel, door: EmbeddingDoor, *, force_reembed: bool = False
) -> EmbeddingsReport:
    """Give every staged chunk its vector and make the staged pages live.

    Args:
        refresh: The claimed domain.
        model: The model whose index is written.
        door: Turns texts into vectors.
        force_reembed: Pay again for every chunk of the domain, also the unchanged ones.
    """
    with refresh.stage("embeddings"):
        if force_reembed:
            refresh.write(chunks.stage_reembedding, model_id=model.id)
        sums = _Work(refresh, model, door).run()
        refresh.write(embeddings.forget_staged)
        live = refresh.read(_count_live)
    return EmbeddingsReport(
        pages_published=sums.pages,
        chunks_embedded=sums.embedded,
        chunks_reused=sums.reused,
        tokens_embedded=sums.tokens,
        pages_failed=sums.failed,
        chunks_live=live.chunks,
        embeddings_live=live.embeddings,
    )


class _Work:
    """Goes through the staged pages, fifty at a time."""

    def __init__(self, refresh: Refresh, model: StoredModel, door: EmbeddingDoor) -> None:
        self._refresh = refresh
        self._model = model
        self._door = door
        self._sums = _Sums()

    def run(self) -> _Sums:
        backlog = self._refresh.read(chunks.count_staged, model_id=self._model.id)
        self._sums.chunks_known = backlog.chunks
        for pages in self._batches():
            self._embed_and_publish(pages)
        return self._sums

    def _batches(self) -> Iterator[list[StagedPage]]:
        after_id = 0
        while pages := self._refresh.read(
            chunks.staged_pages, model_id=self._model.id, after_id=after_id, most=PUBLISH_PAGES
        ):
            yield pages
            after_id = pages[-1].revision_id

    def _embed_and_publish(self, pages: list[StagedPage]) -> None:
        """Embed what these pages lack, then publish those that are complete."""
        missing = self._texts_to_pay([page.revision_id for page in pages])
        refused: dict[bytes, str] = {}
        for number, texts in enumerate(_requests(missing)):
            refused |= self._pay_and_keep(texts)
            self._report(self._sums.chunks_done + min((number + 1) * len(texts), len(missing)))
        paid = len(missing) - len(refused)
        failures, complete = self._sort_out(pages, refused)
        published = self._refresh.write(_publish, complete, failures, paid)
        self._sums.pages += published.pages
        self._sums.embedded += paid
        self._sums.reused += _count_reused(published, paid)
        self._sums.failed += len(failures)
        self._sums.chunks_done += sum(page.chunk_count for page in pages)
        self._report(self._sums.chunks_done)

    def _texts_to_pay(self, revision_ids: list[int]) -> list[TextToEmbed]:
        """The texts that neither this page nor any other of the organization has a vector for."""
        texts = self._refresh.read(_texts_to_embed, revision_ids)
        reusable = [text.text_hash for text in texts if not text.is_reembed]
        served = self._refresh.write(embeddings.reuse, self._model, reusable) if reusable else set()
        return [text for text in texts if text.text_hash not in served]

    def _pay_and_keep(self, texts: list[TextToEmbed]) -> dict[bytes, str]:
        """Buy the vectors of one request and keep them; returns the refused texts with reasons."""
        answer = self._door.embed(
            [text.text for text in texts], tokens=[text.token_count for text in texts]
        )
        refused = {texts[index].text_hash: reason for index, reason in answer.refused}
        self._refresh.write(_keep, self._model, texts, answer)
        self._sums.tokens += answer.tokens_billed
        return refused

    def _sort_out(
        self, pages: list[StagedPage], refused: dict[bytes, str]
    ) -> tuple[list[Failure], list[StagedPage]]:
        """Pages with a refused text fail and keep what they had published; the others go on."""
        if not refused:
            return [], pages
        ids = [page.revision_id for page in pages]
        held_back = self._refresh.read(_revisions_with_texts, ids, list(refused))
        reason = next(iter(refused.values()))
        failures = [
            Failure(url=page.url, kind="permanent.input_refused", reason=reason)
            for page in pages
            if page.revision_id in held_back
        ]
        return failures, [page for page in pages if page.revision_id not in held_back]

    def _report(self, done: int) -> None:
        self._refresh.report(
            Progress(
                stage="embeddings",
                done=done,
                known=self._sums.chunks_known,
                failed=self._sums.failed,
            )
        )


def _requests(texts: list[TextToEmbed]) -> Iterator[list[TextToEmbed]]:
    batches = plan_batches(
        [text.token_count for text in texts], max_items=REQUEST_ITEMS, max_tokens=REQUEST_TOKENS
    )
    for batch in batches:
        yield [texts[index] for index in batch]


def _count_reused(published: Published, paid: int) -> int:
    return max(0, published.chunks_kept + published.chunks_inserted - paid)


def _texts_to_embed(conn: Connection, _: Claim, revision_ids: list[int]) -> list[TextToEmbed]:
    return chunks.texts_to_embed(conn, revision_ids)


def _revisions_with_texts(
    conn: Connection, _: Claim, revision_ids: list[int], text_hashes: list[bytes]
) -> set[int]:
    return chunks.revisions_with_texts(conn, revision_ids, text_hashes)


def _count_live(conn: Connection, holding: Claim) -> PublishedCounts:
    return chunks.count_published(conn, holding.domain_id)


def _keep(
    conn: Connection,
    holding: Claim,
    model: StoredModel,
    texts: list[TextToEmbed],
    answer: Embedded,
) -> None:
    """Keep paid vectors and book what they cost, together."""
    refused = {index for index, _ in answer.refused}
    kept = [index for index in range(len(texts)) if index not in refused]
    embeddings.stage(
        conn, holding, model, [texts[index].text_hash for index in kept], answer.vectors[kept]
    )
    embeddings.record_usage(
        conn,
        holding,
        model,
        requests=answer.requests,
        texts=len(kept),
        tokens=answer.tokens_billed,
    )
    crawl_jobs.add_to_counters(conn, holding, Counters(tokens_embedded=answer.tokens_billed))


def _publish(
    conn: Connection,
    holding: Claim,
    pages: list[StagedPage],
    failures: list[Failure],
    paid: int,
) -> Published:
    """Publish complete pages and write down the others, in one transaction."""
    failed_pages.record(conn, holding, "embed", failures)
    failed_pages.resolve(conn, holding, [page.url for page in pages], "chunk", "embed")
    published = chunks.publish(conn, holding, [page.revision_id for page in pages])
    crawl_jobs.add_to_counters(
        conn,
        holding,
        Counters(
            pages_published=published.pages,
            chunks_embedded=paid,
            chunks_reused=_count_reused(published, paid),
        ),
    )
    return published
