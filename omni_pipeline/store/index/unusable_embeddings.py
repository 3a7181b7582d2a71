"""Texts whose vectors were paid for and could not be used: what is not bought without end."""

from collections.abc import Mapping, Sequence

from psycopg import Connection

from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)

# Refreshes that buy a text in vain, before it is left alone for so many days.
MAX_TIMES = 3
LEFT_ALONE_DAYS = 7


def note(
    conn: Connection, claim: Claim, model: StoredModel, reason_by_text: Mapping[bytes, str]
) -> None:
    """These texts, by hash, were answered in vain once more."""
    if reason_by_text:
        parameters = _texts(claim, model, list(reason_by_text))
        conn.execute(_SQL["note"], {**parameters, "reasons": list(reason_by_text.values())})


def given_up(
    conn: Connection, claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> dict[bytes, str]:
    """Those of the texts that are not bought for now, with what was wrong the last time."""
    parameters = _texts(claim, model, text_hashes)
    limits = {"max_times": MAX_TIMES, "days": LEFT_ALONE_DAYS}
    return dict(conn.execute(_SQL["given_up"], {**parameters, **limits}).fetchall())


def forget(
    conn: Connection, claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]
) -> None:
    """These texts have their vectors."""
    conn.execute(_SQL["forget"], _texts(claim, model, text_hashes))


def erase(conn: Connection, host: str) -> int:
    """Drop what is remembered of a domain's texts, for good; returns of how many."""
    return conn.execute(_SQL["erase"], {"host": host}).rowcount


def _texts(claim: Claim, model: StoredModel, text_hashes: Sequence[bytes]) -> dict[str, object]:
    return {
        "organization_id": claim.organization_id,
        "model_id": model.id,
        "host": claim.host,
        "text_hashes": list(text_hashes),
    }
