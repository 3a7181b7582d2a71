"""The sample site must be a good site: what a crawler relies on is what these tests hold."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from omni_pipeline.sample_site.site_server import SAMPLE_SITE, SampleServer, read_questions

LINK = re.compile(r'<a href="(?P<target>/[^"]*)"')
LOCATION = re.compile(r"<loc>(.*?)</loc>")
MIN_WORDS = 150


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as running:
        yield running


@pytest.fixture
def client(server: SampleServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=5, trust_env=False) as client:
        yield client


def linked_paths(client: httpx2.Client) -> set[str]:
    """Every path that links lead to from the start page, gone ones included."""
    seen, waiting = set[str](), ["/"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += LINK.findall(client.get(path).text)
    return seen


def sitemap_paths(client: httpx2.Client) -> set[str]:
    return {urlsplit(url).path for url in LOCATION.findall(client.get("/sitemap.xml").text)}


def content_words(page: str) -> list[str]:
    content = page.partition("<main>")[2].partition("</main>")[0]
    return re.sub(r"<[^>]+>", " ", content).split()


def test_every_page_has_a_frame_around_a_main_part_with_enough_words(
    client: httpx2.Client,
) -> None:
    paths = sitemap_paths(client)
    assert len(paths) >= 14
    for path in paths:
        page = client.get(path).text
        assert f'<link rel="canonical" href="{client.base_url.join(path)}">' in page
        for part in ("<title>", "<nav", "<footer>", 'class="cookie-banner"', "<h1>"):
            assert page.count(part) == 1, (path, part)
        assert len(content_words(page)) > MIN_WORDS, path
        assert "{{" not in page


def test_sitemap_and_robots_name_the_port_that_was_taken(
    server: SampleServer, client: httpx2.Client
) -> None:
    robots = client.get("/robots.txt")
    assert robots.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"Sitemap: {server.url}/sitemap.xml" in robots.text
    locations = LOCATION.findall(client.get("/sitemap.xml").text)
    assert all(location.startswith(f"{server.url}/") for location in locations)


def test_links_and_sitemap_each_lead_to_a_page_that_the_other_does_not_know(
    client: httpx2.Client,
) -> None:
    links, sitemap = linked_paths(client), sitemap_paths(client)
    assert links - sitemap == {
        "/docs/hardware.html",
        "/docs/mobile-app.html",
        "/internal/roadmap.html",
    }
    assert sitemap - links == {"/docs/glossary.html"}


def test_one_link_is_dead_and_every_other_is_alive(client: httpx2.Client) -> None:
    dead = {path for path in linked_paths(client) if client.get(path).is_error}
    assert dead == {"/docs/mobile-app.html"}


def test_robots_forbids_exactly_the_internal_page(client: httpx2.Client) -> None:
    assert "Disallow: /internal/" in client.get("/robots.txt").text
    assert "Quillwort" in client.get("/internal/roadmap.html").text
    assert not [path for path in sitemap_paths(client) if "Quillwort" in client.get(path).text]


def test_every_page_in_the_folder_can_be_found(client: httpx2.Client) -> None:
    pages = SAMPLE_SITE / "pages"
    files = {f"/{file.relative_to(pages).as_posix()}" for file in pages.rglob("*.html")}
    found = linked_paths(client) | sitemap_paths(client)
    assert files - found == {"/index.html", "/shop/index.html"}


def test_three_questions_name_pages_of_the_site(client: httpx2.Client) -> None:
    questions = read_questions()
    assert len(questions) == 3
    assert all(question.question.endswith("?") for question in questions)
    assert {question.path for question in questions} < sitemap_paths(client)


def test_an_unchanged_page_is_answered_304_by_tag_and_by_date(
    server: SampleServer, client: httpx2.Client
) -> None:
    first = client.get("/faq.html")
    by_tag = client.get("/faq.html", headers={"If-None-Match": first.headers["etag"]})
    by_date = client.get("/faq.html", headers={"If-Modified-Since": first.headers["last-modified"]})
    assert (by_tag.status_code, by_tag.content) == (HTTPStatus.NOT_MODIFIED, b"")
    assert by_date.status_code == HTTPStatus.NOT_MODIFIED
    assert server.count_by_status == {HTTPStatus.OK: 1, HTTPStatus.NOT_MODIFIED: 2}


@pytest.mark.parametrize("value", ["yesterday", "", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_date_that_is_old_or_no_date_gets_the_page(client: httpx2.Client, value: str) -> None:
    assert client.get("/faq.html", headers={"If-Modified-Since": value}).status_code == 200


def test_an_edited_page_changes_its_tag_and_its_date_and_no_other(
    server: SampleServer, client: httpx2.Client
) -> None:
    before, other = client.get("/faq.html"), client.get("/pricing.html")
    server.pages["/faq.html"] = server.read("/faq.html").replace("IP65", "IP67")
    after = client.get("/faq.html", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert "IP67" in after.text
    assert after.headers["etag"] != before.headers["etag"]
    assert after.headers["last-modified"] != before.headers["last-modified"]
    assert client.get("/pricing.html").headers["etag"] == other.headers["etag"]


def test_a_page_can_be_added_removed_and_brought_back(
    server: SampleServer, client: httpx2.Client
) -> None:
    server.pages["/new.html"] = "<h1>New</h1>"
    assert client.get("/new.html").text == "<h1>New</h1>"
    server.remove("/faq.html", HTTPStatus.GONE)
    assert client.get("/faq.html").status_code == HTTPStatus.GONE
    del server.pages["/faq.html"]
    assert "IP65" in client.get("/faq.html").text
    server.remove("/faq.html")
    assert client.get("/faq.html").status_code == HTTPStatus.NOT_FOUND
    with pytest.raises(KeyError, match="faq"):
        server.read("/faq.html")


def test_requests_are_logged_with_query_and_headers(
    server: SampleServer, client: httpx2.Client
) -> None:
    client.get("/docs/api.html?from=test", headers={"User-Agent": "omni"})
    (request,) = server.requests
    assert (request.method, request.path, request.status) == (
        "GET",
        "/docs/api.html?from=test",
        200,
    )
    assert request.headers["user-agent"] == "omni"


def test_head_has_the_length_and_no_body(client: httpx2.Client) -> None:
    head = client.head("/faq.html")
    page = client.get("/faq.html")  # on the same connection, where a body would be in the way
    assert (head.content, head.headers["content-length"]) == (b"", str(len(page.content)))


@pytest.mark.parametrize(
    "path", ["/%2e%2e/layout.html", "/..%2flayout.html", "/%00", f"/{'x' * 300}"]
)
def test_nothing_outside_the_folder_is_served(
    server: SampleServer, client: httpx2.Client, path: str
) -> None:
    assert (SAMPLE_SITE / "layout.html").is_file()
    raw_url = client.base_url.copy_with(raw_path=path.encode())
    assert client.get(raw_url).status_code == HTTPStatus.NOT_FOUND
    assert [request.path for request in server.requests] == [path]


def test_a_folder_of_ones_own_is_served_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("<p>{{base}}</p>")
    (tmp_path / "leaf.png").write_bytes(b"\x89PNG")
    with SampleServer(folder=tmp_path) as server, httpx2.Client(trust_env=False) as client:
        assert client.get(f"{server.url}/sub/").text == "<p>{{base}}</p>"
        image = client.get(f"{server.url}/leaf.png")
    assert (image.content, image.headers["content-type"]) == (b"\x89PNG", "image/png")


def test_a_stopped_server_answers_nobody_not_even_a_kept_connection() -> None:
    with httpx2.Client(trust_env=False, timeout=5) as client:
        with SampleServer() as server:
            assert client.get(server.url).status_code == HTTPStatus.OK
        with pytest.raises(httpx2.TransportError):
            client.get(server.url)
