"""Embedding models: search answers from the active one, another one is built beside it."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_one

_SQL = load_queries("embedding_models")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model that vectors are stored under."""

    id: int
    name: str
    dimensions: int
    is_lexical: bool
    status: str


def ensure(conn: Connection, *, name: str, dimensions: int, is_lexical: bool) -> StoredModel:
    """The model's row, made if missing. The first model of all is active at once."""
    parameters = {"name": name, "dimensions": dimensions, "is_lexical": is_lexical}
    with conn.transaction():
        conn.execute(_SQL["ensure"], parameters)
        model = fetch_one(conn, _SQL["find"], parameters, StoredModel)
    assert model is not None
    return model


def find_active(conn: Connection) -> StoredModel | None:
    """The model that search answers from; None before the first refresh."""
    return fetch_one(conn, _SQL["active"], {}, StoredModel)


def was_probed_recently(conn: Connection, model_id: int) -> bool:
    """Whether the model's endpoint passed the pre-flight within the last day."""
    return bool(conn.execute(_SQL["was_probed_recently"], {"model_id": model_id}).rowcount)


def note_probe(conn: Connection, model_id: int) -> None:
    """Remember that the model's endpoint passed the pre-flight now."""
    conn.execute(_SQL["note_probe"], {"model_id": model_id})
