"""Dagster's UI as a person uses it: looks for words and roles, and clicks."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLongError

from omni_pipeline.gateways.browser.install import find_browser

# How long a person waits for what was launched, and for one page before it is loaded anew.
PATIENCE_SECONDS = 240.0
PAGE_SECONDS = 20.0


class DagsterPages:
    """The pages of one webserver, in one tab."""

    def __init__(self, tab: Page, url: str) -> None:
        self.tab = tab
        self._url = url
        tab.set_default_timeout(PATIENCE_SECONDS * 1000)

    def open(self, path: str) -> None:
        self.tab.goto(f"{self._url}{path}")

    def launch(self, job: str, *hosts: str) -> None:
        """Choose partitions of a job and launch it: one run, or a backfill of several."""
        self.open(f"/locations/omni_pipeline/jobs/{job}")
        self._button("Materialize all…").click()
        self.tab.get_by_text("Select a partition or create one").click()
        for host in hosts:
            self.tab.get_by_role("menuitem", name=re.compile(re.escape(host))).click()
        self.tab.keyboard.press("Escape")
        self.tab.get_by_role("button", name=re.compile("^Launch")).last.click()
        self.tab.get_by_text(re.compile("^(Launched run|Created backfill)")).first.wait_for()

    def see(self, path: str, *words: str) -> None:
        """Wait until a page says all of these words.

        Pages of partitions and checks do not renew themselves.

        Raises:
            TimeoutError: It did not say them in the end.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.open(path)
            try:
                for said in words:
                    self._text(said).wait_for(timeout=PAGE_SECONDS * 1000)
            except TookTooLongError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def shoot(self, file: Path) -> None:
        """A picture of the tab, when it has stopped to load."""
        self.tab.wait_for_load_state("networkidle", timeout=PATIENCE_SECONDS * 1000)
        self.tab.screenshot(path=file, animations="disabled")

    def _button(self, name: str) -> Locator:
        return self.tab.get_by_role("button", name=name).first

    def _text(self, said: str) -> Locator:
        return self.tab.get_by_text(said, exact=True).first


def partitions_page(asset: str, host: str = "") -> str:
    chosen = f"&partition={quote(host, safe='')}" if host else ""
    return f"/assets/{asset}?view=partitions{chosen}"


def check_page(asset: str, check: str) -> str:
    return f"/assets/{asset}?view=checks&checkDetail={check}"


@contextmanager
def open_browser(*, width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A tab of the Chromium that the project renders with."""
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=find_browser(None), args=["--no-sandbox"]
        )
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()
