"""What an embedding model needs, each part opened when first asked for, and the choice of a model.

Which model a refresh writes, and which a question is asked of, is said in ``steps.index``.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property

from omni_pipeline.domain.chunks.chunking import Chunker, make_chunker
from omni_pipeline.domain.embedding.known_models import (
    EmbeddingModel,
    endpoint_address,
    settings_for,
)
from omni_pipeline.gateways.embedding.client import (
    EmbeddingClient,
    open_embedding_client,
)
from omni_pipeline.gateways.embedding.installed import load_tokenizer, resolve_model
from omni_pipeline.gateways.embedding.results import Embedded
from omni_pipeline.settings import Settings
from omni_pipeline.steps.services.shared_throttle import open_throttle, reopen
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.postgres.session import Session


class ModelServices:
    """One embedding model: the one that ``settings`` name, its row, its chunker and its clients."""

    def __init__(self, settings: Settings, session: Session, resources: ExitStack) -> None:
        self.settings = settings
        self._session = session
        self._resources = resources

    @property
    def is_local(self) -> bool:
        """Whether the embedding model runs inside this process."""
        return self.settings.embedding.is_local

    @cached_property
    def model(self) -> EmbeddingModel:
        """The model that the settings name."""
        return resolve_model(self.settings.embedding)

    @cached_property
    def stored_model(self) -> StoredModel:
        """That model's row."""
        return self._session.run(
            lambda conn: embedding_models.ensure(
                conn,
                name=self.model.name,
                dimensions=self.model.dimensions,
                is_lexical=self.model.is_lexical,
                endpoint=endpoint_address(self.settings.embedding),
            )
        )

    @cached_property
    def chunker(self) -> Chunker:
        """The one chunking configuration: tokens of the model (R-A13)."""
        size = self.model.chunk_capacity(self.settings.chunk_tokens)
        return make_chunker(load_tokenizer(self.model), size)

    @cached_property
    def embedding(self) -> EmbeddingClient:
        """The client for a person's single question, which waits for no run and no breaker."""
        return self._resources.enter_context(open_embedding_client(self.settings.embedding))

    @cached_property
    def shared_embedding(self) -> EmbeddingClient:
        """The client for a run's requests, behind the breaker and the rate limit of all runs."""
        settings = self.settings.embedding
        if settings.is_local:
            return self.embedding
        throttle = open_throttle(self._session, settings, self.model.name)
        return self._resources.enter_context(open_embedding_client(settings, throttle=throttle))

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        """Ask the embedding client, which is opened by the first text: most refreshes have none."""
        return self.shared_embedding.embed(texts, tokens=tokens)

    def reopen_endpoint(self) -> None:
        """Let all runs ask the endpoint at once: a person has just seen that it answers."""
        reopen(self._session, self.settings.embedding)


class Models:
    """The embedding models that settings and index name, each with its services, opened once."""

    def __init__(self, settings: Settings, session: Session, resources: ExitStack) -> None:
        self._settings = settings
        self._session = session
        self._resources = resources
        self._by_id: dict[int, ModelServices] = {}

    @cached_property
    def configured(self) -> ModelServices:
        """The model that the settings name: that of an index which is still empty."""
        return ModelServices(self._settings, self._session, self._resources)

    def configure(self, name: str, dimensions: int | None) -> ModelServices:
        """The model that this would be if the settings named it.

        Raises:
            SettingsError: The model's dimensions cannot be told.
        """
        embedding = replace(
            self._settings.embedding, model=name, dimensions=dimensions, price_per_million=None
        )
        settings = replace(self._settings, embedding=embedding)
        return ModelServices(settings, self._session, self._resources)

    def of_index(self) -> ModelServices:
        """The model that search answers from; the configured one while nothing is indexed."""
        active = self._session.run(embedding_models.find_active)
        return self.configured if active is None else self.of(active)

    def of_named(self, reference: str) -> ModelServices:
        """The model of that name, whose index is kept up to date from now on.

        Raises:
            PermanentError: There is no such model, or it was dropped.
            SettingsError: The settings do not lead to that model.
        """
        return self.of(self._session.run(lambda conn: embedding_models.take_up(conn, reference)))

    def of(self, stored: StoredModel) -> ModelServices:
        """A model of the index.

        Raises:
            SettingsError: The settings do not lead to that model.
        """
        model = self.configured.model
        if (stored.name, stored.dimensions) == (model.name, model.dimensions):
            return self.configured
        if stored.id not in self._by_id:
            self._by_id[stored.id] = self._make(stored)
        return self._by_id[stored.id]

    def _make(self, stored: StoredModel) -> ModelServices:
        embedding = settings_for(
            self._settings.embedding,
            name=stored.name,
            dimensions=stored.dimensions,
            endpoint=stored.endpoint,
        )
        settings = replace(self._settings, embedding=embedding)
        services = ModelServices(settings, self._session, self._resources)
        services.stored_model = stored
        return services

    def note_on(self, model: EmbeddingModel) -> str | None:
        """What to do when the settings name another model than the one that is worked with."""
        named = self._settings.embedding.model
        if named in (None, model.name):
            return None
        return (
            f"OMNI_EMBEDDING_MODEL names {named}, but search answers from {model.name}, and "
            f"refreshes keep that up to date. To change models: `omni models add {named}`, "
            f"`omni models build {named}`, `omni models activate {named}`."
        )
