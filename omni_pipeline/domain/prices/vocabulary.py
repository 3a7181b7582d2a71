"""The words around prices, in the languages of shops, and the roles that they play.

Phrases stand between bars, in lower case. Dots, hyphens and slashes in them are not compared:
"r.r.p." is "rrp", "m/moms" is "m moms".
"""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from collections.abc import Iterator
from itertools import product

# The roles of a phrase are bits; a word may play several.
FROM = 1  # "from", "ab": the lowest of several prices follows
FROM_AFTER = 2  # "から": it stood before
OLD = 4  # what it cost before, or what the maker recommends
NOW = 8  # what it costs today
ASIDE = 16  # savings, postage, deposits: what stands beside it is not the price of the thing
OFF = 32  # behind an amount it speaks of it even where the next follows: "$5 off $20"
NET = 64
GROSS = 128
LABEL = 256  # goes with prices and says nothing more
PER = 512  # a unit follows: "per kg"
UNIT = 1024  # a measure, or a span of time
PIECE = 2048  # a price for one piece is the price
UNTIL = 4096  # between the ends of a range
REQUEST = 8192
FREE = 16384
PLUS = 32768

PHRASES = {
    FROM: """
    from | starting at | starting from | as low as | ab | à partir de | a partir de | dès | des
    | desde | da | od | vanaf | fra | från | frá | от | od ceny | cena od | min. | ξεκινά από |
    από | începând de la | de la | a partire da | już od | nuo | alates | від | mulai dari | من
    | 从 | starts at | prices from | priced from | all from | beginning at | startet bei | schon
    ab | bereits ab | ya desde | à partir | già da | fra kun | fr | fr o m | alkaen | hinnat
    alkaen | lähtien | ab nur | mulai | bermula | dari | starting | tính từ | chỉ từ | ابتداء من
    | ابتداءً من | החל מ | החל | เริ่มต้น
    """,
    FROM_AFTER: """
    ~ | 〜 | ～ | から | 起 | 부터 | tól | től | alkaen | dan başlayan | den başlayan | 이상
    """,
    OLD: """
    was | were | statt | uvp | rrp | rrp. | r.r.p. | msrp | list price | list | listing price |
    regular | regular price | reg | reg. | before | old price | original price | originally |
    orig. | antes | precio anterior | precio normal | precio habitual | prima | anziché | invece
    di | prezzo precedente | prezzo consigliato | prezzo di listino | listino | avant | au lieu
    de | prix conseillé | prix de base | ancien prix | prix barré | preço anterior | vorher |
    früher | bisher | alter preis | streichpreis | bisheriger preis | ursprünglich |
    ursprünglicher preis | ord. | ord | ordinarie | ordinarie pris | ordinær pris | tidigare |
    tidigare pris | före | før | førpris | førpris: | adviesprijs | voorheen | adviesprijs: |
    oude prijs | instead of | przed | cena regularna | stara cena | najniższa cena | cena
    katalogowa | původní | původní cena | původně | běžná cena | místo | bývalá cena | pôvodná
    cena | pôvodne | bežná cena | redna cena | stara cijena | redovna cijena | было | старая
    цена | стара ціна | eski fiyat | eski fiyatı | liste fiyatı | norm. | ovh | normaalihinta |
    preț vechi | pret vechi | prp | korábbi ár | eredeti ár | régi ár | harga normal | strike
    price | mrp | m.r.p. | compare at | compare at price | retail price | retail | catalogus |
    normaal | non-sale price | price before | precio antes | precio de lista | precio tachado |
    prezzo pieno | preço normal | valeur | statt bisher | listenpreis | catalogusprijs | vejl
    pris | vejledende pris | veiledende pris | rek pris | rekommenderat pris | jämförpris förut
    | lähtöhinta | suositushinta | svh | tavahind | parasta hinta | ennen | cena detaliczna |
    doporučená cena | odporúčaná cena | mpc | стара цена | стоило | ранее | прежняя цена |
    раніше | önce | önceki fiyat | πριν | από αρχική | αρχική τιμή | π.λ.τ | listaár |
    eredetileg | preț recomandat | pret recomandat | giá gốc | giá niêm yết | harga asal | harga
    coret | sebelum | ราคาเดิม | ราคาปกติ | مقارنة | قبل | لפני | 原价 | 原價 | 定价 | 定價 |
    市价 | 市價 | 建議售價 | 建议售价 | 通常価格 | 参考価格 | 定価 | 정가 | 시중가 | 판매가 |
    السعر القديم | بدلا من | كان | מחיר קודם | במקום
    """,
    NOW: """
    now | jetzt | nur | nur noch | sale | special price | special | our price | ahora | oferta |
    ora | maintenant | nu | nå | teraz | nyní | zdaj | sada | сейчас | цена сейчас | por | por
    apenas | voor | heute | aktion | only | aktuell | deal | deal price | sale price | you pay |
    angebotspreis | promo | şimdi | most | акция | seulement | solo | akčná cena | akční cena |
    current price | aktueller preis | akciová cena | promocja | neuer preis | jetzt nur | nuevo
    precio | precio oferta | prix actuel | prix promo | prezzo attuale | prezzo scontato | preço
    atual | à vista | aktionspreis | sonderpreis | nupris | nypris | tarjoushinta | tilbud |
    tilbudspris | erbjudande | kampanj | nyt | hetkel | dabar | tagad | cena promocyjna | cena
    akcyjna | nowa cena | новая цена | тепер | зараз | indirimli | indirimli fiyat | akciós ár |
    acum | preț redus | τώρα | giá khuyến mãi | sekarang | ราคาพิเศษ | بعد | السعر الحالي | 现价
    | 現價 | 特价 | 特價 | 优惠价 | 優惠價 | 售價 | セール価格 | 特別価格 | 할인가 | 최종가 |
    الآن | עכשיו | כעת
    """,
    ASIDE: """
    save | you save | saving | savings | off | discount | ersparnis | sie sparen | sparen |
    rabatt | ahorra | ahorras | risparmi | risparmia | économisez | économie | remise |
    economize | desconto | sconto | descuento | bespaar | spar | spara | oszczędzasz | ušetříte
    | ušetrite | prihranek | ušteda | скидка | экономия | shipping | delivery | postage | p&p |
    versand | versandkosten | lieferung | livraison | frais de port | frais de livraison | envío
    | gastos de envío | frete | spedizione | spese di spedizione | consegna | verzending |
    verzendkosten | frakt | fragt | dostawa | wysyłka | doprava | poštnina | dostava | доставка
    | kargo | deposit | pfand | zzgl. pfand | consigne | statiegeld | pant | cashback |
    eco-participation | éco-participation | dont éco-part | instalment | instalments |
    installments | monthly | mtl. | orders over | over | spend | coupon | voucher | gutschein |
    guthaben | anzahlung | kaution | deposito | caparra | acompte | raten | monatsrate | per
    installment | cuotas | parcelas | mensualités | frachtkosten | porto | toimitus |
    toimituskulut | rahti | szállítás | livrare | μεταφορικά | phí vận chuyển | ongkir | ongkos
    kirim | ค่าส่ง | خصم | توفير | שח הנחה | חיסכון | משלוח | rabat | korting | alennus |
    säästät | säästä | du sparar | du sparer | spare | you will save | tasarruf | kazanç |
    reward points | 運費 | 运费 | 送料 | 배송비 | 折扣 | 省
    """,
    OFF: """
    off | discount | rabatt | sconto | de descuento | de desconto | de remise | korting | sleva
    | zniżki | cashback | скидка
    """,
    REQUEST: """
    on request | upon request | by request | price on application | poa | p.o.a. | call for
    price | call for pricing | contact us for price | request a quote | request quote | contact
    for price | price upon request | ask for price | get a quote | auf anfrage | preis anfragen
    | sur demande | nous consulter | sur devis | a consultar | consultar precio | consultar |
    precio a consultar | bajo pedido | sob consulta | su richiesta | su preventivo | na
    zapytanie | zapytaj o cenę | na dotaz | na vyžádání | na vyžiadanie | na vprašanje | na upit
    | op aanvraag | prijs op aanvraag | på förfrågan | på forespørsel | på forespørgsel | по
    запросу | цена по запросу | уточняйте | ціна за запитом | fiyat sorunuz | fiyat için
    arayınız | pyydä tarjous | ár egyeztetés alapján | la cerere | κατόπιν συνεννόησης |
    お問い合わせ | 応談 | 面议 | 面議 | 询价 | 洽詢 | 별도문의 | 가격문의 | عند الطلب | לפי
    פנייה
    """,
    FREE: """
    free | free of charge | gratis | kostenlos | kostenfrei | umsonst | gratuit | gratuito |
    grátis | gratuita | gratuitement | darmo | za darmo | bezpłatny | bezpłatne | bezpłatnie |
    zdarma | zadarmo | brezplačno | besplatno | ingyen | ingyenes | ilmainen | maksuta | tasuta
    | nemokamai | бесплатно | безкоштовно | ücretsiz | bedava | δωρεάν | 無料 | 免费 | 免費 |
    무료 | مجاني | مجانا | חינם
    """,
    NET: """
    excl | excl. | excluding | ex | ex. | exkl | exkl. | zzgl. mwst | zzgl mwst | zzgl. ust |
    zuzüglich mwst | netto | net | ht | h.t. | hors taxe | hors taxes | plus vat | + vat | sin
    iva | más iva | + iva | iva esclusa | iva escl. | sem iva | bez dph | bez vat | bez pdv |
    bez ddv | brez ddv | ohne mwst | ohne mwst. | brez davka | ilman alvia | ex vat | exc vat |
    без ндс | ekskl. | eksl. | eks. | kdv hariç | +kdv | áfa nélkül | fără tva | excl.btw | exc
    | exc. | before tax | plus tax | vat exclusive | tax exclusive | exclusive of | netto pris |
    nettopreis | prix ht | eks moms | exkl moms | ekskl moms | netto prijs | ex works price |
    nettó | plus steuern | not including | excludes | sem impostos | sin impuestos | 税抜 | 税別
    | 稅前
    """,
    GROSS: """
    incl | incl. | including | inc | inc. | inkl | inkl. | ttc | t.t.c. | brutto | gross | iva
    incluido | con iva | iva inclusa | iva incl. | iva inc. | com iva | s dph | z vat | s pdv |
    s pdv-om | z ddv | с ндс | m/moms | kdv dahil | áfával | cu tva | tva inclus | toutes taxes
    comprises | bruttó | vat inclusive | tax inclusive | vat included | tax included | inclusive
    | inclusive of | bruttopreis | prix ttc | inkl moms | gst included | gst inclusive | sis |
    sis alv | includes | impuestos incluidos | tasse incluse | impostos incluídos | alv sis |
    税込 | 含稅 | 含税
    """,
    LABEL: """
    price | prices | preis | prix | precio | preço | prezzo | prijs | pris | cena | cijena |
    цена | ціна | fiyat | fiyatı | ár | hinta | preț | pret | τιμή | hind | kaina | harga | giá
    | total | value | your price | unser preis | nostro prezzo | notre prix | de | por | approx
    | approx. | ca. | circa | net | eur | plus | tax | taxes | mwst | mwst. | vat | iva | tva |
    btw | moms | dph | pdv | ddv | ндс | kdv | áfa | ust | ust. | buy | bid | current bid |
    starting bid | buy it now | each | ca | gst | hst | qst | pst | ndc | kpl | costs | cost |
    kosten | kostet | kosztuje | rate | amount | betrag | importe | montant | importo | valor |
    prisen | hinnat | cene | cena za | цена за | price for | sum | summe | suma | sub total |
    subtotal | gesamt | gesamtpreis | preis ab werk | einzelpreis | stückpreis | unit price |
    preço unitário | prix unitaire | prezzo unitario | precio unitario | endpreis |
    verkaufspreis | ladenpreis | online | onlinepreis | web price | webpreis | ungefähr |
    environ | ราคา | τιμή μονάδας | preço final | incl tax | 价格 | 價格 | 价 | 價 | 価格 | 価 |
    가격 | السعر | سعر | מחיר | 税 | 稅 | 元
    """,
    PER: """
    per | pro | je | por | al | a | au | à la | le | za | за | на | prix au | par | na | pr |
    til
    """,
    UNIT: """
    kg | кг | kilo | kilogram | kilogramm | g | gr | г | mg | l | л | lt | liter | litre | litro
    | litr | litry | litru | ml | мл | cl | dl | m | m² | m³ | m2 | m3 | м | м² | qm | lfm | cm
    | cm² | cm³ | mm | km | ft | sq ft | sqft | sqm | yd | yard | lb | lbs | oz | fl oz | gal |
    gallon | inch | zoll | w | kw | kwh | v | gb | tb | mb | mah | hz | bar | kn | nm | month |
    mo | monat | monate | mois | mes | mese | mån | måned | md | maand | mnd | miesiąc | mies |
    měsíc | mesiac | месяц | мес | ay | year | years | yr | jahr | jahre | jaar | an | año |
    anno | år | rok | год | week | weeks | wk | woche | day | days | tag | tage | hour | hours |
    hr | h | stunde | night | nacht | nuit | person | user | pp | kilogramo | κιλό | kilogramm |
    hl | t | tonne
    """,
    PIECE: """
    stück | stuk | stuks | stk | st | piece | pieces | pc | pcs | each | ea | unit | units |
    unité | unités | unidad | unidades | unità | pezzo | pezzi | pz | ks | kos | kom | szt | шт
    | adet | db | pair | paar | paire | pack | packs | box | set | packung | pkg | pkt | styck |
    pièce | pièces | pieza | piezas | peça | peças | un | tablets | tabletten | capsules |
    kapseln | kpl | tk | gab | vnt | бр | buc | τεμ | τεμάχιο | dona | count | ct | item | items
    | artikel | 個 | 个 | 件 | 개 | 本 | 枚
    """,
    UNTIL: """
    to | bis | à | a | do | до | til | tot | hasta | até | e | до | ー | y | und | and | till |
    ja
    """,
    PLUS: "+",
}
# Each of these before the name of a tax says net or gross: "zzgl. MwSt.", "con IVA".
_WITHOUT = """
    zzgl | zuzüglich | plus | + | ohne | bez | sin | más | sem | senza | hors | uden | utan |
    uten | ilman | brez | fără | без | ex | exc | excl | excluding | zonder | χωρίς | nélkül |
    không
"""
_WITH = """
    con | com | s | mit | m | med | z | sa | cu | с | з | avec | met | inc | incl | inkl | με
    | sis | w
"""
_TAXES = """
    vat | gst | hst | tax | taxes | sales tax | mwst | ust | umsatzsteuer | mehrwertsteuer |
    tva | iva | btw | moms | mva | dph | pdv | pdv om | ddv | ндс | пдв | дпх | ддс | kdv |
    áfa | alv | φπα | tax es | igic | ppn
"""
# How much a number is multiplied by.
MULTIPLIERS = {
    "k": 1_000, "mio": 10**6, "million": 10**6, "millionen": 10**6, "millions": 10**6,
    "mln": 10**6, "млн": 10**6, "тыс": 1_000, "тис": 1_000, "lakh": 10**5, "lac": 10**5,
    "crore": 10**7, "cr": 10**7, "mrd": 10**9, "billion": 10**9, "万": 10**4, "萬": 10**4,
    "만": 10**4, "億": 10**8, "亿": 10**8, "억": 10**8, "juta": 10**6, "ribu": 1_000,
    "millones": 10**6, "milioni": 10**6, "milhões": 10**6, "miljoner": 10**6,
}  # fmt: skip
# Letters, with the vowel signs that scripts set above and below them; "ord." keeps its dot.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0730-\u074a"
    "\u07a6-\u07b0\u07eb-\u07f3\u0900-\u0903\u093a-\u094f\u0980-\u0983\u09bc-\u09cd"
    "\u0a00-\u0a03\u0a3c-\u0a4d\u0a80-\u0a83\u0abc-\u0acd\u0b00-\u0b03\u0b3c-\u0b4d"
    "\u0b80-\u0b83\u0bbc-\u0bcd\u0c00-\u0c03\u0c3c-\u0c4d\u0c80-\u0c83\u0cbc-\u0ccd"
    "\u0d00-\u0d03\u0d3c-\u0d4d\u0d81-\u0d83\u0dca-\u0ddf\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f0b\u0f35-\u0f84\u0f90-\u0fbc\u102b-\u103e"
    "\u1056-\u109d\u17b4-\u17d3\u180b-\u180d\ua980-\ua9c0\U00011100-\U00011134"
    "\U0001e944-\U0001e94a"
)
_LETTERS = rf"[^\W\d_]++(?:[{_MARKS}]++[^\W\d_]*+)*+"
WORD_PATTERN = rf"{_LETTERS}(?:\.{_LETTERS})*+\.?|\+"
_WORD = re.compile(WORD_PATTERN)
# Thai, Lao, Khmer, Chinese, Japanese and Korean set words without spaces.
UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


# Soft hyphens, joiners, zero widths and marks of direction.
INVISIBLE = dict.fromkeys(
    (
        0xAD,
        0x61C,
        0x180E,
        0xFEFF,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
    )
)


def phrase_words(text: str) -> list[str]:
    """The words of a phrase, as the tokens of a line are compared with them."""
    return [word.replace(".", "") for word in _WORD.findall(text.lower().translate(INVISIBLE))]


def _phrases(text: str) -> Iterator[str]:
    return (" ".join(phrase_words(phrase)) for phrase in text.split("|"))


def _roles() -> dict[str, int]:
    roles: dict[str, int] = {}
    for role, text in PHRASES.items():
        for phrase in _phrases(text):
            roles[phrase] = roles.get(phrase, 0) | role
    for role, befores in ((NET, _WITHOUT), (GROSS, _WITH)):
        for before, tax in product(_phrases(befores), _phrases(_TAXES)):
            roles[f"{before} {tax}"] = roles.get(f"{before} {tax}", 0) | role
    roles.pop("", None)
    return roles


# The roles of each phrase, words joined by a space.
ROLES = _roles()
