"""Each page's text as markdown, and which pages are due for chunking."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import Connection

from omni_pipeline.domain.text.changes import PageChange
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class NewText:
    """The cleaned text of one page and the body it was made from.

    Attributes:
        boilerplate_version: By which decision repeated text was left out; None where the page says
            itself where its content is.
        characters_left_out: How much that was.
        changed_headings: Under which the text differs from that of the body before.
    """

    page_id: int
    body_hash: bytes
    content_hash: bytes
    title: str
    description: str | None
    language: str | None
    canonical_url: str | None
    markdown: str
    published_on: date | None = None
    modified_on: date | None = None
    breadcrumbs: tuple[str, ...] = ()
    boilerplate_version: int | None = None
    characters_left_out: int = 0
    changed_headings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DueText:
    """A text to be chunked."""

    page_id: int
    url: str
    title: str
    language: str | None
    markdown: str
    content_hash: bytes


def save(conn: Connection, claim: Claim, texts: Sequence[NewText], *, cleaner_version: int) -> int:
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
        "published_days": [text.published_on for text in texts],
        "modified_days": [text.modified_on for text in texts],
        # Lists of one length would arrive as one matrix.
        "breadcrumbs": [json.dumps(text.breadcrumbs) for text in texts],
        "boilerplate_versions": [text.boilerplate_version for text in texts],
        "left_out": [text.characters_left_out for text in texts],
        "changed_headings": [json.dumps(text.changed_headings) for text in texts],
    }
    conn.execute(_SQL["save"], {**vars(claim), **columns, "cleaner_version": cleaner_version})
    return sum(held.get(text.page_id) != text.content_hash for text in texts)


def remove(conn: Connection, page_ids: Sequence[int]) -> None:
    """Forget the texts of pages that are gone."""
    conn.execute(_SQL["remove"], {"page_ids": list(page_ids)})


def behind(conn: Connection, claim: Claim, *, boilerplate_version: int, limit: int) -> list[int]:
    """Pages of which text was left out by another decision than this, longest so first."""
    parameters = {
        "domain_id": claim.domain_id,
        "boilerplate_version": boilerplate_version,
        "limit": limit,
    }
    return [page_id for (page_id,) in conn.execute(_SQL["behind"], parameters)]


def count_behind(conn: Connection, claim: Claim, *, boilerplate_version: int) -> int:
    """How many pages those are."""
    parameters = {"domain_id": claim.domain_id, "boilerplate_version": boilerplate_version}
    row = conn.execute(_SQL["count_behind"], parameters).fetchone()
    assert row is not None
    return int(row[0])


def changes(conn: Connection, claim: Claim, *, max_of_a_kind: int) -> list[PageChange]:
    """What is new, changed and gone since the last refresh that came to its end, kind by kind."""
    parameters = {"domain_id": claim.domain_id, "limit": max_of_a_kind}
    return fetch_all(conn, _SQL["changes"], parameters, PageChange)


def due_for_chunking(
    conn: Connection,
    claim: Claim,
    *,
    model_id: int,
    chunker: str,
    after_id: int,
    limit: int,
    broken: Sequence[int] = (),
) -> list[DueText]:
    """Texts that neither the live nor the staged revision was made from, by page id.

    Those of ``broken`` pages too: what is published of them is not as it was written.
    """
    parameters = {
        "domain_id": claim.domain_id,
        "model_id": model_id,
        "chunker": chunker,
        "after_id": after_id,
        "limit": limit,
        "broken": list(broken),
    }
    return fetch_all(conn, _SQL["due_for_chunking"], parameters, DueText)


def count_due_for_chunking(
    conn: Connection, claim: Claim, *, model_id: int, chunker: str, broken: Sequence[int] = ()
) -> int:
    """How many texts are not yet cut as they are."""
    parameters = {
        "domain_id": claim.domain_id,
        "model_id": model_id,
        "chunker": chunker,
        "broken": list(broken),
    }
    row = conn.execute(_SQL["count_due_for_chunking"], parameters).fetchone()
    assert row is not None
    return int(row[0])
