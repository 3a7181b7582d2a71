"""A look at the web that keeps nothing: no database is opened, nor started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from omni_pipeline.domain.chunks.chunking import Chunker, make_chunker
from omni_pipeline.domain.embedding.known_models import EmbeddingModel
from omni_pipeline.domain.web.urls import Site, parse_site
from omni_pipeline.domain.web.user_agent import user_agent
from omni_pipeline.gateways.embedding.installed import load_tokenizer, resolve_model
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.services.site_access import open_web


@dataclass(frozen=True, kw_only=True)
class SiteSession:
    """The way to one site, and what would become of its texts."""

    settings: Settings
    site: Site
    web: HttpClient

    @property
    def user_agent(self) -> str:
        """How the crawler introduces itself."""
        return user_agent(self.settings.contact_url)

    @cached_property
    def model(self) -> EmbeddingModel:
        """The model that the settings name."""
        return resolve_model(self.settings.embedding)

    @cached_property
    def chunker(self) -> Chunker:
        """Cuts and counts as a refresh would."""
        size = self.model.chunk_capacity(self.settings.chunk_tokens)
        return make_chunker(load_tokenizer(self.model), size)


@contextmanager
def open_site_session(target: str) -> Iterator[SiteSession]:
    """The way to the site of a host or URL that a person typed.

    Raises:
        SettingsError: It is no site's, or may not be crawled; or a setting breaks its rule.
    """
    settings = read_settings()
    site = parse_site(target, allowed=settings.allow_addresses)
    with open_web(settings, site_host=site.host) as access:
        yield SiteSession(settings=settings, site=site, web=access.web)
