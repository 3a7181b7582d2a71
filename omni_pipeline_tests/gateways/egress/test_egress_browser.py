"""A real Chromium behind the egress proxy: nothing goes past it.

S-34 to S-38, S-41 to S-43, F-E11.
"""

import asyncio
import base64
import hashlib
import ipaddress
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trustme
from playwright.async_api import Error, Page, Playwright, async_playwright

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.gateways.egress.proxy import NO_UDP_PAST_THE_PROXY, EgressProxy
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests import sites
from omni_pipeline_tests.sites import LOOPBACK, Canary, ScriptedSite, Seen

SIGN_IN_URL = "http://sign-in.invalid/"

# Each kind of request gets a canary of its own; ``{}`` becomes the canary's address.
KINDS = {
    "img": "document.body.append(Object.assign(new Image(), {src: 'http://{}/'}))",
    "iframe": "document.body.append(Object.assign(document.createElement('iframe'),"
    " {src: 'http://{}/'}))",
    "fetch": "fetch('http://{}/', {mode: 'no-cors'}).catch(() => 0)",
    "worker": "new Worker(URL.createObjectURL(new Blob(["
    "\"fetch('http://{}/', {mode: 'no-cors'}).catch(() => 0)\"])))",
    "events": "new EventSource('http://{}/')",
    "beacon": "navigator.sendBeacon('http://{}/', 'x')",
    "websocket": "new WebSocket('ws://{}/')",
}

SPEAK_UDP = """async ([udp, tcp]) => {
    const late = new Promise(done => setTimeout(() => done('late'), 5000));
    const turn = {urls: `turn:127.0.0.1:${tcp}?transport=tcp`, username: 'x', credential: 'x'};
    const peer = new RTCPeerConnection({iceServers: [{urls: `stun:127.0.0.1:${udp}`}, turn]});
    peer.createDataChannel('x');
    const gathered = new Promise(done => peer.onicegatheringstatechange =
        () => peer.iceGatheringState === 'complete' && done('gathered'));
    await peer.setLocalDescription(await peer.createOffer());
    const web = new WebTransport(`https://127.0.0.1:${udp}/`);
    return [await Promise.race([gathered, late]),
            await Promise.race([web.ready.catch(() => 'refused'), late])];
}"""

HEAR_WEBSOCKET = """url => new Promise((heard, failed) => {
    const web = new WebSocket(url);
    web.onmessage = message => heard(message.data);
    web.onerror = () => failed(new Error('no WebSocket'));
})"""


def _browser_path(playwright: Playwright) -> str:
    path = shutil.which("chromium") or playwright.chromium.executable_path
    if not Path(path).exists():
        pytest.skip("no Chromium on this machine: install Debian's, or run `playwright install`")
    return path


async def _to_loopback(host: str, port: int) -> Sequence[IPAddress]:
    return [ipaddress.ip_address("127.0.0.1")]


@asynccontextmanager
async def _page(*ports: int) -> AsyncIterator[tuple[EgressProxy, Page]]:
    """A page whose proxy lets it load from site.test on these ports of 127.0.0.1."""
    policy = AddressPolicy(allowed=frozenset((LOOPBACK, port) for port in ports))
    proxy = EgressProxy(
        policy=policy, allows_host=lambda host: host == "site.test", resolver=_to_loopback
    )
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        await stack.enter_async_context(proxy)
        browser = await playwright.chromium.launch(
            executable_path=_browser_path(playwright),
            proxy={"server": proxy.server},
            args=NO_UDP_PAST_THE_PROXY,
        )
        stack.push_async_callback(browser.close)
        context = await browser.new_context(ignore_https_errors=True)
        page = await context.new_page()
        await _sign_in(page, proxy)
        yield proxy, page


async def _sign_in(page: Page, proxy: EgressProxy) -> None:
    """Give the browser the credentials once, by a request that the proxy then refuses."""
    session = await page.context.new_cdp_session(page)

    async def resume(event: dict[str, str]) -> None:
        await session.send("Fetch.continueRequest", {"requestId": event["requestId"]})

    async def answer(event: dict[str, str]) -> None:
        answer = {
            "response": "ProvideCredentials",
            "username": proxy.username,
            "password": proxy.password,
        }
        await session.send(
            "Fetch.continueWithAuth",
            {"requestId": event["requestId"], "authChallengeResponse": answer},
        )

    session.on("Fetch.requestPaused", resume)
    session.on("Fetch.authRequired", answer)
    patterns = [{"urlPattern": SIGN_IN_URL}]
    await session.send("Fetch.enable", {"handleAuthRequests": True, "patterns": patterns})
    refused = await page.goto(SIGN_IN_URL)
    assert refused is not None
    assert refused.status == 403
    await session.detach()


def _server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("site.test").configure_cert(context)
    return context


def _greet(seen: Seen) -> sites.Page:
    """Accept a WebSocket, say hi, and leave (RFC 6455)."""
    key = seen.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    return sites.Page(raw=head.encode() + b"\x81\x02hi\x88\x00")


def test_no_kind_of_request_reaches_loopback_past_the_proxy() -> None:
    """S-34, S-35, S-38."""

    async def scenario() -> None:
        targets = {kind: f"127.0.0.1:{canary.port}" for kind, canary in canaries.items()}
        async with _page(site.port) as (proxy, page):
            await page.goto(f"http://site.test:{site.port}/")
            for kind, script in KINDS.items():
                await page.evaluate(f"() => {{ {script.replace('{}', targets[kind])} }}")
            async with asyncio.timeout(15):
                while not proxy.refusals.keys() >= set(targets.values()):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.05)

    with ExitStack() as stack:
        site = stack.enter_context(ScriptedSite({"/": "<h1>page</h1>"}))
        canaries = {kind: stack.enter_context(Canary()) for kind in KINDS}
        asyncio.run(scenario())

        assert {kind: canary.accepts() for kind, canary in canaries.items()} == dict.fromkeys(
            KINDS, 0
        )
        assert site.targets()[0] == "/"


def test_webrtc_and_webtransport_send_no_datagram_past_the_proxy() -> None:
    """S-37."""

    async def scenario() -> None:
        async with _page(site.port) as (_, page):
            await page.goto(f"https://site.test:{site.port}/")
            ports = [udp.getsockname()[1], canary.port]
            assert await page.evaluate(SPEAK_UDP, ports) == ["gathered", "refused"]

    with (
        ScriptedSite({"/": "<h1>page</h1>"}, tls=_server_tls()) as site,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        Canary() as canary,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0)
        asyncio.run(scenario())

        with pytest.raises(BlockingIOError):
            udp.recv(2048)
        assert canary.accepts() == 0


def test_pages_scripts_and_websockets_of_an_allowed_host_work_with_and_without_tls() -> None:
    script = sites.Page(body=b"document.title = 'ran'", headers={"content-type": "text/javascript"})
    pages: dict[str, sites.Script] = {
        "/": "<script src=/a.js></script>",
        "/a.js": script,
        "/socket": _greet,
    }

    async def scenario() -> None:
        async with _page(clear.port, secured.port) as (proxy, page):
            for scheme, site in (("", clear), ("s", secured)):
                answer = await page.goto(f"http{scheme}://site.test:{site.port}/")
                assert answer is not None
                assert answer.status == 200
                assert await page.title() == "ran"
                address = f"ws{scheme}://site.test:{site.port}/socket"
                assert await page.evaluate(HEAR_WEBSOCKET, address) == "hi"
                assert site.requests[-1].headers["upgrade"] == "websocket", "through a tunnel"
            assert list(proxy.refusals) == ["sign-in.invalid:80"]
            assert proxy.bytes_received > 1000

    with ScriptedSite(pages) as clear, ScriptedSite(pages, tls=_server_tls()) as secured:
        asyncio.run(scenario())


def test_a_browser_whose_proxy_was_stopped_reaches_nothing() -> None:
    """F-E11."""

    async def scenario() -> None:
        async with _page(site.port) as (proxy, page):
            await page.goto(f"http://site.test:{site.port}/")
            await proxy.__aexit__(None, None, None)
            for host in (f"site.test:{site.port}", f"127.0.0.1:{canary.port}"):
                with pytest.raises(Error, match="ERR_PROXY_CONNECTION_FAILED"):
                    await page.goto(f"http://{host}/again")

    with ScriptedSite({"/": "<h1>page</h1>"}) as site, Canary() as canary:
        asyncio.run(scenario())

        assert canary.accepts() == 0
        assert "/again" not in site.targets()
