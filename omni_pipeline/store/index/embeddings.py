"""Vectors: kept durably from the moment they are paid for, reused wherever the same text stands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_one

_SQL = load_queries(__name__)

# After its page has left, a text may come back: with a page that moves, an edit that is taken
# back, a domain that is registered again.
KEPT_DAYS = 30

# Enough to know where a model's vectors lie, and read in milliseconds.
SAMPLE_VECTORS = 200


@dataclass(frozen=True, kw_only=True)
class Reused:
    """Chunks, and their tokens, that had a vector already."""

    chunks: int
    tokens: int


def stage(
    conn: Connection,
    claim: Claim,
    model: StoredModel,
    text_hashes: Sequence[bytes],
    vectors: NDArray[np.float32],
) -> None:
    """Keep freshly paid vectors, (n, dimensions) float32 in the order of ``text_hashes``."""
    parameters = {
        **_texts(claim, model, text_hashes),
        "dimensions": model.dimensions,
        "host": claim.host,
        "vectors": [HalfVector(vector) for vector in vectors],
    }
    conn.execute(_SQL["keep"], parameters)


def have_vectors(
    conn: Connection, claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> set[bytes]:
    """Those of the texts that the organization has paid for, wherever they stand or stood."""
    rows = conn.execute(_SQL["has_vector"], _texts(claim, model, text_hashes))
    return {text_hash for (text_hash,) in rows}


def _texts(claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]) -> dict[str, object]:
    return {
        "organization_id": claim.organization_id,
        "model_id": model.id,
        "text_hashes": list(text_hashes),
    }


def sample(conn: Connection, claim: Claim, model: StoredModel) -> NDArray[np.float32]:
    """Some stored vectors of a model, (n, dimensions), of the claimed domain before all."""
    parameters = {"model_id": model.id, "domain_id": claim.domain_id, "limit": SAMPLE_VECTORS}
    rows = conn.execute(_SQL["sample"], parameters).fetchall()
    vectors = [np.asarray(vector.to_numpy(), dtype=np.float32) for (vector,) in rows]
    return np.array(vectors, dtype=np.float32).reshape(len(rows), model.dimensions)


def count_reused(
    conn: Connection, revision_ids: Sequence[int], *, paid_hashes: Sequence[bytes]
) -> Reused:
    """What staged revisions hold beside the texts that were paid for, each of those once."""
    parameters = {"revision_ids": list(revision_ids), "paid_hashes": list(paid_hashes)}
    reused = fetch_one(conn, _SQL["count_reused"], parameters, Reused)
    assert reused is not None
    return reused


def forget_staged(conn: Connection, claim: Claim) -> None:
    """Drop the kept vectors that are published by now, and those that nobody used for long."""
    conn.execute(_SQL["forget_staged"], vars(claim))
    conn.execute(_SQL["forget_unused"], {"days": KEPT_DAYS})


def erase_kept(conn: Connection, host: str) -> int:
    """Drop the vectors that are kept of a domain's texts, for good; returns how many."""
    return conn.execute(_SQL["erase_kept"], {"host": host}).rowcount
