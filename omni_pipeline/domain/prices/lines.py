"""Brings the text of a price onto one line, written the one way that is read."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re

from omni_pipeline.domain.prices.amounts import ascii_digits
from omni_pipeline.domain.prices.vocabulary import INVISIBLE

MAX_PRICE_LENGTH = 300
_ALIKE = str.maketrans("￥＄￡％（）：＋／－＊−‑‐٪～〜﹩", "¥$£%():+/-*---%~~$") | {
    ord("﷼"): "ریال",
    ord("₨"): "rs",
}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_RAISED_CENTS = re.compile(r"(?<=\d)[.,]?([⁰¹²³⁴⁵⁶⁷⁸⁹]{2})(?![⁰¹²³⁴⁵⁶⁷⁸⁹])")
# The Swedish "12:50 kr".
_COLON = re.compile(r"(?<=\d):(?=\d\d\s?(?:kr|SEK|:-))")


def price_line(text: str) -> str:
    """The text on one line of at most 300 characters: digits in ASCII, nothing invisible."""
    line = " ".join(text[: 2 * MAX_PRICE_LENGTH].split())[:MAX_PRICE_LENGTH]
    if not line.isascii():
        line = line.translate(INVISIBLE).translate(_ALIKE)
        line = _RAISED_CENTS.sub(lambda found: "." + found[1].translate(_RAISED), line)
        line = ascii_digits(line).strip()
    return _COLON.sub(".", line) if ":" in line else line
