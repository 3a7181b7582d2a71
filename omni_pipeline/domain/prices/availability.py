"""Normalises availability to the names of schema.org, in snake case."""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from enum import StrEnum


class Availability(StrEnum):
    """https://schema.org/ItemAvailability, as of version 29."""

    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PRE_ORDER = "pre_order"
    PRE_SALE = "pre_sale"
    BACK_ORDER = "back_order"
    MADE_TO_ORDER = "made_to_order"
    LIMITED_AVAILABILITY = "limited_availability"
    IN_STORE_ONLY = "in_store_only"
    ONLINE_ONLY = "online_only"
    DISCONTINUED = "discontinued"
    SOLD_OUT = "sold_out"
    RESERVED = "reserved"

    @property
    def can_be_embedded(self) -> bool:
        return self not in _NOT_FOR_SALE


_NOT_FOR_SALE = frozenset(
    {
        Availability.OUT_OF_STOCK,
        Availability.SOLD_OUT,
        Availability.DISCONTINUED,
        Availability.RESERVED,
    }
)
_BY_KEY = {member.value.replace("_", ""): member for member in Availability} | {
    "instock": Availability.IN_STOCK,
    "available": Availability.IN_STOCK,
    "availablefororder": Availability.BACK_ORDER,
    "oos": Availability.OUT_OF_STOCK,
    "outstock": Availability.OUT_OF_STOCK,
    "notinstock": Availability.OUT_OF_STOCK,
    "unavailable": Availability.OUT_OF_STOCK,
    "notavailable": Availability.OUT_OF_STOCK,
    "lowstock": Availability.LIMITED_AVAILABILITY,
    "onbackorder": Availability.BACK_ORDER,
}
_VOCABULARY = re.compile(r".*[/:#]")
_NOT_A_LETTER = re.compile(r"[^a-z]+")

MAX_AVAILABILITY_LENGTH = 200


def _any_of(phrases: str) -> re.Pattern[str]:
    """Match a phrase as a whole word; scripts without spaces have no words to be whole."""
    words = (" ".join(phrase.split()) for phrase in phrases.split("|"))
    spaced = ((word, re.escape(word).replace(r"\ ", r"\s")) for word in words)
    return re.compile(
        "|".join(rf"(?<!\w){p}(?!\w)" if word[0] < "\u0590" else p for word, p in spaced),
        re.IGNORECASE,
    )


# In this order: "not in stock" contains "in stock".
_TEXT_RULES = (
    (
        Availability.DISCONTINUED,
        _any_of(
            """
    discontinued | no longer available | nicht mehr lieferbar | nicht mehr verfügbar | n'est
    plus disponible | descatalogado | non più disponibile | niet meer leverbaar | produkt
    wycofany | снят с производства | utgått | utgår | produkcja zakończona | prodej ukončen |
    predaj ukončený
    """,
        ),
    ),
    (
        Availability.SOLD_OUT,
        _any_of(
            """
    sold out | ausverkauft | vergriffen | épuisé | agotado | esgotado | esaurito | uitverkocht |
    wyprzedane | vyprodáno | vypredané | razprodano | rasprodano | распродано | slutsåld |
    utsolgt | udsolgt | loppuunmyyty | tükendi | elfogyott | stoc epuizat | ended | bidding has
    ended | 售罄 | 售完 | 已售完 | 売り切れ | 完売 | 품절 | نفدت | אזל מהמלאי | välja müüdud
    """,
        ),
    ),
    (
        Availability.OUT_OF_STOCK,
        _any_of(
            """
    out of stock | out-of-stock | not in stock | currently unavailable | temporarily unavailable
    | temporarily out of stock | not available | unavailable | no stock | 0 in stock | we don't
    know when or if this item will be back in stock | nicht auf lager | nicht lieferbar | nicht
    verfügbar | nicht vorrätig | derzeit nicht verfügbar | momentan nicht verfügbar | derzeit
    nicht auf lager | zurzeit nicht lieferbar | rupture de stock | en rupture | indisponible |
    actuellement indisponible | temporairement en rupture de stock | non disponible | sin stock
    | no disponible | sin existencias | fuera de stock | indisponível | sem estoque | sem stock
    | fora de estoque | non disponibile | attualmente non disponibile | prodotto non disponibile
    | niet op voorraad | niet beschikbaar | niet leverbaar | tijdelijk uitverkocht | niedostępny
    | niedostępne | produkt niedostępny | brak w magazynie | není skladem | nedostupné | nie je
    na sklade | nedostupný | nedostupno | nije dostupno | ni na zalogi | ni na voljo | nema na
    zalihi | trenutno nedostupno | нет в наличии | отсутствует | немає в наявності | няма
    наличност | ej i lager | inte i lager | slut i lager | ikke på lager | ei varastossa |
    stokta yok | stokta bulunmuyor | nincs készleten | nincs raktáron | indisponibil | nu este
    în stoc | laos otsas | pole saadaval | nav pieejams | neturime | εξαντλήθηκε | μη διαθέσιμο
    | 缺货 | 缺貨 | 无货 | 無貨 | 補貨中 | 暂时无货 | 在庫切れ | 在庫なし
    | 재고 없음 | 재고없음 | 일시품절 | غير متوفر | غير متاح
    | לא במלאי | hết hàng | habis
    """,
        ),
    ),
    (
        Availability.PRE_ORDER,
        _any_of(
            """
    pre-order | preorder | pre order | vorbestellen | vorbestellung | vorbestellbar |
    précommande | précommander | preventa | reserva | reservar | pré-venda | prenota | preordina
    | prenotabile | przedsprzedaż | předobjednávka | predobjednávka | prednaročilo | предзаказ |
    förbeställ | forhåndsbestill | ennakkotilaa | 予約 | 预售 | 預購 | 예약판매
    """,
        ),
    ),
    (
        Availability.BACK_ORDER,
        _any_of(
            """
    backorder | back-order | on backorder | available to order | available on order |
    nachbestellt | bestellbar | sur commande | bajo pedido | sob encomenda | su ordinazione | op
    bestelling | na zamówienie | na objednávku | po naročilu | po narudžbi | под заказ |
    beställningsvara | bestillingsvare | tilaustuote | siparişe özel | tellimisel
    """,
        ),
    ),
    (
        Availability.IN_STORE_ONLY,
        _any_of(
            """
    in store only | in-store only | only in store | nur in der filiale | uniquement en magasin |
    solo en tienda | solo in negozio
    """,
        ),
    ),
    (
        Availability.LIMITED_AVAILABILITY,
        _any_of(
            """
    low stock | limited stock | few left | almost gone | limited availability | nur noch wenige
    | wenige verfügbar | stock limité | quedan pocas unidades | últimas unidades | ultimi pezzi
    | ostatnie sztuki | poslední kusy | posledný kus | zadnji kosi | begrenzter vorrat | få i
    lager | 残りわずか
    """,
        ),
    ),
    (
        Availability.IN_STOCK,
        re.compile(
            _any_of(
                """
    in stock | instock | available | available now | ready to ship | usually dispatched |
    usually ships | auf lager | sofort lieferbar | lieferbar | verfügbar | vorrätig | am lager |
    en stock | disponible | disponibile | disponibilità immediata | disponibilità | disponível |
    em estoque | em stock | en existencia | in magazzino | op voorraad | voorradig | beschikbaar
    | leverbaar | dostępny | dostępne | w magazynie | na stanie | skladem | na sklade | na
    skladě | dostupné | na zalogi | na voljo | na zalihi | na skladištu | dostupno | raspoloživo
    | в наличии | есть в наличии | на складе | в наявності | налично | в наличност | i lager |
    finns i lager | på lager | varastossa | stokta | stokta var | készleten | raktáron | în stoc
    | in stoc | disponibil | laos | saadaval | pieejams | yra sandėlyje | turime | διαθέσιμο |
    άμεσα διαθέσιμο | 有货 | 有貨 | 現貨 | 现货
    | 在庫あり | 在庫有り | 재고 있음 | 구매가능 | متوفر | متاح | במלאי |
    còn hàng | tersedia
    """,
            ).pattern
            + r"|\b[1-9]\d{0,5}\s(?:in stock|available|left|auf lager|en stock|disponible)\b",
            re.IGNORECASE,
        ),
    ),
)


def read_availability(value: str | None) -> Availability | None:
    """Read a value of markup: ``https://schema.org/InStock``, ``in stock``, ``instock``."""
    if not value:
        return None
    text = value.strip()[:MAX_AVAILABILITY_LENGTH]
    key = _NOT_A_LETTER.sub("", _VOCABULARY.sub("", text.rstrip("/")).lower())
    return _BY_KEY.get(key) or availability_in_text(text)


def availability_in_text(text: str) -> Availability | None:
    """Read what a page tells people, in the languages of the tables above."""
    line = " ".join(text[: 2 * MAX_AVAILABILITY_LENGTH].split())[:MAX_AVAILABILITY_LENGTH]
    for availability, pattern in _TEXT_RULES:
        if pattern.search(line):
            return availability
    return None
