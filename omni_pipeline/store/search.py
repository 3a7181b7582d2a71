"""Nearest published chunks, read in one statement."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_all

_SQL = load_queries("search")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A published chunk; ``distance`` is the cosine distance to the question, 0 to 2."""

    chunk_id: int
    host: str
    url: str
    title: str
    heading_path: list[str]
    text: str
    last_seen_at: datetime
    distance: float


def search(
    conn: Connection,
    vector: NDArray[np.float32],
    *,
    most: int,
    host: str | None = None,
    model_id: int | None = None,
) -> list[Answer]:
    """The ``most`` chunks nearest to ``vector``, nearest first.

    Args:
        conn: A connection.
        vector: The question, as the active model embeds it.
        most: How many answers.
        host: Only this domain's pages; exact. All pages are searched by HNSW where that was built.
        model_id: The model that made ``vector``: nothing is found once another one is active.
    """
    parameters = {
        "vector": HalfVector(vector),
        "most": most,
        "host": host,
        "model_id": model_id,
    }
    return fetch_all(conn, _SQL["search"], parameters, Answer)
