"""A crawl killed with SIGKILL: the next one goes on, and the site hardly notices."""

import signal
import time

import pytest

from omni_pipeline.steps.crawl.sitemap_reading import CONVENTIONAL as SITEMAPS
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import is_probe, site_of

PAGES = 500
CONCURRENCY = 4
SLOTS = 2 * CONCURRENCY


def page_requests(site: ScriptedSite) -> int:
    own = ("/robots.txt", *SITEMAPS)
    return sum(target not in own and not is_probe(target) for target in site.targets())


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.chaos), 250])
def test_a_crawl_killed_on_its_way_asks_at_most_a_slot_of_pages_again(
    omni: CommandLine, after: int
) -> None:
    """Kill -9, then refresh; requests seen by the site <= pages + slots; nothing is wrong.

    R-A19.
    """
    with ScriptedSite(site_of(PAGES)) as site:
        place = site.url.removeprefix("http://").rstrip("/")
        omni.environment = {**omni.environment, "OMNI_ALLOW_ADDRESSES": place}
        added = omni.run(
            "domains", "add", site.url, "--delay", "0", "--concurrency", str(CONCURRENCY)
        )
        assert added.returncode == 0, added.stderr
        refresh = omni.start("refresh", place)
        deadline = time.monotonic() + 60
        while page_requests(site) < after and time.monotonic() < deadline:
            time.sleep(0.005)
        refresh.send_signal(signal.SIGKILL)
        refresh.communicate()
        assert page_requests(site) < PAGES, "killed on its way"
        again = omni.run("refresh", place)
        assert again.returncode == 0, again.stderr
        assert page_requests(site) <= PAGES + 1 + SLOTS
        assert omni.run("verify").returncode == 0
