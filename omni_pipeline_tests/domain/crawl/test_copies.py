"""Which of several URLs stands for the page that all of them show."""

import pytest

from omni_pipeline.domain.crawl.copies import representative
from omni_pipeline.domain.crawl.soft_404 import says_not_found

SITE = "https://example.com"


@pytest.mark.parametrize(
    ("kept", "others"),
    [
        ("/a", ["/a?ref=x", "/a;v=1", "/A", "/a/", "/a/index.html"]),
        ("/a", ["/longer", "/de/a"]),
        ("/abc", ["/a?b"]),
        ("/", ["/index.html", "/home"]),
        ("/old-name", ["/a", "/b"]),
        ("/start", ["/a", "/"]),
    ],
)
def test_the_plainest_spelling_stays_unless_another_is_known(kept: str, others: list[str]) -> None:
    urls = [SITE + path for path in (*others, kept)]
    published = frozenset({f"{SITE}/old-name"})

    assert representative(urls, published=published, start_url=f"{SITE}/start") == SITE + kept


@pytest.mark.parametrize(
    "page",
    [
        "<title>404</title><p>...",
        "<title>Shop</title><h1>Page not found</h1>",
        "<h1>Oops</h1><p>The page you asked for does not exist any more.",
        "<h1>Hoppla</h1><p>Die Seite wurde nicht gefunden.",
        "<title>Page introuvable</title>",
        "<p>Страница не найдена",
        "<p>ページが見つかりません",
    ],
)
def test_a_page_that_says_that_nothing_is_there_is_understood(page: str) -> None:
    assert says_not_found(page)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<h1>Rooms</h1><p>Room 4040 is found upstairs.",
        f"<h1>Errors</h1>{'<p>Some text.' * 99}404",
    ],
)
def test_an_ordinary_page_says_no_such_thing(page: str) -> None:
    assert not says_not_found(page)
