"""How each page of a domain is to be had, remembered by URL pattern and found out again weekly."""

from collections.abc import Mapping

from omni_pipeline.domain.crawl.patterns import url_pattern
from omni_pipeline.domain.web.outcomes import Rendering

# After so long one page of a pattern is compared again: sites change how they are built.
DECISION_SECONDS = 7 * 86_400.0


class RenderDecisions:
    """The way to fetch each URL of one crawl.

    Args:
        mode: The domain's; anything but ``auto`` holds for every page.
        needs_by_pattern: What earlier crawls found out.
    """

    def __init__(self, mode: Rendering, needs_by_pattern: Mapping[str, bool]) -> None:
        self._mode = mode
        self._needs_by_pattern = dict(needs_by_pattern)

    def of(self, url: str) -> Rendering:
        """``auto`` where it is not known yet: the client then looks at the page as it is sent."""
        if self._mode != "auto" or not self._needs_by_pattern:
            return self._mode
        needs_browser = self._needs_by_pattern.get(url_pattern(url))
        if needs_browser is None:
            return "auto"
        return "browser" if needs_browser else "http"

    def learn(self, needs_by_pattern: Mapping[str, bool]) -> None:
        """Use what was found out from the next page on."""
        self._needs_by_pattern.update(needs_by_pattern)
