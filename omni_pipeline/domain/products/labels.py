"""Finds numbers that a page labels for people: "Art.-Nr. 4711", "EAN: 4006381333931"."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from dataclasses import dataclass
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.products.gtins import normalize_gtin

MAX_TEXT = 100_000
MAX_LABELS = 50

_SKU_LABELS = (
    r"sku|asin|art(?:ikel|icle)?\s?[.\-]{0,2}\s?(?:nr|no|num(?:mer|ber|éro)?|number|code)|art\.|"
    r"artikelnummer|best(?:ell)?[.\-]{0,2}\s?(?:nr|nummer)|bestellnummer|produktnummer|"
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
    r"artikelnr|artikkelnummer|artikkelnr|artikkeli(?:numero|koodi)?|varunr|varunummer|produktkod|"
    r"produktnr|bestillings(?:nummer|nr)|tilausnumero|tuotenro|bestelnummer|artikelcode|"
    r"n(?:[úu]mero|[º°o]|\.º)\s(?:de\s|do\s)?(?:art[íi]culo|artigo|produto|producto)|"
    r"sifra|kataloški\s(?:broj|št)|katalog\.?\s?č|rendelési\s(?:szám|kód)|cod(?:ul)?\sprodus(?:ului)?|"
    r"număr\sarticol|toote\s?kood|κωδ\.|αρ\.?\sπροϊόντος|ürün\s(?:no|numarası)|арт\.|"
    r"каталожн\w{2}\sномер|каталожен\sномер|номер\sтовару|код\sпродукту|"
    r"รหัสสินค้า|mã\s(?:sản\sphẩm|sp|hàng)|kode\s(?:produk|barang)|کد\s(?:محصول|کالا)|"
    r"제품번호|품번|モデル番号|注文番号|製品番号|型号|貨品編號|מספר\sפריט|"
    r"商品編號|商品编号|商品番号|商品コード|品番|货号|貨號|型番|상품번호|상품코드|딜번호|رمز\sالمنتج|رقم\sالمنتج|קוד\sמוצר|מק[\"״]ט"
)  # fmt: skip
_MPN_LABELS = (
    r"mpn|m\.p\.n\.|model\s?(?:no|number|#)|manufacturer['’]?s?\s(?:part|product)\s(?:no|number|"
    r"code)|mfr\.?\s(?:part\s)?(?:no|number|#)|mfg\s?#|herstellernummer|hersteller-?\s?(?:nr|"
    r"artikelnummer)|modellnummer|réf(?:érence)?\sfabricant|numéro\sdu\smodèle|"
    r"hersteller[\-\s]?(?:artikel[\-\s]?)?(?:nr|nummer|code)|fabrikantcode|tillverkarens\sartikelnr|"
    r"kód\s(?:výrobce|výrobcu)|part[\s\-]?(?:no|nr)|código\sdo\sfabricante|артикул\sпроизводителя|"
    r"gyártói\s(?:cikkszám|kód)|cod\sproducător|üretici\skodu|"
    r"referencia\sdel\sfabricante|codice\sproduttore|kod\sproducenta|part\snumber"
)  # fmt: skip
_GTIN_LABELS = (
    r"(?:código|codice|code|kod|kód|cod)\sean|ean(?:[\-\s]?(?:13|8))?(?:[\-\s]?(?:code|kod|kód|nr|"
    r"nummer|no|koodi))?|gtin(?:[\-\s]?(?:8|12|13|14))?|upc(?:[\-\s]?a)?(?:[\-\s]?code)?|"
    r"isbn(?:[\-\s]?1[03])?|barcode|strichcode|code[\-\s]barres?|codice\sa\sbarre|"
    r"código\sde\sbarras|čárový\skód|čiarový\skód|kod\skreskowy|streckkod|stregkode|strekkode|"
    r"viivakoodi|vonalkód|cod\sde\sbare|barkod|bar\s?kod|штрих[\-\s]?код|jan(?:コード)?|バーコード|"
    r"条形码|條碼|바코드|γραμμωτός\sκωδικός|الباركود|ברקוד"
)
_BRAND_LABELS = (
    r"brand|marke|hersteller|manufacturer|marque|marca|merk|märke|značka|marka|výrobce|výrobca|"
    r"proizvajalec|proizvođač|producent|бренд|производитель|fabricante|produttore|brand\sname|"
    r"fabricant|fabrikant|varumärke|tillverkare|mærke|merke|produsent|tuotemerkki|valmistaja|"
    r"márka|gyártó|marcă|producător|blagovna\sznamka|robna\smarka|бранд|производител|виробник|"
    r"торгова\sмарка|üretici|μάρκα|κατασκευαστής|tootja|ražotājs|gamintojas|prekės\sženklas|"
    r"ブランド|メーカー|品牌|브랜드|제조사|العلامة\sالتجارية|الماركة|מותג|יצרן|thương\shiệu|ยี่ห้อ|merek|برند"
)

_BRAND = re.compile(
    rf"(?:{_BRAND_LABELS})(?:\s?[:：]?|\s?[:：]\s?(?P<brand>[^:：]{{2,40}}))", re.IGNORECASE
)
_LABEL_ELEMENTS = "th,dt,td,strong,b,label,span,li,p"
MAX_LABEL_ELEMENTS = 3_000
_MAX_LABEL = 70
_NEAR = 2_000

_NUMBER = r"(?:no|nr|number|nummer|#|n°|nº|code)"
# Two labels for one number: "SKU / MPN: 4711", "Item number (SKU) 4711".
_TWIN = r"(?:\s?[/(|]\s?[\w.\-]{2,20}(?:\s[\w.\-]{1,12})?\)?)?"
_BETWEEN = (
    rf"{_TWIN}(?:\s?{_NUMBER}?\.?\s{{0,2}}[:：#=]\s{{0,2}}#?|\s?[-–—]\s{{1,2}}#?|\.?\s{{1,2}}#?\s?)"
)
# With a digit, or in capitals: "Cod produs: 4711" is no number "produs".
_CODE = r"(?=\S{0,40}\d|(?-i:[A-Z]{3}))[A-Za-z0-9](?:[A-Za-z0-9./_\-]{0,38}[A-Za-z0-9])?"


def _labelled(labels: str, value: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.\-])(?:{labels}){_BETWEEN}(?P<value>{value})(?![\w])", re.IGNORECASE
    )


_SKU = _labelled(_SKU_LABELS, _CODE)
_MPN = _labelled(_MPN_LABELS, _CODE)
_GTIN = _labelled(_GTIN_LABELS, r"\d(?:[\d\s\-]{6,16})[\dXx]")
_NOT_IN_NUMBERS = re.compile(r"[\W_]+")
_CAPITALS = re.compile(r"[A-Z]{3,}(?:[-_.][A-Z]{2,})*")
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


def read_labels(text: str, *, before: str = "", known: str = "") -> Labels:
    """Read the number behind each kind of label.

    Args:
        text: On one line, from the product's heading on.
        before: What stands before the heading: looked at where the text has no such label.
        known: Other text that names the product, such as its URL: of several labelled numbers
            the one that stands in it is meant, else the first.
    """
    places = (text[:MAX_TEXT], before[-_NEAR:])
    gtins = (match["value"] for place in places for match in islice(_GTIN.finditer(place), 5))
    witness = folded(known)
    skus = next((skus for place in places if (skus := _codes(_SKU, place))), [])
    return Labels(
        sku=next((sku for sku in skus if folded(sku) in witness), next(iter(skus), None)),
        mpn=next((mpn for place in places for mpn in _codes(_MPN, place)), None),
        gtin=next((gtin for gtin in gtins if normalize_gtin(gtin)), None),
    )


def folded(text: str) -> str:
    """Letters and digits alone: "AB-12/3" and "ab 123" are one number."""
    return _NOT_IN_NUMBERS.sub("", text).casefold()


def read_brand(tree: LexborHTMLParser) -> str | None:
    """The text beside an element that says "Brand", in the first place that has it."""
    for node in tree.css(_LABEL_ELEMENTS)[:MAX_LABEL_ELEMENTS]:
        label = (node.text() or "").strip()
        found = _BRAND.fullmatch(label) if len(label) <= _MAX_LABEL else None
        if found and (value := (found["brand"] or "").strip() or _text_beside(node)):
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
    """Values with a digit; of a label that has none, words in capitals: "SKU: LYRA"."""
    codes: list[str] = []
    words: list[str] = []
    for match in islice(pattern.finditer(text), MAX_LABELS):
        value = match["value"]
        if _HAS_DIGIT.search(value):
            codes += [value] if not _NOT_A_CODE.fullmatch(value) else []
        elif _CAPITALS.fullmatch(value) and ":" in text[match.start() : match.start("value")]:
            words.append(value)
    return codes or words
