"""Reads JSON as web pages embed it: wrapped, commented, with line breaks and commas too many.

A strict reader loses whole pages: of 15 variants of broken JSON-LD seen in shops extruct lost 9,
and with one bad block it lost the good ones beside it.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 64

# Numbers stay text: 19.90 must not become 19.9, and a row of 5,000 digits must not be a number.
_DECODER = json.JSONDecoder(strict=False, parse_float=str, parse_int=str, parse_constant=str)
_WRAPPING = re.compile(
    r"\s*+(?:\ufeff|<!--(?:(?!-->)[^{\[])*+-->|<!--|//\s*<!\[CDATA\[|<!\[CDATA\["
    r"|/\*\s*<!\[CDATA\[\s*\*/|//[^\n]*\n|window\.[\w.$\[\]'\"]{1,80}\s*=(?=\s*[{\[]))"
)
_WRAPPED_END = re.compile(r"(?:-->|//\s*\]\]>|\]\]>|/\*\s*\]\]>\s*\*/|//\s*-->|;)\s*\Z")
_MAX_WRAPPINGS = 4
_LONGEST_END = 40
_BETWEEN = " \t\r\n;,"

# A quote ends a string only where JSON goes on behind it; others belong to the text ("15" TFT").
_STRING_OR_COMMENT = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.|"(?!\s*+(?:[,:}\]]|/[/*]|<!--|\Z)|\s*\n\s*+"[^"\n]{1,60}+"\s*+:))*+)'
    r'(?:"|\Z)'
    r"|(?P<comment>/\*.*?(?:\*/|\Z)|//[^\n]*+|<!--.*?(?:-->|\Z))",
    re.DOTALL,
)
_BAD_ESCAPE = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})|(?<!\\)"')
# What is too much or missing between the strings, once the comments are gone: a comma before
# another one or before a bracket, none at the end of a line, a template's empty or bare value.
_STRING_OR_SLIP = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*+")(?P<forgotten>(?=\s*\n\s*+"))?'
    r"|(?P<comma>,)(?=\s*+[,}\]])"
    r"|:(?:(?P<empty>(?=\s*+[,}\]]))|\s*+(?P<bare>[^\s\"\[\]{},:][^\"\[\]{}\n:]{0,80}?)"
    r"(?=\s*+(?:[}\]]|,\s*+[\"}])))",
    re.DOTALL,
)
_MEANT = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|(?P<bracket>[{}\[\]])', re.DOTALL)
_MAX_UNCLOSED = 16


def read_blocks(texts: Iterable[str]) -> Iterator[Any]:
    """Decode the scripts of one page, each on its own; what cannot be read is left out.

    At most 1 MiB a page is looked at.
    """
    left = MAX_CHARACTERS
    for text in texts:
        if len(text) <= left:
            left -= len(text)
            yield from read_block(text)


def read_block(text: str) -> list[Any]:
    """Decode the values of one script; an empty list where no reading makes sense.

    Numbers come back as strings.
    """
    bare = _unwrap(text)
    best: list[Any] = []
    for repair in (None, _repair, html.unescape, _unescape_and_repair, _repair_and_close):
        values, complete = _decode_all(repair(bare) if repair else bare)
        if complete:
            return values
        best = max(best, values, key=len)
    return best


def read_value(text: str, start: int) -> Any:
    """The value that begins at ``start`` of a script, or None where it is not JSON."""
    try:
        return _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _unwrap(text: str) -> str:
    text = text.strip()
    for _ in range(_MAX_WRAPPINGS):
        if start := _WRAPPING.match(text):
            text = text[start.end() :].lstrip()
        if end := _WRAPPED_END.search(text, max(0, len(text) - _LONGEST_END)):
            text = text[: end.start()].rstrip()
    return text


def _decode_all(text: str) -> tuple[list[Any], bool]:
    """All values that stand one after the other, and whether they are the whole text."""
    values: list[Any] = []
    position, end = 0, len(text)
    while position < end:
        if text[position] in _BETWEEN:
            position += 1
            continue
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):  # nested some thousand deep: nobody's product
            return values, False
        values.append(value)
    return values, True


def _repair(text: str) -> str:
    return _STRING_OR_SLIP.sub(_mended, _STRING_OR_COMMENT.sub(_escaped, text))


def _escaped(piece: re.Match[str]) -> str:
    if piece["text"] is None:
        return ""
    escaped = _BAD_ESCAPE.sub(lambda bad: "\\" + bad[0], piece["text"])
    return f'"{escaped}"'


def _mended(piece: re.Match[str]) -> str:
    if piece["string"] is not None:
        return piece["string"] + ("," if piece["forgotten"] is not None else "")
    if piece["comma"]:
        return ""
    if piece["bare"] is None:
        return ": null"
    bare = piece["bare"]
    if _MEANT.fullmatch(bare):
        return f": {bare}"
    return ": null" if bare == "undefined" else f": {json.dumps(bare.strip(chr(39)))}"


def _unescape_and_repair(text: str) -> str:
    return _repair(html.unescape(text))


def _repair_and_close(text: str) -> str:
    """With the brackets that the end of a text cut short left open."""
    repaired = _repair(text)
    still_open: list[str] = []
    for match in _STRING_OR_BRACKET.finditer(repaired):
        bracket = match["bracket"]
        if bracket in ("{", "["):
            still_open.append("}" if bracket == "{" else "]")
        elif bracket and still_open:
            still_open.pop()
    if not still_open or len(still_open) > _MAX_UNCLOSED:
        return repaired
    return repaired.rstrip(" \t\r\n,") + "".join(reversed(still_open))


def walk(value: Any, *, max_depth: int = MAX_DEPTH) -> Iterator[dict[str, Any]]:
    """Every object within a decoded value once, outermost first, without recursion.

    References that were followed may have made a circle of the objects.
    """
    seen: set[int] = set()
    level = [value]
    for _ in range(max_depth):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                if id(item) in seen:
                    continue
                seen.add(id(item))
                yield item
                deeper += [v for v in item.values() if isinstance(v, dict | list)]
            elif isinstance(item, list):
                deeper += [v for v in item if isinstance(v, dict | list)]
        if not deeper:
            return
        level = deeper
