"""Vectors: kept durably from the moment they are paid for, reused wherever the same text stands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.embedding_models import StoredModel
from omni_pipeline.store.queries import load_queries

_SQL = load_queries("embeddings")


def stage(
    conn: Connection,
    holding: Claim,
    model: StoredModel,
    text_hashes: Sequence[bytes],
    vectors: NDArray[np.float32],
) -> None:
    """Keep freshly paid vectors, (n, dimensions) float32 in the order of ``text_hashes``."""
    parameters = {
        "domain_id": holding.domain_id,
        "model_id": model.id,
        "text_hashes": list(text_hashes),
    }
    conn.execute(_SQL["make_room"], parameters)
    with conn.cursor() as cursor, cursor.copy(_SQL["copy_staged"]) as copy:
        copy.set_types(["int8", "int2", "int2", "bytea", "halfvec"])
        for text_hash, vector in zip(text_hashes, vectors, strict=True):
            row = (holding.domain_id, model.id, model.dimensions, text_hash, HalfVector(vector))
            copy.write_row(row)


def reuse(
    conn: Connection, holding: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> set[bytes]:
    """Stage the vectors that the organization has for these texts; returns the texts served."""
    parameters = {
        "domain_id": holding.domain_id,
        "organization_id": holding.organization_id,
        "model_id": model.id,
        "text_hashes": list(text_hashes),
    }
    return {text_hash for (text_hash,) in conn.execute(_SQL["reuse"], parameters)}


def record_usage(
    conn: Connection, holding: Claim, model: StoredModel, *, requests: int, texts: int, tokens: int
) -> None:
    """Book what was paid, in the transaction that keeps the vectors."""
    parameters = {"model_id": model.id, "requests": requests, "texts": texts, "tokens": tokens}
    conn.execute(_SQL["record_usage"], {**vars(holding), **parameters})


def forget_staged(conn: Connection, holding: Claim) -> None:
    """Drop the kept vectors that nothing waits for any more."""
    conn.execute(_SQL["forget_staged"], {"domain_id": holding.domain_id})
