"""Who asks the endpoint for which text right now, so that no second run asks for the same.

An order ends with its answer, in the transaction that keeps the vectors, or with its job.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from psycopg import Connection

from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)


def order(
    conn: Connection,
    claim: Claim,
    model: StoredModel,
    text_hashes: Sequence[bytes],
    *,
    given_up: Collection[int] = (),
) -> set[bytes]:
    """Those of the texts that are this run's to ask for; the others are being asked for.

    Args:
        conn: A connection inside a fenced transaction.
        claim: The claim.
        model: Whose vectors are wanted.
        text_hashes: What is wanted.
        given_up: Jobs that are not waited for any longer.
    """
    parameters = {**_texts(claim, model, text_hashes), "given_up": list(given_up)}
    return {text_hash for (text_hash,) in conn.execute(_SQL["order"], parameters)}


def askers(
    conn: Connection, claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> dict[int, datetime]:
    """The jobs that ask for these texts, with their last beat."""
    rows = conn.execute(_SQL["askers"], _texts(claim, model, text_hashes))
    return {job_id: beat for job_id, beat in rows if job_id != claim.job_id}


def release(
    conn: Connection, claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> None:
    """Ask for these texts no more: they are answered, or others may try."""
    conn.execute(_SQL["release"], _texts(claim, model, text_hashes))


def _texts(claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]) -> dict[str, object]:
    return {
        "organization_id": claim.organization_id,
        "model_id": model.id,
        "job_id": claim.job_id,
        "text_hashes": list(text_hashes),
    }
