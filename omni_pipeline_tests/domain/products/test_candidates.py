"""Choosing among what sources say, and saying why."""

from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.products.candidates import Candidate, choose, explain
from omni_pipeline.domain.products.extraction import explain_product
from omni_pipeline.domain.products.model import Source


def candidate(value: object, votes: float, *, side: bool | None = None) -> Candidate:
    return Candidate(field="name", value=value, source=Source.META, votes=votes, side=side)


def test_those_who_agree_outvote_a_better_source() -> None:
    choice = choose([candidate("a", 3), candidate("b", 2), candidate("b", 1.5)])["name"]

    assert choice.winner.value == "b"
    assert (choice.votes, choice.of_votes) == (3.5, 6.5)


def test_of_equals_the_first_wins() -> None:
    assert choose([candidate("a", 1), candidate("b", 1)])["name"].winner.value == "a"


def test_values_of_one_side_win_together_and_the_stronger_speaks_for_it() -> None:
    found = [
        candidate("sold out", 3, side=False),
        candidate("in stock", 2, side=True),
        candidate("few left", 1.5, side=True),
    ]

    assert choose(found)["name"].winner.value == "in stock"


def test_nothing_and_what_has_no_votes_are_no_candidates() -> None:
    assert choose([candidate(None, 3), candidate("a", 0)]) == {}


def test_a_contested_value_is_believed_less() -> None:
    alone = choose([candidate("a", 3)])["name"].evidence
    contested = choose([candidate("a", 3), candidate("b", 1)])["name"].evidence

    assert contested.confidence < alone.confidence <= 1


def test_an_explanation_names_every_candidate_and_why_one_won() -> None:
    rows = explain(choose([candidate("a", 3), candidate("b", 1)]))

    assert [(row["value"], row["won"]) for row in rows] == [("a", True), ("b", False)]
    assert rows[0]["reason"] == "3.00 of 4.00 votes, from 1 of 2"


def test_a_page_explains_why_its_sale_beats_its_markup() -> None:
    html = """<html lang="en"><title>Copper kettle K2</title><h1>Copper kettle K2</h1>
        <script type="application/ld+json">{"@type": "Product", "name": "Copper kettle K2",
        "offers": {"price": "120.00", "priceCurrency": "EUR"}}</script>
        <p class="product-price"><del>€120.00</del> <ins class="price">€89.00</ins></p>
        <button>Add to cart</button>"""
    page = ParsedPage(html, url="https://shop.example/p/kettle", language=None)
    prices = [row for row in explain_product(page) if row["field"] == "price"]

    assert [(row["source"], row["won"]) for row in prices] == [("json_ld", False), ("rules", True)]
    assert prices[0]["found"] == "the page strikes it out"
