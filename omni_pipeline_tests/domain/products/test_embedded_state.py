"""The product in a page's own data, in the shapes that shops and frameworks give it."""

import html
import json
from decimal import Decimal
from typing import Any

import pytest

from omni_pipeline.domain.products.extraction import extract_products
from omni_pipeline.domain.products.model import Product

NAME = "Copper kettle K2"


def told(*values: object) -> tuple[object, ...]:
    """Values of several types, comparable with plain ones."""
    return values


def page(body: str) -> str:
    return (
        f'<html lang="en"><head><title>{NAME} | Example</title></head>'
        f"<body><h1>{NAME}</h1>{body}</body></html>"
    )


def read(body: str) -> Product | None:
    found = extract_products(page(body), url="https://shop.example/p/copper-kettle")
    return found[0] if found else None


def script(value: Any, attributes: str = 'type="application/json"') -> str:
    return f"<script {attributes}>{json.dumps(value)}</script>"


def stream(text: str, call: str) -> str:
    return f"<script>{call.replace('TEXT', json.dumps(text))}</script>"


SHAPES: dict[str, str] = {
    "a price that is an object": script(
        {"product": {"name": NAME, "price": {"value": 42.5, "currencyCode": "EUR"}, "sku": "K2"}}
    ),
    "cents with their digits": script(
        {
            "product": {
                "name": NAME,
                "sku": "K2",
                "price": {"centAmount": 4250, "currencyCode": "EUR", "fractionDigits": 2},
            }
        }
    ),
    "minor units of a store's interface": script(
        {
            "item": {
                "name": NAME,
                "sku": "K2",
                "prices": {"price": "4250", "currency_code": "EUR", "currency_minor_unit": "2"},
            }
        }
    ),
    "a range whose variants are a connection": script(
        {
            "product": {
                "title": NAME,
                "priceRange": {"minVariantPrice": {"amount": "42.5", "currencyCode": "EUR"}},
                "variants": {
                    "nodes": [
                        {
                            "sku": "K2",
                            "price": {"amount": "42.5", "currencyCode": "EUR"},
                            "availableForSale": True,
                        }
                    ]
                },
            }
        }
    ),
    "an analytics object without the product's name": (
        '<script>var meta = {"product": {"id": 1, "vendor": "Acme", "type": "x", "variants": '
        f'[{{"id": 2, "price": 4250, "name": "{NAME}", "sku": "K2", "currency": "EUR"}}]}}}};'
        "</script>"
    ),
    "a stream of escaped JSON in pieces": (
        stream('5:["$","div",null,{"product":{"name":"' + NAME, "self.__f.push([1,TEXT])")
        + stream(
            '","sku":"K2","price":{"amount":42.5,"currency":"EUR"}}}]\n', "self.__f.push([1,TEXT])"
        )
    ),
    "a flattened graph with keys by place": stream(
        json.dumps(
            [
                {"_1": 2},
                "product",
                {"_3": 4, "_5": 6, "_7": 8, "_9": 10},
                *("name", NAME, "price", 42.5, "sku", "K2", "currency", "EUR"),
            ]
        ),
        "window.stream.enqueue(TEXT);",
    ),
    "a flattened graph with plain keys": script(
        [
            {"data": 1},
            {"name": 2, "price": 3, "sku": 4, "currency": 5},
            *(NAME, 42.5, "K2", "EUR"),
        ]
    ),
    "a string handed to a parser": stream(
        json.dumps({"p": {"name": NAME, "price": 42.5, "currency": "EUR", "sku": "K2"}}),
        "window.state = JSON.parse(TEXT);",
    ),
    "an attribute of the product": "<div data-product='{}'></div>".format(
        json.dumps(
            {"name": NAME, "price_amount": 42.5, "reference": "K2", "currency": "EUR"}
        ).replace("'", "&#39;")
    ),
    "prices with and without tax": (
        '<script>var data = {"product_attributes": {"sku": "K2", "instock": true, "price": '
        '{"without_tax": {"value": 35.7, "currency": "EUR"}, '
        '"with_tax": {"value": 42.5, "currency": "EUR", "formatted": "€42.50"}}}};</script>'
    ),
    "the price box of a configuration": script(
        {
            "#box": {
                "x/price": {
                    "productId": "7",
                    "sku": "K2",
                    "prices": {"oldPrice": {"amount": 50}, "finalPrice": {"amount": 42.5}},
                    "currency": "EUR",
                }
            }
        },
        'type="text/x-magento-init"',
    ),
    "a price range of a query language": script(
        {
            "data": {
                "name": NAME,
                "sku": "K2",
                "stock_status": "IN_STOCK",
                "price_range": {
                    "minimum_price": {
                        "regular_price": {"value": 50, "currency": "EUR"},
                        "final_price": {"value": 42.5, "currency": "EUR"},
                    }
                },
            }
        }
    ),
    "a cache of objects that name each other": script(
        {
            "Product:1": {"name": NAME, "sku": "K2", "price": {"__ref": "Money:9"}},
            "Money:9": {"amount": "42.50", "currencyCode": "EUR"},
        }
    ),
    "a master variant": script(
        {
            "product": {
                "name": NAME,
                "masterVariant": {
                    "sku": "K2",
                    "prices": [{"value": {"centAmount": 4250, "currencyCode": "EUR"}}],
                },
            }
        }
    ),
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_price_currency_and_number_are_read_in_every_shape(body: str) -> None:
    product = read(body)

    assert product is not None
    assert product.price_amount == Decimal("42.50")
    assert product.price_currency == "EUR"
    assert product.sku == "K2"


def variations(*rows: dict[str, Any]) -> str:
    return (
        f'<form data-variations="{html.escape(json.dumps(rows))}"><button>Buy now</button></form>'
    )


def test_a_form_of_variants_without_names_is_the_products() -> None:
    form = variations(
        {"variation_id": 1, "display_price": 50, "sku": "A", "is_in_stock": True},
        {"variation_id": 2, "display_price": 40, "sku": "B", "is_in_stock": False},
    )
    product = read(f'<p class="price">€40.00 - €50.00</p>{form}')

    assert product is not None
    assert [told(one.sku, one.price_amount) for one in product.offers] == [("A", 50), ("B", 40)]
    assert [one.availability for one in product.offers] == ["in_stock", "out_of_stock"]


def test_two_forms_of_one_build_belong_to_nobody() -> None:
    rows = [{"variation_id": n, "display_price": 5, "sku": f"S{n}"} for n in range(2)]

    assert read(variations(rows[0]) + variations(rows[1])) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"inStock": False}, "out_of_stock"),
        ({"availableForSale": True}, "in_stock"),
        ({"soldOut": True}, "out_of_stock"),
        ({"stock": 0}, "out_of_stock"),
        ({"stock": {"isInStock": True}}, "in_stock"),
        ({"availability": {"isOnStock": False}}, "out_of_stock"),
        ({"stockStatus": "OUT_OF_STOCK"}, "out_of_stock"),
    ],
)
def test_stock_is_read_from_words_answers_and_counts(said: dict[str, Any], expected: str) -> None:
    product = read(script({"name": NAME, "price": "5.00", "sku": "K2"} | said))

    assert product is not None
    assert product.availability == expected


def test_the_price_before_stands_beside_the_price_or_within_it() -> None:
    beside = read(script({"name": NAME, "price": "40", "compareAtPrice": {"amount": "50"}}))
    within = read(script({"name": NAME, "price": {"sale": 40, "regular": 50}}))

    assert beside is not None
    assert within is not None
    assert told(beside.price_amount, beside.regular_price_amount) == (40, 50)
    assert told(within.price_amount, within.regular_price_amount) == (40, 50)


def test_the_state_of_another_product_is_not_the_pages() -> None:
    assert read(script({"name": "Iron pan P9", "price": "5.00", "sku": "P9"})) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "<div data-x='{\"price\":'></div>" * 4_000,
        stream("[" * 100_000 + "price", "push([1,TEXT])"),
        script([{"price": n} for n in range(10_000)]),
        script([{"price": 0}, {"price": 1}, {"price": 2}]),
        "<script>" + 'push([1,"\\"price' * 30_000 + "</script>",
    ],
    ids=range(5),
)
def test_hostile_state_is_given_up(hostile: str) -> None:
    assert read(hostile) is None
