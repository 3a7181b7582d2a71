"""Reads the amount of money that a string of digits and separators stands for."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from decimal import Decimal, InvalidOperation

from omni_pipeline.domain.prices.currencies import WITH_THOUSANDTHS, WITHOUT_CENTS

# Above it, a number in a shop is an identifier. Rupiah and dong need ten digits.
MAX_AMOUNT = Decimal(10) ** 12

# Digits with single separators inside; a space separates only groups of three.
NUMBER_PATTERN = r"\d++(?:(?:[.,'’`´]|[ \u00a0\u2009\u202f](?=\d{3}(?!\d)))\d++)*+"

_SPACES_AND_QUOTES = re.compile(r"[ '’`´\u00a0\u2009\u202f]")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,])\d{3})(?:(?P=mark)\d{3})*")
_GROUPED_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")
_GROUP = 3
_MACHINE = re.compile(r"\d{1,12}(?:\.\d{1,8})?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMA_DECIMAL = _words(
    """
    be bg cs da de el es et fi fr hr hu id is it kk lt lv nb nl nn no pl pt ro ru sk sl sr
    sv tr uk vi
    """
)


def ascii_digits(text: str) -> str:
    """Write digits of any script, and Arabic separators, in ASCII; same length."""
    if text.isascii():
        return text
    text = text.replace("٫", ".").replace("٬", ",").replace("，", ",").replace("．", ".")
    return re.sub(r"[^\D0-9]", lambda digit: str(int(digit[0])), text)


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
    taken for thousands ("1.299", "1,299"), except where that cannot be: "0.125", "1234.567", or
    a dinar of 1,000 fils written with its decimal mark.
    """
    digits = _SPACES_AND_QUOTES.sub("", text)
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return _plain(digits)
    if _GROUPED_INDIAN.fullmatch(digits):
        return _plain(digits.replace(",", ""))
    mark, other = digits[last], "," if digits[last] == "." else "."
    if _GROUPED.fullmatch(digits) and not _is_decimal(digits, mark, currency, language):
        return _plain(digits.replace(mark, ""))
    whole, decimals = digits[:last], digits[last + 1 :]
    if mark in whole or not _is_grouped(whole, other):
        return None
    return _plain(f"{whole.replace(other, '')}.{decimals}")


def _is_grouped(whole: str, mark: str) -> bool:
    return mark not in whole or bool(_GROUPED.fullmatch(whole) or _GROUPED_INDIAN.fullmatch(whole))


def _is_decimal(digits: str, mark: str, currency: str | None, language: str | None) -> bool:
    """Whether a mark before three digits can only be the decimal mark."""
    if digits.count(mark) > 1:
        return False
    if digits.startswith("0"):
        return True
    comma_language = (language or "")[:2].lower() in _COMMA_DECIMAL
    return currency in WITH_THOUSANDTHS and mark == ("," if comma_language else ".")


def _plain(digits: str) -> Decimal | None:
    """Exact; trailing zeros beyond the cents dropped ("12.9900" is what databases print)."""
    try:
        amount = Decimal(digits)
    except InvalidOperation:
        return None
    if amount >= MAX_AMOUNT:
        return None
    cents = amount.quantize(Decimal("0.01"))
    return cents if cents == amount and "." in digits else amount
