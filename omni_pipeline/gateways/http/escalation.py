"""Choosing between a page as its site sends it and as a browser shows it."""

from dataclasses import replace
from typing import Protocol

from omni_pipeline.domain.crawl.rendering import gains_by_rendering, script_evidence
from omni_pipeline.domain.web.charset import decode
from omni_pipeline.domain.web.outcomes import Fetched, Outcome


class Renderer(Protocol):
    """A browser. Whatever a page does, it answers within a time of its own and never raises."""

    async def render(self, url: str) -> Outcome:
        """Show the page once. The outcome's ``url`` is ``url``."""
        ...


def seems_to_need_browser(sent: Fetched) -> bool:
    """Whether a page as it was sent speaks for looking at it in a browser too."""
    return script_evidence(_text(sent)) is not None


def better_of(sent: Fetched, rendered: Outcome) -> Outcome:
    """The kind of the page that is to be indexed, marked with what the comparison showed.

    A rendering that failed is the outcome: the page as sent seems to be a shell, and an empty
    shell taken for the content would replace what is held of the page.
    """
    if not isinstance(rendered, Fetched):
        return rendered
    if gains_by_rendering(_text(sent), _text(rendered)):
        robots_tag = rendered.robots_tag or sent.robots_tag
        return replace(rendered, robots_tag=robots_tag, needs_browser=True)
    return replace(sent, needs_browser=False)


def _text(page: Fetched) -> str:
    return decode(page.body, page.charset).text
