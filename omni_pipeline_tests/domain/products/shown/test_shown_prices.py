"""Which of the prices that a page shows is that of one new piece today."""

import json
from decimal import Decimal

import pytest

from omni_pipeline.domain.products.extraction import extract_products
from omni_pipeline.domain.products.model import PageKind, Product

NAME = "Copper kettle K2"
BUY = '<button class="add-to-cart">Add to cart</button>'


def told(*values: object) -> tuple[object, ...]:
    """Values of several types, comparable with plain ones."""
    return values


def read(body: str, *, lang: str = "de", markup_price: str | None = None) -> Product | None:
    offers = {"@type": "Offer", "price": markup_price, "priceCurrency": "EUR"}
    markup = {"@type": "Product", "name": NAME, "offers": offers}
    script = f'<script type="application/ld+json">{json.dumps(markup)}</script>'
    html = (
        f'<html lang="{lang}"><head><title>{NAME} | Example</title>'
        f"{script if markup_price else ''}</head><body><h1>{NAME}</h1>{body}</body></html>"
    )
    found = extract_products(html, url="https://shop.example/p/kettle")
    return found[0] if found and found[0].page_kind is PageKind.DETAIL else None


def breaks(*rows: tuple[str, str]) -> str:
    cells = "".join(f"<tr><td>{count}</td><td>{price}</td></tr>" for count, price in rows)
    return f"<table>{cells}</table>{BUY}"


ROWS = (("1", "2,00 €"), ("10", "1,80 €"), ("100", "1,50 €"))
SHOWN: dict[str, tuple[str, str]] = {
    "labels before, in a list": (
        f"<dl class=price><dt>Netto</dt><dd>10,00 €</dd><dt>Brutto</dt><dd>11,90 €</dd></dl>{BUY}",
        "11.90",
    ),
    "labels behind": (
        (
            "<div><span class=price>100,00 €</span> <i>netto</i> <span class=price>119,00 €</span>"
            f" <i>brutto</i></div>{BUY}"
        ),
        "119.00",
    ),
    "labels above, in a table": (
        (
            "<table><tr><th>Preis netto</th><th>Preis brutto</th></tr><tr><td class=price>100,00 €"
            f"</td><td class=price>119,00 €</td></tr></table>{BUY}"
        ),
        "119.00",
    ),
    "with tax first": (
        (
            "<p><b>inkl. MwSt.</b> <span class=price>119,00 €</span></p>"
            f"<p><b>exkl. MwSt.</b> <span class=price>100,00 €</span></p>{BUY}"
        ),
        "119.00",
    ),
    "labels below": (
        f"<p class=price>120,00 €</p><p>TTC</p><p class=price>100,00 €</p><p>HT</p>{BUY}",
        "120.00",
    ),
    "refurbished beside new": (
        (f"<div class=price>100,00 €</div><p>Generalüberholt: <b class=price>60,00 €</b></p>{BUY}"),
        "100.00",
    ),
    "a class says used": (
        f'<div class="price used-price">60,00 €</div><div class="price">100,00 €</div>{BUY}',
        "100.00",
    ),
    "members": (
        f"<div class=price>100,00 €</div><div class=price>Mitgliederpreis 80,00 €</div>{BUY}",
        "100.00",
    ),
    "rent": (
        f"<p><span class=price>35,00 €</span> monatlich</p><p class=price>1.200,00 €</p>{BUY}",
        "1200.00",
    ),
    "per measure": (
        f"<p class=price>8,90 €</p><p><span class=price>17,80 €</span> / 1 kg</p>{BUY}",
        "8.90",
    ),
    "quantity rows": (breaks(*ROWS), "2.00"),
    "a table called after quantities": (f"<div class=qty>{breaks(*ROWS)}</div>", "2.00"),
    "quantity rows from the most": (breaks(*ROWS[::-1]), "2.00"),
    "two quantity rows": (breaks(*ROWS[:2]), "2.00"),
    "quantity rows with sums": (
        (
            "<table><tr><th>Menge</th><th>je</th><th>Summe</th></tr><tr><td>1</td><td>2,00 €</td>"
            "<td>2,00 €</td></tr><tr><td>10</td><td>1,80 €</td><td>18 €</td></tr><tr><td>100</td>"
            f"<td>1,50 €</td><td>150,00 €</td></tr></table>{BUY}"
        ),
        "2.00",
    ),
    "instalments are no quantities": (
        f"<p class=price>2.320,00 €</p>{breaks(('3', '806 €'), ('6', '405 €'), ('12', '212 €'))}",
        "2320.00",
    ),
    "two quantity rows side by side": (
        breaks(("Bis 9", "12,50 €"), ("Ab 10", "11,20 €")),
        "12.50",
    ),
    "quantity columns": (
        (
            "<table><tr><th>1</th><th>10</th><th>100</th></tr><tr><td>2,00 €</td><td>1,80 €</td>"
            f"<td>1,50 €</td></tr></table>{BUY}"
        ),
        "2.00",
    ),
    "quantities in a list of terms": (
        (
            "<dl><dt>ab 1 Stück</dt><dd>12,50 €</dd><dt>ab 10 Stück</dt><dd>11,20 €</dd>"
            f"<dt>ab 100 Stück</dt><dd>9,90 €</dd></dl>{BUY}"
        ),
        "12.50",
    ),
    "the price above its quantity rows": (
        f"<p class=price>2,00 €</p>{breaks(('ab 10', '1,80 €'), ('ab 100', '1,50 €'))}",
        "2.00",
    ),
    "an element called after the old price that it holds": (
        (
            '<p class="price with-list-price">89,00 € <span class="list-price">120,00 €</span></p>'
            f"{BUY}"
        ),
        "89.00",
    ),
}


@pytest.mark.parametrize(("body", "expected"), SHOWN.values(), ids=SHOWN)
def test_the_price_of_one_new_piece_today_is_found(body: str, expected: str) -> None:
    product = read(body)

    assert product is not None
    assert product.price_amount == Decimal(expected)


@pytest.mark.parametrize("name", [name for name in SHOWN if "old price" not in name])
def test_a_price_under_another_condition_is_no_price_before(name: str) -> None:
    product = read(SHOWN[name][0])

    assert product is not None
    assert product.regular_price_amount is None


@pytest.mark.parametrize("rows", [2, 3, 4, 8])
def test_no_number_of_rows_makes_a_product_vanish(rows: int) -> None:
    table = breaks(*((f"{5 * n + 1}", f"{20 - n},00 €") for n in range(rows)))
    product = read(f"<p>Art.-Nr.: K2-4711</p><p class=stock>Auf Lager</p>{table}")

    assert product is not None
    assert told(product.price_amount, product.sku) == (20, "K2-4711")


def test_sizes_with_prices_are_variants_and_not_other_products() -> None:
    rows = "".join(f"<tr><td>{n} cm</td><td class=price>{n},00 €</td></tr>" for n in (14, 12, 16))
    product = read(f"<table>{rows}</table>{BUY}")

    assert product is not None
    assert told(product.price_amount, product.price_kind) == (12, "from")


def test_a_word_like_a_tax_label_without_a_counterpart_changes_nothing() -> None:
    product = read(f"<p>Net weight: <b class=price>5,00 €</b></p><p class=price>80,00 €</p>{BUY}")

    assert product is not None
    assert product.price_amount in (5, 80)
    assert product.regular_price_amount is None


@pytest.mark.parametrize(
    ("lang", "body", "expected"),
    [
        ("it", "<b class=price>$110.00</b> <b class=price>€100.00</b>", ("EUR", "100.00")),
        ("de-CH", "<b class=price>CHF 110.00</b> <b class=price>€100.00</b>", ("CHF", "110.00")),
        ("xx", "<b class=price>€100.00</b> <b class=price>£90.00</b>", ("EUR", "100.00")),
    ],
)
def test_of_one_price_in_two_currencies_the_pages_own_counts(
    lang: str, body: str, expected: tuple[str, str]
) -> None:
    product = read(body + BUY, lang=lang)

    assert product is not None
    assert told(product.price_currency, product.price_amount) == (expected[0], Decimal(expected[1]))
    assert product.regular_price_amount is None


@pytest.mark.parametrize(
    "sale",
    [
        "<del>120,00 €</del> <ins>89,00 €</ins>",
        '<span class="price old">120,00 €</span> <span class="price special">89,00 €</span>',
        "<p class=price>statt 120,00 € jetzt 89,00 €</p>",
    ],
)
def test_a_sale_on_the_page_beats_markup_that_keeps_the_list_price(sale: str) -> None:
    product = read(sale + BUY, markup_price="120.00")

    assert product is not None
    assert told(product.price_amount, product.regular_price_amount) == (89, 120)


def test_markup_beats_an_old_price_whose_new_one_is_hidden() -> None:
    product = read(f"<del>150,00 €</del>{BUY}", markup_price="120.00")

    assert product is not None
    assert product.price_amount == 120


def test_a_price_on_request_makes_a_product_of_a_page_with_a_number() -> None:
    product = read("<p>Art.-Nr.: K2-4711</p><p class=price>Preis auf Anfrage</p>")

    assert product is not None
    assert told(product.price_kind, product.sku) == ("on_request", "K2-4711")


def test_icons_prices_and_links_in_the_heading_are_not_its_name() -> None:
    html = (
        f"<title>{NAME} | Example</title><h1><i>\ue004</i> Log in <b class=price>$15</b>"
        f" · {NAME}</h1><p>SKU: K2-4711</p>{BUY}"
    )

    assert extract_products(html, url="https://shop.example/p/kettle")[0].name == NAME
