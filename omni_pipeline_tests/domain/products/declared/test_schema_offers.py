"""Offers as schema.org means them: which of several prices is that of one new piece today."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from omni_pipeline.domain.products.extraction import extract_products
from omni_pipeline.domain.products.model import Product

NAME = "Copper kettle K2"
TODAY = date(2026, 6, 15)
BUY = '<button class="add-to-cart">Add to cart</button>'


def told(*values: object) -> tuple[object, ...]:
    """Values of several types, comparable with plain ones."""
    return values


def offer(**more: Any) -> dict[str, Any]:
    return {"@type": "Offer", "priceCurrency": "EUR", **more}


def spec(price: str, **more: Any) -> dict[str, Any]:
    return {"@type": "UnitPriceSpecification", "price": price, "priceCurrency": "EUR", **more}


def node(**more: Any) -> dict[str, Any]:
    return {"@type": "Product", "name": NAME, **more}


def read(*blocks: Any, body: str = BUY, lang: str = "en") -> Product:
    scripts = "".join(
        f'<script type="application/ld+json">{json.dumps(block)}</script>' for block in blocks
    )
    html = (
        f'<html lang="{lang}"><head><title>{NAME} | Example</title>{scripts}</head>'
        f"<body><h1>{NAME}</h1>{body}</body></html>"
    )
    found = extract_products(html, url="https://shop.example/p/kettle", today=TODAY)
    assert len(found) == 1
    return found[0]


def quantity(value: object, unit: str, **more: Any) -> dict[str, Any]:
    return {"@type": "QuantitativeValue", "value": value, "unitCode": unit, **more}


USED = "https://schema.org/RefurbishedCondition"
NEW = "https://schema.org/NewCondition"
RENT = "http://purl.org/goodrelations/v1#LeaseOut"
PRICES: dict[str, tuple[Any, str]] = {
    "with tax before without": (
        offer(
            priceSpecification=[
                spec("100", valueAddedTaxIncluded=False),
                spec("119", valueAddedTaxIncluded="true"),
            ]
        ),
        "119",
    ),
    "not for members": (
        offer(priceSpecification=[spec("8", validForMemberTier={"name": "Gold"}), spec("10")]),
        "10",
    ),
    "no offer for members": (
        [offer(price="8", validForMemberTier={"@id": "#g"}), offer(price="10")],
        "10",
    ),
    "not of a sale to come": (
        offer(priceSpecification=[spec("80", validFrom="2026-07-01"), spec("100")]),
        "100",
    ),
    "not of a sale that is over": (
        offer(priceSpecification=[spec("80", validThrough="2026-06-01"), spec("100")]),
        "100",
    ),
    "of the sale that is on": (
        offer(
            priceSpecification=[
                spec("100"),
                spec("80", validFrom="2026-06-01", validThrough="2026-06-30"),
            ]
        ),
        "80",
    ),
    "not the refurbished": (
        [offer(price="60", itemCondition=USED), offer(price="100", itemCondition=NEW)],
        "100",
    ),
    "refurbished where nothing is new": (
        [offer(price="60", itemCondition={"@id": USED}), offer(price="70", itemCondition=USED)],
        "60",
    ),
    "not the rent": ([offer(price="1200"), offer(price="35", businessFunction=RENT)], "1200"),
    "not what is billed by the month": (
        offer(priceSpecification=[spec("35", billingDuration="P1M"), spec("1200")]),
        "1200",
    ),
    "not what a specification of the same price says is billed": (
        [
            offer(price="8", priceSpecification=spec("8", billingIncrement=1, unitCode="MON")),
            offer(price="10"),
        ],
        "10",
    ),
    "not a down payment": (
        offer(priceSpecification=[spec("99", priceComponentType="Downpayment"), spec("1200")]),
        "1200",
    ),
    "not for the trade": (
        [offer(price="7", eligibleCustomerType="Business"), offer(price="10")],
        "10",
    ),
    "of one piece, by specification": (
        offer(
            priceSpecification=[
                spec("0.80", eligibleQuantity={"minValue": 100}),
                spec("1.20", eligibleQuantity={"minValue": "1"}),
            ]
        ),
        "1.20",
    ),
    "of one piece, by offer": (
        {
            "@type": "AggregateOffer",
            "lowPrice": "8",
            "offers": [
                offer(price="8", eligibleQuantity=quantity(50, "C62")),
                offer(price="12", eligibleQuantity=quantity(1, "C62")),
            ],
        },
        "12",
    ),
    "of the fewest pieces where one is too few": (
        [
            offer(price="8", eligibleQuantity={"minValue": 100}),
            offer(price="9", eligibleQuantity={"minValue": 10}),
        ],
        "9",
    ),
    "not per 100": (
        offer(
            priceSpecification=[
                spec("12.50", referenceQuantity=quantity(100, "C62")),
                spec("0.15", referenceQuantity=quantity(1, "C62")),
            ]
        ),
        "0.15",
    ),
    "not the base price": (
        offer(price="89.00", priceSpecification=spec("178", referenceQuantity=quantity(1, "LTR"))),
        "89.00",
    ),
    "of a pack that tells what it holds": (
        offer(
            priceSpecification=spec(
                "81.00",
                referenceQuantity=quantity("4.5", "LTR", valueReference=quantity(1, "LTR")),
            )
        ),
        "81.00",
    ),
}


@pytest.mark.parametrize(("offers", "expected"), PRICES.values(), ids=PRICES)
def test_the_price_is_that_of_one_new_piece_today(offers: Any, expected: str) -> None:
    product = read(node(offers=offers))

    assert product.price_amount == Decimal(expected)
    assert product.price_kind == "exact" or product.evidence["price_amount"].confidence > 0


def test_a_price_per_measure_alone_says_so() -> None:
    offers = offer(priceSpecification=spec("5", referenceQuantity=quantity(1, "KGM")))
    product = read(node(offers=offers))

    assert told(product.price_amount, product.price_kind) == (5, "per_unit")


def test_what_holds_only_under_a_condition_is_no_variant() -> None:
    offers = [offer(price="100"), offer(price="60", itemCondition=USED)]

    assert read(node(offers=offers)).offers == ()


@pytest.mark.parametrize("kind", ["StrikethroughPrice", "https://schema.org/ListPrice", "MSRP"])
def test_a_price_of_an_old_kind_is_the_price_before(kind: str) -> None:
    product = read(node(offers=offer(price="80", priceSpecification=spec("100", priceType=kind))))

    assert told(product.price_amount, product.regular_price_amount) == (80, 100)


def test_the_price_that_always_holds_is_the_one_before_a_sale() -> None:
    sale = spec("80", validThrough="2026-06-30")
    product = read(node(offers=offer(priceSpecification=[spec("100"), sale])))

    assert told(product.price_amount, product.regular_price_amount) == (80, 100)


def test_what_can_be_had_later_is_ordered_before() -> None:
    later = offer(price="80", availability="InStock", availabilityStarts="2026-09-01")

    assert read(node(offers=later)).availability == "pre_order"


def test_an_expired_price_gives_way_to_the_one_that_the_page_shows() -> None:
    expired = node(offers=offer(price="99.00", priceValidUntil="2026-01-31"))

    assert read(expired, body=f'<p class="price">€120.00</p>{BUY}').price_amount == 120
    assert read(expired).price_amount == 99


def test_one_price_in_several_currencies_is_one_price() -> None:
    offers = [
        offer(price="110", priceCurrency="USD"),
        offer(price="100"),
        offer(price="90", priceCurrency="GBP"),
    ]

    for lang, code, amount in (("it", "EUR", 100), ("en-GB", "GBP", 90), ("xx", "USD", 110)):
        product = read(node(offers=offers), lang=lang)
        assert told(product.price_currency, product.price_amount) == (code, amount)
        assert product.offers == ()


def test_references_lead_to_offers_brands_and_variants_in_any_order() -> None:
    variants = [
        node(**{"@id": f"#v{n}", "sku": f"K{n}", "offers": {"@id": f"#o{n}"}}) for n in (1, 2)
    ]
    offers = [offer(**{"@id": f"#o{n}", "price": f"{n}0"}) for n in (1, 2)]
    group = {
        "@type": "ProductGroup",
        "name": NAME,
        "hasVariant": [{"@id": "#v1"}, {"@id": "#v2"}],
        "brand": {"@id": "#b"},
    }
    graph = [*variants, *offers, group, {"@type": "Brand", "@id": "#b", "name": "Acme"}]

    for order in (graph, graph[::-1]):
        product = read({"@graph": order})
        assert sorted(one.sku or "" for one in product.offers) == ["K1", "K2"]
        assert told(product.price_amount, product.brand) == (10, "Acme")


def test_a_reference_reaches_into_another_block() -> None:
    product = read(
        node(offers={"@id": "#o"}), offer(**{"@id": "#o", "price": "7", "availability": "SoldOut"})
    )

    assert told(product.price_amount, product.availability) == (7, "sold_out")


def test_a_reference_to_nothing_is_no_value() -> None:
    product = read(node(offers=offer(price="7"), brand={"@id": "#nobody"}))

    assert product.brand is None


def test_references_in_a_circle_end() -> None:
    one = node(**{"@id": "#p", "offers": {"@id": "#o"}})
    other = offer(**{"@id": "#o", "price": "7", "itemOffered": {"@id": "#p"}})

    assert read(one, other).price_amount == 7


def test_an_offer_at_the_root_sells_what_it_offers() -> None:
    product = read(offer(price="7", itemOffered=node(sku="K2")))

    assert told(product.price_amount, product.sku) == (7, "K2")


@pytest.mark.parametrize(
    ("body", "kind", "amount"),
    [
        (BUY, None, None),
        (f'<span class="price">Free</span>{BUY}', "free", 0),
        ('<span class="price">Price on request</span>', "on_request", None),
        (f'<span class="price">€12.00</span>{BUY}', "exact", 12),
    ],
)
def test_a_price_of_zero_is_none_unless_the_page_says_so(
    body: str, kind: str | None, amount: int | None
) -> None:
    product = read(node(offers=offer(price="0.00", availability="InStock")), body=body)

    assert told(product.price_kind, product.price_amount) == (kind, amount)
    assert product.availability == "in_stock"
