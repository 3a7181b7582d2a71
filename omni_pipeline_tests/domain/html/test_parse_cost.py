"""Parsing costs are foreseen by a rough count first, which trusts no page that is too much."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.html import parse_cost
from omni_pipeline.domain.html.parse_cost import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_NESTED_QUOTES,
    find_excess,
    is_surely_safe,
)

PLAIN = "<!doctype html><title>a</title><body>" + "<p>Some <b>words</b><ul><li>more</ul>" * 50

_PIECES = (
    *(
        "<div>",
        "</div>",
        "<DIV>",
        "</Div>",
        "<div ",
        "<div/",
        "<div",
        "</div",
        "<b>",
        "</b>",
        "<p>",
    ),
    *(
        "</p>",
        "<li>",
        "<dd>",
        "<option>",
        "<td>",
        "<table>",
        "<blockquote>",
        "<br>",
        "<br/>",
        "<a>",
    ),
    *("</a>", "<svg>", "</svg>", "<SVG/>", "<path/>", "<math>", "<title>", "</title>", "<title"),
    *(
        "<script>",
        "</script>",
        "<scrIpt ",
        "</\u017fcript>",
        "<\u017fcript>",
        "<style>",
        "</style>",
    ),
    *("<!-- <script>", "</scriptx>", "<script\xa0>", "<lin\u212a>", "</style\t>"),
    *("<noframe\u017f>", "</noframe\u017f>", "<textarea>", "</textarea>", "<xmp>", "<iframe "),
    *("<!--", "-->", "--!>", "<!-->", "<!", "<?", "</", "<", ">", "/", "=", '"', "'", " ", "\xa0"),
    *("x", "a=", 'a="', "a='", ' title="</div>" ', ' b" c="d e', "=<", "\u212a", "\0", "\n"),
)
_soup = st.lists(st.sampled_from(_PIECES), max_size=60).map("".join)
_repeats = st.sampled_from((1, 2, 21, 60, 600))
_piled = st.lists(st.tuples(st.lists(st.sampled_from(_PIECES), max_size=8), _repeats), max_size=6)


def _pile(parts: list[tuple[list[str], int]]) -> str:
    return "".join("".join(pieces) * repeats for pieces, repeats in parts)


@given(_soup)
@example("<title </title>")
@example('<script a="</script>"></div></script>')
@example("<svg><title><div></title></div></svg>")
@example("<div></\u017fcript></div><script></\u017fcript></div>")
def test_the_rough_count_sees_at_least_the_depth_that_the_census_sees(soup: str) -> None:
    names = parse_cost._NAMES.findall(soup)
    census = parse_cost._Census(soup)
    if names and names[-1]:
        assert parse_cost._depth_at_most(names) >= census.max_depth


@given(_piled.map(_pile))
def test_what_the_rough_count_trusts_the_census_lets_through(html: str) -> None:
    if is_surely_safe(html):
        assert parse_cost._Census(html).excess() is None


@pytest.mark.parametrize(
    "excess",
    [
        "<div>" * (MAX_DEPTH + 1),
        "<x" + " y" * (MAX_ATTRIBUTES + 1) + ">",
        "<x" + "/y" * (MAX_ATTRIBUTES + 1) + " <div></div>" + ">",
        "<blockquote>" * (MAX_NESTED_QUOTES + 1),
        "<li><dd>" * 6_000,
        "<select>" + "<option>" * 10_001,
        "<font>" * 400 + "<p>x" * 1_000,
        "<div>" * 400 + "x" * 600_000,
        "<svg>" + "<p>" * (MAX_DEPTH + 1) + "</svg>",
        "<svg><title>" + "<g>" * (MAX_DEPTH + 1) + "</title></svg>",
        "<svg>" + "<g x=y/>" * (MAX_DEPTH + 1),
        "<div><!-- </div> -->" * (MAX_DEPTH + 1),
        "<div><script>'</div>'</script>" * (MAX_DEPTH + 1),
        '<div a="</div>">' * (MAX_DEPTH + 1),
        "<div><script a='></script>'></div></script>" * (MAX_DEPTH + 1),
        "<div><script></SCRIPT><div></script>" * (MAX_DEPTH // 2 + 1),
        "<div><\u017fcript><div></script>" * (MAX_DEPTH // 2 + 1),
        "<div><noframe\u017f><div></noframes>" * (MAX_DEPTH // 2 + 1),
        ("<x" + " y" * 2_400 + "></x>") * 170,
        "<div </div>" * (MAX_DEPTH + 1),
        "<div></b>" * (MAX_DEPTH + 1),
    ],
    ids=lambda html: ascii(html[:40]),
)
def test_pages_that_are_too_much_stay_refused(excess: str) -> None:
    for html in (excess, PLAIN + excess, excess + PLAIN, PLAIN + excess + PLAIN):
        assert find_excess(html)


@given(_soup)
@example("<script\xa0>")
@example("<script></\u017fcript><!-- </script>")
@example("<script></scriptx><!-- </script>")
@example("<script><!--<script></script><!-- </script>")
@example("<style></stylex><!-- </style>")
@example("<!--<script>--><script><!-- -->")
@example("<svg/><title><!-- </title>")
def test_nothing_hides_from_the_scan_what_the_parser_builds(soup: str) -> None:
    """In HTML. Which tags end an <svg> without saying so, only a parser knows."""
    assume(not re.search("(?i)<(?:svg|math)(?!/>)", soup))
    html = soup + "<div>" * (MAX_DEPTH + 200)
    if _depth_built(html) > MAX_DEPTH + 100:
        assert find_excess(html)


def test_names_are_those_of_the_parser() -> None:
    """A Kelvin sign is no k: this is no <link>, which would not nest."""
    html = "<lin\u212a>" * (MAX_DEPTH + 10)
    assert _depth_built(html) > MAX_DEPTH
    assert find_excess(html)


def _depth_built(html: str) -> int:
    """How deep in the tree the last element of the page is."""
    root = LexborHTMLParser(html).root
    node, depth = list(root.traverse())[-1] if root else None, 0
    while node is not None:
        node, depth = node.parent, depth + 1
    return depth


def test_an_ordinary_page_needs_no_census() -> None:
    icon = "<svg viewBox='0 0 1 1'><path d='M0'/></svg>"
    assert is_surely_safe(f"<html>{PLAIN}{icon * 20}<script>if (a < b) '</p>'</script></html>")
