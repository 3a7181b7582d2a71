"""Finds numbers that a page labels for people: "Art.-Nr. 4711", "EAN: 4006381333931"."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from dataclasses import dataclass
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_TEXT = 100_000
MAX_LABELS = 50

_SKU_LABELS = (
    r"sku|asin|art(?:ikel|icle)?\s?[.\-]{0,2}\s?(?:nr|no|num(?:mer|ber|éro)?|number|code)|art\.|"
    r"artikelnummer|best(?:ell)?[.\-]?\s?(?:nr|nummer)|bestellnummer|produktnummer|"
    r"produkt[\-\s]?nr|produktcode|"
    r"item\s?(?:no|number|code|id|#)|item\s#|item(?=\s#)|product\s?(?:code|no|number|id|#)|"
    r"prod(?:uct)?\.?\s?(?:code|id)|stock\s?(?:code|no|number)|catalog(?:ue)?\s?(?:no|number)|"
    r"part\s?(?:no|number|#)|web\s?code|style\s?(?:no|number|code)|"
    r"order\s?(?:no|number|code)|listing\s?id|ad\s?id|post\s?id|lot\s?(?:no|number)|"
    r"r[ée]f(?:[ée]rence)?(?:\s?produit|\s?article)?|num[ée]ro\s(?:de\s)?(?:l['’]objet|"
    r"article)(?:\s\w{1,12})?|code\s?(?:article|produit)|"
    r"referencia|ref\.?|c[óo]d(?:igo|\.)?(?:\s(?:do\s|de\s|del\s)?(?:produto|producto|"
    r"art[íi]culo))?|id\sprodu[ct]to|cod(?:ice)?(?:\.)?(?:\s(?:articolo|prodotto|art\.?|"
    r"produs))?|codice|cod\sprodus|"
    r"nr\s?(?:ref|art|kat|katalogowy)|numer\s(?:referencyjny|katalogowy|produktu)|indeks|"
    r"kod(?:\sproduktu|\stowaru)?|k[óo]d(?:\s(?:produktu|tovaru|zboží|výrobku))?|"
    r"katalogov[ée]\sč[íi]slo|obj(?:ednac[íi])?\.?\s?(?:č[íi]slo|kód)|šifra(?:\s(?:artikla|"
    r"izdelka|proizvoda))?|"
    r"cikkszám|termékkód|tootekood|preces\skods|prekės\skodas|tuotenumero|tuotekoodi|varenr|"
    r"varenummer|art\.?nr|artnr|ürün\skodu|stok\skodu|κωδικός(?:\sπροϊόντος)?|артикул|"
    r"код(?:\s(?:товара|товару|на\sпродукта))?|номер\sтовара|"
    r"商品編號|商品编号|商品番号|商品コード|品番|货号|貨號|型番|상품번호|상품코드|딜번호|رمز\sالمنتج|رقم\sالمنتج|קוד\sמוצר|מק[\"״]ט"
)  # fmt: skip
_MPN_LABELS = (
    r"mpn|m\.p\.n\.|model\s?(?:no|number|#)|manufacturer['’]?s?\s(?:part|product)\s(?:no|number|"
    r"code)|mfr\.?\s(?:part\s)?(?:no|number|#)|mfg\s?#|herstellernummer|hersteller-?\s?(?:nr|"
    r"artikelnummer)|modellnummer|réf(?:érence)?\sfabricant|numéro\sdu\smodèle|"
    r"referencia\sdel\sfabricante|codice\sproduttore|kod\sproducenta|part\snumber"
)  # fmt: skip
_GTIN_LABELS = (
    r"ean(?:[\-\s]?13)?(?:[\-\s]?code)?|gtin(?:[\-\s]?13|[\-\s]?14)?|upc|isbn(?:[\-\s]?13|"
    r"[\-\s]?10)?|barcode|штрихкод|jan"
)
_BRAND_LABELS = (
    r"brand|marke|hersteller|manufacturer|marque|marca|merk|märke|značka|marka|výrobce|výrobca|"
    r"proizvajalec|proizvođač|producent|бренд|производитель|fabricante|produttore|brand\sname"
)

_BRAND = re.compile(rf"(?:{_BRAND_LABELS})\s?[:：]?", re.IGNORECASE)
_LABEL_ELEMENTS = "th,dt,td,strong,b,label,span"
MAX_LABEL_ELEMENTS = 3_000
_MAX_LABEL = 24

_BETWEEN = r"(?:\s?(?:no|nr|number|#|n°|nº)?\.?\s{0,2}[:：#=]\s{0,2}|\.?\s{1,2}#?\s?)"
_CODE = r"[A-Za-z0-9](?:[A-Za-z0-9./_\-]{0,38}[A-Za-z0-9])?"


def _labelled(labels: str, value: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.\-])(?:{labels}){_BETWEEN}(?P<value>{value})(?![\w])", re.IGNORECASE
    )


_SKU = _labelled(_SKU_LABELS, _CODE)
_MPN = _labelled(_MPN_LABELS, _CODE)
_GTIN = _labelled(_GTIN_LABELS, r"\d(?:[\d\s\-]{6,16})[\dXx]")
_HAS_DIGIT = re.compile(r"\d")
_NOT_A_CODE = re.compile(
    r"\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,3}|https?|www\..*|\d+(?:cm|mm|kg|g|ml|l|w|v|x\d+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Labels:
    sku: str | None = None
    mpn: str | None = None
    gtin: str | None = None


def read_labels(text: str, *, known: str = "") -> Labels:
    """Read the number behind each kind of label.

    Args:
        text: On one line, from the product's heading on.
        known: Other text that names the product, such as its URL: of several labelled numbers
            the one that stands in it is meant, else the first.
    """
    text = text[:MAX_TEXT]
    gtin = _GTIN.search(text)
    skus = _codes(_SKU, text)
    return Labels(
        sku=next((sku for sku in skus if sku in known), next(iter(skus), None)),
        mpn=next(iter(_codes(_MPN, text)), None),
        gtin=gtin["value"] if gtin else None,
    )


def read_brand(tree: LexborHTMLParser) -> str | None:
    """The text beside an element that says "Brand", in the first place that has it."""
    for node in tree.css(_LABEL_ELEMENTS)[:MAX_LABEL_ELEMENTS]:
        label = (node.text() or "").strip()
        if len(label) <= _MAX_LABEL and _BRAND.fullmatch(label):
            value = _text_beside(node)
            if value:
                return value
    return None


def _text_beside(node: LexborNode) -> str:
    """The next text after the element, or after the one that wraps it."""
    for start in (node, node.parent):
        beside = start.next if start is not None else None
        while beside is not None:
            text = " ".join((beside.text(separator=" ") or "").split()).lstrip(":\u200e\u200f ")
            if text:
                return text
            beside = beside.next
    return ""


def _codes(pattern: re.Pattern[str], text: str) -> list[str]:
    values = (match["value"] for match in islice(pattern.finditer(text), MAX_LABELS))
    return [
        value for value in values if _HAS_DIGIT.search(value) and not _NOT_A_CODE.fullmatch(value)
    ]
