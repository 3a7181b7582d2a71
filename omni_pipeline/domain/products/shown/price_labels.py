"""Tells from the words around a priced element what its price is: net, used, for members ..."""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from dataclasses import dataclass
from functools import lru_cache

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import text_of_node
from omni_pipeline.domain.prices.money import PriceKind, parse_price
from omni_pipeline.domain.products.claims import OfferCondition
from omni_pipeline.domain.products.shown.dom_signs import MONEY_TEXT

_LEVELS = 3
_MAX_LABEL = 60
# A note is read as that of a price, by the same rules as the notes within an element.
_ANY_PRICE = "100.00 €"


def _any_of(phrases: str) -> re.Pattern[str]:
    spaced = (" ".join(phrase.split()) for phrase in phrases.split("|"))
    joined = "|".join(re.escape(phrase).replace(r"\ ", r"[\s-]?") for phrase in spaced)
    return re.compile(rf"(?<![^\W\d_])(?:{joined})(?![^\W\d_])", re.IGNORECASE)


_CONDITIONS = {
    OfferCondition.NOT_NEW: _any_of(
        """
    used | pre owned | second hand | refurbished | renewed | reconditioned | open box | gebraucht |
    gebrauchte | generalüberholt | refurbed | b ware | d'occasion | reconditionné |
    usado | usados | segunda mano | reacondicionado | recondicionado | seminovo | usato | usati |
    ricondizionato | tweedehands | gebruikt | używane | używany | odnowiony | použité | použitý |
    bazar | repasované | begagnad | begagnat | brugt | brukt | käytetty | használt | felújított |
    folosit | recondiționat | б/у | восстановленный | вживаний | ikinci el | yenilenmiş |
    μεταχειρισμένο | rabljeno | polovno
    """
    ),
    OfferCondition.MEMBERS: _any_of(
        """
    member | members | member price | members only | with prime | prime price | club price |
    with card | card price | loyalty price | mitglieder | mitgliederpreis | mit kundenkarte |
    clubpreis | prix membre | prix adhérent | membres | avec la carte | socios | precio socio |
    precio club | con tarjeta | associados | preço clube | prezzo soci | soci | con carta |
    leden | ledenprijs | met kaart | klubowa | cena klubowa | z kartą | klubová cena | pro členy |
    s kartou | medlem | medlemspris | medlemmer | klubpris | jäsenhinta | klubtag | membri |
    по карте | для участников | üye fiyatı | üyelere özel | μέλη
    """
    ),
    OfferCondition.RENT: _any_of(
        """
    lease | leasing | rent | rental | to rent | hire | per month | monthly | a month | instalment |
    installment | installments | finance | mieten | miete | leihen | monatlich | im monat |
    monatsrate | raten | louer | mensuel | par mois | mensualité | mensualités |
    alquiler | al mes | mensual | cuota | cuotas | parcela | parcelas | por mês | aluguel |
    noleggio | al mese | rata | rate mensili | per maand | huren | huur | maandelijks | rat |
    miesięcznie | wynajem | měsíčně | splátka | pronájem | mesačne | splátky | i månaden |
    per månad | delbetala | månedlig | kuukaudessa | vuokraus | havonta | részlet | rate lunare |
    в месяц | аренда | рассрочка | aylık | taksit | kiralık | μηνιαία | δόση | mjesečno | mesečno
    """
    ),
    OfferCondition.NOT_YET: _any_of(
        """
    coming soon | future price | new price from | ab morgen | künftig | künftiger preis |
    ab dem | bientôt | próximamente | em breve | prossimamente | binnenkort | wkrótce | brzy |
    čoskoro | snart | kommende | tulossa | hamarosan | în curând | скоро | yakında
    """
    ),
    OfferCondition.EXPIRED: _any_of(
        """
    expired | ended | offer ended | abgelaufen | beendet | expiré | terminé | caducado |
    finalizado | expirado | scaduto | terminato | verlopen | wygasła | zakończona | vypršela |
    ukončená | utgått |
    udløbet | utløpt | päättynyt | lejárt | expirat | истекла |
    завершено | süresi doldu
    """
    ),
    OfferCondition.QUANTITY: _any_of(
        """
    bulk price | volume price | tier price | staffelpreis | mengenrabatt | prix dégressif |
    prix de gros | precio por volumen | por mayor | no atacado | prezzo a scaglioni | staffelprijs |
    przy zakupie | množstevní | množstevná | mängdrabatt | mængderabat | määräalennus | mennyiségi |
    оптом | оптовая | toptan
    """
    ),
}
# Names of classes say the same in English, in their own spelling.
_NAMED = {
    OfferCondition.NOT_NEW: re.compile(
        r"(?:^|[\s_-])(?:used|refurb\w*|renewed|openbox|occasion)(?=$|[\s_-])", re.IGNORECASE
    ),
    OfferCondition.MEMBERS: re.compile(
        r"member(?!ship-free)|loyalty|club[_-]?price|prime[_-]?price", re.IGNORECASE
    ),
    OfferCondition.RENT: re.compile(
        r"leas(?:e|ing)|rental|instal?lment|monthly|financ", re.IGNORECASE
    ),
    OfferCondition.QUANTITY: re.compile(
        r"bulk|volume[_-]?pric|tier[_-]?pric|wholesale", re.IGNORECASE
    ),
    OfferCondition.NOT_YET: re.compile(r"future|upcoming", re.IGNORECASE),
    OfferCondition.EXPIRED: re.compile(r"expired", re.IGNORECASE),
}
_APPROXIMATE = re.compile(
    r"(?:≈|~|≃|(?<![^\W\d_])(?:approx|approximately|about|ca|circa|env|environ|aprox|cca|ok|orient)\.?)\s*\W*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Label:
    """The words before and behind a priced element, at most 60 characters each."""

    before: str = ""
    after: str = ""

    @property
    def tax_before(self) -> bool | None:
        return tax_before(self.before)

    @property
    def tax_after(self) -> bool | None:
        return tax_behind(self.after)

    @property
    def is_approximate(self) -> bool:
        return bool(_APPROXIMATE.search(self.before))


def label_of(node: LexborNode) -> Label:
    """What is written before an element (or in its column's head), and behind it."""
    head = _head_of_column(node)
    return Label(
        before=f"{head} {_beside(node, forward=False)}".strip(), after=_beside(node, forward=True)
    )


@lru_cache(maxsize=4096)
def tax_before(text: str) -> bool | None:
    """Whether a note before a price says that tax is in it; None where it does not say."""
    price = parse_price(f"{text} {_ANY_PRICE}") if text else None
    return price.includes_tax if price else None


@lru_cache(maxsize=4096)
def tax_behind(text: str) -> bool | None:
    """The same of a note behind a price."""
    price = parse_price(f"{_ANY_PRICE} {text}") if text else None
    return price.includes_tax if price else None


@lru_cache(maxsize=4096)
def unit_behind(text: str) -> str | None:
    """The unit that a note behind a price sets it for, other than the piece."""
    price = parse_price(f"{_ANY_PRICE} {text}") if text else None
    return price.unit if price and price.kind is PriceKind.PER_UNIT else None


@lru_cache(maxsize=4096)
def conditions_in(text: str, name: str) -> frozenset[OfferCondition]:
    """Under which conditions a price holds, by the words around it and its element's name."""
    found = {one for one, pattern in _CONDITIONS.items() if pattern.search(text)}
    return frozenset(found | {one for one, pattern in _NAMED.items() if pattern.search(name)})


def _beside(node: LexborNode, *, forward: bool) -> str:
    """The nearest text beside the element in its row; another price ends the search."""
    current: LexborNode | None = node
    for _ in range(_LEVELS):
        if current is None or current.tag in ("body", "html", "li", "tr", "table", "dl", "ul"):
            return ""
        beside = current.next if forward else current.prev
        while beside is not None:
            text = " ".join((beside.text(separator=" ") or "").split())
            if text:
                return "" if _is_other(text, forward=forward) else _cut(text, forward=forward)
            beside = beside.next if forward else beside.prev
        current = current.parent
    return ""


def _is_other(text: str, *, forward: bool) -> bool:
    return (
        bool(MONEY_TEXT.search(text))
        or len(text) > 2 * _MAX_LABEL
        or (forward and text.endswith(":"))
    )


def _cut(text: str, *, forward: bool) -> str:
    return text[:_MAX_LABEL] if forward else text[-_MAX_LABEL:]


def _head_of_column(node: LexborNode) -> str:
    cell: LexborNode | None = node
    for _ in range(_LEVELS):
        if cell is None or cell.tag == "td":
            break
        cell = cell.parent
    if cell is None or cell.tag != "td" or cell.parent is None:
        return ""
    row = cell.parent
    table = row.parent
    while table is not None and table.tag != "table":
        table = table.parent
    if table is None:
        return ""
    first = table.css_first("tr")
    if first is None or first.mem_id == row.mem_id:
        return ""
    cells, heads = _cells(row), _cells(first)
    place = next((n for n, one in enumerate(cells) if one.mem_id == cell.mem_id), 0)
    return text_of_node(heads[place])[:_MAX_LABEL] if len(heads) == len(cells) else ""


def _cells(row: LexborNode) -> list[LexborNode]:
    return [node for node in row.iter() if node.tag in ("td", "th")]
