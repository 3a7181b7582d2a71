"""Dates and breadcrumbs, in the shapes that sites give them; and nothing where they are wrong."""

from datetime import date

import pytest
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.html.metadata import PageFacts, read_facts


def facts(html: str) -> PageFacts:
    return read_facts(LexborHTMLParser(html), "https://site.example.test/")


def linked(json: str) -> PageFacts:
    return facts(f'<script type="application/ld+json">{json}</script>')


@pytest.mark.parametrize(
    "html",
    [
        "<meta property='article:published_time' content='2024-05-14T23:30:00+02:00'>",
        "<meta itemprop=datePublished content=2024-05-14>",
        "<p>On <time itemprop=datePublished datetime=' 2024-05-14'>Tuesday</time>",
        '<script type="application/ld+json">[{"datePublished": "2024-05-14 06:00"}]</script>',
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2024-05-14"}]}</script>',
    ],
)
def test_the_day_of_publication_is_found(html: str) -> None:
    assert facts(html).published_on == date(2024, 5, 14)


@pytest.mark.parametrize(
    "value", ["", "14.5.2024", "2024-13-01", "2024-02-30", "0001-01-01", "1970-01-01", "soon"]
)
def test_a_day_that_cannot_be_meant_is_none(value: str) -> None:
    assert facts(f"<meta name=date content='{value}'>").published_on is None


@pytest.mark.parametrize(
    "json", ["{", '"text"', "[1, null]", '{"datePublished": 5}', "[" * 100_000, '{"@graph": 3}']
)
def test_linked_data_of_any_shape_is_survived(json: str) -> None:
    assert linked(json).published_on is None


def test_breadcrumbs_come_in_their_order() -> None:
    json = (
        '{"@type": "BreadcrumbList", "itemListElement": [{"position": "2", "name": "Mugs"}, 7,'
        ' {"position": 1, "item": {"name": "Home"}}, {"position": 3}]}'
    )

    assert linked(json).breadcrumbs == ("Home", "Mugs")


@pytest.mark.parametrize(
    "html",
    [
        "<nav aria-label=Breadcrumb><ol><li><a>Home</a><li>›<li>Mugs</ol></nav>",
        "<div class=breadcrumbs><a>Home</a> / <a>Mugs</a></div>",
    ],
)
def test_breadcrumbs_are_read_from_the_page(html: str) -> None:
    assert facts(html).breadcrumbs == ("Home", "Mugs")
