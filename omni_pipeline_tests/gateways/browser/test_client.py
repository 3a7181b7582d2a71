"""What pages become in a real Chromium, friendly ones and the others."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    Forbidden,
    Gone,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.gateways.browser.client import BrowserRenderer, RenderLimits
from omni_pipeline_tests.gateways.browser.renderers import (
    IMPATIENT,
    QUICK,
    USER_AGENT,
    any_host,
    chromium_of,
    make_renderer,
    needs_chromium,
    render,
)
from omni_pipeline_tests.sites import Page, Script, ScriptedSite, Seen, html, redirect

pytestmark = needs_chromium

APPLICATION = """<!DOCTYPE html><title>Shop</title><div id=app>Loading</div><script>
fetch('/data').then(r => r.json()).then(d => {
  document.getElementById('app').innerHTML = '<h1>' + d.name + '</h1>';
})</script>"""
DATA = Page(body=b'{"name": "Caf\xc3\xa9"}', headers={"content-type": "application/json"})


@pytest.fixture(scope="module")
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as opened:
        yield opened


@pytest.fixture(scope="module")
def closed_site() -> ScriptedSite:
    """A site whose port is allowed and where nobody listens any more."""
    with ScriptedSite() as opened:
        return opened


@pytest.fixture(scope="module")
def client(site: ScriptedSite, closed_site: ScriptedSite) -> Iterator[BrowserRenderer]:
    with make_renderer(site, closed_site) as opened:
        yield opened


@pytest.fixture(scope="module")
def strict_renderer(site: ScriptedSite) -> Iterator[BrowserRenderer]:
    limits = RenderLimits(
        wall_seconds=15.0,
        quiet_seconds=0.2,
        settle_seconds=1.0,
        requests=20,
        body_bytes=300_000,
        html_bytes=200_000,
    )
    with make_renderer(site, limits=limits) as opened:
        yield opened


@pytest.fixture(scope="module")
def impatient_renderer(site: ScriptedSite) -> Iterator[BrowserRenderer]:
    with make_renderer(site, limits=IMPATIENT) as opened:
        yield opened


@pytest.fixture(autouse=True)
def forgotten(site: ScriptedSite) -> None:
    """Each test sees its own requests only."""
    site.requests.clear()
    site.pages.clear()


def _render(client: BrowserRenderer, site: ScriptedSite, page: Script, **others: Script) -> Outcome:
    site.pages["/page"] = page
    site.pages.update({f"/{name}": script for name, script in others.items()})
    return render(client, f"{site.url}page")


def _text(outcome: Outcome) -> str:
    assert isinstance(outcome, Fetched), outcome
    return outcome.body.decode()


def test_a_page_is_had_as_its_scripts_left_it(client: BrowserRenderer, site: ScriptedSite) -> None:
    page = html(APPLICATION, etag='"1"', last_modified="Mon, 02 Nov 2026 10:00:00 GMT")
    outcome = _render(client, site, page, data=DATA)

    assert isinstance(outcome, Fetched)
    assert outcome.body.decode().startswith("<!DOCTYPE html><html><head><title>Shop")
    assert "<h1>Café</h1>" in outcome.body.decode()
    assert (outcome.status, outcome.content_type, outcome.charset) == (200, "text/html", "utf-8")
    assert outcome.is_rendered
    assert (outcome.etag, outcome.last_modified, outcome.robots_tag) == (None, None, None)
    assert {seen.headers["user-agent"] for seen in site.requests} == {USER_AGENT}


def test_the_robots_header_comes_along(client: BrowserRenderer, site: ScriptedSite) -> None:
    outcome = _render(client, site, html("x", x_robots_tag="noindex"))

    assert isinstance(outcome, Fetched)
    assert outcome.robots_tag == "noindex"


def test_a_page_is_never_had_from_a_cache(client: BrowserRenderer, site: ScriptedSite) -> None:
    fresh = {"cache-control": "max-age=3600", "content-type": "text/html"}
    assert "Old" in _text(_render(client, site, Page(body=b"<p>Old", headers=fresh)))

    assert isinstance(_render(client, site, Page(status=404)), Gone)


def test_text_that_utf8_cannot_hold_is_replaced(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    page = "<p id=p></p><script>p.textContent = 'a' + String.fromCharCode(0xd800) + 'b'</script>"

    assert '<p id="p">a?b</p>' in _text(_render(client, site, page))


def test_an_application_waits_for_its_style_sheets_and_nothing_else_is_loaded(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    page = """<link rel=icon href=/icon.png><link rel=stylesheet href=/style
      onload="document.title = 'styled'"><img src=/image.png><iframe src=/frame></iframe>
      <video src=/film autoplay></video><picture><source srcset=/big.png><img src=/small.png>
      </picture><p style="font-family: f">x</p><script>navigator.sendBeacon('/beacon')</script>"""
    style = Page(
        body=b"@font-face{font-family:f;src:url(/font)} p{background:url(/back.png)}",
        headers={"content-type": "text/css"},
    )
    outcome = _render(client, site, page, style=style)

    assert "<title>styled</title>" in _text(outcome)
    assert sorted(site.targets()) == ["/page", "/style"]


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (302, False), (308, True)])
def test_a_redirect_is_reported_and_not_followed(
    client: BrowserRenderer, site: ScriptedSite, status: int, *, permanent: bool
) -> None:
    outcome = _render(client, site, redirect("/other?utm_source=x", status), other=html("other"))

    assert outcome == Redirected(
        url=f"{site.url}page", target=f"{site.url}other", permanent=permanent
    )
    assert site.targets() == ["/page"]


@pytest.mark.parametrize(
    "page",
    [
        "<script>location = '/other#part'</script>",
        "<script>addEventListener('load', () => location.replace('/other'))</script>",
        "<meta http-equiv=refresh content='0; url=/other'>",
        "<form action=/other></form><script>document.forms[0].submit()</script>",
    ],
)
def test_a_page_that_goes_elsewhere_by_itself_is_a_redirect(
    client: BrowserRenderer, site: ScriptedSite, page: str
) -> None:
    """F-E9."""
    outcome = _render(client, site, page, other=html("other"))

    assert outcome == Redirected(url=f"{site.url}page", target=f"{site.url}other", permanent=False)
    assert site.targets() == ["/page"]


def test_a_page_may_load_itself_again_with_a_cookie(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    def page(seen: Seen) -> str:
        if "seen=1" in seen.headers.get("cookie", ""):
            return "<p>Welcome"
        return "<script>document.cookie = 'seen=1; path=/page'; location.reload()</script>"

    assert "Welcome" in _text(_render(client, site, page))
    assert site.targets() == ["/page", "/page"]


def test_a_page_that_loads_itself_for_ever_is_given_up(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    """F-E9."""
    outcome = _render(client, site, "<script>location.reload()</script>")

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.redirect_loop"
    assert len(site.requests) <= 4


def test_a_page_cannot_replace_itself_by_something_that_is_no_web_page(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    outcome = _render(client, site, "<script>location = 'about:blank'</script>")

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.redirect"


@pytest.mark.parametrize(
    ("status", "wanted", "kind"),
    [
        (404, Gone, None),
        (410, Gone, None),
        (401, Blocked, "permanent.blocked"),
        (403, Blocked, "permanent.blocked"),
        (429, Blocked, "throttled"),
        (500, Unreachable, "transient.status"),
        (503, Unreachable, "transient.status"),
        (418, Unusable, "permanent.status"),
        (204, Unusable, "permanent.status"),
    ],
)
def test_a_status_decides_before_anything_is_rendered(
    client: BrowserRenderer, site: ScriptedSite, status: int, wanted: type, kind: str | None
) -> None:
    page = Page(status=status, body=b"<script src=/script></script>" if status != 204 else b"")
    outcome = _render(client, site, page)

    assert isinstance(outcome, wanted)
    assert getattr(outcome, "kind", None) == kind
    assert site.targets() == ["/page"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/pdf"},
        {"content-type": "application/json"},
        {"content-type": "text/html", "content-disposition": "attachment; filename=x.html"},
    ],
)
def test_downloads_and_other_documents_are_not_html(
    client: BrowserRenderer, site: ScriptedSite, headers: dict[str, str]
) -> None:
    """F-E7."""
    outcome = _render(client, site, Page(body=b"%PDF-1.7", headers=headers))

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.not_html"


def test_a_download_that_a_page_starts_is_not_saved(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    """F-E7."""
    page = "<p>Text<a id=a href=/file download=x.bin></a><script>a.click()</script>"
    file = Page(body=b"x" * 1000, headers={"content-type": "application/octet-stream"})
    outcome = _render(client, site, page, file=file)

    # What a download is to the browser is a navigation to this crawl.
    assert outcome == Redirected(url=f"{site.url}page", target=f"{site.url}file", permanent=False)
    assert site.targets() == ["/page"]


def test_a_server_that_breaks_off_or_is_not_there_is_unreachable(
    client: BrowserRenderer, site: ScriptedSite, closed_site: ScriptedSite
) -> None:
    cut = _render(client, site, Page(raw=b"HTTP/1.1 200 OK\r\nContent-Le"))
    refused = render(client, closed_site.url)

    assert isinstance(cut, Unreachable), cut
    assert isinstance(refused, Unreachable), refused
    assert cut.temporary
    assert refused.temporary


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5432/", "http://other.test/", "http://a@site.test/", "file:///etc/x"]
)
def test_a_url_that_is_refused_starts_no_browser(url: str) -> None:
    with make_renderer(allows_host=lambda host: host != "other.test") as client:
        assert isinstance(render(client, url), Forbidden)
        assert not client.started


@pytest.mark.parametrize(
    "script",
    [
        "alert(1); confirm(2); prompt(3)",
        "for (let i = 0; i < 50; i++) alert(i)",
        "print()",
        "onbeforeunload = e => { e.preventDefault(); return 'stay' }",
        "Notification.requestPermission(); navigator.geolocation.getCurrentPosition(() => {})",
        "document.body.innerHTML += '<input type=file id=f>'; f.click(); f.showPicker()",
        "document.documentElement.requestFullscreen(); document.body.requestPointerLock()",
    ],
)
def test_dialogs_hold_nobody_up(client: BrowserRenderer, site: ScriptedSite, script: str) -> None:
    """F-E6."""
    page = f"<body><p>Text</p><script>try {{ {script} }} catch {{ }}</script>"

    assert "Text" in _text(_render(client, site, page))
    assert "Next" in _text(_render(client, site, "Next"))


@pytest.mark.parametrize("options", ["''", "'noopener'"])
def test_a_page_opens_no_windows(client: BrowserRenderer, site: ScriptedSite, options: str) -> None:
    """F-E8."""
    script = f"for (let i = 0; i < 1000; i++) window.open('/popup?' + i, '_blank', {options})"

    assert "Text" in _text(_render(client, site, f"<p>Text</p><script>{script}</script>"))
    assert site.targets() == ["/page"]


def test_an_iframe_bomb_loads_nothing_and_ends(
    strict_renderer: BrowserRenderer, site: ScriptedSite
) -> None:
    """F-E8."""
    outcome = _render(strict_renderer, site, "<p>Text</p>" + "<iframe src=/page?x></iframe>" * 500)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_many_requests"
    assert site.targets() == ["/page"]


@pytest.mark.parametrize(
    "page",
    [
        "<p>Text</p>" + "".join(f"<video src=/{n}.mp4></video>" for n in range(100)),
        "<p>Text</p>" + "".join(f"<img src=/{n}.png>" for n in range(100)),
        # Chromium asks for the icon again whenever a page changes its URL.
        (
            "<p>Text</p><script>let i = 0; const change = () => {"
            "  history.pushState({}, '', '/' + i++); if (i < 60) setTimeout(change, 10) };"
            "  addEventListener('load', change)</script>"
        ),
    ],
)
def test_what_is_not_loaded_does_not_count(
    strict_renderer: BrowserRenderer, site: ScriptedSite, page: str
) -> None:
    """F-E8."""
    assert "Text" in _text(_render(strict_renderer, site, page))
    assert site.targets() == ["/page"]


def test_thousands_of_requests_are_cut_short(
    strict_renderer: BrowserRenderer, site: ScriptedSite
) -> None:
    """F-E8."""
    script = "for (let i = 0; i < 3000; i++) fetch('/x?' + i).catch(() => {})"
    outcome = _render(strict_renderer, site, f"<script>{script}</script>", x=Page(wait_seconds=0.5))

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_many_requests"
    assert len(site.requests) < 100


@pytest.mark.parametrize("way", ["fetch('/big')", "new Worker('/worker')"])
def test_a_page_that_loads_too_much_is_cut_off(
    strict_renderer: BrowserRenderer, site: ScriptedSite, way: str
) -> None:
    """F-E8."""

    def flood() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    worker = Page(body=b"fetch('/big')", headers={"content-type": "text/javascript"})
    page = f"<script>{way}; fetch('/slow')</script>"
    slow = Page(wait_seconds=3.0)
    outcome = _render(strict_renderer, site, page, worker=worker, big=Page(stream=flood), slow=slow)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"


def test_a_document_that_swells_is_too_large(
    strict_renderer: BrowserRenderer, site: ScriptedSite
) -> None:
    page = "<body><script>document.body.textContent = 'é'.repeat(150000)</script>"
    outcome = _render(strict_renderer, site, page)

    assert isinstance(outcome, Unusable)
    assert outcome.kind == "permanent.too_large"


@pytest.mark.parametrize(
    "script",
    [
        "setInterval(() => fetch('/tick'), 100)",
        "let i = 0; setInterval(() => history.pushState({}, '', '/page/' + i++), 10)",
        "new EventSource('/events')",
        "fetch('/slow')",
        "const tick = () => requestAnimationFrame(tick); tick()",
    ],
)
def test_a_page_that_never_falls_silent_is_taken_as_it_is(
    client: BrowserRenderer, site: ScriptedSite, script: str
) -> None:
    """F-E9."""
    # Whoever waits for it meets the wall clock, and has no page then.
    slow = Page(wait_seconds=2 * QUICK.wall_seconds)
    outcome = _render(
        client, site, f"<p>Text</p><script>{script}</script>", tick="x", events=slow, slow=slow
    )

    assert isinstance(outcome, Fetched)
    assert outcome.url == f"{site.url}page"


@pytest.mark.parametrize(
    "page",
    [
        "<script>while (true) { }</script>",
        "<p>Text</p><script>addEventListener('load', () => { while (true) { } })</script>",
        "<script>while (true) alert(1)</script>",
    ],
)
def test_a_page_that_spins_ends_at_the_wall_clock(
    impatient_renderer: BrowserRenderer, site: ScriptedSite, page: str
) -> None:
    """F-E3."""
    began = time.monotonic()
    outcome = _render(impatient_renderer, site, page)
    assert isinstance(outcome, Unreachable)
    assert outcome.kind == "transient.timeout"
    assert time.monotonic() - began < 15

    assert "Next" in _text(_render(impatient_renderer, site, "Next"))


def test_a_page_that_was_taken_does_nothing_more(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    busy = """<p>Text</p><script>setTimeout(() => { while (true) { } }, 2000);
      setInterval(() => fetch('/later'), 1500); onbeforeunload = () => { while (true) { } }
      </script>"""
    assert "Text" in _text(_render(client, site, busy, later="x"))
    time.sleep(2.2)
    assert "/later" not in site.targets()

    assert "Next" in _text(_render(client, site, "<p>Next"))


def test_cancelling_ends_the_page_and_not_the_client(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    site.pages["/page"] = Page(wait_seconds=10.0)

    async def impatiently() -> None:
        await asyncio.wait_for(client.render(f"{site.url}page"), 1.0)

    with pytest.raises(TimeoutError):
        asyncio.run(impatiently())
    assert "Next" in _text(_render(client, site, "Next"))


def test_pages_of_a_client_are_rendered_side_by_side_and_in_few_tabs(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    site.pages |= {f"/{number}": f"<p>Page {number}" for number in range(8)}

    async def all_pages() -> list[Outcome]:
        return await asyncio.gather(*(client.render(f"{site.url}{n}") for n in range(8)))

    outcomes = asyncio.run(all_pages())

    assert [f"Page {n}" in _text(outcome) for n, outcome in enumerate(outcomes)] == [True] * 8
    assert len(chromium_of(client)._closers) <= 2


def test_a_client_that_renders_nothing_starts_nothing() -> None:
    with make_renderer(allows_host=any_host) as client:
        assert not client.started
