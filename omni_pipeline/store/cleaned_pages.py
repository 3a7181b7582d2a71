"""Each page's text as markdown, and which pages are due for chunking."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_all

_SQL = load_queries("cleaned_pages")


@dataclass(frozen=True, kw_only=True)
class NewText:
    """The cleaned text of one page and the body it was made from."""

    page_id: int
    body_hash: bytes
    content_hash: bytes
    title: str
    description: str | None
    language: str | None
    canonical_url: str | None
    markdown: str


@dataclass(frozen=True, kw_only=True)
class DueText:
    """A text to be chunked."""

    page_id: int
    url: str
    title: str
    language: str | None
    markdown: str
    content_hash: bytes


def save(
    conn: Connection, holding: Claim, texts: Sequence[NewText], *, cleaner_version: int
) -> int:
    """Store texts in one statement; returns how many say something else than before."""
    ids = [text.page_id for text in texts]
    held: dict[int, bytes] = dict(conn.execute(_SQL["held_hashes"], {"page_ids": ids}).fetchall())
    columns = {
        "page_ids": ids,
        "body_hashes": [text.body_hash for text in texts],
        "content_hashes": [text.content_hash for text in texts],
        "titles": [text.title for text in texts],
        "descriptions": [text.description for text in texts],
        "languages": [text.language for text in texts],
        "canonical_urls": [text.canonical_url for text in texts],
        "markdowns": [text.markdown for text in texts],
    }
    conn.execute(_SQL["save"], {**vars(holding), **columns, "cleaner_version": cleaner_version})
    return sum(held.get(text.page_id) != text.content_hash for text in texts)


def remove(conn: Connection, page_ids: Sequence[int]) -> None:
    """Forget the texts of pages that are gone."""
    conn.execute(_SQL["remove"], {"page_ids": list(page_ids)})


def due_for_chunking(
    conn: Connection, holding: Claim, *, model_id: int, chunker: str, after_id: int, most: int
) -> list[DueText]:
    """Texts that neither the live nor the staged revision was made from, by page id."""
    parameters = {
        "domain_id": holding.domain_id,
        "model_id": model_id,
        "chunker": chunker,
        "after_id": after_id,
        "most": most,
    }
    return fetch_all(conn, _SQL["due_for_chunking"], parameters, DueText)


def count_due_for_chunking(conn: Connection, holding: Claim, *, model_id: int, chunker: str) -> int:
    """How many texts are not yet cut as they are."""
    parameters = {"domain_id": holding.domain_id, "model_id": model_id, "chunker": chunker}
    row = conn.execute(_SQL["count_due_for_chunking"], parameters).fetchone()
    assert row is not None
    return int(row[0])
