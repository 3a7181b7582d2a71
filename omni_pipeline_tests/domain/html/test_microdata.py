"""Microdata in the shape of JSON-LD (R-B6)."""

from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.html.microdata import MAX_ELEMENTS, read_microdata, read_rdfa


def read(html: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    return read_microdata(LexborHTMLParser(html))


def test_items_nest_and_values_come_from_the_attribute_that_carries_them() -> None:
    items, orphans = read(
        """
        <div itemscope itemtype="https://schema.org/Product">
          <h1 itemprop="name">A <b>drill</b></h1>
          <a itemprop="url" href="/drill">x</a> <img itemprop="image" src="d.png">
          <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
            <meta itemprop="price" content="12.50"><span itemprop="priceCurrency">EUR</span>
          </div>
        </div>"""
    )
    offer = {"@type": ["https://schema.org/Offer"], "price": ["12.50"], "priceCurrency": ["EUR"]}
    assert items == [
        {
            "@type": ["https://schema.org/Product"],
            "name": ["A drill"],
            "url": ["/drill"],
            "image": ["d.png"],
            "offers": [offer],
        }
    ]
    assert orphans == {}


def test_an_element_that_is_item_and_property_counts_once() -> None:
    items, _ = read('<p itemscope><span itemprop="offers" itemscope></span></p>')

    assert len(items) == 1
    assert len(items[0]["offers"]) == 1


def test_properties_outside_of_any_item_are_kept_apart() -> None:
    items, orphans = read('<b itemprop="price" content="5">5</b>')

    assert (items, orphans) == ([], {"price": ["5"]})


def test_a_page_of_items_is_read_up_to_a_limit() -> None:
    """S-52."""
    items, _ = read("<i itemscope></i>" * (MAX_ELEMENTS + 10))

    assert len(items) == MAX_ELEMENTS


def test_an_item_has_what_it_refers_to() -> None:
    items, orphans = read(
        """<div itemscope itemtype="https://schema.org/Product" itemref="a b missing"></div>
        <p id="a" itemprop="sku">K2</p>
        <div id="b"><span itemprop="name">Kettle</span>
        <div itemprop="offers" itemscope><meta itemprop="price" content="5"></div></div>"""
    )

    assert (items[0]["sku"], items[0]["name"]) == (["K2"], ["Kettle"])
    assert items[0]["offers"][0]["price"] == ["5"]
    assert orphans == {}


@pytest.mark.parametrize("reference", ["a", 'a"] *', "a " * 10_000])
def test_references_of_any_kind_end(reference: str) -> None:
    html = f"<div id=a itemscope itemprop=x itemref='{reference}'><b itemprop=y>1</b></div>"

    assert read(html)[0][0]["y"] == ["1"]


@pytest.mark.parametrize("prefix", ["", "schema:"])
def test_rdfa_has_the_same_shape(prefix: str) -> None:
    tree = LexborHTMLParser(
        f"""<meta property="og:title" content="x"><div vocab="https://schema.org/"
        typeof="{prefix}Product"><h1 property="{prefix}name">Kettle</h1>
        <div property="{prefix}offers" typeof="{prefix}Offer">
        <span property="{prefix}price" content="42.50">now 42,50</span>
        <link property="{prefix}availability" href="https://schema.org/OutOfStock"></div></div>"""
    )
    offer = {
        "@type": [f"{prefix}Offer"],
        "price": ["42.50"],
        "availability": ["https://schema.org/OutOfStock"],
    }

    assert read_rdfa(tree) == [
        {"@type": [f"{prefix}Product"], "name": ["Kettle"], "offers": [offer]}
    ]
