"""Names currencies: from what stands beside a number to an ISO 4217 code."""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

# Where money is paid with: ISO 4217 and, behind it, ISO 3166 with a few of the Internet's.
_COUNTRIES = """
    AED AE; AFN AF; ALL AL; AMD AM; ANG; AOA AO; ARS AR; AUD AU CC CX HM KI NF NR TV; AWG AW;
    AZN AZ; BAM BA; BBD BB; BDT BD; BGN; BHD BH; BIF BI; BMD BM; BND BN; BOB BO; BRL BR; BSD BS;
    BTN BT; BWP BW; BYN BY; BZD BZ; CAD CA; CDF CD; CHE; CHF CH LI; CHW; CLF; CLP CL; CNY CN;
    COP CO; CRC CR; CUC; CUP CU; CVE CV; CZK CZ; DJF DJ; DKK DK FO GL; DOP DO; DZD DZ; EGP EG;
    ERN ER; ETB ET; EUR AD AT AX BE BG BL CY DE EE ES EU FI FR GF GP GR HR IE IT LT LU LV MC ME
    MF MQ MT NL PM PT RE SI SK SM TF VA XK YT; FJD FJ; FKP FK; GBP GB GG GS IM JE UK; GEL GE;
    GHS GH; GIP GI; GMD GM; GNF GN; GTQ GT; GYD GY; HKD HK; HNL HN; HRK; HTG HT; HUF HU; IDR ID;
    ILS IL PS; INR IN; IQD IQ; IRR IR; ISK IS; JMD JM; JOD JO; JPY JP; KES KE; KGS KG; KHR KH;
    KMF KM; KPW KP; KRW KR; KWD KW; KYD KY; KZT KZ; LAK LA; LBP LB; LKR LK; LRD LR; LSL; LYD LY;
    MAD EH MA; MDL MD; MGA MG; MKD MK; MMK MM; MNT MN; MOP MO; MRU MR; MUR MU; MVR MV; MWK MW;
    MXN MX; MYR MY; MZN MZ; NAD; NGN NG; NIO NI; NOK BV NO SJ; NPR NP; NZD CK NU NZ PN TK; OMR
    OM; PAB PA; PEN PE; PGK PG; PHP PH; PKR PK; PLN PL; PYG PY; QAR QA; RON RO; RSD RS; RUB RU;
    RWF RW; SAR SA; SBD SB; SCR SC; SDG SD; SEK SE; SGD SG; SHP AC SH; SLE SL; SOS SO; SRD SR;
    SSP SS; STN ST; SVC; SYP SY; SZL SZ; THB TH; TJS TJ; TMT TM; TND TN; TOP TO; TRY TR; TTD TT;
    TWD TW; TZS TZ; UAH UA; UGX UG; USD AS BQ EC FM GU IO MH MP PR PW SV TC TL UM US VG VI ZW;
    UYU UY; UZS UZ; VED; VES VE; VND VN; VUV VU; WST WS; XAF CF CG CM GA GQ TD; XCD AG AI DM GD
    KN LC MS VC; XCG CW SX; XOF BF BJ CI GW ML NE SN TG; XPF NC PF WF; YER YE; ZAR LS NA ZA; ZMW
    ZM; ZWG
"""
_CODES = [row.split() for row in _COUNTRIES.split(";")]
ISO_CODES = frozenset(code for code, *_ in _CODES)
_BY_REGION = {region: code for code, *regions in _CODES for region in regions}
# Only where a language is spoken under one currency for nearly all shops.
_BY_LANGUAGE = {
    "af": "ZAR", "am": "ETB", "az": "AZN", "be": "BYN", "bg": "EUR", "bn": "BDT", "ca": "EUR",
    "cs": "CZK", "cy": "GBP", "da": "DKK", "dz": "BTN", "el": "EUR", "et": "EUR", "eu": "EUR",
    "fa": "IRR", "fi": "EUR", "fil": "PHP", "ga": "EUR", "gd": "GBP", "gl": "EUR", "he": "ILS",
    "hi": "INR", "hr": "EUR", "hu": "HUF", "hy": "AMD", "id": "IDR", "is": "ISK", "it": "EUR",
    "iw": "ILS", "ja": "JPY", "ka": "GEL", "kk": "KZT", "km": "KHR", "ko": "KRW", "ky": "KGS",
    "lo": "LAK", "lt": "EUR", "lv": "EUR", "mk": "MKD", "mn": "MNT", "mt": "EUR", "my": "MMK",
    "nb": "NOK", "ne": "NPR", "nn": "NOK", "no": "NOK", "pl": "PLN", "ps": "AFN", "ro": "RON",
    "si": "LKR", "sk": "EUR", "sl": "EUR", "sq": "ALL", "sr": "RSD", "sv": "SEK", "tg": "TJS",
    "th": "THB", "tk": "TMT", "tr": "TRY", "uk": "UAH", "uz": "UZS", "vi": "VND", "zh": "CNY",
}  # fmt: skip


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


# Their domains are sold to everybody.
_OPEN_DOMAINS = words("AC AI CC CO EU FM GG IM IO IS LA LY ME MS NU PW SH SO ST TK TO TV VC WS")
# No cents are in use: a group of three digits after a mark can only be thousands.
WITHOUT_CENTS = words("CLP COP CRC HUF IDR ISK JPY KRW PYG UGX VND XAF XOF XPF")
# Thousandths are in use: "12.500" is twelve and a half.
WITH_THOUSANDTHS = words("BHD IQD JOD KWD LYD OMR TND")
# Codes that are also words, units or names of things: "CAD 2024", "ALL 5", "50 sek".
WORDLIKE = words(
    """
    ALL AMD ANG AUD BAM BIF BOB CAD CDF CHE CHW COP CUC CUP CVE DOP ERN GEL GIP INR KES LAK LSL
    MAD MOP MUR NAD NOK PAB PEN PHP QAR RON RUB SAR SEK SOS STN TOP TRY TTD VES WST
    """
)
_DOLLARS = """
    USD ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD
    SGD SRD TTD TWD UYU XCD BRL
"""
# Code, then its signs. Behind "@": a sign that is also a unit or a word, and counts where the page
# speaks one of these languages or has the currency by its country, its markup or its settings.
_SURE = """
    AED د.إ درهم dhs dh@; AFN ؋; ALL lekë lek@sq lekë; AMD ֏ դր; AOA kz@pt; ARS ar$ $ar; AUD a$
    au$ $au $a aud$; AWG afl. afl; AZN ₼ ман; BAM km@bs,hr,sr,sl км@bs,sr,mk; BBD bds$; BDT ৳ ৲
    টাকা; BGN лв лева лев@bg lv@bg; BHD د.ب bd@ar; BIF fbu; BMD bm$ $bm; BND b$ $bn; BOB bs@es;
    BRL r$ br$; BSD bs$ b$; BTN nu@dz; BWP; BYN бр; BZD bz$ $bz; CAD c$ ca$ $ca cad$; CDF fc@;
    CHF sfr fr@de,fr,it,rm,gsw; CLP cl$ $cl; CNY cn¥ ¥cn rmb 人民币 人民幣; COP co$ col$ $co; CRC ₡;
    CZK kč kc@cs kčs; DJF fdj; DKK dkr; DOP rd$; DZD د.ج da@ar; EGP ج.م جنيه e£ £e eg£ le@ar;
    ERN nfk; ETB ብር; EUR € euro euros ευρώ евро; FJD fj$ $fj; FKP £fk fk£; GBP £gb gb£ uk£; GEL
    ₾ ლ; GHS gh₵ ₵ gh¢; GIP £gi; GMD d@; GNF fg@; GTQ q@es; GYD gy$ g$; HKD hk$ $hk; HNL lps;
    HRK kn@hr,bs,sr,sl; HTG g@ht; HUF ft@hu; IDR rp; ILS ₪ ש״ח ש"ח nis; INR ₹; IQD د.ع id@ar;
    IRR تومان ریال; ISK ikr; JMD j$ jm$; JOD د.أ jd@ar; JPY 円 jp¥ ￥jp; KES ksh kshs; KGS сом;
    KHR ៛; KMF cf@; KRW ₩ ￦ 원; KWD د.ك kd; KYD ci$ ky$; KZT ₸ тг тенге ₸; LAK ₭; LBP ل.ل £lb
    ll@ar; LKR රු; LRD l$; LSL m@; LYD د.ل ld@ar; MAD د.م dh@; MDL lei@; MGA ar@mg; MKD ден
    den@mk; MMK k@my; MNT ₮ ₮ төг; MOP mop$; MRU أ.م um@ar; MUR rs@; MVR ރ rf@dv; MWK mk@; MXN
    mx$ mex$ $mx; MYR rm; MZN mtn mt@pt; NAD n$ $na; NGN ₦; NIO c$; NOK nkr; NPR नेरू रु रू; NZD
    nz$ $nz; OMR ر.ع; PAB b/. b/; PEN s/ s/.; PGK k@; PHP ₱ php@; PKR روپے; PLN zł zl@pl złotych
    złoty; PYG ₲ gs@es; QAR ر.ق qr@ar; RON lei leu; RSD дин din@sr,bs,hr,mk,sl; RUB ₽ руб
    рублей; RWF rf@ frw; SAR ر.س ريال sr@ar; SBD si$ $sb; SCR sr@; SDG ج.س; SEK skr; SGD s$ sg$
    $sg; SHP £sh; SLE le@; SOS s@so; SRD sr$ $sr; STN db@pt; SYP ل.س ls@; SZL e@; THB ฿ บาท; TJS
    смн; TMT тмт; TND د.ت dt@fr,ar; TOP t$; TRY ₺ tl@tr; TTD tt$ $tt; TWD nt$ nt@zh; TZS tsh;
    UAH ₴ грн гривень; UGX ush; USD us$ $us u$s u$d u.s.$ usd$ u$ щ.д; UYU $u $uy; UZS сўм soʻm
    so'm сум; VES bs.s bs@ bs.d; VND ₫ đ vnđ; VUV vt@; WST ws$ $ws; XAF fcfa@; XCD ec$ $ec; XCG
    cg@; XOF fcfa cfa; XPF fcfp cfp; YER ر.ي; ZAR r@af,en,zu,xh; ZMW k@; ZWG zig
"""
# Shared by several: the usual one (a dash: none), then what the others call by it.
_SHARED = f"""
    $ {_DOLLARS}; £ GBP EGP LBP SYP GIP FKP SHP SSP SDG; kr - SEK NOK DKK ISK; ¥ JPY CNY; 元 CNY
    TWD HKD MOP; 圓 TWD HKD JPY; 块 CNY; rs INR PKR LKR NPR MUR; ₨ PKR INR LKR NPR MUR SCR; р RUB
    BYN; br@be,ru,am BYN ETB; P@tn BWP; l@ro,sq,es - RON MDL HNL ALL; lei RON MDL; fcfa XOF XAF;
    cfa XOF XAF; dh@ar,fr AED MAD; bs@es BOB VES; k@my,en - MMK PGK ZMW; rf@ - MVR RWF; sr@ar,en
    SAR SCR; ريال SAR QAR OMR YER IRR; درهم AED MAD; جنيه EGP SDG; دينار@ar - KWD BHD IQD JOD
    DZD TND LYD; b$ BND BSD; c$ CAD NIO; le@ar - EGP SLE
"""
_CENTS = """
    p@en,cy,gd GBP; ¢ USD CAD AUD EUR; ct@de,fr,nl EUR; cent@de,en,nl,it EUR USD; cents@en,fr USD
"""
# Set before the amount wherever only the amount tells.
_PREFIXED = words("$ £ ¥ ₹ ₩ ₱ ₦ ₪ ₺ ฿ r$ rm rp rs us$ nt$ hk$ s/ ₨")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """What shops write for a currency.

    Attributes:
        codes: The currencies that it may be.
        usual: The one where nothing tells.
        is_weak: It is also a word or a unit; then it is a sign in some ``languages`` only.
        is_cents: It counts hundredths.
        is_prefixed: It belongs to the amount behind it where both sides have one.
        is_code: It is an ISO code, or else names one currency by itself.
    """

    codes: tuple[str, ...]
    usual: str | None
    is_weak: bool = False
    languages: frozenset[str] = field(default_factory=frozenset)
    is_cents: bool = False
    is_prefixed: bool = False
    is_code: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What is known of a page's money.

    Attributes:
        homes: The currencies it may have, the surest first.
        language: The primary subtag of BCP 47, or None.
        tag: BCP 47 in full.
        stated: The one that markup or settings name: of an amount without a sign.
    """

    homes: tuple[str, ...]
    language: str | None
    tag: str | None = None
    stated: str | None = None

    def knows(self, sign: Sign) -> bool:
        """Whether a sign that is also a word is a sign on this page."""
        return self.language in sign.languages or any(home in sign.codes for home in self.homes)

    def name(self, sign: Sign) -> str | None:
        """The currency that the sign stands for."""
        if len(sign.codes) == 1:
            return sign.usual
        return next((home for home in self.homes if home in sign.codes), sign.usual)


# Of "C$" and "US$".
_WITH_LETTERS = (2, 3)


def _rows(text: str) -> Iterator[list[str]]:
    return (row.split() for row in text.split(";") if row.strip())


def _signs() -> dict[str, Sign]:
    signs = {code: _code_sign(code) for code in ISO_CODES}
    for code, *written in _rows(_SURE):
        for text in written:
            key, *languages = text.split("@")
            signs[key] = _sign(key, (code,), code, languages)
    for text, usual, *others in _rows(_SHARED):
        key, *languages = text.split("@")
        codes = (*([] if usual == "-" else [usual]), *others)
        signs[key] = _sign(key, codes, None if usual == "-" else usual, languages)
    for text, usual, *others in _rows(_CENTS):
        key, *languages = text.split("@")
        signs[key] = _sign(key, (usual, *others), usual, languages, is_cents=True)
    for key in [key for key in signs if "." in key]:
        signs[key.replace(".", "")] = signs[key]
    for key in [key for key in signs if "$" in (key[0], key[-1]) and len(key) in _WITH_LETTERS]:
        parts = (key[:-1], key[-1]) if key[-1] == "$" else (key[0], key[1:])
        signs[" ".join(parts)] = signs[key]
    signs["f cfa"] = signs["fcfa"]
    return signs


def _sign(
    key: str,
    codes: tuple[str, ...],
    usual: str | None,
    languages: list[str],
    *,
    is_cents: bool = False,
) -> Sign:
    return Sign(
        codes=codes,
        usual=usual,
        is_weak=bool(languages),
        languages=frozenset(languages[0].split(",")) if languages else frozenset(),
        is_cents=is_cents,
        is_prefixed=key in _PREFIXED,
        is_code=len(codes) == 1,
    )


def _code_sign(code: str) -> Sign:
    return Sign(codes=(code,), usual=code, is_weak=code in WORDLIKE, is_code=True)


# By what is written, in lower case; ISO codes in capitals.
SIGNS = _signs()


def iso_code(text: str | None) -> str | None:
    """The ISO 4217 code that a markup value is meant to be, or None."""
    code = (text or "").strip()
    if code.upper() in ISO_CODES:
        return code.upper()
    sign = SIGNS.get(code.lower())
    return sign.usual if sign is not None and sign.is_code else None


@lru_cache(maxsize=1024)
def origin_of(
    hint: str | None, country: str | None, language: str | None, default: str | None
) -> Origin:
    """What markup, country, language and settings say of a page's money, in this order.

    Args:
        hint: The currency that markup of the page names, ISO 4217.
        country: Of the page, ISO 3166.
        language: BCP 47, of the page: ``en-CA`` makes ``$`` Canadian.
        default: The currency configured for the domain, ISO 4217.
    """
    of_country = _BY_REGION.get((country or "").upper())
    found = (hint, of_country, currency_of_language(language), default)
    primary = re.split(r"[-_]", language.strip())[0].lower() if language else None
    homes = tuple(dict.fromkeys(code for code in found if code))
    return Origin(homes=homes, language=primary, tag=language, stated=hint or default)


def currency_of_language(language: str | None) -> str | None:
    """The currency of a page's region (``de-CH``), or of a language of one currency."""
    if not language:
        return None
    primary, *subtags = re.split(r"[-_]", language.strip())
    for subtag in subtags:
        if subtag.upper() in _BY_REGION:
            return _BY_REGION[subtag.upper()]
    return _BY_LANGUAGE.get(primary.lower())


def currency_of_country(country: str | None) -> str | None:
    """What people of a country pay with; ``country`` is ISO 3166."""
    return _BY_REGION.get(country) if country else None


def country_of_host(host: str) -> str | None:
    """The country that a host's domain belongs to, ISO 3166, or None where anybody may have it."""
    ending = host.rstrip(".").rpartition(".")[2].upper()
    return ending if ending in _BY_REGION and ending not in _OPEN_DOMAINS else None
