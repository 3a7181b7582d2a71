"""What the steps of one refresh work with, each opened when first asked for."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property

from omni_pipeline.domain.chunking import Chunker, make_chunker
from omni_pipeline.domain.embedding_models import EmbeddingModel
from omni_pipeline.domain.urls import parse_site
from omni_pipeline.gateways.embedding import (
    Embedded,
    EmbeddingDoor,
    load_tokenizer,
    open_embedding_door,
    resolve_model,
)
from omni_pipeline.settings import Settings
from omni_pipeline.steps.embedding_turnstile import open_turnstile, reopen
from omni_pipeline.steps.web_access import WebAccess, open_web, user_agent
from omni_pipeline.store import embedding_models
from omni_pipeline.store.domains import Domain
from omni_pipeline.store.embedding_models import StoredModel
from omni_pipeline.store.session import Session


class Tools:
    """The doors of one refresh. Nothing is opened, loaded or asked before it is needed."""

    def __init__(self, settings: Settings, session: Session, resources: ExitStack) -> None:
        self._settings = settings
        self._session = session
        self._resources = resources

    @property
    def is_local(self) -> bool:
        """Whether the embedding model runs inside this process."""
        return self._settings.embedding.is_local

    @property
    def user_agent(self) -> str:
        """How the crawler introduces itself."""
        return user_agent(self._settings)

    @cached_property
    def model(self) -> EmbeddingModel:
        """The model that the settings name."""
        return resolve_model(self._settings.embedding)

    @cached_property
    def stored_model(self) -> StoredModel:
        """That model's row."""
        return self._session.run(
            lambda conn: embedding_models.ensure(
                conn,
                name=self.model.name,
                dimensions=self.model.dimensions,
                is_lexical=self.model.is_lexical,
            )
        )

    def note_on_activation(self) -> str | None:
        """What to do when this model's index is built beside the one that search answers from."""
        if self.stored_model.status == "active":
            return None
        return (
            f"Search does not answer from {self.model.name} yet: when every domain was refreshed "
            f"with it, run `omni models activate {self.model.name}`."
        )

    @cached_property
    def chunker(self) -> Chunker:
        """The one chunking configuration: tokens of the model (A13)."""
        size = self.model.chunk_capacity(self._settings.chunk_tokens)
        return make_chunker(load_tokenizer(self.model), size)

    @cached_property
    def embedding(self) -> EmbeddingDoor:
        """The door for a person's single question, which waits for no run and no breaker."""
        return self._resources.enter_context(open_embedding_door(self._settings.embedding))

    @cached_property
    def shared_embedding(self) -> EmbeddingDoor:
        """The door for a run's requests, behind the breaker and the rate limit of all runs."""
        settings = self._settings.embedding
        if settings.is_local:
            return self.embedding
        turnstile = open_turnstile(self._session, settings, self.model.name)
        return self._resources.enter_context(open_embedding_door(settings, turnstile=turnstile))

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        """Ask the embedding door, which is opened by the first text: most refreshes have none."""
        return self.shared_embedding.embed(texts, tokens=tokens)

    def reopen_endpoint(self) -> None:
        """Let all runs ask the endpoint at once: a person has just seen that it answers."""
        reopen(self._session, self._settings.embedding)

    def web(self, domain: Domain) -> WebAccess:
        """The way to the domain's site."""
        site = parse_site(domain.start_url, allowed=self._settings.allow_addresses)
        return self._resources.enter_context(
            open_web(self._settings, site_host=site.host, browser_hosts=tuple(domain.browser_hosts))
        )
