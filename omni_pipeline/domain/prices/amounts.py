"""Reads the amount of money that a string of digits and separators stands for."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from decimal import Decimal

from omni_pipeline.domain.prices.currencies import (
    WITH_THOUSANDTHS,
    WITHOUT_CENTS,
    currency_of_language,
    words,
)
from omni_pipeline.domain.prices.currency_names import decimal_mark

# Above it, a number in a shop is an identifier. Rupiah and dong need ten digits.
MAX_AMOUNT = Decimal(10) ** 12

SPACES = " \u00a0\u2009\u202f"
# A space separates only groups of three, and only before a decimal mark: what follows "4,99" is
# another number. A mark without digits before it is a decimal mark, but behind a letter the dot of
# an abbreviation ("Rs.499").
NUMBER_PATTERN = (
    rf"\d{{1,3}}(?:[{SPACES}]\d{{3}}(?!\d|[.,]\d{{3}}[.,]\d))++(?:[.,]\d++)?"
    r"|\d++(?:[.,'’`´]\d++)*+"
    r"|(?<![\w.,/])[.,]\d++"
)

_SPACES_AND_QUOTES = re.compile(rf"['’`´{SPACES}]")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,])\d{3})(?:(?P=mark)\d{3})*")
_GROUPED_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")
_GROUP = 3
_CENTS = 2
_MACHINE = re.compile(r"\d{1,12}(?:\.\d{1,8})?")
_MAX_DIGITS = 24
# At home they are written with a decimal comma.
_COMMA_CURRENCIES = words(
    """
    ALL AMD AOA ARS BAM BGN BIF BND BOB BRL BYN CDF CLP COP CRC CVE CZK DKK DZD EUR GEL GNF
    HRK HTG HUF IDR ISK KGS KZT LAK LYD MAD MDL MKD MZN NOK PLN RON RSD RUB SEK SRD STN TJS
    TMT TND TRY UAH UYU UZS VES VND XAF XOF XPF
    """
)
# One of them is worth so little that nothing is priced in thousandths.
_COARSE = WITHOUT_CENTS | words(
    """
    AFN ALL AMD AOA ARS BIF CDF CVE DJF DZD GNF HTG IRR KES KGS KHR KMF KPW KZT LAK LBP LKR
    MGA MKD MMK MNT MWK NGN NPR PHP PKR RSD RUB RWF SDG SLE SOS SRD SSP STN SYP TWD TZS UYU
    UZS VES VUV YER ZWG
    """
)
_SEPARATORS = str.maketrans(
    {"٫": ".", "٬": ",", "，": ",", "．": ".", "､": ",", "،": ",", "⹁": ","}
)
_OTHER_DIGIT = re.compile(r"[^\D0-9]")


def ascii_digits(text: str) -> str:
    """Write digits of any script, and Arabic separators, in ASCII; same length."""
    if text.isascii():
        return text
    return _OTHER_DIGIT.sub(lambda digit: str(int(digit[0])), text.translate(_SEPARATORS))


def read_machine_amount(text: str, *, currency: str | None = None) -> Decimal | None:
    """Read a number written for machines: no groups, a dot before the decimals.

    Returns None for what only a reader of a language can tell, such as ``1.299,00``, and for
    ``249.990`` in a currency without cents: that markup was filled with text for people.
    """
    if not _MACHINE.fullmatch(text):
        return None
    decimals = text.partition(".")[2]
    if len(decimals) == _GROUP and currency in WITHOUT_CENTS:
        return None
    return _plain(text)


def read_amount(
    text: str, *, currency: str | None = None, language: str | None = None
) -> Decimal | None:
    """Read what ``NUMBER_PATTERN`` found.

    Two kinds of separators tell themselves which is which. One separator before three digits is
    taken for thousands ("1.299", "1,299"), except where that cannot be ("0.125", "1234.567"), or
    where the language and the currency both have it for their decimal mark: "£1.234" in English,
    "12,345 €" in German.
    """
    digits = _SPACES_AND_QUOTES.sub("", text)
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return _plain(digits)
    mark = digits[last]
    whole, decimals = digits[:last], digits[last + 1 :]
    if _GROUPED_INDIAN.fullmatch(digits):
        return _plain(digits.replace(",", ""))
    if _GROUPED.fullmatch(digits) and not _is_decimal(text, mark, currency, language):
        return _plain(digits.replace(mark, ""))
    other = "," if mark == "." else "."
    if mark in whole or not _is_grouped(whole, other):
        return None
    return _plain(f"{whole.replace(other, '') or '0'}.{decimals}")


def _is_grouped(whole: str, mark: str) -> bool:
    return mark not in whole or bool(_GROUPED.fullmatch(whole) or _GROUPED_INDIAN.fullmatch(whole))


def _is_decimal(text: str, mark: str, currency: str | None, language: str | None) -> bool:
    """Whether a mark before three digits is the decimal mark."""
    if text.count(mark) > 1:
        return False
    if text.startswith("0") or _SPACES_AND_QUOTES.search(text):
        return True
    if currency in WITH_THOUSANDTHS:
        return mark == ((decimal_mark(language) if language else None) or ".")
    if currency is None or currency in _COARSE or not language:
        return False
    of_currency = "," if currency in _COMMA_CURRENCIES else "."
    if of_currency != mark and currency_of_language(language) != currency:
        return False
    return decimal_mark(language) == mark


def _plain(digits: str) -> Decimal | None:
    """Exact; trailing zeros beyond the cents dropped ("12.9900" is what databases print)."""
    if len(digits) > _MAX_DIGITS:
        return None
    whole, point, decimals = digits.partition(".")
    if point and len(decimals) != _CENTS:
        digits = f"{whole}.{decimals.rstrip('0').ljust(_CENTS, '0')}"
    amount = Decimal(digits)
    return amount if amount < MAX_AMOUNT else None
