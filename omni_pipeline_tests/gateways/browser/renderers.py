"""Doors with a real Chromium for tests, and looks at its processes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Outcome
from omni_pipeline.gateways.browser.client import BrowserRenderer, RenderLimits, find_browser
from omni_pipeline.gateways.browser.process import Chromium
from omni_pipeline.gateways.browser.process_tree import group_members
from omni_pipeline.gateways.http.dialling import Resolver
from omni_pipeline_tests.sites import LOOPBACK, ScriptedSite

USER_AGENT = "omni-pipeline/0.1 (+https://example.org/crawler)"
QUICK = RenderLimits(wall_seconds=20.0, quiet_seconds=0.2, settle_seconds=1.5)
IMPATIENT = RenderLimits(wall_seconds=2.5, quiet_seconds=0.2, settle_seconds=0.5)

needs_chromium = pytest.mark.skipif(
    find_browser(None) is None,
    reason="no Chromium: `playwright install chromium` or `apt-get install chromium`",
)


def any_host(host: str) -> bool:
    return True


def make_renderer(
    *sites: ScriptedSite,
    limits: RenderLimits = QUICK,
    allows_host: Callable[[str], bool] = any_host,
    concurrency: int = 2,
    resolver: Resolver | None = None,
) -> BrowserRenderer:
    """A door whose policy allows the sites, and nothing else on loopback."""
    return BrowserRenderer(
        policy=AddressPolicy(allowed=frozenset((LOOPBACK, site.port) for site in sites)),
        user_agent=USER_AGENT,
        allows_host=allows_host,
        limits=limits,
        concurrency=concurrency,
        resolver=resolver,
    )


def render(client: BrowserRenderer, url: str) -> Outcome:
    return asyncio.run(client.render(url))


def chromium_of(client: BrowserRenderer) -> Chromium:
    """The browser that a client runs right now."""
    current = client._pool._current
    assert current is not None
    return current.result()


def processes_of(group: int, kind: str = "") -> list[int]:
    """Chromium's processes, or those of one ``--type``."""
    return (
        [pid for pid in group_members(group) if f"--type={kind}" in command_of(pid)]
        if kind
        else group_members(group)
    )


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
