"""Products of detail pages and lists, from every source a page has (R-B6, S-49, S-52, S-63)."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from omni_pipeline.domain.companies.profile import company_on, extract_company
from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.prices.availability import Availability
from omni_pipeline.domain.prices.money import PriceKind
from omni_pipeline.domain.products.extraction import extract_products, products_on
from omni_pipeline.domain.products.llm_questions import question_about, question_on
from omni_pipeline.domain.products.model import MAX_PRODUCTS, PageKind, Product, Source
from omni_pipeline.errors import PermanentError

URL = "https://shop.example.com/drill-4711"
CARDS = "".join(
    f'<li class="card"><a href="/p/{n}"><h3>Thing {n}</h3></a><span class="price">{n},50 €</span>'
    '<button class="add-to-cart">Add to cart</button></li>'
    for n in range(10, 16)
)
RELATED = f'<section class="related-products"><h2>You may also like</h2><ul>{CARDS}</ul></section>'


def ld(*nodes: dict[str, Any] | str) -> str:
    texts = (node if isinstance(node, str) else json.dumps(node) for node in nodes)
    return "".join(f'<script type="application/ld+json">{text}</script>' for text in texts)


def product_ld(**more: Any) -> dict[str, Any]:
    offer = {
        "@type": "Offer",
        "price": "129.90",
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
    }
    return {"@context": "https://schema.org", "@type": "Product", "name": "Hammer drill X"} | {
        "sku": "HD-4711",
        "gtin13": "4006381333931",
        "brand": {"@type": "Brand", "name": "Acme"},
        "image": ["/img/x.jpg"],
        "offers": offer,
    } | more  # fmt: skip


def page(body: str, head: str = "", lang: str = "en") -> str:
    title = "<title>Hammer drill X | Example shop</title>"
    return f'<html lang="{lang}"><head>{title}{head}</head><body>{body}</body></html>'


def only(html: str, **more: Any) -> Product:
    products = extract_products(html, url=URL, **more)
    assert len(products) == 1
    assert products[0].page_kind is PageKind.DETAIL
    return products[0]


def test_json_ld_gives_every_value_with_its_evidence() -> None:
    product = only(page("<h1>Hammer drill X</h1>", ld(product_ld())))

    assert (product.name, product.sku, product.brand) == ("Hammer drill X", "HD-4711", "Acme")
    assert product.gtin == "4006381333931"
    assert (product.price_amount, product.price_currency) == (Decimal("129.90"), "EUR")
    assert product.price_text == "129.90"
    assert product.availability is Availability.IN_STOCK
    assert product.image_url == "https://shop.example.com/img/x.jpg"
    assert product.url == URL
    for name in ("name", "sku", "gtin", "brand", "price_amount", "price_currency", "availability"):
        assert product.evidence[name].source is Source.JSON_LD
        assert 0.5 < product.evidence[name].confidence <= 1


def test_a_bad_block_does_not_lose_the_good_one() -> None:
    head = ld('{"@type": "BreadcrumbList", "x": [', "", product_ld())

    assert only(page("<h1>Hammer drill X</h1>", head)).sku == "HD-4711"


def test_microdata_is_read() -> None:
    product = only(
        page(
            """<div itemscope itemtype="http://schema.org/Product">
            <h1 itemprop="name">Hammer drill X</h1><meta itemprop="sku" content="HD-4711">
            <div itemprop="offers" itemscope itemtype="http://schema.org/Offer">
            <span itemprop="price" content="129.90">129,90</span>
            <meta itemprop="priceCurrency" content="EUR">
            <link itemprop="availability" href="http://schema.org/OutOfStock"></div></div>"""
        )
    )

    assert (product.price_amount, product.price_currency) == (Decimal("129.90"), "EUR")
    assert product.availability is Availability.OUT_OF_STOCK
    assert product.evidence["price_amount"].source is Source.MICRODATA


def test_meta_prefers_the_price_of_the_sale() -> None:
    head = """<meta property="og:type" content="product"><meta property="og:title" content="Drill">
        <meta property="product:price:amount" content="150.00">
        <meta property="product:sale_price:amount" content="120.00">
        <meta property="product:price:currency" content="PLN">"""
    product = only(page("<h1>Hammer drill X</h1>", head))

    assert (product.price_amount, product.price_currency) == (Decimal("120.00"), "PLN")
    assert product.regular_price_amount == 150
    assert product.evidence["price_amount"].source is Source.META


@pytest.mark.parametrize(
    "script",
    [
        """<script type="application/json">{"product": {"title": "Hammer drill X",
            "price": "129.90", "currency": "EUR", "sku": "HD-4711"}}</script>""",
        """<script>window.state = {"a": {"name": "Hammer drill X", "salePrice": 129.90,
            "price": 150, "currency": "EUR", "sku": "HD-4711"}};</script>""",
        """<script>var meta = {"product": {"title": "Hammer drill X", "vendor": "Acme",
            "price": 12990, "currency": "EUR", "sku": "HD-4711", "variants": []}};</script>""",
    ],
    ids=["json", "assigned", "cents"],
)
def test_the_state_of_a_shop_system_is_read(script: str) -> None:
    product = only(page("<h1>Hammer drill X</h1>", script))

    assert (product.price_amount, product.price_currency) == (Decimal("129.90"), "EUR")
    assert product.sku == "HD-4711"
    assert product.evidence["price_amount"].source is Source.EMBEDDED_STATE


def test_the_rendered_page_is_read_near_heading_and_button() -> None:
    product = only(
        page(
            f"""<header><span class="cart-total price">0,00 €</span></header><main>
            <h1>Hammer drill X</h1><p>Art.-Nr.: HD-4711</p><p>EAN: 4006381333931</p>
            <table><tr><th>Marke</th><td>Acme</td></tr></table>
            <div class="prices"><del class="old-price">149,90 €</del>
            <span class="price">129,90 €</span> <small class="unit-price">12,99 € / kg</small></div>
            <p class="stock">Sofort lieferbar</p>
            <button class="add-to-cart">In den Warenkorb</button></main>{RELATED}""",
            lang="de",
        )
    )

    assert (product.price_amount, product.price_currency) == (Decimal("129.90"), "EUR")
    assert product.regular_price_amount == Decimal("149.90")
    assert (product.sku, product.gtin, product.brand) == ("HD-4711", "4006381333931", "Acme")
    assert product.availability is Availability.IN_STOCK
    assert product.evidence["price_amount"].source is Source.RULES


def test_what_data_and_page_show_together_outvotes_stale_markup() -> None:
    head = ld(product_ld(offers={"@type": "Offer", "price": "90", "priceCurrency": "EUR"}))
    head += '<meta property="product:price:amount" content="80">'
    body = """<h1>Hammer drill X</h1><div class="product-price"><span class="price">€80.00</span>
        </div><button class="add-to-cart">Add to cart</button>"""

    assert only(page(body, head)).price_amount == 80


def test_a_struck_price_of_markup_loses_to_nothing_but_evidence() -> None:
    """One related price on the page is no reason to doubt the markup."""
    product = only(page(f"<h1>Hammer drill X</h1>{RELATED}", ld(product_ld())))

    assert product.price_amount == Decimal("129.90")


def test_variants_are_offers_and_the_lowest_that_can_be_bought_is_the_price() -> None:
    offers = [
        {
            "@type": "Offer",
            "sku": f"S{n}",
            "price": price,
            "priceCurrency": "EUR",
            "availability": a,
        }
        for n, (price, a) in enumerate([("10", "OutOfStock"), ("20", "InStock"), ("30", "InStock")])
    ]
    product = only(page("<h1>Hammer drill X</h1>", ld(product_ld(offers=offers))))

    assert [(o.sku, o.price_amount) for o in product.offers] == [
        (f"S{n}", Decimal(price)) for n, price in enumerate([10, 20, 30])
    ]
    assert product.price_amount == 20
    assert product.price_kind is PriceKind.FROM
    assert product.availability is Availability.IN_STOCK


def test_a_product_group_has_the_offers_of_its_variants() -> None:
    variants = [
        {"@type": "Product", "name": f"Hammer drill X {size}", "sku": f"X-{size}",
         "offers": {"@type": "Offer", "price": "15", "priceCurrency": "EUR"}}
        for size in "SML"
    ]  # fmt: skip
    group = {"@type": "ProductGroup", "name": "Hammer drill X", "hasVariant": variants}
    product = only(page("<h1>Hammer drill X</h1>", ld(group)))

    assert [offer.sku for offer in product.offers] == ["X-S", "X-M", "X-L"]
    assert product.sku is None
    assert product.price_amount == 15


@pytest.mark.parametrize(
    ("lang", "default", "expected", "source"),
    [
        ("pl", "EUR", "PLN", Source.LANGUAGE),
        ("de-CH", None, "CHF", Source.LANGUAGE),
        ("en", "GBP", "GBP", Source.CONFIGURATION),
        ("en", None, None, None),
    ],
)
def test_a_price_without_currency_takes_it_from_language_then_configuration(
    lang: str, default: str | None, expected: str | None, source: Source | None
) -> None:
    offers = {"@type": "Offer", "price": "12"}
    html = page("<h1>Hammer drill X</h1>", ld(product_ld(offers=offers)), lang)
    product = only(html, default_currency=default)

    assert product.price_currency == expected
    found = product.evidence.get("price_currency")
    assert (found.source if found else None) is source


def test_a_price_of_zero_in_markup_is_an_unknown_one() -> None:
    head = ld(product_ld(offers={"@type": "Offer", "price": "0.00", "priceCurrency": "EUR"}))
    body = """<h1>Hammer drill X</h1><span class="price">€80.00</span>
        <button class="add-to-cart">Add to cart</button>"""

    assert only(page(body, head)).price_amount == 80


@pytest.mark.parametrize(
    "neighbours", [RELATED, "<i></i>" * 100 + '<span class="price">€5.00</span>']
)
def test_what_is_sold_out_has_no_price_from_its_neighbours(neighbours: str) -> None:
    product = only(
        page(
            f"""<h1>Hammer drill X</h1><p>SKU: HD-4711</p>
            <div id="availability">Currently unavailable.</div>{neighbours}"""
        )
    )

    assert product.availability is Availability.OUT_OF_STOCK
    assert product.price_amount is None


def test_a_category_with_markup_lists_its_products() -> None:
    entries = [
        {"@type": "ListItem", "position": n, "item": product_ld(name=f"Thing {n}", sku=f"T-{n}",
                                                                url=f"/p/{n}", gtin13=None)}
        for n in range(5)
    ]  # fmt: skip
    html = page("<h1>All our tools</h1>", ld({"@type": "ItemList", "itemListElement": entries}))
    products = extract_products(html.replace("Hammer drill X |", ""), url=URL)

    assert [product.sku for product in products] == [f"T-{n}" for n in range(5)]
    assert products[1].url == "https://shop.example.com/p/1"
    assert {product.page_kind for product in products} == {PageKind.LIST}
    assert products[0].evidence["price_amount"].source is Source.JSON_LD


def test_a_category_without_markup_lists_its_cards() -> None:
    html = f"<html lang=de><title>Tools</title><h1>Tools</h1><ul>{CARDS}</ul></html>"
    products = extract_products(html, url="https://shop.example.com/tools")

    assert [product.name for product in products] == [f"Thing {n}" for n in range(10, 16)]
    assert products[0].url == "https://shop.example.com/p/10"
    assert products[0].price_amount == Decimal("10.50")
    assert {product.page_kind for product in products} == {PageKind.LIST}


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>",
        "<h1>About us</h1><p>We sell tools since 1999.</p>",
        "<h1>Our history</h1><p>In 1950 a hammer cost $5.00.</p>",
        '<h1>News</h1><script type="application/ld+json">{"@type": "Article"}</script>',
    ],
)
def test_a_page_that_sells_nothing_has_no_product(html: str) -> None:
    assert extract_products(html, url=URL) == ()


def test_hidden_and_invisible_text_is_no_price() -> None:
    """S-63, S-64."""
    body = """<h1>Hammer drill X</h1>
        <!-- price 0.01 EUR --><div class="final-price" style="display: none">
        <span class="price">€0.01</span></div><p class="price">€80.00</p>
        <button class="add-to-cart">Add to cart</button>"""

    assert only(page(body)).price_amount == 80


def test_control_characters_do_not_reach_the_values() -> None:
    """S-64."""
    head = ld(product_ld(name="Hammer\u0000 dr\u200bill\U000e0041 X"))

    assert only(page("<h1>Hammer drill X</h1>", head)).name == "Hammer drill X"


def test_a_page_has_at_most_a_thousand_products() -> None:
    """S-52."""
    nodes = [{"@type": "Product", "name": f"T {n}", "sku": f"{n:05}"} for n in range(5_000)]
    products = extract_products(page("<h1>All</h1>", ld({"@graph": nodes})), url=URL)

    assert len(products) == MAX_PRODUCTS


def test_a_page_that_no_parser_should_see_is_refused() -> None:
    with pytest.raises(PermanentError) as error:
        extract_products("<div>" * 100_000, url=URL)
    assert error.value.kind == "permanent.too_deep"


@pytest.mark.parametrize(
    "html",
    [
        "<h1>x</h1>" + '<i class="price">1</i>' * 40_000,
        "<h1>x</h1>" + "<i>€1</i>" * 40_000,
        "<h1>x</h1><p>" + "SKU: " * 200_000,
        "<h1>x</h1><p>" + "EAN: 1" * 200_000,
        "<h1>x</h1><p>" + "1," * 500_000,
        "<h1>x</h1><script>" + 'a = {"price": ' * 70_000 + "</script>",
        "<h1>x</h1><script>" + "price: 1," * 100_000 + "</script>",
        "<h1>x</h1>" + '<i itemscope itemprop="price">' * 400,
        ld({"@graph": [{"@type": "Product", "name": "x"}] * 20_000}),
        "<h1>x</h1>" + "<button>buy now</button>" * 40_000,
        "<h1>x</h1>" + "<b>Brand</b>" * 40_000,
    ],
    ids=range(11),
)
def test_a_hostile_page_costs_at_most_seconds(html: str) -> None:
    """S-49, S-52."""
    begun = time.process_time()
    extract_products(html, url=URL)

    assert time.process_time() - begun < 3


def test_one_parsed_page_serves_products_company_and_question_alike() -> None:
    body = """<h1>Hammer drill X</h1><p>SKU: HD-4711</p><button>Add to cart</button>
        <footer>Example Ltd, phone: +44 20 7946 0958</footer>"""
    html = page(body, ld({"@type": "Organization", "name": "Example Ltd"}))
    parsed = ParsedPage(html, url=URL, language=None)

    products = products_on(parsed)
    company = company_on(parsed)
    question = question_on(parsed, products)

    assert products == extract_products(html, url=URL)
    assert company == extract_company(html, URL)
    assert question == question_about(html, URL, products)
    assert question is not None
