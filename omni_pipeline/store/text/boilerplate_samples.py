"""What a domain repeats on its pages: the blocks of a sample of them, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one

_SQL = load_queries(__name__)

# A block on a third of the pages is on 42 of them: enough to tell it from chance.
MAX_PAGES = 128


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The blocks of one page; None where its body is not to be trusted, and the old ones stay."""

    page_id: int
    body_hash: bytes
    blocks: bytes | None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which blocks are left out; version 0 is that of a domain about which nothing was decided."""

    version: int = 0
    blocks: bytes = b""


def due_samples(conn: Connection, claim: Claim, *, cleaner_version: int) -> list[int]:
    """The pages of the sample whose blocks are not known as they are now."""
    parameters = {
        "domain_id": claim.domain_id,
        "cleaner_version": cleaner_version,
        "limit": MAX_PAGES,
    }
    return [page_id for (page_id,) in conn.execute(_SQL["due"], parameters)]


def note(
    conn: Connection, claim: Claim, samples: Sequence[Sample], *, cleaner_version: int
) -> None:
    """Store the blocks of sampled pages."""
    parameters = {
        "domain_id": claim.domain_id,
        "cleaner_version": cleaner_version,
        "page_ids": [sample.page_id for sample in samples],
        "body_hashes": [sample.body_hash for sample in samples],
        "blocks": [sample.blocks for sample in samples],
    }
    conn.execute(_SQL["note"], parameters)


def forget_others(conn: Connection, claim: Claim) -> None:
    """Forget the pages that are not in the sample any more."""
    conn.execute(_SQL["forget_others"], {"domain_id": claim.domain_id, "limit": MAX_PAGES})


def samples(conn: Connection, claim: Claim) -> list[bytes]:
    """The blocks of each page of the sample."""
    rows = conn.execute(_SQL["samples"], {"domain_id": claim.domain_id})
    return [blocks for (blocks,) in rows]


def decision(conn: Connection, claim: Claim) -> Decision:
    """What is left out of the domain's texts."""
    parameters = {"domain_id": claim.domain_id}
    return fetch_one(conn, _SQL["decision"], parameters, Decision) or Decision()


def decide(conn: Connection, claim: Claim, decided: Decision) -> None:
    """Put another decision in force."""
    conn.execute(_SQL["decide"], {"domain_id": claim.domain_id, **vars(decided)})
