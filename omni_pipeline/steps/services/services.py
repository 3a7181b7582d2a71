"""What the steps of one refresh work with, each opened when first asked for."""

from contextlib import ExitStack
from functools import cached_property

from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.domain.web.user_agent import user_agent
from omni_pipeline.gateways.llm.client import LlmClient, open_llm_client
from omni_pipeline.settings import Settings
from omni_pipeline.steps.services.model_services import Models
from omni_pipeline.steps.services.site_access import WebAccess, open_web
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres.session import Session


class Services:
    """The clients of one refresh: its site, its embedding models, the model that reads products."""

    def __init__(self, settings: Settings, session: Session, resources: ExitStack) -> None:
        self._settings = settings
        self._resources = resources
        self.models = Models(settings, session, resources)

    @property
    def user_agent(self) -> str:
        """How the crawler introduces itself."""
        return user_agent(self._settings.contact_url)

    def web(self, domain: Domain) -> WebAccess:
        """The way to the domain's site."""
        site = parse_site(domain.start_url, allowed=self._settings.allow_addresses)
        return self._resources.enter_context(
            open_web(self._settings, site_host=site.host, browser_hosts=tuple(domain.browser_hosts))
        )

    @cached_property
    def llm(self) -> LlmClient | None:
        """The way to the chat model that reads product pages, where one is configured."""
        if self._settings.extraction is None:
            return None
        return self._resources.enter_context(open_llm_client(self._settings.extraction))
