"""Knows the elements of shop pages by their names: prices, stock, buttons, other products' places.

What templates of many shop systems call their elements, in ``class`` and ``id``.
"""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from functools import lru_cache

from selectolax.lexbor import LexborNode

_PRICE_NAMES = (
    *("price", "prix", "preis", "precio", "preco", "prezzo", "prijs", "cena", "cijena", "fiyat"),
    *("amount", "money", "hind", "hinta"),
)
PRICED = (
    ",".join(f'[class*="{name}" i],[id*="{name}" i]' for name in _PRICE_NAMES)
    + ",[data-price],[itemprop=price],[itemprop=lowPrice]"
)
OLD = re.compile(
    r"old|was[-_]|[-_]was|(?:^|[\s_-])was(?:$|[\s_-])|strike|struck|cross|list[-_]?price|rrp|"
    r"msrp|uvp|regular|before|original|previous|compare|barr[eé]|anterior|prec[-_]?orig|through|"
    r"normal-price|retail|discounted-from",
    re.IGNORECASE,
)
CURRENT = re.compile(
    r"sale|current|now|final|our[-_]?price|special|offer|actual|buy|main|today|deal|promo|sell|"
    r"product[-_]?price|price[-_]?product|pdp|detail",
    re.IGNORECASE,
)
ELSEWHERE = re.compile(
    r"relat|recommend|similar|carousel|slider|swiper|cart(?!-?price)|basket|upsell|cross-?sell|"
    r"recent|bundle|also|review|sponsor|footer|menu|\bnav|header|newsletter|ship|deliver|versand|"
    r"livraison|instal?lment|financ|credit|rate[ns]?zahl|monthly|warrant|insur|protect|accessor|"
    r"compar(?:e|ison)-|modal|popup|tooltip|wishlist|saving|save|discount|coupon|voucher|unit|"
    r"per-|tax|shipping|filter|facet|search|quantity|qty|points|cashback|suggest|sims|viewed|"
    r"together|other-sellers|olp|fbt|comment|breadcrumb|rating|history",
    re.IGNORECASE,
)
_BUY = re.compile(
    r"add[\s_-]?to[\s_-]?(?:cart|basket|bag|trolley)|addtocart|addtobasket|buy[\s_-]?(?:now|it)|"
    r"in den (?:waren|einkaufs)korb|kaufen|ajouter au panier|acheter|añadir (?:al carrito|"
    r"a la cesta)|agregar al carr|comprar|adicionar ao carrinho|aggiungi al carrello|acquista|"
    r"in winkel(?:wagen|mand)|bestellen|do koszyka|kup teraz|do ko[šs]ík[au]|v ko[šs]arico|"
    r"u ko[šs]aricu|в корзину|купить|до кошика|sepete ekle|kosárba|adaug[ăa] [îi]n co[șs]|"
    r"lisa ostukorvi|lisää ostoskoriin|lägg i (?:varukorg|kundvagn)|l[æa]g i kurv|"
    r"legg i handlekurv|加入購物車|"
    r"加入购物车|立即購買|立即购买|直接購買|我要購買|カートに入れる|"
    r"구매하기|장바구니|أضف (?:إلى|الى)|"
    r"הוסף לסל|הוספה לסל|add-cart|btn-?buy|buy-?btn|addcart|basket-?add|purchase",
    re.IGNORECASE,
)
_STOCK_NAMES = (
    "avail",
    "stock",
    "lager",
    "dispon",
    "zalog",
    "sklad",
    "deliver",
    "inventory",
    "soldout",
)
STOCKED = ",".join(f'[class*="{name}" i],[id*="{name}" i]' for name in _STOCK_NAMES)
DIGIT = re.compile(r"\d")
MONEY_TEXT = re.compile(
    r"[€£$¥₹₽₩₪₺₴฿₫₱]|\b(?:EUR|USD|GBP|CHF|PLN|CZK|SEK|NOK|DKK|HUF|RON|zł|Kč|kr|Ft|lei|kn|грн|"
    r"руб|лв)\b|元|円|원|ر\.س|د\.إ"
)
BUTTONS = (
    "button,input[type=submit],input[type=button],input[type=image],[role=button],a[class*=btn i],"
    "a[class*=button i],[class*=cart i],[id*=cart i],[class*=buy i],[id*=buy i],[class*=basket i]"
)
LEVELS_ABOVE = 14
_MAX_BUTTON_TEXT = 200
MAX_NAME = 200


def name_of(node: LexborNode) -> str:
    attributes = node.attributes
    return f"{attributes.get('class') or ''} {attributes.get('id') or ''}".strip()[:MAX_NAME]


# The same few hundred names come again and again; each is asked several expensive questions.
@lru_cache(maxsize=4096)
def is_named(pattern: re.Pattern[str], name: str) -> bool:
    return pattern.search(name) is not None


def is_called_price(name: str) -> bool:
    lower = name.lower()
    return any(part in lower for part in _PRICE_NAMES)


def is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return "hidden" in attributes or "display:none" in style or "visibility:hidden" in style


def is_disabled(node: LexborNode) -> bool:
    attributes = node.attributes
    return "disabled" in attributes or attributes.get("aria-disabled") == "true"


def is_elsewhere(node: LexborNode) -> bool:
    current: LexborNode | None = node
    for _ in range(LEVELS_ABOVE):
        if current is None or current.tag in ("body", "html"):
            return False
        if current.tag in ("nav", "footer", "aside") or is_hidden(current):
            return True
        if is_named(_IN_ANOTHER_LIST, name_of(current)):
            return True
        current = current.parent
    return False


_IN_ANOTHER_LIST = re.compile(
    r"relat|recommend|similar|carousel|cart(?!-?price)|basket|upsell|cross-?sell|recent|bundle|"
    r"also|review|sponsor|footer|menu|\bnav|newsletter|sims|viewed|together|other-sellers|"
    r"comment|filter|facet|modal|popup",
    re.IGNORECASE,
)


def is_buy_button(node: LexborNode) -> bool:
    attributes = node.attributes
    named = " ".join(
        value for key in ("class", "id", "name", "value", "title") if (value := attributes.get(key))
    )
    if _BUY.search(named[:300]):
        return True
    text = node.text() or ""
    return len(text) < _MAX_BUTTON_TEXT and bool(_BUY.search(text))
