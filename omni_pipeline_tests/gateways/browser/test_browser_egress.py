"""Where a hostile page in a real Chromium can connect to: nowhere but its site (S-34 to S-43).

Canaries listen where nobody should come; the policy of these doors allows the site's port only.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from omni_pipeline.domain.web.outcomes import Fetched, Forbidden, Unreachable
from omni_pipeline.gateways.browser.client import BrowserRenderer
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.gateways.browser.renderers import (
    chromium_of,
    make_renderer,
    needs_chromium,
    render,
)
from omni_pipeline_tests.sites import LOOPBACK, Canary, Page, ScriptedSite, html

pytestmark = needs_chromium

JAVASCRIPT = {"content-type": "text/javascript"}

# As measured: with --proxy-server alone every one of these reaches loopback directly.
WAYS_OUT = {
    "image": "new Image().src = 'http://HOST/x'",
    "style sheet": "document.head.innerHTML += '<link rel=stylesheet href=http://HOST/x>'",
    "script": "const s = document.createElement('script'); s.src = 'http://HOST/x'; "
    "document.head.append(s)",
    "frame": "document.body.innerHTML += '<iframe src=http://HOST/x></iframe>'",
    "fetch": "fetch('http://HOST/x', {mode: 'no-cors'}).catch(() => {})",
    "event source": "new EventSource('http://HOST/x')",
    "beacon": "navigator.sendBeacon('http://HOST/x', 'x')",
    "socket": "new WebSocket('ws://HOST/x')",
    "preconnect": "document.head.innerHTML += '<link rel=preconnect href=http://HOST>"
    "<link rel=prefetch href=http://HOST/x><link rel=dns-prefetch href=http://HOST>'",
    "prerender": "const r = document.createElement('script'); r.type = 'speculationrules'; "
    "r.textContent = JSON.stringify({prefetch: [{source: 'list', eagerness: 'immediate', "
    "urls: ['http://HOST/x']}]}); document.head.append(r)",
    "webtransport": "try { new WebTransport('https://HOST/x').closed.catch(() => {}) } catch {}",
}
IN_A_WORKER = (
    "fetch('http://HOST/x', {mode: 'no-cors'}).catch(() => {}); new WebSocket('ws://HOST/x')"
)


class Rebinding:
    """What resolvers do: ``rebound.test`` is the site once, and then in somebody's network."""

    def __init__(self) -> None:
        self._was_asked = False

    async def __call__(self, host: str, port: int) -> Sequence[IPAddress]:
        if host == "localhost":
            return [LOOPBACK]
        was_asked, self._was_asked = self._was_asked, host == "rebound.test" or self._was_asked
        is_site = host == "rebound.test" and not was_asked
        return [LOOPBACK if is_site else ipaddress.ip_address("10.1.2.3")]


@pytest.fixture(scope="module")
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as opened:
        yield opened


@pytest.fixture(scope="module")
def asked_hosts() -> set[str]:
    """Every host that anything in the browser wanted to reach."""
    return set()


@pytest.fixture(scope="module")
def client(site: ScriptedSite, asked_hosts: set[str]) -> Iterator[BrowserRenderer]:
    def note(host: str) -> bool:
        asked_hosts.add(host)
        return host != "cdn.test"

    with make_renderer(site, allows_host=note, resolver=Rebinding()) as opened:
        yield opened


def _show(client: BrowserRenderer, site: ScriptedSite, script: str) -> None:
    site.pages["/"] = f"<body><p>Text</p><script>{script}</script>"
    outcome = render(client, site.url)
    assert isinstance(outcome, Fetched), outcome


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])
def test_no_way_out_of_a_page_reaches_loopback(
    client: BrowserRenderer, site: ScriptedSite, name: str
) -> None:
    """S-34, S-38."""
    with Canary() as canary:
        host = f"{name}:{canary.port}"
        worker = IN_A_WORKER.replace("HOST", host)
        site.pages["/worker"] = Page(body=worker.encode(), headers=JAVASCRIPT)
        ways = [f"try {{ {way} }} catch {{ }}" for way in WAYS_OUT.values()]
        _show(client, site, ";".join(ways).replace("HOST", host) + ";new Worker('/worker')")

        assert "/worker" in site.targets()
        assert canary.accepts() == 0


def test_what_is_allowed_does_arrive_over_the_same_ways(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    """Else the canaries of the test above would prove nothing."""
    site.requests.clear()
    host = f"127.0.0.1:{site.port}"
    site.pages["/worker"] = Page(
        body=IN_A_WORKER.replace("HOST", host).encode(), headers=JAVASCRIPT
    )
    for name in ("style sheet", "script", "fetch", "event source", "socket"):
        _show(client, site, WAYS_OUT[name].replace("HOST", host).replace("/x", f"/{name[:5]}"))
    _show(client, site, "new Worker('/worker')")

    wanted = {"/style", "/scrip", "/fetch", "/event", "/socke", "/x"}
    assert wanted <= set(site.targets())


def test_webrtc_and_quic_send_no_datagram(client: BrowserRenderer, site: ScriptedSite) -> None:
    """S-37."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as canary:
        canary.bind(("127.0.0.1", 0))
        canary.setblocking(False)  # noqa: FBT003 - the socket's signature
        host = f"127.0.0.1:{canary.getsockname()[1]}"
        stun = f"""
          const peer = new RTCPeerConnection({{iceServers: [{{urls: 'stun:{host}'}}]}});
          peer.createDataChannel('x');
          peer.createOffer().then(offer => peer.setLocalDescription(offer));
          const gathered = new Promise(done => {{
            peer.onicegatheringstatechange = () => done();
            setTimeout(done, 1000);
          }});
          gathered.then(() => fetch('/gathered'));
          {WAYS_OUT["webtransport"].replace("HOST", host)}"""
        _show(client, site, stun)

        with pytest.raises(BlockingIOError):
            canary.recv(2000)


def test_a_service_worker_is_not_registered(client: BrowserRenderer, site: ScriptedSite) -> None:
    """S-39."""
    site.requests.clear()
    site.pages["/worker.js"] = Page(body=b"fetch('/from-the-worker')", headers=JAVASCRIPT)
    _show(
        client,
        site,
        "navigator.serviceWorker?.register('/worker.js').catch(() => {});"
        "try { ServiceWorkerContainer.prototype.register.call(navigator.serviceWorker,"
        " '/worker.js').catch(() => {}) } catch {}",
    )

    assert "/from-the-worker" not in site.targets()


def test_chromium_itself_calls_nobody(
    client: BrowserRenderer, site: ScriptedSite, asked_hosts: set[str]
) -> None:
    """S-42."""
    _show(client, site, "")

    named_by_pages = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}
    named_by_pages |= {"rebound.test", "inside.test", "cdn.test"}
    assert asked_hosts <= named_by_pages


def test_names_are_resolved_by_the_proxy_alone_and_pinned(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    """S-40."""
    site.pages["/"] = "<body>Text<script>fetch('/again').catch(() => {})</script>"
    site.requests.clear()
    outcome = render(client, f"http://rebound.test:{site.port}/")

    assert isinstance(outcome, Fetched)
    assert "/again" not in site.targets()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_on_a_refused_address_is_forbidden(client: BrowserRenderer, scheme: str) -> None:
    """S-18."""
    outcome = render(client, f"{scheme}://inside.test/")

    assert isinstance(outcome, Forbidden)
    assert "10.1.2.3" not in outcome.reason


def test_what_a_page_loads_is_held_to_the_hosts_of_the_crawl(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    site.requests.clear()
    site.pages["/"] = (
        f"<p>Text<script src='http://cdn.test:{site.port}/cdn.js'></script>"
        "<script src='/own.js'></script>"
    )
    assert isinstance(render(client, site.url), Fetched)

    assert site.targets() == ["/", "/own.js"]


def test_without_its_proxy_the_browser_reaches_nothing(
    client: BrowserRenderer, site: ScriptedSite
) -> None:
    """F-E11."""
    site.pages["/"] = html("<p>Text")
    render(client, site.url)
    for tab in chromium_of(client)._closers:
        end = tab.proxy.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(end, client._loop).result()
    site.requests.clear()
    outcome = render(client, site.url)

    assert isinstance(outcome, Unreachable)
    assert site.requests == []
    assert isinstance(render(client, site.url), Fetched)
