"""Embedding models: search answers from the active one, another one is built beside it."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.errors import PermanentError
from omni_pipeline.store.queries import load_queries
from omni_pipeline.store.rows import fetch_all, fetch_one

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
        model = fetch_one(conn, _SQL["find"], parameters, StoredModel)
        if model is None:
            # Two first models at once would both be active, and one of them refused.
            conn.execute(_SQL["lock"])
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


@dataclass(frozen=True, kw_only=True)
class ModelOverview:
    """A model and how much of the index is built with it; ``pages_in_any`` is the whole."""

    id: int
    name: str
    dimensions: int
    status: str
    activated_at: datetime | None
    pages_published: int
    chunks: int
    pages_in_any: int


def overview(conn: Connection) -> list[ModelOverview]:
    """Every model that something was built with."""
    return fetch_all(conn, _SQL["overview"], {}, ModelOverview)


def activate(conn: Connection, name: str) -> None:
    """Let search answer from this model's index, from one moment to the next.

    Raises:
        PermanentError: There is no index of that model, or it lacks pages that search has now.
    """
    with conn.transaction():
        conn.execute(_SQL["lock"])
        named = [model for model in overview(conn) if model.name == name]
        if not named:
            raise PermanentError(
                f"No index was built with {name!r}. Set OMNI_EMBEDDING_MODEL={name}, refresh every "
                "domain, then activate it."
            )
        parameters = {"model_id": named[-1].id}
        missing = conn.execute(_SQL["missing_pages"], parameters).fetchall()
        if missing:
            hosts = ", ".join(f"{host} ({pages})" for host, pages in missing)
            raise PermanentError(
                f"The index of {name} lacks pages of {hosts}. Refresh these domains with "
                f"OMNI_EMBEDDING_MODEL={name} first; search answers from the other model meanwhile."
            )
        conn.execute(_SQL["retire_active"])
        conn.execute(_SQL["activate"], parameters)
