"""The way to one site: HTTP, and behind it a browser that starts when a page needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.browser_hosts import browser_may_load
from omni_pipeline.domain.web.outcomes import Outcome, Unusable
from omni_pipeline.domain.web.user_agent import user_agent
from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.browser.client import BrowserRenderer
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class WebAccess:
    """The clients of one site.

    Attributes:
        web: Fetches, and asks the browser where a request or a page calls for it.
        browser: Not started before the first page that needs it.
    """

    web: HttpClient
    browser: BrowserRenderer


class _PatientRenderer:
    """Makes a browser that cannot start one page's failure, not the crawl's.

    In a site of a thousand pages one may need a browser: without one, the others are still worth
    having, and the failed page says what to install.
    """

    def __init__(self, browser: BrowserRenderer) -> None:
        self._browser = browser

    async def render(self, url: str) -> Outcome:
        try:
            return await self._browser.render(url)
        except PermanentError as error:
            return Unusable(url=url, kind=error.kind, reason=str(error))


@contextmanager
def open_web(
    settings: Settings, *, site_host: str, browser_hosts: tuple[str, ...] = ()
) -> Iterator[WebAccess]:
    """Open the way to a site.

    Args:
        settings: Which private addresses are allowed, where the browser is, who we are.
        site_host: The host whose pages are fetched, without a port.
        browser_hosts: Further hosts that its pages may load from in a browser.
    """
    policy = AddressPolicy(allowed=settings.allow_addresses)
    agent = user_agent(settings.contact_url)

    def may_load(host: str) -> bool:
        return browser_may_load(host, site_host=site_host, further=browser_hosts)

    browser = BrowserRenderer(
        policy=policy, user_agent=agent, allows_host=may_load, executable=settings.browser_path
    )
    with (
        browser,
        HttpClient(policy=policy, user_agent=agent, renderer=_PatientRenderer(browser)) as web,
    ):
        yield WebAccess(web=web, browser=browser)
