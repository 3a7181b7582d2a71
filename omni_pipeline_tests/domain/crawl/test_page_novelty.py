"""Whether pages of one pattern say new things."""

from collections.abc import Iterator

from omni_pipeline.domain.crawl.page_novelty import TextNovelty
from omni_pipeline.domain.crawl.patterns import MIN_JUDGED, PatternBudget, names_content

WORDS = [
    *("amber", "bishop", "candle", "dolphin", "ember", "falcon"),
    *("garden", "harbour", "island", "jasmine", "kettle"),
]
FRAME = "<p>This line stands on each page of the site.</p><p>So does this one, at its end.</p>"


def _articles() -> Iterator[str]:
    for one in WORDS:
        for other in WORDS:
            yield f"{FRAME}<p>How the {one} and the {other} came to the same place.</p>"


def _share(pages: Iterator[str], *, with_numbers: bool = False) -> float:
    novelty = TextNovelty(with_numbers=with_numbers)
    for _, html in zip(range(100), pages, strict=False):
        novelty.note(html)
    return novelty.share


def test_articles_in_one_frame_are_new() -> None:
    assert _share(_articles()) > 0.9


def test_days_of_a_calendar_are_not_new() -> None:
    days = (f"{FRAME}<h1>Monday, {n} November 2026</h1><p>No events on day {n}." for n in range(99))
    assert _share(days) < 0.1


def test_facets_of_a_few_products_are_not_new() -> None:
    products = [f"<li>The {word} is made of very good things." for word in WORDS]
    facets = ("".join(products[n % 7 :: 1 + n % 3]) + FRAME for n in range(99))
    assert _share(facets) < 0.3


def test_numbers_count_where_a_number_names_the_content() -> None:
    pages = [f"{FRAME}<p>Entry {n} explains the valve of the pump." for n in range(99)]

    assert _share(iter(pages)) < 0.1
    assert _share(iter(pages), with_numbers=True) > 0.9


def test_a_budget_grows_while_the_pages_of_its_pattern_say_new_things() -> None:
    urls = [f"https://example.com/list?page={number}" for number in range(1000)]
    budget = PatternBudget()
    admitted = 0
    for url, html in zip(urls, [*_articles()] * 9, strict=False):
        if not budget.admits(url):
            break
        admitted += 1
        if budget.is_short(url):
            budget.note_page(url, html)

    assert 200 < admitted < 800, "121 texts, and then the same ones again"


def test_a_budget_does_not_grow_by_pages_that_say_the_same() -> None:
    budget = PatternBudget(with_query=50)
    urls = [f"https://example.com/list?page={number}" for number in range(100)]
    admitted = [url for url in urls if budget.admits(url)]
    for url in admitted:
        budget.note_page(url, FRAME)

    assert len(admitted) == 50
    assert not budget.admits(urls[-1])


def test_pages_known_before_count_as_their_neighbours_do() -> None:
    budget = PatternBudget(with_query=50)
    for number in range(50):
        budget.recall(f"https://example.com/list?page={number}")
    fresh = "https://example.com/list?page=50"
    assert not budget.admits(fresh)
    for _, html in zip(range(MIN_JUDGED), _articles(), strict=False):
        budget.note_page(fresh, html)

    assert budget.admits(fresh)


def test_parameters_that_name_content_are_told_from_those_that_arrange_it() -> None:
    naming = ("/*", "/#", "/*.php?id", "/*.php?f_id&t", "/*?title", "/*?product_id")
    arranging = ("/*?day", "/*?page", "/*?sort", "/*?color&id", "/*?next", "/*?sid", "/*?q")

    assert all(map(names_content, naming))
    assert not any(map(names_content, arranging))
