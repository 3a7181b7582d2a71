"""What in a domain's index is not as it was written, and how to get there: by publishing anew.

No constraint lets such rows in. They come with a restore, a disk, or a hand in the database. What
is wrong of a page is replaced when the page is published again; only rows of no page are removed.
"""

from typing import Any

from psycopg import Connection

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)


def find_broken(conn: Connection, claim: Claim, *, model_id: int, is_thorough: bool) -> list[int]:
    """The pages that are to be published anew, by id.

    Args:
        conn: A connection inside a fenced transaction: what of another domain, or of none, is in
            the way is put right at once.
        claim: The claim.
        model_id: Whose index is looked at.
        is_thorough: Read every text and every vector.
    """
    parameters = {"domain_id": claim.domain_id, "model_id": model_id}
    _put_strays_right(conn, parameters)
    conn.execute(_SQL["unstage_broken"], parameters)
    broken = {id_ for (id_,) in conn.execute(_SQL["broken_pages"], parameters)}
    if is_thorough:
        broken |= {id_ for (id_,) in conn.execute(_SQL["spoiled_pages"], parameters)}
    return sorted(broken)


def _put_strays_right(conn: Connection, parameters: dict[str, Any]) -> None:
    """First what goes back to another page's domain, then what belongs to none."""
    conn.execute(_SQL["adopt_texts"], parameters)
    conn.execute(_SQL["adopt_revisions"], parameters)
    conn.execute(_SQL["return_chunks"], parameters)
    conn.execute(_SQL["return_vectors"], parameters)
    conn.execute(_SQL["remove_stray_chunks"], parameters)
    conn.execute(_SQL["remove_stray_vectors"], parameters)
    conn.execute(_SQL["remove_stray_words"], parameters)
    conn.execute(_SQL["remove_stray_staged"], parameters)
