"""The published chunks that answer best, read in one statement.

The search itself is ``search_chunks`` in the database (migration 0013), so that any application
finds what this package finds.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.domain.search.query import EVERYWHERE, Scope
from omni_pipeline.domain.search.snippets import SNIPPET_CHARACTERS, link_to, snippet
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A published chunk. What a site says is ``trust`` "untrusted": escape it where it is shown.

    Attributes:
        score: By both ways: 0.4 times ``text_score`` as a part of the best one's, and 0.12 times
            the standard deviations by which ``distance`` is below the scope's mean. By words alone
            ``text_score``, by meaning alone 1 - ``distance``. Comparable in one search only.
        vector_rank: Place among the nearest by meaning; None: not among those looked at.
        distance: Cosine distance to the question, 0 to 2; None: not searched by meaning.
        text_rank: Place among those that have words of the question; None: not among them.
        text_score: BM25 with the frequencies of the words in the scope.
    """

    chunk_id: int
    organization: str
    host: str
    url: str
    title: str
    language: str | None
    heading_path: list[str]
    text: str
    last_seen_at: datetime
    score: float
    vector_rank: int | None
    distance: float | None
    text_rank: int | None
    text_score: float | None
    trust: str

    @property
    def link(self) -> str:
        """The address with a text fragment, at which browsers scroll to the chunk."""
        return link_to(self.url, self.text)

    def snippet(self, question: str, *, max_characters: int = SNIPPET_CHARACTERS) -> str:
        """The part of the chunk that has most words of the question, on one line."""
        return snippet(self.text, question, max_characters=max_characters)


def search(
    conn: Connection,
    vector: NDArray[np.float32] | None = None,
    *,
    question: str | None = None,
    limit: int,
    scope: Scope = EVERYWHERE,
    per_page: int | None = None,
    model_id: int | None = None,
) -> list[SearchResult]:
    """The ``limit`` chunks that answer best, best first.

    Args:
        conn: A connection.
        vector: The question as the active model embeds it; None searches by words alone.
        question: Its words; None searches by meaning alone.
        limit: How many answers, 1 to 1000.
        scope: Where to search.
        per_page: Most answers from one page, and no text twice; None leaves all in.
        model_id: The model that made ``vector``: nothing is found once another one is active.
    """
    parameters = {
        **vars(scope),
        "vector": None if vector is None else HalfVector(vector),
        "question": question,
        "limit": limit,
        "per_page": per_page,
        "model_id": model_id,
    }
    return fetch_all(conn, _SQL["search"], parameters, SearchResult)
