"""The "not found" page that comes with 200 (F-D10)."""

import re
import time
from itertools import combinations

import pytest

from omni_pipeline.domain.crawl.soft_404 import fingerprint, probe_url

START = "https://shop.example.com/en/"
PROBE = probe_url(START, "k3v9q8x2m5")
OTHER = "https://shop.example.com/en/products/Old%20Thing-17?ref=list#x".partition("#")[0]


def test_the_probe_stands_beside_the_start_page() -> None:
    assert PROBE == "https://shop.example.com/en/omni-pipeline-k3v9q8x2m5"
    assert probe_url("http://127.0.0.1:8080/docs/index.html?a=1", "x1") == (
        "http://127.0.0.1:8080/docs/omni-pipeline-x1"
    )


def _wordpress(url: str, _number: int) -> str:
    return f"""<title>Page not found \u2013 Fish &amp; Chips</title><body class="error404">
        <nav><a href="/">Home</a></nav><main><h1>Oops! That page can\u2019t be found.</h1>
        <p>It looks like nothing was found at this location. Maybe try a search?</p>
        <form role="search"><input name="s" value="{url}"></form></main>
        <aside><h2>Recent posts</h2><a href="/a">A post about {url}</a></aside>"""


def _apache(url: str, _number: int) -> str:
    path = url.removeprefix("https://shop.example.com").partition("?")[0]
    return f"""<title>404 Not Found</title><h1>Not Found</h1>
        <p>The requested URL {path} was not found on this server.</p>
        <address>Apache/2.4.57 (Debian) Server at shop.example.com Port 443</address>"""


def _suggesting(url: str, number: int) -> str:
    last = re.sub("%20|-", " ", url.partition("?")[0].rpartition("/")[2])
    return f"""<title>{last} | Shop</title><h1>Sorry, we could not find \u201c{last}\u201d</h1>
        <p>Did you mean:</p><ul><li><a href="/{number}">A {last} in {"abc"[number]}</a></ul>"""


def _stamped(_url: str, number: int) -> str:
    day = ("Mon, 30 Nov", "Tuesday, 1 December")[number]
    return f"""<title>Error</title><p>This page does not exist (any more).
        <p>{day} 2026 0{number}:15:02 GMT \u00b7 request
        3f2a{number}b1c-1d2e-4f5a-8b6c-0123456789ab, took 0.0{number} s</p>"""


@pytest.mark.parametrize("template", [_wordpress, _apache, _suggesting, _stamped])
def test_one_template_has_one_fingerprint_whatever_it_echoes(template: object) -> None:
    """F-D10."""
    assert callable(template)

    prints = {fingerprint(template(url, number), url) for number, url in enumerate([PROBE, OTHER])}

    assert len(prints) == 1
    assert None not in prints


ORDINARY = {
    "imprint": "<title>Imprint \u00b7 Acme</title>",
    "prices": "<title>Prices \u00b7 Acme</title>",
    "contact": "<title>Contact</title><p>Call 0123 456.",
    "phone-number": "<title>Phone number \u00b7 Acme</title><p>0123 456",
    "opening-hours": "<title>Opening hours \u00b7 Acme</title><p>9-17",
    "hours-2": "<title>Acme</title><h1>Hours</h1><p>Mon 9-17",
    "list": "<title>All shoes</title><a href=/1>red</a><a href=/2>blue</a>",
    "hats": "<title>All hats</title><a href=/1>red</a><a href=/2>blue</a>",
    "red-shoe": "<h1>Red shoe</h1><p>10 EUR</p>",
    "red-hat": "<h1>Red hat</h1><p>10 EUR</p>",
    "ja": "<p>\u55b6\u696d\u6642\u9593\u306f9\u6642\u304b\u3089\u3067\u3059",
    "ja2": "<p>\u96fb\u8a71\u306f0123\u307e\u3067",
    "not-found": "<title>About 404s</title><p>A page that is not found is a sad page.",
}


def test_ordinary_short_pages_differ_from_each_other_and_from_the_not_found_page() -> None:
    prints = {name: fingerprint(html, START + name) for name, html in ORDINARY.items()}
    templates = (_wordpress, _apache, _suggesting, _stamped)
    prints |= {template.__name__: fingerprint(template(PROBE, 1), PROBE) for template in templates}

    for one, other in combinations(prints, 2):
        assert prints[one] != prints[other], (one, other)
    assert None not in prints.values()


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>404",
        f"<p>{PROBE}",
        "<nav><a href=/>Home</a></nav>",
        "<div id=root>Loading\u2026</div><script src=/app.js></script>",
        "<title>Shop</title><div id=app></div><script type=module src=/app.js></script>",
        "<div>" * 100_000 + "not found",
    ],
    ids=["empty", "number", "echo", "menu", "loading", "shell", "too deep"],
)
def test_a_page_that_says_nothing_or_not_yet_has_no_fingerprint(html: str) -> None:
    assert fingerprint(html, PROBE) is None


@pytest.mark.parametrize("text", ["a", "1", "a1", "mon ", "f-", "0a1b2c3d-", "\u55b6", "/en"])
def test_fingerprints_are_cheap_whatever_the_text(text: str) -> None:
    """S-49."""
    html = f"<p>{text * (1_000_000 // len(text))}"
    started = time.process_time()

    fingerprint(html, START + "a1-" * 600)

    assert time.process_time() - started < 1
