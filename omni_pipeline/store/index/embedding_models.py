"""Embedding models: search answers from the active one, others are built beside it or kept.

``building`` and ``previous`` (what a rollback returns to) are kept up to date by every refresh,
like the active one; ``retired`` is left as it was; ``dropped`` has no index any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from omni_pipeline.errors import PermanentError
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)

# Small enough for the session's statement timeout, with an HNSW index gone before.
DROP_PAGES = 500
DROP_VECTORS = 5000


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model that vectors are stored under; ``endpoint`` None: where it was asked is unknown."""

    id: int
    name: str
    dimensions: int
    is_lexical: bool
    status: str
    endpoint: str | None = None


def ensure(
    conn: Connection, *, name: str, dimensions: int, is_lexical: bool, endpoint: str | None = None
) -> StoredModel:
    """The model's row, made if missing. The first model of all is active at once."""
    parameters = {
        "name": name,
        "dimensions": dimensions,
        "is_lexical": is_lexical,
        "endpoint": endpoint,
    }
    with conn.transaction():
        model = fetch_one(conn, _SQL["find"], parameters, StoredModel)
        if model is None or _is_outdated(model, endpoint):
            # Two first models at once would both be active, and one of them refused.
            conn.execute(_SQL["lock"])
            conn.execute(_SQL["ensure"], parameters)
            model = fetch_one(conn, _SQL["find"], parameters, StoredModel)
    assert model is not None
    return model


def _is_outdated(model: StoredModel, endpoint: str | None) -> bool:
    return model.status == "dropped" or endpoint not in (None, model.endpoint)


def find_active(conn: Connection) -> StoredModel | None:
    """The model that search answers from; None before the first refresh."""
    return fetch_one(conn, _SQL["active"], {}, StoredModel)


def get(conn: Connection, reference: str) -> StoredModel:
    """The model of that name, or of ``NAME@DIMENSIONS`` where several share the name.

    Raises:
        PermanentError: None is called so, or several are; the message says what to do.
    """
    models = fetch_all(conn, _SQL["named"], {"reference": reference}, StoredModel)
    standing = [model for model in models if model.status != "dropped"] or models[:1]
    if len(standing) > 1:
        which = ", ".join(f"{model.name}@{model.dimensions}" for model in standing)
        raise PermanentError(
            f"{reference!r} is the name of several models: say which one of {which}.",
            kind="permanent.unknown_model",
        )
    if not standing:
        raise PermanentError(
            f"No index was built with {reference!r}: `omni models list` shows the models; "
            f"`omni models add {reference}` begins a new one.",
            kind="permanent.unknown_model",
        )
    return standing[0]


def kept_beside(conn: Connection, model_id: int) -> list[StoredModel]:
    """The other models whose indexes are kept up to date, the active one first."""
    return fetch_all(conn, _SQL["kept"], {"model_id": model_id}, StoredModel)


def take_up(conn: Connection, reference: str) -> StoredModel:
    """The model of that name; from now on refreshes keep its index up to date, retired or not.

    Raises:
        PermanentError: There is no such model, or it was dropped.
    """
    model = get(conn, reference)
    _check_not_dropped(model, reference)
    conn.execute(_SQL["resume"], {"model_id": model.id})
    return model


def was_probed_recently(conn: Connection, model_id: int) -> bool:
    """Whether the model's endpoint passed the pre-flight within the last day."""
    return bool(conn.execute(_SQL["was_probed_recently"], {"model_id": model_id}).rowcount)


def note_probe(conn: Connection, model_id: int) -> None:
    """Remember that the model's endpoint passed the pre-flight now."""
    conn.execute(_SQL["note_probe"], {"model_id": model_id})


@dataclass(frozen=True, kw_only=True)
class ModelOverview:
    """A model, how much is built with it, and how many pages of the active index it lacks."""

    id: int
    name: str
    dimensions: int
    status: str
    endpoint: str | None
    activated_at: datetime | None
    pages_published: int
    chunks: int
    pages_lacking: int


def overview(conn: Connection) -> list[ModelOverview]:
    """Every model that something is, or is to be, built with."""
    return fetch_all(conn, _SQL["overview"], {}, ModelOverview)


def lacking_pages(conn: Connection, model_id: int) -> dict[str, int]:
    """By host, the pages of the active index that this one lacks or has an older text of."""
    return dict(conn.execute(_SQL["lacking_pages"], {"model_id": model_id}).fetchall())


def activate(conn: Connection, reference: str, *, accept_losses: bool = False) -> StoredModel:
    """Let search answer from this model's index, from one moment to the next.

    The model that was active becomes the previous one, and is kept up to date for a rollback.

    Args:
        conn: An autocommit connection.
        reference: A name, or ``NAME@DIMENSIONS``.
        accept_losses: Also if it lacks pages that search has now.

    Raises:
        PermanentError: There is no index of that model, or it lacks pages that search has now.
    """
    with conn.transaction():
        conn.execute(_SQL["lock"])
        model = get(conn, reference)
        _check_not_dropped(model, reference)
        if model.status != "active":
            conn.execute(_SQL["hold_publications"])
            if not accept_losses:
                _check_complete(conn, model, reference)
            _flip(conn, model)
    return model


def roll_back(conn: Connection) -> StoredModel:
    """Let search answer from the previous model's index again; the one left may be returned to.

    Raises:
        PermanentError: There is no previous model, or its index lacks pages that search has now.
    """
    with conn.transaction():
        conn.execute(_SQL["lock"])
        model = fetch_one(conn, _SQL["previous"], {}, StoredModel)
        if model is None:
            raise PermanentError(
                "There is no previous model to go back to: none was left since the index was made, "
                "or it was dropped. `omni models list` shows what can be activated.",
                kind="permanent.no_previous_model",
            )
        conn.execute(_SQL["hold_publications"])
        _check_complete(conn, model, model.name)
        _flip(conn, model)
    return model


def _check_complete(conn: Connection, model: StoredModel, reference: str) -> None:
    if lacking := lacking_pages(conn, model.id):
        hosts = ", ".join(f"{host} ({pages:,})" for host, pages in lacking.items())
        raise PermanentError(
            f"The index of {reference} lacks pages of {hosts}. Run `omni models build {reference}` "
            "first; search answers from the other model meanwhile. `omni failed` says which pages "
            "could not be built, if that does not help.",
            kind="permanent.index_incomplete",
        )


def _check_not_dropped(model: StoredModel, reference: str) -> None:
    if model.status == "dropped":
        raise PermanentError(
            f"The index of {reference} was dropped: `omni models add {reference}` begins it anew.",
            kind="permanent.unknown_model",
        )


def _flip(conn: Connection, model: StoredModel) -> None:
    conn.execute(_SQL["retire_previous"])
    conn.execute(_SQL["leave_active"])
    conn.execute(_SQL["activate"], {"model_id": model.id})


def mark_dropped(conn: Connection, reference: str) -> StoredModel:
    """From now on nothing is written with this model, and search cannot flip to it.

    Raises:
        PermanentError: Search answers from it, or there is no such model.
    """
    with conn.transaction():
        conn.execute(_SQL["lock"])
        model = get(conn, reference)
        if not conn.execute(_SQL["mark_dropped"], {"model_id": model.id}).rowcount:
            raise PermanentError(
                f"Search answers from {reference}: activate another model first.",
                kind="permanent.active_model",
            )
    return model


def remove_index(
    conn: Connection, model_id: int, *, report: Callable[[int], None] | None = None
) -> int:
    """Remove a dropped model's rows, a few hundred pages at a time; returns how many pages.

    Whatever was removed stays so if this is broken off; called again, it goes on.

    Args:
        conn: An autocommit connection.
        model_id: Of a model that ``mark_dropped`` has marked.
        report: Is told how many pages are removed so far.
    """
    pages = after_id = 0
    while page_ids := _next_pages(conn, model_id, after_id):
        parameters = {"model_id": model_id, "page_ids": page_ids}
        with conn.transaction():
            conn.execute(_SQL["remove_vectors"], parameters)
            conn.execute(_SQL["remove_chunks"], parameters)
            conn.execute(_SQL["remove_revisions"], parameters)
        pages += len(page_ids)
        after_id = page_ids[-1]
        if report is not None:
            report(pages)
    limit = {"model_id": model_id, "limit": DROP_VECTORS}
    while conn.execute(_SQL["remove_kept_vectors"], limit).rowcount:
        pass
    return pages


def _next_pages(conn: Connection, model_id: int, after_id: int) -> list[int]:
    parameters = {"model_id": model_id, "after_id": after_id, "limit": DROP_PAGES}
    return [page_id for (page_id,) in conn.execute(_SQL["next_pages"], parameters)]
