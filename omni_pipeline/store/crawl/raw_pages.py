"""Pages as fetched: bodies with their validators, and the evidence with which a page leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)

GoneBecause = Literal["missing", "moved", "soft_404", "noindex", "duplicate", "excluded"]


@dataclass(frozen=True, kw_only=True)
class NewBody:
    """A fetched page: decoded, storable text and the hash of that text.

    Attributes:
        depth: Links between the start page and this one.
    """

    url: str
    etag: str | None
    last_modified: str | None
    content_type: str | None
    charset: str
    html: str
    body_hash: bytes
    is_rendered: bool = False
    depth: int = 0


@dataclass(frozen=True, kw_only=True)
class RemovalEvidence:
    """Why a page leaves, and the HTTP status that it answered with when that was found.

    ``missing`` (404, 410), ``moved`` (301, 308), ``soft_404`` (200, and the text of a page that is
    not there), ``noindex``, ``duplicate`` (it names another URL as its own), ``excluded`` (by the
    domain's own patterns). ``moved_to`` is the page that took its place, if it named one.
    """

    reason: GoneBecause
    http_status: int
    moved_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class DuePage:
    """A page whose body is to be cleaned.

    Attributes:
        markdown_before: What its previous body gave; None when there was none, or when the body is
            the same and only the cleaner or the boilerplate is another.
        left_out_before: How many characters of that were left out as boilerplate.
    """

    page_id: int
    url: str
    html: str
    body_hash: bytes
    markdown_before: str | None
    left_out_before: int


@dataclass(frozen=True, kw_only=True)
class Alike:
    """One of several live pages that have the same body; published if it was live before."""

    url: str
    is_published: bool


@dataclass(frozen=True, kw_only=True)
class CleaningBacklog:
    """How much is to be cleaned: pages, and the bytes of their HTML."""

    pages: int
    total_bytes: int
    largest_bytes: int


def save(conn: Connection, claim: Claim, pages: Sequence[NewBody]) -> dict[str, bool]:
    """Store bodies in one statement; says of each URL whether its body changed.

    A body identical to the one held is not written again, only its validators and the time of the
    look.
    """
    if not pages:
        return {}
    held = _held_hashes(conn, claim, [page.url for page in pages])
    is_changed = {page.url: held.get(page.url) != page.body_hash for page in pages}
    if fresh := [page for page in pages if is_changed[page.url]]:
        conn.execute(_SQL["save"], {**vars(claim), **_columns(fresh)})
    if same := [page for page in pages if not is_changed[page.url]]:
        conn.execute(_SQL["renew"], {**vars(claim), **_columns(same)})
    return is_changed


def _held_hashes(conn: Connection, claim: Claim, urls: list[str]) -> dict[str, bytes]:
    parameters = {"domain_id": claim.domain_id, "urls": urls}
    return dict(conn.execute(_SQL["held_hashes"], parameters).fetchall())


def _columns(pages: Sequence[NewBody]) -> dict[str, list[object]]:
    return {
        "urls": [page.url for page in pages],
        "etags": [page.etag for page in pages],
        "last_modifieds": [page.last_modified for page in pages],
        "content_types": [page.content_type for page in pages],
        "charsets": [page.charset for page in pages],
        "htmls": [page.html for page in pages],
        "body_hashes": [page.body_hash for page in pages],
        "renderers": ["browser" if page.is_rendered else "http" for page in pages],
        "depths": [page.depth for page in pages],
    }


def confirm(conn: Connection, claim: Claim, urls: Iterable[str]) -> None:
    """Note that these pages were looked at and stand as we hold them."""
    if urls := list(urls):
        conn.execute(_SQL["confirm"], {**vars(claim), "urls": urls})


def forget_validators(conn: Connection, claim: Claim) -> None:
    """Have every page of the domain sent whole the next time, changed or not."""
    conn.execute(_SQL["forget_validators"], {"domain_id": claim.domain_id})


def count_live(conn: Connection, claim: Claim) -> int:
    """How many pages of the domain are live."""
    row = conn.execute(_SQL["count_live"], {"domain_id": claim.domain_id}).fetchone()
    assert row is not None
    return int(row[0])


def live_among(conn: Connection, claim: Claim, urls: Sequence[str]) -> set[str]:
    """Which of these URLs are live pages."""
    return set(_held_hashes(conn, claim, list(urls)))


def same_bodies(conn: Connection, claim: Claim, *, minimum: int, start_url: str) -> list[str]:
    """URLs that got, since they were last cleaned, the same body as ``fewest`` or more pages.

    Only pages that were live before this crawl count: of the new ones one is kept anyway.
    """
    parameters = {"domain_id": claim.domain_id, "minimum": minimum, "start_url": start_url}
    return [url for (url,) in conn.execute(_SQL["same_bodies"], parameters)]


def bodies_of(conn: Connection, claim: Claim, urls: Sequence[str]) -> dict[str, str]:
    """The HTML of those of ``urls`` that are live pages."""
    parameters = {"domain_id": claim.domain_id, "urls": list(urls)}
    return dict(conn.execute(_SQL["bodies"], parameters).fetchall())


def alike(conn: Connection, claim: Claim) -> list[list[Alike]]:
    """Groups of live pages with one body, to the byte, some of which this crawl found."""
    rows = conn.execute(_SQL["alike"], {"domain_id": claim.domain_id})
    return [
        [Alike(url=url, is_published=is_published) for _, url, is_published in group]
        for _, group in groupby(rows, key=itemgetter(0))
    ]


def remove_pages(
    conn: Connection, claim: Claim, evidence_by_url: Mapping[str, RemovalEvidence]
) -> list[int]:
    """Mark pages gone with the evidence for it; returns their page ids.

    Their chunks and vectors leave when what replaces them is there: see `store.chunks.remove_gone`.
    """
    parameters = {
        **vars(claim),
        "urls": list(evidence_by_url),
        "http_statuses": [evidence.http_status for evidence in evidence_by_url.values()],
        "reasons": [evidence.reason for evidence in evidence_by_url.values()],
        "places": [evidence.moved_to for evidence in evidence_by_url.values()],
    }
    ids = [page_id for (page_id,) in conn.execute(_SQL["lock_for_retirement"], parameters)]
    conn.execute(_SQL["retire"], parameters)
    return ids


def due_for_cleaning(
    conn: Connection,
    claim: Claim,
    *,
    cleaner_version: int,
    after_id: int,
    limit: int,
    only: Sequence[int] | None = None,
) -> list[DuePage]:
    """Live pages not yet cleaned as they are, by page id; or ``only`` these, cleaned or not."""
    parameters = {
        "only": None if only is None else list(only),
        "domain_id": claim.domain_id,
        "cleaner_version": cleaner_version,
        "after_id": after_id,
        "limit": limit,
    }
    return fetch_all(conn, _SQL["due_for_cleaning"], parameters, DuePage)


def count_due_for_cleaning(
    conn: Connection, claim: Claim, *, cleaner_version: int
) -> CleaningBacklog:
    """How many live pages are not yet cleaned as they are."""
    parameters = {"domain_id": claim.domain_id, "cleaner_version": cleaner_version}
    backlog = fetch_one(conn, _SQL["count_due_for_cleaning"], parameters, CleaningBacklog)
    assert backlog is not None
    return backlog
