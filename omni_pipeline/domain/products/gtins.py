"""Global Trade Item Numbers: EAN, UPC, ISBN; a number counts only when its check digit is right."""

import re
import unicodedata

MAX_TEXT = 60
# What is written around a number: "GTIN: ...", "urn:ean:...", ".../01/...", "(01)...".
_AROUND = re.compile(
    r"(?:(?:[a-z:./\d\-]*\W)?(?:gtin|ean|upc|jan|isbn)(?:[- ]?(?:8|1[0234]))?\W{0,3}"
    r"|https?://[^\s]{0,40}/01/|\(01\)\s?)",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u00ad\u200b-\u200f\ufeff]|\.0\Z")
_SHORT, _USUAL, _LONG = 8, 13, 14
# A spreadsheet takes leading zeros; of a number that lost more than four nothing is left to check.
_LEAST = 9
_ISBN_10 = re.compile(r"\d{9}[\dXx]")


def normalize_gtin(text: str | None) -> str | None:
    """Return the number as 13 digits (14 or 8 where it is one), or None where it is none.

    One product has one number: UPCs gain their leading zero, ISBN-10 becomes ISBN-13, zeros that
    were padded before a GTIN-8 go, and zeros that a number lost come back, as the check digit does
    not depend on them. Prefixes for use within one shop (2, 02, 04) identify nothing outside of it
    and are refused.
    """
    plain = unicodedata.normalize("NFKC", (text or "").strip()[:MAX_TEXT])
    digits = _SEPARATORS.sub(
        "", plain[around.end() :] if (around := _AROUND.match(plain)) else plain
    )
    if _ISBN_10.fullmatch(digits) and (isbn := _from_isbn_10(digits)):
        return isbn
    if not (digits.isascii() and digits.isdigit() and has_check_digit(digits)):
        return None
    if len(digits) != _SHORT and not _LEAST <= len(digits) <= _LONG:
        return None
    return _shortest(digits.lstrip("0"))


def _shortest(significant: str) -> str | None:
    """The number in its shortest form; None for one that only a single shop knows."""
    if len(significant) <= _SHORT:  # what a GTIN-8 begins with 0 or 2 for is told by the shop
        return significant if len(significant) == _SHORT and significant[0] != "2" else None
    full = significant.zfill(_USUAL)
    return None if full[0] == "2" or full[:2] in ("02", "04") else full


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
