"""Chunks: staged revisions, and the one transaction that makes them what search answers.

Readers meet published rows only. A revision is staged with its chunks; once every text has a
vector, `publish` turns a batch of revisions live: chunks whose text stands stay with their vectors,
the others go and come, and a deferred check refuses the commit unless every page is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)

# Fresh tables have no statistics, and loops over them take minutes where hashes take a second.
_JOIN_BY_HASH = b"SET LOCAL enable_nestloop = off"


@dataclass(frozen=True, kw_only=True)
class NewRevision:
    """What will replace a page's published chunks."""

    page_id: int
    content_hash: bytes
    title: str
    language: str | None
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, kw_only=True)
class StagedPage:
    """A staged revision that waits for vectors and publication."""

    revision_id: int
    page_id: int
    url: str
    chunk_count: int
    is_reembed: bool


@dataclass(frozen=True, kw_only=True)
class TextToEmbed:
    """A text without a vector to take; ``is_reembed`` means that it is to be paid for again."""

    text_hash: bytes
    text: str
    token_count: int
    is_reembed: bool


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How much is staged."""

    pages: int
    chunks: int


@dataclass(frozen=True, kw_only=True)
class Published:
    """What one publish did to the rows."""

    pages: int
    chunks_kept: int
    chunks_inserted: int
    chunks_removed: int


@dataclass(frozen=True, kw_only=True)
class RemovedPages:
    """Gone pages that left an index, and those that stay until their successor is published."""

    pages: int
    pages_waiting: int


@dataclass(frozen=True, kw_only=True)
class PublishedCounts:
    """What is published for a domain: in a healthy index chunks equals embeddings."""

    chunks: int
    embeddings: int
    pages: int


@dataclass(frozen=True, kw_only=True)
class WrongCounts:
    """A page whose numbers disagree."""

    url: str
    declared: int
    chunks: int
    embeddings: int


def stage(
    conn: Connection,
    claim: Claim,
    revisions: Sequence[NewRevision],
    *,
    model_id: int,
    chunker: str,
) -> int:
    """Stage revisions, replacing those staged before; returns how many chunks they have."""
    parameters = {
        **vars(claim),
        "model_id": model_id,
        "chunker": chunker,
        "page_ids": [revision.page_id for revision in revisions],
        "content_hashes": [revision.content_hash for revision in revisions],
        "chunk_counts": [len(revision.chunks) for revision in revisions],
        "titles": [revision.title for revision in revisions],
        "languages": [revision.language for revision in revisions],
    }
    conn.execute(_SQL["remove_staged"], parameters)
    id_by_page = {page: id_ for id_, page in conn.execute(_SQL["stage_revisions"], parameters)}
    count = _copy_chunks(conn, [(id_by_page[revision.page_id], revision) for revision in revisions])
    conn.execute(_SQL["make_words"], {"revision_ids": list(id_by_page.values())})
    return count


def _copy_chunks(conn: Connection, revisions: Sequence[tuple[int, NewRevision]]) -> int:
    count = 0
    with conn.cursor() as cursor, cursor.copy(_SQL["copy_staged_chunks"]) as copy:
        copy.set_types(["int8", "int4", "text", "bytea", "text[]", "int4", "int4"])
        for revision_id, revision in revisions:
            for chunk in revision.chunks:
                copy.write_row(
                    (
                        revision_id,
                        chunk.position,
                        chunk.text,
                        chunk.text_hash,
                        list(chunk.heading_path),
                        chunk.start_offset,
                        chunk.token_count,
                    )
                )
                count += 1
    return count


def stage_reembedding(conn: Connection, claim: Claim, *, model_id: int) -> None:
    """Stage every published page of the domain again, so that all of its vectors are paid anew."""
    parameters = {**vars(claim), "model_id": model_id}
    conn.execute(_SQL["forget_paid"], parameters)
    conn.execute(_SQL["reembed_staged"], parameters)
    conn.execute(_SQL["stage_reembedding"], parameters)


def count_staged(conn: Connection, claim: Claim, *, model_id: int) -> Backlog:
    """How much waits to be published."""
    parameters = {"domain_id": claim.domain_id, "model_id": model_id}
    backlog = fetch_one(conn, _SQL["count_staged"], parameters, Backlog)
    assert backlog is not None
    return backlog


def staged_pages(
    conn: Connection, claim: Claim, *, model_id: int, after_id: int, limit: int
) -> list[StagedPage]:
    """Staged revisions with an id above ``after_id``, oldest first."""
    parameters = {
        "domain_id": claim.domain_id,
        "model_id": model_id,
        "after_id": after_id,
        "limit": limit,
    }
    return fetch_all(conn, _SQL["staged_pages"], parameters, StagedPage)


def handovers(conn: Connection, claim: Claim, *, model_id: int) -> list[tuple[int, int]]:
    """Pairs of staged revisions, of which one gives up a text that the other takes on.

    Not those whose text stays on a third page meanwhile: such texts link whole sites.
    """
    parameters = {"domain_id": claim.domain_id, "model_id": model_id}
    with conn.transaction():
        conn.execute(_JOIN_BY_HASH)
        found = conn.execute(_SQL["handovers"], parameters).fetchall()
    hashes = list({text_hash for _, _, text_hash in found})
    staying = conn.execute(_SQL["staying_texts"], {**parameters, "text_hashes": hashes})
    stays = {text_hash for (text_hash,) in staying} if hashes else set()
    return [(one, other) for one, other, text_hash in found if text_hash not in stays]


def texts_to_embed(conn: Connection, revision_ids: Sequence[int]) -> list[TextToEmbed]:
    """The distinct texts of these revisions for which the organization has no vector to take."""
    parameters = {"revision_ids": list(revision_ids)}
    return fetch_all(conn, _SQL["texts_to_embed"], parameters, TextToEmbed)


def revisions_with_texts(
    conn: Connection, revision_ids: Sequence[int], text_hashes: Sequence[bytes]
) -> set[int]:
    """Those of the staged revisions that have a chunk with one of these texts."""
    parameters = {"revision_ids": list(revision_ids), "text_hashes": list(text_hashes)}
    return {id_ for (id_,) in conn.execute(_SQL["revisions_with_texts"], parameters)}


def publish(conn: Connection, claim: Claim, revision_ids: Sequence[int]) -> Published:
    """Make staged revisions live, old chunks and vectors out and new ones in.

    Runs inside a fenced transaction, without any network call. The organization must have a vector
    of every new text; otherwise the commit is refused and every page stays as it was.
    """
    conn.execute(_SQL["lock_pages"], {"revision_ids": list(revision_ids)})
    still = conn.execute(_SQL["still_staged"], {"revision_ids": list(revision_ids)})
    revision_ids = [id_ for (id_,) in still]
    kept = conn.execute(_SQL["match_kept"], {"revision_ids": revision_ids}).fetchall()
    parameters = {
        "revision_ids": revision_ids,
        "kept_revision_ids": [row[0] for row in kept],
        "kept_positions": [row[1] for row in kept],
        "kept_chunk_ids": [row[2] for row in kept],
        "fence": claim.fence,
        "organization_id": claim.organization_id,
    }
    replaced = [id_ for (id_,) in conn.execute(_SQL["replaced"], parameters)]
    _remove(conn, replaced)
    faults.point("CP08")
    conn.execute(_SQL["move_kept"], parameters)
    inserted = conn.execute(_SQL["insert_new"], parameters).fetchone()
    conn.execute(_SQL["remove_live_revisions"], parameters)
    conn.execute(_SQL["make_live"], parameters)
    conn.execute(_SQL["empty_staged"], parameters)
    faults.point("CP09")
    assert inserted is not None
    return Published(
        pages=len(revision_ids),
        chunks_kept=len(kept),
        chunks_inserted=inserted[0],
        chunks_removed=len(replaced),
    )


def remove_pages(conn: Connection, page_ids: Sequence[int], *, model_id: int | None = None) -> None:
    """Take pages out of a model's index, or out of all; their vectors are kept for their texts."""
    parameters = {"page_ids": list(page_ids), "model_id": model_id}
    _remove(conn, [id_ for (id_,) in conn.execute(_SQL["of_pages"], parameters)])
    conn.execute(_SQL["remove_revisions_of_pages"], parameters)


def _remove(conn: Connection, chunk_ids: list[int]) -> None:
    """Not by cascade (R-A10): a delete that fails fails here, in the open."""
    if not chunk_ids:
        return
    conn.execute(_SQL["keep_vectors"], {"chunk_ids": chunk_ids})
    conn.execute(_SQL["remove_vectors"], {"chunk_ids": chunk_ids})
    conn.execute(_SQL["remove"], {"chunk_ids": chunk_ids})


def unstage_pages(conn: Connection, page_ids: Sequence[int]) -> None:
    """Publish nothing more of these pages."""
    conn.execute(_SQL["unstage_pages"], {"page_ids": list(page_ids)})


def remove_gone(conn: Connection, claim: Claim, *, model_id: int) -> RemovedPages:
    """Take the gone pages out of a model's index, but those whose successor is not in it yet."""
    parameters = {"domain_id": claim.domain_id, "model_id": model_id}
    found = conn.execute(_SQL["left_behind"], parameters).fetchall()
    page_ids = [page_id for page_id, is_replaced in found if is_replaced]
    remove_pages(conn, page_ids, model_id=model_id)
    return RemovedPages(pages=len(page_ids), pages_waiting=len(found) - len(page_ids))


def count_published(conn: Connection, domain_id: int) -> PublishedCounts:
    """Chunks, matching vectors and pages of a domain, counted from the rows."""
    counts = fetch_one(conn, _SQL["count_published"], {"domain_id": domain_id}, PublishedCounts)
    assert counts is not None
    return counts


def pages_with_wrong_counts(conn: Connection, domain_id: int) -> list[WrongCounts]:
    """Published pages whose chunks or vectors are not as many as declared (at most 20)."""
    query = _SQL["pages_with_wrong_counts"]
    return fetch_all(conn, query, {"domain_id": domain_id}, WrongCounts)


def staged_with_wrong_counts(conn: Connection, domain_id: int) -> list[tuple[str, int, int]]:
    """Staged revisions whose chunks are not as many as declared: (url, declared, found)."""
    return conn.execute(_SQL["staged_with_wrong_counts"], {"domain_id": domain_id}).fetchall()
