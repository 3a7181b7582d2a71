"""What the steps of one refresh work with, each opened when first asked for."""

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
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.gateways.embedding.client import (
    Embedded,
    EmbeddingClient,
    load_tokenizer,
    open_embedding_client,
    resolve_model,
)
from omni_pipeline.gateways.llm.client import LlmClient, open_llm_client
from omni_pipeline.settings import Settings
from omni_pipeline.steps.services.shared_throttle import open_throttle, reopen
from omni_pipeline.steps.services.site_access import WebAccess, open_web, user_agent
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres.session import Session


class Services:
    """The clients of one refresh, for one embedding model: by itself the one that settings name.

    Nothing is opened, loaded or asked before it is needed. Which model that should be is said in
    ``steps.model_builds``.
    """

    def __init__(
        self,
        settings: Settings,
        session: Session,
        resources: ExitStack,
        *,
        configured: "Services | None" = None,
    ) -> None:
        self.settings = settings
        self._session = session
        self._resources = resources
        self._configured = configured or self
        self._by_model_id: dict[int, Services] = {}

    def configure(self, name: str, dimensions: int | None) -> "Services":
        """Services as they would be if the settings named this model; no others derive from them.

        Raises:
            SettingsError: The model's dimensions cannot be told.
        """
        embedding = replace(
            self.settings.embedding, model=name, dimensions=dimensions, price_per_million=None
        )
        return Services(replace(self.settings, embedding=embedding), self._session, self._resources)

    def of_index(self) -> "Services":
        """The tools of the model that search answers from; these here while nothing is indexed."""
        active = self._session.run(embedding_models.find_active)
        return self if active is None else self.of(active)

    def of_named(self, reference: str) -> "Services":
        """The tools of the model of that name, whose index is kept up to date from now on.

        Raises:
            PermanentError: There is no such model, or it was dropped.
            SettingsError: The settings do not lead to that model.
        """
        return self.of(self._session.run(lambda conn: embedding_models.take_up(conn, reference)))

    def of(self, stored: StoredModel) -> "Services":
        """The tools of another model, opened once.

        Raises:
            SettingsError: The settings do not lead to that model.
        """
        if self._configured is not self:
            return self._configured.of(stored)
        if (stored.name, stored.dimensions) == (self.model.name, self.model.dimensions):
            return self
        if stored.id not in self._by_model_id:
            self._by_model_id[stored.id] = self._make(stored)
        return self._by_model_id[stored.id]

    def _make(self, stored: StoredModel) -> "Services":
        embedding = settings_for(
            self.settings.embedding,
            name=stored.name,
            dimensions=stored.dimensions,
            endpoint=stored.endpoint,
        )
        settings = replace(self.settings, embedding=embedding)
        other = Services(settings, self._session, self._resources, configured=self)
        other.stored_model = stored
        return other

    @property
    def is_local(self) -> bool:
        """Whether the embedding model runs inside this process."""
        return self.settings.embedding.is_local

    @property
    def user_agent(self) -> str:
        """How the crawler introduces itself."""
        return user_agent(self.settings)

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

    def note_on_model(self) -> str | None:
        """What to do when the settings name another model than the one that is worked with."""
        named = self._configured.settings.embedding.model
        if named in (None, self.model.name):
            return None
        return (
            f"OMNI_EMBEDDING_MODEL names {named}, but search answers from {self.model.name}, and "
            f"refreshes keep that up to date. To change models: `omni models add {named}`, "
            f"`omni models build {named}`, `omni models activate {named}`."
        )

    @cached_property
    def chunker(self) -> Chunker:
        """The one chunking configuration: tokens of the model (A13)."""
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

    @cached_property
    def extraction(self) -> LlmClient | None:
        """The way to the chat model that reads product pages, where one is configured."""
        if self.settings.extraction is None:
            return None
        return self._resources.enter_context(open_llm_client(self.settings.extraction))

    def web(self, domain: Domain) -> WebAccess:
        """The way to the domain's site."""
        site = parse_site(domain.start_url, allowed=self.settings.allow_addresses)
        return self._resources.enter_context(
            open_web(self.settings, site_host=site.host, browser_hosts=tuple(domain.browser_hosts))
        )
