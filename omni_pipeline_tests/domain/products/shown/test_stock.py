"""Stock: the page's words against its markup, by the same rules."""

import json

import pytest

from omni_pipeline.domain.prices.availability import availability_of_note
from omni_pipeline.domain.products.extraction import extract_products

NAME = "Copper kettle K2"
PRICE = '<p class="price">€5.00</p>'
BUY = '<button class="add-to-cart">Add to cart</button>'


def read(body: str, *, lang: str = "en", markup: str | None = "InStock") -> str | None:
    offers = {"@type": "Offer", "price": "5.00", "priceCurrency": "EUR"}
    offers |= {"availability": f"https://schema.org/{markup}"} if markup else {}
    script = json.dumps({"@type": "Product", "name": NAME, "offers": offers})
    html = (
        f'<html lang="{lang}"><head><title>{NAME} | Example</title>'
        f'<script type="application/ld+json">{script}</script></head>'
        f"<body><h1>{NAME}</h1>{body}</body></html>"
    )
    found = extract_products(html, url="https://shop.example/p/kettle")
    return found[0].availability


GONE = {
    "en": "Currently out of stock",
    "de": "Leider ausverkauft!",
    "fr": "En rupture de stock",
    "es": "Producto agotado",
    "pt": "Produto esgotado",
    "it": "Momentaneamente non disponibile",
    "nl": "Helaas niet op voorraad",
    "pl": "Produkt niedostępny",
    "cs": "Momentálně nedostupné",
    "sk": "Vypredané",
    "hr": "Trenutno nedostupno",
    "sl": "Ni na zalogi",
    "hu": "Nincs raktáron",
    "ro": "Stoc epuizat",
    "sv": "Tyvärr slut i lager",
    "da": "Udsolgt",
    "nb": "Ikke på lager",
    "fi": "Loppuunmyyty",
    "et": "Laost otsas",
    "lv": "Izpārdots",
    "lt": "Išparduota",
    "el": "Εξαντλήθηκε",
    "bg": "Няма наличност",
    "ru": "Нет в наличии",
    "uk": "Немає в наявності",
    "tr": "Tükendi",
    "ja": "在庫切れ",
    "zh": "缺货",
    "ko": "품절",
    "ar": "غير متوفر",
    "he": "לא במלאי",
    "th": "สินค้าหมด",
    "vi": "Hết hàng",
}


@pytest.mark.parametrize(("lang", "words"), GONE.items())
def test_a_page_that_sells_nothing_beats_markup_that_says_in_stock(lang: str, words: str) -> None:
    gone = read(f"{PRICE}<p>{words}</p><button disabled>{words}</button>", lang=lang)

    assert gone in ("out_of_stock", "sold_out")


def test_markup_that_says_in_stock_beats_a_word_beside_a_button_that_sells() -> None:
    assert read(f"{PRICE}{BUY}<p>Sold out</p>") == "in_stock"


def test_nobody_writes_out_of_stock_into_a_template() -> None:
    assert read(f"{PRICE}<p class=stock>In stock</p>{BUY}", markup="OutOfStock") == "out_of_stock"


@pytest.mark.parametrize(
    "elsewhere",
    [
        f'{BUY}<section class="related"><p>Sold out</p></section>',
        "<select><option>Small - sold out</option><option>Large</option></select>",
        "<i></i>" * 150 + "<p>Sold out</p>",
        "<p>The first edition was sold out within a day of the fair, as many will remember.</p>",
    ],
    ids=["related", "option", "far below", "in a text"],
)
def test_what_is_sold_out_elsewhere_is_not_the_product(elsewhere: str) -> None:
    assert read(PRICE + elsewhere) == "in_stock"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Lagerbestand: 0", "out_of_stock"),
        ("Lagerbestand: 10", "in_stock"),
        ("0 ks skladem", "out_of_stock"),
        ("Stock: 25", "in_stock"),
        ("10 auf Lager", "in_stock"),
    ],
)
def test_counts_of_pieces_are_stock(words: str, expected: str) -> None:
    assert read(f"{PRICE}<p class=stock>{words}</p>{BUY}", markup=None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sold out", "sold_out"),
        ("Dieser Artikel ist leider ausverkauft.", "sold_out"),
        ("Sold out in many shops of the country", None),
        ("Gift wrapping is not available for this", None),
        ("", None),
    ],
)
def test_a_note_says_nothing_else(text: str, expected: str | None) -> None:
    assert availability_of_note(text) == expected
