"""When the HTTP client asks a browser for a page, and which of two pages it then believes.

R-A2.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    FetchRequest,
    Forbidden,
    Gone,
    Outcome,
    Redirected,
    Rendering,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline_tests.sites import Page, ScriptedSite, html

QUICK = FetchLimits(pause_seconds=0.01)
SHELL = '<html><body><div id="root"></div><script src="/app.js"></script></body></html>'
PROSE = "<p>" + "A sentence that somebody wrote for people who read it. " * 40 + "</p>"
STATIC = f"<html><body><main><h1>Title</h1>{PROSE}</main></body></html>"


class FakeRenderer:
    """Gives each page the next outcome, the last one for ever; records what was asked."""

    def __init__(self, *outcomes: Outcome | str) -> None:
        self.asked: list[str] = []
        self._outcomes = list(outcomes)

    async def render(self, url: str) -> Outcome:
        self.asked.append(url)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        return rendered(outcome, url) if isinstance(outcome, str) else replace(outcome, url=url)


def rendered(text: str, url: str = "") -> Fetched:
    return Fetched(
        url=url,
        status=200,
        body=text.encode(),
        content_type="text/html",
        charset="utf-8",
        elapsed_seconds=0.5,
        is_rendered=True,
    )


CRASHED = Unreachable(url="", kind="transient.browser", reason="the page crashed")
FAILURES = [
    CRASHED,
    Unusable(url="", kind="permanent.not_html", reason="a download"),
    Blocked(url="", status=403, kind="permanent.blocked", reason="a bot wall"),
    Gone(url="", status=404),
    Redirected(url="", target="http://127.0.0.1/else", permanent=False),
]


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite({"/app": html(SHELL), "/doc": html(STATIC)}) as running:
        yield running


def _fetch(
    site: ScriptedSite, renderer: FakeRenderer | None, path: str, rendering: Rendering
) -> Outcome:
    policy = AddressPolicy(allowed=site.allowed)
    with HttpClient(policy=policy, user_agent="x", limits=QUICK, renderer=renderer) as client:
        return client.fetch(FetchRequest(url=site.url + path, rendering=rendering))


def test_http_never_starts_a_browser(site: ScriptedSite) -> None:
    renderer = FakeRenderer(STATIC)
    outcome = _fetch(site, renderer, "app", "http")

    assert isinstance(outcome, Fetched)
    assert (outcome.body, outcome.needs_browser) == (SHELL.encode(), None)
    assert renderer.asked == []


def test_browser_asks_the_browser_and_nobody_else(site: ScriptedSite) -> None:
    renderer = FakeRenderer(STATIC)
    outcome = _fetch(site, renderer, "app", "browser")

    assert isinstance(outcome, Fetched)
    assert outcome.is_rendered
    assert outcome.needs_browser is None
    assert renderer.asked == [site.url + "app"]
    assert site.requests == []


def test_auto_never_starts_a_browser_for_a_page_that_speaks_for_itself(site: ScriptedSite) -> None:
    renderer = FakeRenderer(STATIC)
    outcome = _fetch(site, renderer, "doc", "auto")

    assert isinstance(outcome, Fetched)
    assert (outcome.is_rendered, outcome.needs_browser) == (False, None)
    assert renderer.asked == []


def test_auto_believes_the_browser_where_it_shows_more(site: ScriptedSite) -> None:
    site.pages["/app"] = html(SHELL, x_robots_tag="noindex")
    outcome = _fetch(site, FakeRenderer(STATIC), "app", "auto")

    assert isinstance(outcome, Fetched)
    assert outcome.body == STATIC.encode()
    assert (outcome.is_rendered, outcome.needs_browser) == (True, True)
    assert outcome.robots_tag == "noindex", "said by the headers, which the browser's page lacks"
    assert outcome.etag is None


def test_auto_keeps_the_page_as_sent_where_the_browser_shows_no_more(site: ScriptedSite) -> None:
    site.pages["/app"] = html(SHELL, etag='"v1"')
    outcome = _fetch(site, FakeRenderer(SHELL), "app", "auto")

    assert isinstance(outcome, Fetched)
    assert outcome.body == SHELL.encode()
    assert (outcome.is_rendered, outcome.needs_browser, outcome.etag) == (False, False, '"v1"')


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_shell_that_could_not_be_rendered_is_never_taken_for_the_page(
    site: ScriptedSite, failure: Outcome
) -> None:
    outcome = _fetch(site, FakeRenderer(failure), "app", "auto")

    assert outcome == replace(failure, url=site.url + "app")


def test_shells_in_other_charsets_are_read_as_they_are_meant(site: ScriptedSite) -> None:
    body = b"\xff\xfe" + SHELL.encode("utf-16-le")
    site.pages["/app"] = Page(body=body, headers={"content-type": "text/html"})
    outcome = _fetch(site, FakeRenderer(STATIC), "app", "auto")

    assert getattr(outcome, "needs_browser", None) is True


@pytest.mark.parametrize("answer", [Page(status=404), Page(status=403), Page(status=304)])
def test_auto_renders_nothing_but_pages(site: ScriptedSite, answer: Page) -> None:
    site.pages["/app"] = answer
    renderer = FakeRenderer(STATIC)

    assert not isinstance(_fetch(site, renderer, "app", "auto"), Fetched)
    assert renderer.asked == []


@pytest.mark.parametrize("rendering", ["auto", "browser"])
def test_a_browser_that_crashes_once_is_asked_again(
    site: ScriptedSite, rendering: Rendering
) -> None:
    """R-A15."""
    renderer = FakeRenderer(CRASHED, STATIC)

    assert isinstance(_fetch(site, renderer, "app", rendering), Fetched)
    assert len(renderer.asked) == 2
    assert len(site.requests) == (1 if rendering == "auto" else 0), "the page as sent is at hand"


def test_renderings_keep_the_pace(site: ScriptedSite) -> None:
    """R-B9."""
    requests = iter([FetchRequest(url=site.url + "app", rendering="auto")] * 2)
    policy = AddressPolicy(allowed=site.allowed)
    with HttpClient(policy=policy, user_agent="x", renderer=FakeRenderer(STATIC)) as client:
        started = client._loop.time()
        list(client.fetch_all(requests, concurrency=4, delay_seconds=0.1))
        assert client._loop.time() - started >= 0.3


def test_only_canonical_urls_reach_the_browser(site: ScriptedSite) -> None:
    """S-24."""
    renderer = FakeRenderer(STATIC)
    policy = AddressPolicy(allowed=site.allowed)
    with HttpClient(policy=policy, user_agent="x", renderer=renderer) as client:
        for url in ("file:///etc/passwd", "view-source:http://x.test/", "http://a@127.0.0.1/"):
            request = FetchRequest(url=url, rendering="browser")
            assert isinstance(client.fetch(request), Forbidden)
    assert renderer.asked == []


def test_without_a_renderer_auto_is_plain_http(site: ScriptedSite) -> None:
    outcome = _fetch(site, None, "app", "auto")

    assert isinstance(outcome, Fetched)
    assert (outcome.body, outcome.needs_browser) == (SHELL.encode(), None)


def test_without_a_renderer_asking_for_a_browser_is_a_mistake(site: ScriptedSite) -> None:
    with pytest.raises(ValueError, match="without a renderer"):
        _fetch(site, None, "app", "browser")
