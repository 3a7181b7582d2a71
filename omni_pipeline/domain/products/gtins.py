"""Global Trade Item Numbers: EAN, UPC, ISBN; a number counts only when its check digit is right."""

import re

_SEPARATORS = re.compile(r"[\s\-–]")  # noqa: RUF001 - pages write both dashes
_SHORT = 8
_LENGTHS = (_SHORT, 12, 13, 14)
_ISBN_10 = re.compile(r"\d{9}[\dXx]")


def normalize_gtin(text: str | None) -> str | None:
    """Return the number as 13 digits (14 or 8 where it is one), or None where it is none.

    UPCs gain their leading zero and ISBN-10 becomes ISBN-13, so one product has one number.
    Prefixes for use within one shop (2, 02, 04) identify nothing outside of it and are refused.
    """
    digits = _SEPARATORS.sub("", text or "")
    if _ISBN_10.fullmatch(digits):
        return _from_isbn_10(digits)
    if not (digits.isascii() and digits.isdigit() and len(digits) in _LENGTHS):
        return None
    if not has_check_digit(digits) or not digits.strip("0"):
        return None
    if len(digits) == _SHORT:
        return digits
    short = digits.lstrip("0").zfill(13)
    return None if short[0] == "2" or short[:2] in ("02", "04") else short


def has_check_digit(digits: str) -> bool:
    """https://ref.gs1.org/standards/genspecs/ 7.9: weights 3 and 1 from the right."""
    weighted = (int(d) * (3 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(weighted) % 10 == 0


def _from_isbn_10(isbn: str) -> str | None:
    values = [10 if digit in "Xx" else int(digit) for digit in isbn]
    if sum(value * (10 - place) for place, value in enumerate(values)) % 11:
        return None
    body = "978" + isbn[:9]
    check = -sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(body)) % 10
    return f"{body}{check}"
