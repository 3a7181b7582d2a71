"""The words around prices, in the languages of shops: patterns and nothing else.

Phrases stand between bars. A full stop belongs to the phrase: "ord." is Swedish for the old price.
"""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re


def _compiled(phrases: str, *, beside: str = "(?!)") -> re.Pattern[str]:
    """Match a phrase as a whole word.

    ``beside``: alternatives that may touch letters, as those of unspaced scripts do.
    """
    words = sorted((" ".join(phrase.split()) for phrase in phrases.split("|")), key=len)
    joined = "|".join(re.escape(word).replace(r"\ ", r"\s") for word in reversed(words))
    return re.compile(rf"(?<![^\W\d_])(?:{joined})(?![^\W\d_])|{beside}", re.IGNORECASE)


FROM_BEFORE = _compiled(
    """
    from | starting at | starting from | as low as | ab | à partir de | a partir de | dès | des
    | desde | da | od | vanaf | fra | från | frá | от | od ceny | cena od | min. | ξεκινά από |
    από | începând de la | de la | a partire da | już od | nuo | alates | від | mulai dari | من
    | 从 | starts at
    """,
)
FROM_AFTER = re.compile(r"\s*(?:[~〜～]|から|起|부터|-?tól|-?től|\balkaen|\bdan başlayan)")
OLD = _compiled(
    """
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
    normaal | non-sale price | price before
    """,
    beside=(
        "原价|原價|定价|定價|市价|市價|建議售價|建议售价|"
        "通常価格|参考価格|定価|정가|시중가|판매가|السعر القديم|بدلا من|كان|"
        "מחיר קודם|במקום"
    ),
)
NOW = _compiled(
    """
    now | jetzt | nur | nur noch | sale | special price | special | our price | ahora | oferta |
    ora | maintenant | nu | nå | teraz | nyní | zdaj | sada | сейчас | цена сейчас | por | por
    apenas | voor | heute | aktion | only | aktuell | deal | deal price | sale price | you pay |
    angebotspreis | promo | şimdi | most | акция | seulement | solo | akčná cena | akční cena |
    current price | aktueller preis | akciová cena | promocja
    """,
    beside="现价|現價|特价|特價|优惠价|優惠價|售價|セール価格|特別価格|할인가|최종가|الآن|עכשיו|כעת",
)
# What stands beside it is not the price of the thing.
ASIDE = _compiled(
    """
    save | you save | saving | savings | off | discount | ersparnis | sie sparen | sparen |
    rabatt | ahorra | ahorras | risparmi | risparmia | économisez | économie | remise |
    economize | desconto | sconto | descuento | bespaar | spar | spara | oszczędzasz | ušetříte
    | ušetrite | prihranek | ušteda | скидка | экономия | shipping | delivery | postage | p&p |
    versand | versandkosten | lieferung | livraison | frais de port | frais de livraison | envío
    | gastos de envío | frete | spedizione | spese di spedizione | consegna | verzending |
    verzendkosten | frakt | fragt | dostawa | wysyłka | doprava | poštnina | dostava | доставка
    | kargo | deposit | pfand | zzgl. pfand | consigne | statiegeld | pant | cashback |
    eco-participation | éco-participation | dont éco-part | instalment | instalments |
    installments   | monthly  | mtl. | orders over | over | spend
    """,
    beside="運費|运费|送料|배송비|折扣|省",
)
# Behind an amount they speak of it even where the next amount follows: "$5 off $20".
OFF = _compiled(
    """
    off | discount | rabatt | sconto | de descuento | de desconto | de remise | korting | sleva |
    zniżki | cashback | скидка
    """,
)
FREE = re.compile(
    r"(?:(?:for|price|preis|prix|cena|цена|precio)\s*:?\s*)?(?:free(?: of charge)?|gratis|"
    r"kostenlos|kostenfrei|umsonst|gratuit|gratuito|"
    r"grátis|gratuita|gratuitement|darmo|za darmo|bezpłatn[iey]e?|zdarma|zadarmo|brezplačno|"
    r"besplatno|ingyen(?:es)?|ilmainen|maksuta|"
    r"tasuta|nemokamai|бесплатно|безкоштовно|ücretsiz|bedava|δωρεάν|無料|免费|免費|무료|مجاني|مجانا|"
    r"חינם)\s*[!.]?",
    re.IGNORECASE,
)
ON_REQUEST = _compiled(
    """
    on request | upon request | by request | price on application | poa | p.o.a. | call for
    price | call for pricing | contact us for price | request a quote | request quote | contact
    for price | price upon request | ask for price | get a quote | auf anfrage | preis anfragen
    | sur demande | nous consulter | sur devis | a consultar | consultar precio | consultar |
    precio a consultar | bajo pedido | sob consulta | su richiesta | su preventivo | na
    zapytanie | zapytaj o cenę | na dotaz | na vyžádání | na vyžiadanie | na vprašanje | na upit
    | op aanvraag | prijs op aanvraag | på förfrågan | på forespørsel | på forespørgsel | по
    запросу | цена по запросу | уточняйте | ціна за запитом | fiyat sorunuz | fiyat için
    arayınız | pyydä tarjous | ár egyeztetés alapján | la cerere | κατόπιν συνεννόησης
    """,
    beside="お問い合わせ|応談|面议|面議|询价|洽詢|별도문의|가격문의|عند الطلب|לפי פנייה",
)
NET = _compiled(
    """
    excl | excl. | excluding | ex | ex. | exkl | exkl. | zzgl. mwst | zzgl mwst | zzgl. ust |
    zzgl. 19 | zuzüglich mwst | netto | net | ht | h.t. | hors taxe | hors taxes | plus vat | +
    vat | sin iva | más iva | + iva | iva esclusa | iva escl. | sem iva | bez dph | bez vat |
    bez pdv | bez ddv | brez ddv | ohne mwst | ohne mwst. | brez davka | ilman alvia | ex vat |
    exc vat | без ндс | ekskl. | eksl. | eks. | alv 0% | kdv hariç | +kdv | áfa nélkül | fără
    tva | excl.btw | exc | exc. | before tax | plus tax
    """,
    beside="税抜|税別|稅前",
)
GROSS = _compiled(
    """
    incl | incl. | including | inc | inc. | inkl | inkl. | ttc | t.t.c. | brutto | gross | iva
    incluido | con iva | iva inclusa | iva incl. | iva inc. | com iva | s dph | z vat | s pdv |
    s pdv-om | z ddv | с ндс | m/moms | kdv dahil | áfával | cu tva | tva inclus | toutes taxes
    comprises | bruttó
    """,
    beside="税込|含稅|含税",
)
UNIT_AFTER = re.compile(
    r"\s*+(?:\(?\s*(?:/|\bper\b|\bpro\b|\bje\b|\bpor\b|\bal?\b|\bau\b|\bà la\b|\ble\b|\bza\b|"
    r"\bза\b|\bна\b|\bprix au\b|\bpar\b|\bna\b|\bpr\.?(?=\s)|\ba(?=\s))\s*\(?)"
    r"\s*(?P<unit>(?:\d{1,5}(?:[.,]\d{1,3})?\s?)?(?:kg|кг|kilo(?:gramm?)?|gr?|г|mg|l|л|lt|liter|"
    r"litre|litro|litr[yu]?|ml|мл|cl|dl|m[²³23]?|м[²2]?|qm|lfm|cm|mm|ft|sq\.?\s?ft|sqm|yd|yard|"
    r"lb|lbs|oz|fl\.?\s?oz|gal(?:lon)?|"
    r"stück|stuks?|stk|st|piece|pieces|pcs?|each|ea|unit|units|unité|unidad|unità|pezzo|pz|ks|"
    r"kos|kom|szt|шт|adet|db|pair|paar|paire|pack|box|set|packung|"
    r"month|mo|monat|mois|mes|mese|mån|måned|md|maand|mnd|miesiąc|mies|měsíc|mesiac|месяц|мес|ay|"
    r"year|yr|jahr|jaar|an|año|anno|år|rok|год|week|wk|woche|day|tag|hour|hr|h|stunde|night|"
    r"nacht|nuit|person|user|pp|p\.?p))\b",
    re.IGNORECASE,
)
# A price for one piece is the price.
PIECE = re.compile(
    r"(?:1\s?)?(?:stück|stuks?|stk|st|piece|pcs?|each|ea|unit|unité|unidad|unità|pezzo|pz|ks|kos|"
    r"kom|szt|шт|adet|db|set|pack|box|pair|paar|paire|packung)",
    re.IGNORECASE,
)
LABEL = _compiled(
    """
    price | prices | preis | prix | precio | preço | prezzo | prijs | pris | cena | cijena |
    цена | ціна | fiyat | fiyatı | ár | hinta | preț | pret | τιμή | hind | kaina | harga | giá
    | total | value | your price | unser preis | nostro prezzo | notre prix | de | por | to |
    bis | do | til | tot | until | e | a | à | até | hasta | до | approx | approx. | ca. | circa
    | net | eur | plus | tax | taxes | mwst | mwst. | vat | iva | tva | btw | moms | dph | pdv |
    ddv | ндс | kdv | áfa | ust | ust. | buy | bid | current bid | starting bid | buy it now |
    each | ca
    """,
    beside="价格|價格|价|價|価格|価|가격|السعر|سعر|מחיר|税|稅|元",
)
