"""Names currencies: from what stands beside a number to an ISO 4217 code."""
# ruff: noqa: RUF001 - letters of many alphabets look alike

import re
from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ISO_CODES = _words(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN
    BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD
    JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG
    QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER
    ZAR ZMW ZWG
    """
)
# No cents are in use: a group of three digits after a dot can only be thousands.
WITHOUT_CENTS = _words(
    """
    CLP COP CRC HUF IDR ISK JPY KRW PYG UGX VND XAF XOF XPF
    """
)
# Thousandths are in use: "12.500" is twelve and a half.
WITH_THOUSANDTHS = _words("BHD IQD JOD KWD LYD OMR TND")

_SURE = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "us$": "USD", "ca$": "CAD",
    "c$": "CAD", "a$": "AUD", "au$": "AUD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD",
    "mx$": "MXN", "nt$": "TWD", "nt": "TWD", "r$": "BRL", "rd$": "DOP", "cl$": "CLP", "u$s": "USD",
    "us $": "USD", "c $": "CAD", "au $": "AUD", "₹": "INR", "₽": "RUB", "руб": "RUB",
    "рублей": "RUB", "₴": "UAH", "грн": "UAH", "₺": "TRY", "tl": "TRY", "₪": "ILS", "ש״ח": "ILS",
    'ש"ח': "ILS", "zł": "PLN", "zl": "PLN", "kč": "CZK", "kc": "CZK", "ft": "HUF", "lei": "RON",
    "лв": "BGN", "kn": "HRK", "ден": "MKD", "дин": "RSD", "din": "RSD", "₩": "KRW", "원": "KRW",
    "円": "JPY", "￥": "JPY", "฿": "THB", "บาท": "THB", "₫": "VND", "đ": "VND", "₱": "PHP",
    "rm": "MYR", "rp": "IDR", "₦": "NGN", "ksh": "KES", "gh₵": "GHS", "₾": "GEL", "֏": "AMD",
    "₸": "KZT", "тг": "KZT", "сум": "UZS", "s/": "PEN", "s/.": "PEN", "ر.س": "SAR", "ريال": "SAR",
    "sr": "SAR", "د.إ": "AED", "درهم": "AED", "dhs": "AED", "ج.م": "EGP", "جنيه": "EGP",
    "د.ك": "KWD", "sfr": "CHF", "fr.": "CHF", "₼": "AZN", "₡": "CRC", "₲": "PYG", "bs.": "BOB",
    "q.": "GTQ", "rmb": "CNY", "人民币": "CNY", "৳": "BDT", "₭": "LAK", "৲": "BDT", "bgn": "BGN",
    "тенге": "KZT", "تومان": "IRR", "km": "BAM", "fcfa": "XOF", "cfa": "XOF",
}  # fmt: skip
# Shared by several countries: the code where nothing tells, and what the others call by it.
_SHARED: Mapping[str, tuple[str | None, frozenset[str]]] = {
    "$": (
        "USD",
        _words(
            """
    USD CAD AUD NZD SGD HKD TWD MXN CLP COP ARS UYU BRL JMD TTD
    """
        ),
    ),
    "kr": (None, _words("SEK NOK DKK ISK")),
    "¥": ("JPY", frozenset({"JPY", "CNY"})),
    "元": ("CNY", frozenset({"CNY", "TWD", "HKD"})),
    "rs": ("INR", _words("INR PKR LKR NPR MUR")),
    "р": ("RUB", frozenset({"RUB", "BYN"})),
    "r": ("ZAR", frozenset({"ZAR", "BRL"})),
    "l": (None, frozenset({"RON", "MDL", "HNL"})),
    "₨": ("PKR", frozenset({"INR", "PKR", "LKR", "NPR"})),
}
_CENTS = {"p": "GBP", "¢": "USD", "ct": "EUR", "cent": "EUR", "cents": "USD"}

_BY_REGION = {
    **dict.fromkeys(_words("AT BE CY DE EE ES FI FR GR IE IT LT LU LV MT NL PT SI SK HR"), "EUR"),
    "AE": "AED", "AR": "ARS", "AU": "AUD", "BG": "BGN", "BR": "BRL", "BY": "BYN", "CA": "CAD",
    "CH": "CHF", "CL": "CLP", "CN": "CNY", "CO": "COP", "CZ": "CZK", "DK": "DKK", "EG": "EGP",
    "GB": "GBP", "HK": "HKD", "HU": "HUF", "ID": "IDR", "IL": "ILS", "IN": "INR", "IS": "ISK",
    "JP": "JPY", "KR": "KRW", "KW": "KWD", "KZ": "KZT", "LI": "CHF", "LK": "LKR", "MX": "MXN",
    "MY": "MYR", "NG": "NGN", "NO": "NOK", "NP": "NPR", "NZ": "NZD", "PE": "PEN", "PH": "PHP",
    "PK": "PKR", "PL": "PLN", "RO": "RON", "RS": "RSD", "RU": "RUB", "SA": "SAR", "SE": "SEK",
    "SG": "SGD", "TH": "THB", "TR": "TRY", "TW": "TWD", "UA": "UAH", "UK": "GBP", "US": "USD",
    "UY": "UYU", "VN": "VND", "ZA": "ZAR",
}  # fmt: skip
# Only where a language is spoken under one currency for nearly all shops.
_BY_LANGUAGE = {
    "bg": "BGN", "cs": "CZK", "da": "DKK", "et": "EUR", "fi": "EUR", "he": "ILS", "hu": "HUF",
    "id": "IDR", "is": "ISK", "it": "EUR", "iw": "ILS", "ja": "JPY", "kk": "KZT", "ko": "KRW",
    "lt": "EUR", "lv": "EUR", "nb": "NOK", "nn": "NOK", "no": "NOK", "pl": "PLN", "ro": "RON",
    "sk": "EUR", "sl": "EUR", "sv": "SEK", "th": "THB", "tr": "TRY", "uk": "UAH", "vi": "VND",
    "hi": "INR", "el": "EUR",
}  # fmt: skip

_LETTERS = r"[^\W\d_]"


def _alternatives(symbols: Mapping[str, object]) -> str:
    """Longest first; what begins or ends with a letter must not be a part of a word."""
    return "|".join(
        (rf"(?<!{_LETTERS})" if symbol[0].isalpha() else "")
        + re.escape(symbol)
        + (rf"(?!{_LETTERS})" if symbol[-1].isalpha() else "")
        for symbol in sorted(symbols, key=len, reverse=True)
    )


CURRENCY_PATTERN = (
    rf"(?<!{_LETTERS})(?:{'|'.join(sorted(ISO_CODES))})(?!{_LETTERS})"
    rf"|(?i:{_alternatives({**_SURE, **_SHARED})})"
)
CENTS_PATTERN = rf"(?i:{_alternatives(_CENTS)})"


def iso_code(text: str | None) -> str | None:
    """The ISO 4217 code that a markup value is meant to be, or None."""
    code = (text or "").strip().upper()
    if code in ISO_CODES:
        return code
    return _SURE.get(code.lower())


def currency_of(
    mark: str, *, hint: str | None = None, language: str | None = None, default: str | None = None
) -> str | None:
    """Name the currency that a mark beside a number stands for.

    Args:
        mark: What ``CURRENCY_PATTERN`` or ``CENTS_PATTERN`` found.
        hint: The currency that markup of the page names.
        language: BCP 47, of the page: ``en-CA`` makes ``$`` Canadian.
        default: The currency configured for the domain.
    """
    if mark in ISO_CODES:
        return mark
    key = mark.lower()
    if key in _SURE:
        return _SURE[key]
    usual, possible = _SHARED.get(key) or (_CENTS.get(key), ISO_CODES)
    for code in (hint, currency_of_language(language), default):
        if code in possible:
            return code
    return usual


def currency_of_language(language: str | None) -> str | None:
    """The currency of a page's region (``de-CH``), or of a language of one currency."""
    if not language:
        return None
    primary, *subtags = re.split(r"[-_]", language.strip())
    for subtag in subtags:
        if subtag.upper() in _BY_REGION:
            return _BY_REGION[subtag.upper()]
    return _BY_LANGUAGE.get(primary.lower())
