"""Another model's index, built beside the one that search answers from, and kept up to date (R-C5).

Which models a refresh writes: first the **active** one, whatever ``OMNI_EMBEDDING_MODEL`` names
(that is the model of an index that is still empty), then every **building** one and the
**previous** one. So an index that was once complete stays so while refreshes go on, may be
activated at any time, and a rollback loses nothing. Changed chunks are paid for once per model
kept; `omni models drop` ends that. What fails with a model that search does not answer from is
noted and left for the next refresh or `omni models build`: it does not fail the refresh.

A build makes the same from the stored cleaned pages, without crawling. What it has staged and paid
for stands, so that one which was killed goes on. A changed chunker needs no second index: its pages
are due, in every index, and each is swapped whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from psycopg import Connection

from omni_pipeline.errors import LeaseLostError, OmniError, SettingsError
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import Listener, Progress, Refresh
from omni_pipeline.steps.services.model_services import Models, ModelServices
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.crawl_jobs import Claim


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What a build made of one domain; ``cost_usd`` None: price unknown."""

    model: str
    dimensions: int
    pages_published: int
    pages_failed: int
    chunks_embedded: int
    chunks_reused: int
    tokens_embedded: int
    cost_usd: float | None


def add_model(models: Models, name: str, dimensions: int | None) -> StoredModel:
    """Register a model, once its endpoint has answered with vectors of its dimensions.

    Args:
        models: The new one is asked at the endpoint that the settings name.
        name: As the endpoint is asked for it.
        dimensions: Of its vectors; None: those of a known model.

    Raises:
        SettingsError: The dimensions cannot be told.
        OmniError: The endpoint does not answer, or not so.
    """
    added = models.configure(name, dimensions)
    try:
        added.model  # noqa: B018 - told from the settings, or not
    except SettingsError as error:
        raise SettingsError(f"{error} `omni models add` takes --dimensions instead.") from error
    if not added.is_local:
        added.embedding.probe()
    return added.stored_model


def build_index(refresh: Refresh, services: ModelServices) -> BuildReport:
    """Chunk, embed and publish every page whose text this model's index of the domain lacks.

    Args:
        refresh: The claimed domain.
        services: Of the model whose index is built.
    """
    model = services.stored_model
    building = replace(
        refresh, settings=services.settings, report=_naming(refresh.report, f" {model.name}")
    )
    cut = stage_chunks(building, model, services.chunker)
    paid = embed_and_publish(building, model, services)
    return BuildReport(
        model=model.name,
        dimensions=model.dimensions,
        pages_published=paid.pages_published,
        pages_failed=cut.pages_failed + paid.pages_failed,
        chunks_embedded=paid.chunks_embedded,
        chunks_reused=paid.chunks_reused,
        tokens_embedded=paid.tokens_embedded,
        cost_usd=paid.cost_usd,
    )


def keep_others_current(refresh: Refresh, models: Models, current: StoredModel) -> tuple[str, ...]:
    """Bring the indexes of the other kept models up to date with what a refresh changed.

    Args:
        refresh: The claimed domain.
        models: All that the settings lead to.
        current: The model whose index is done.

    Returns:
        A note for each index that could not be brought up to date.

    Raises:
        LeaseLostError: The domain is not ours any more.
    """
    others = refresh.read(_kept_beside, current.id)
    notes = (_keep_current(refresh, models, other) for other in others)
    return tuple(note for note in notes if note is not None)


def _keep_current(refresh: Refresh, models: Models, other: StoredModel) -> str | None:
    try:
        report = build_index(refresh, models.of(other))
    except LeaseLostError:
        raise
    except OmniError as error:
        return (
            f"The index of {other.name} ({other.status}) is behind in {refresh.domain.host}: "
            f"{error} The next refresh tries again; so does `omni models build {other.name}`."
        )
    if not report.pages_failed:
        return None
    return (
        f"The index of {other.name} ({other.status}) lacks {report.pages_failed:,} pages of "
        f"{refresh.domain.host}: omni failed {refresh.domain.host}"
    )


def _kept_beside(conn: Connection, _: Claim, model_id: int) -> list[StoredModel]:
    return embedding_models.kept_beside(conn, model_id)


def _naming(listener: Listener, suffix: str) -> Callable[[Progress], None]:
    return lambda progress: listener(replace(progress, stage=f"{progress.stage}{suffix}"))
