"""Numbers and brands that a page labels for people."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.products.extraction import extract_products
from omni_pipeline.domain.products.labels import read_brand, read_labels


@pytest.mark.parametrize(
    "label",
    [
        *("SKU:", "SKU -", "SKU –", "SKU/MPN:", "SKU / MPN:", "Item number (SKU):", "Item #"),
        *("Art.-Nr.:", "Art. Nr.", "Artikelnummer", "Artikel-Nr:", "Best.-Nr.", "Bestellnummer:"),
        *("Référence :", "Réf.", "Code article:", "Referencia:", "Nº de artículo:", "Código:"),
        *("Cód. do produto:", "Codice prodotto:", "Cod. art.", "Artikelcode:", "Bestelnummer:"),
        *("Kod produktu:", "Numer katalogowy:", "Kód produktu:", "Katalogové číslo:"),
        *("Šifra artikla:", "Šifra izdelka:", "Cikkszám:", "Termékkód:", "Cod produs:"),
        *("Artikelnr:", "Varenummer:", "Varenr.", "Tuotenumero:", "Tootekood:", "Preces kods:"),
        *("Prekės kodas:", "Κωδικός προϊόντος:", "Код на продукта:", "Артикул:", "Код товара:"),
        *("Код товару:", "Ürün kodu:", "Stok kodu:", "商品番号：", "商品编号：", "상품번호:"),
        *("رمز المنتج:", "קוד מוצר:", "รหัสสินค้า:", "Mã sản phẩm:", "Kode produk:"),
    ],
)
def test_the_number_behind_a_label_is_the_sku(label: str) -> None:
    assert read_labels(f"Copper kettle {label} KX-4711/2 in stock").sku == "KX-4711/2"


@pytest.mark.parametrize(
    "label",
    [
        *(
            "EAN:",
            "EAN-13:",
            "EAN-Code:",
            "EAN kód:",
            "Kod EAN:",
            "Código EAN:",
            "GTIN",
            "GTIN-13:",
        ),
        *("UPC:", "Barcode:", "Strichcode:", "Code-barres :", "Čárový kód:", "Streckkod:"),
        *("Vonalkód:", "Cod de bare:", "Штрих-код:", "JANコード：", "바코드:", "ברקוד:"),
        "EAN/UPC:",
    ],
)
def test_the_number_behind_a_label_is_the_gtin(label: str) -> None:
    assert read_labels(f"Copper kettle {label} 4006381333931 in stock").gtin == "4006381333931"


def test_a_labelled_gtin_without_a_right_check_digit_gives_way_to_a_right_one() -> None:
    assert read_labels("EAN: 4006381333932 EAN: 4006381333931").gtin == "4006381333931"


def test_of_several_numbers_the_one_in_the_address_is_meant_however_it_is_written() -> None:
    text = "SKU: AA-1001 SKU: BB-2002"

    assert read_labels(text, known="https://shop.example/p/bb2002-kettle").sku == "BB-2002"
    assert read_labels(text).sku == "AA-1001"


def test_a_label_before_the_heading_counts_where_none_stands_behind_it() -> None:
    assert read_labels("Copper kettle", before="Home SKU: AA-1001").sku == "AA-1001"
    assert read_labels("SKU: BB-2002", before="SKU: AA-1001").sku == "BB-2002"


def test_a_word_in_capitals_is_a_number_only_behind_a_colon() -> None:
    assert read_labels("SKU: LYRA in stock").sku == "LYRA"
    assert read_labels("your SKU NUMBERS").sku is None


PAGE = """<html lang="en"><title>Copper kettle K2 | Example</title><h1>Copper kettle K2</h1>
    <script type="application/ld+json">{{"@type": "Product", "name": "Copper kettle K2",
    "sku": "{sku}", "offers": {{"price": "5.00", "priceCurrency": "EUR"}}}}</script>{body}"""


@pytest.mark.parametrize("sku", ["MOTOR EASY II", "LYRA", "0044-7"])
def test_a_sku_of_markup_may_be_words(sku: str) -> None:
    found = extract_products(PAGE.format(sku=sku, body=""), url="https://shop.example/p/kettle")

    assert found[0].sku == sku


def test_a_number_beats_words() -> None:
    html = PAGE.format(sku="KETTLE", body="<p>Art.-Nr.: K2-4711</p>")

    assert extract_products(html, url="https://shop.example/p/kettle")[0].sku == "K2-4711"


def test_a_code_below_the_heading_that_stands_in_the_address_is_the_number() -> None:
    html = PAGE.format(sku="01044320", body="<p>Red - <b>1044/320</b></p>")
    url = "https://shop.example/kettle-p01044320.html"

    assert extract_products(html, url=url)[0].sku == "1044/320"
    assert extract_products(html, url="https://shop.example/kettle")[0].sku == "01044320"


@pytest.mark.parametrize(
    "body",
    [
        "<dl><dt>Marke</dt><dd>Acme</dd></dl>",
        "<table><tr><th>Valmistaja:</th><td>Acme</td></tr></table>",
        "<p><b>Gyártó</b> Acme</p>",
        "<ul><li>Hersteller: Acme</li></ul>",
        "<p>ブランド：Acme</p>",
        "<p><span>Производитель:</span> <a>Acme</a></p>",
        "<p>Varumärke: Acme</p>",
    ],
)
def test_the_text_beside_a_label_is_the_brand(body: str) -> None:
    assert read_brand(LexborHTMLParser(body)) == "Acme"
