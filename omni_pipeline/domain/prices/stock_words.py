"""The words with which shops speak of stock, in their languages: patterns and nothing else.

Phrases stand between bars, under the name of the availability that they mean.
"""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re

# A label and a count, such as "Stock: 5" and "Lagerbestand: 0".
_COUNTED = (
    r"(?<!\w)(?:in stock|stock|available|availability|lagerbestand|bestand|verfügbar|voorraad|"
    r"stan magazynowy|dostępność|dostępne|skladem|dostupnost|disponibilità|disponibles?|"
    r"existencias|estoque|disponibilité|lager|lagerstatus|saldo|varastossa|készlet|stok|наличие|"
    r"в наличии|остаток|stoc|zaloga|zaliha|在庫|库存|庫存|재고)\s?[:：]\s?"
)


def _any_of(phrases: str, *, or_else: str = "(?!)") -> re.Pattern[str]:
    """Match a phrase as a whole word; scripts without spaces have no words to be whole."""
    words = sorted((" ".join(one.split()) for one in phrases.split("|")), key=len, reverse=True)
    spaced = ((word, re.escape(word).replace(r"\ ", r"\s")) for word in words)
    return re.compile(
        "|".join(rf"(?<!\w){p}(?!\w)" if word[0] < "\u0590" else p for word, p in spaced)
        + f"|{or_else}",
        re.IGNORECASE,
    )


# In this order: "not in stock" contains "in stock".
RULES = (
    (
        "discontinued",
        _any_of(
            """
    discontinued | no longer available | nicht mehr lieferbar | nicht mehr verfügbar | n'est
    plus disponible | descatalogado | non più disponibile | niet meer leverbaar | produkt
    wycofany | снят с производства | utgått | utgår | produkcja zakończona | prodej ukončen |
    predaj ukončený
    | discontinued by manufacturer | end of life | no longer sold | no longer produced |
    auslaufartikel | nicht mehr im sortiment | nicht mehr erhältlich | abgekündigt | produit arrêté
    | n'est plus commercialisé | n'est plus fabriqué | arrêt de production | descontinuado |
    descontinuada | ya no está disponible | fora de linha | não está mais disponível | fuori
    produzione | fuori catalogo | uit productie | uit assortiment | niet meer verkrijgbaar |
    wycofany ze sprzedaży | wycofane | niedostępny na stałe | ukončená výroba | výroba ukončena |
    výprodej ukončen | výroba bola ukončená | kifutott termék | gyártása megszűnt | tuotanto
    lopetettu | poistunut valikoimasta | udgået | utgått ur sortimentet | снят с продажи | знятий з
    виробництва | üretimden kaldırıldı | καταργήθηκε | nu se mai fabrică | ukinjeno | opuščeno
    | 生産終了 | 販売終了 | 停产 | 停產 | 단종
    """,
        ),
    ),
    (
        "sold_out",
        _any_of(
            """
    sold out | ausverkauft | vergriffen | épuisé | agotado | esgotado | esaurito | uitverkocht |
    wyprzedane | vyprodáno | vypredané | razprodano | rasprodano | распродано | slutsåld |
    utsolgt | udsolgt | loppuunmyyty | tükendi | elfogyott | stoc epuizat | ended | bidding has
    ended | 售罄 | 售完 | 已售完 | 売り切れ | 完売 | 품절 | نفدت | אזל מהמלאי | välja müüdud
    | épuisée | épuisés | agotada | agotados | agotadas | esgotada | esgotados | esaurita |
    esauriti | wyprzedany | wyprzedana | vyprodán | vyprodaný | vyprodána | vypredaný | dočasne
    vypredané | slutsålt | slutsålda | utsolgte | udsolgte | razprodana | распродан | распродана |
    закончился | товар закончился | закінчився | розпродано | изчерпан | изчерпано | loppu |
    elkelt | epuizat | rasprodata | izpārdots | išparduota | esaurite | sold-out | all gone |
    tükenmiştir | stokları tükendi | สินค้าหมด | ناموجود | 已售罄 | 品切れ
    """,
        ),
    ),
    (
        "out_of_stock",
        _any_of(
            """
    out of stock | out-of-stock | not in stock | currently unavailable | temporarily unavailable
    | temporarily out of stock | not available | unavailable | no stock | 0 in stock | we don't
    know when or if this item will be back in stock | nicht auf lager | nicht lieferbar | nicht
    verfügbar | nicht vorrätig | derzeit nicht verfügbar | momentan nicht verfügbar | derzeit
    nicht auf lager | zurzeit nicht lieferbar | rupture de stock |
    en rupture de stock | en rupture | indisponible |
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
    | nicht lagernd | nicht am lager | nicht bestellbar | leider nicht verfügbar | momentan nicht
    lieferbar | zur zeit nicht verfügbar | aktuell nicht verfügbar | kein bestand | pas en stock |
    plus en stock | hors stock | non disponibles | produit indisponible | no hay existencias | no
    hay stock | temporalmente sin stock | indisponíveis | produto indisponível | avise-me quando
    chegar | non in stock | scorte esaurite | momentaneamente non disponibile | tijdelijk niet
    leverbaar | momenteel niet leverbaar | geen voorraad | niedostępna | chwilowo niedostępny |
    chwilowo niedostępne | brak towaru | brak na stanie | nedostupná | nedostupné | dočasně
    nedostupné | momentálně nedostupné | není na skladě | není dostupné | nie je dostupné | dočasne
    nedostupné | momentálne nedostupné | ni zaloge | nema na stanju | nema na lageru | nije na
    stanju | trenutno nije dostupno | нет на складе | временно отсутствует | немає на складі |
    няма в
    наличност | не е наличен | tillfälligt slut | slut i lagret | ej tillgänglig | ikke
    tilgjengelig | ikke tilgængelig | midlertidig utsolgt | ei saatavilla | tilapäisesti loppu |
    mevcut değil | stokta bulunmamaktadır | jelenleg nem elérhető | nem elérhető | nem rendelhető |
    készlethiány | nu este disponibil | momentan indisponibil | fără stoc | laost otsas | nav
    noliktavā | nėra sandėlyje | μη διαθέσιμα | δεν είναι διαθέσιμο | εκτός αποθέματος | tạm hết
    hàng | stok habis | tidak tersedia | 目前缺貨 | 入荷待ち | 现无货 | ไม่มีสินค้า
    | स्टॉक में नहीं | در انبار موجود نیست | غير متوفر حاليا | אזל | notify me when available |
    email me when available | back in stock soon
    """,
            or_else=rf"{_COUNTED}0(?![\d.,])"
            r"|(?<![\d.,])0\s?(?:pcs|pieces|units|stk|stück|ks|szt|шт|st|kpl|db|adet|kos)?\.?\s"
            r"(?:in stock|available|auf lager|en stock|disponibles?|skladem|na sklade|i lager|"
            r"på lager|op voorraad|em estoque|в наличии|készleten|stokta|w magazynie|în stoc)\b",
        ),
    ),
    (
        "pre_order",
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
        "back_order",
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
        "in_store_only",
        _any_of(
            """
    in store only | in-store only | only in store | nur in der filiale | uniquement en magasin |
    solo en tienda | solo in negozio
    """,
        ),
    ),
    (
        "limited_availability",
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
        "in_stock",
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
    | ready for dispatch | ships today | ships within | in stock now | lagernd | ab lager | sofort
    verfügbar | sofort versandfertig | versandfertig | auf lager verfügbar | disponible
    immédiatement | expédié sous | disponibles | en magasin | hay stock | envío inmediato |
    disponíveis | pronta entrega | a pronta entrega | disponibili | pronta consegna | pronto per la
    spedizione | direct leverbaar | uit voorraad leverbaar | dostępna | dostępny od ręki | wysyłka w
    | k dispozici | ihned k odeslání | dostupný | ihneď k odberu | dobavljivo | na stanju | na
    lageru | есть на складе | товар в наличии | є в наявності | є на складі | в наличност | på lager
    nå | tilgjengelig | tilgængelig | tillgänglig | saatavilla | heti saatavilla | mevcut |
    elérhető | azonnal szállítható | disponibil în stoc | noliktavā | sandėlyje | άμεσα διαθέσιμα |
    σε απόθεμα | มีสินค้า | स्टॉक में | موجود در انبار | 即納 | 库存充足 | 有库存
    """,
            ).pattern
            + r"|\b[1-9]\d{0,5}\s(?:in stock|available|left|auf lager|en stock|disponible)\b"
            + rf"|{_COUNTED}[1-9]\d{{0,5}}\b",
            re.IGNORECASE,
        ),
    ),
)


# What is said beside it without saying more.
FILLERS = re.compile(
    r"\b(?:sorry|unfortunately|currently|temporarily|at the moment|this|the|product|item|is|"
    r"article|"
    r"are|leider|derzeit|zurzeit|momentan|aktuell|artikel|produkt|dieser|dieses|ist|der|das|désolé|"
    r"actuellement|momentanément|produit|ce|cet|est|lo sentimos|actualmente|producto|este|está|"
    r"produto|momentaneamente|attualmente|prodotto|questo|è|helaas|momenteel|dit|chwilowo|obecnie|"
    r"towar|ten|jest|bohužel|momentálně|dočasně|tento|je|bohužiaľ|momentálne|tyvärr|tillfälligt|"
    r"produkten|är|desværre|produktet|er|valitettavasti|tuote|on|sajnos|jelenleg|a termék|"
    r"din păcate|momentan|produsul|este|к сожалению|сейчас|временно|товар|на жаль|зараз|üzgünüz|"
    r"ürün|şu anda|bu|trenutno|proizvod|izdelek|online|now|und|and)\b",
    re.IGNORECASE,
)
NOT_LETTERS = re.compile(r"[\W_]+")
WORD = re.compile(r"\w+")
BEGINNINGS = frozenset(
    word.casefold()
    for _, pattern in RULES
    for word in WORD.findall(re.sub(r"\\[a-z]", " ", pattern.pattern))
)
