"""Bytes of a page to text, in the order browsers use: byte order mark, header, meta, a guess."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from charset_normalizer import from_bytes

# Above this share of unreadable characters a declared charset is not believed (FAULTS D28).
MAX_REPLACED_SHARE = 0.01

_REPLACEMENT = "\ufffd"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META_BYTES = 4096
_GUESSED_BYTES = 64 * 1024
_META = re.compile(
    rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})"
    rb"|<\?xml[^>]{0,512}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})[\"']",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[A-Za-z0-9_.:-]{1,40}", re.ASCII)

# Python has text codecs that execute in quadratic time (punycode) or read escapes
# (unicode_escape), so a page may name only what the WHATWG encoding standard knows; and what
# browsers read with a larger charset than its name says is read so here.
_READ_AS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
    # labels of the standard that Python does not know
    "iso-8859-8-i": "iso8859-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
}
_KNOWN = frozenset(
    [f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)]
    + [f"cp{number}" for number in (866, 874, 932, 949, *range(1250, 1259))]
    + ["utf-8", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"]
    + ["gb18030", "big5hkscs", "euc_jp", "iso2022_jp"]
)
# Left to all its charsets the detector reads short French as Baltic; the web has few unlabelled
# pages outside of these.
_GUESSED = [
    *("utf_8", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("koi8_r", "cp932", "euc_jp", "gb18030", "big5hkscs", "cp949"),
]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A page as text.

    Attributes:
        text: May hold U+FFFD where bytes made no sense.
        charset: The Python codec that read it.
        replaced_share: U+FFFD per character of ``text``.
    """

    text: str = field(repr=False)
    charset: str
    replaced_share: float


def decode(body: bytes, header_charset: str | None) -> Decoded:
    """Read ``body``; never raises, whatever bytes and labels say (FAULTS D28).

    The first source that names a charset is believed unless more than 1 % of what it gives is
    unreadable; then the next is tried, and the best reading of all is taken.
    """
    best: Decoded | None = None
    for charset in _candidates(body, header_charset):
        reading = _read(body, charset)
        if reading.replaced_share <= MAX_REPLACED_SHARE:
            return reading
        if best is None or reading.replaced_share < best.replaced_share:
            best = reading
    return best or _read(body, "utf-8")


def _candidates(body: bytes, header_charset: str | None) -> Iterator[str]:
    declared = list(_declared(body, header_charset))
    yield from declared
    yield "utf-8"
    if guess := from_bytes(body[:_GUESSED_BYTES], cp_isolation=_GUESSED).best():
        yield _codec(guess.encoding) or "utf-8"
    if not declared:
        # Browsers' last resort. It reads anything, so it must not win over a declared charset.
        yield "cp1252"


def _declared(body: bytes, header_charset: str | None) -> Iterator[str]:
    for mark, charset in _BOMS:
        if body.startswith(mark):
            yield charset
    if from_header := _codec(header_charset):
        yield from_header
    if from_meta := _codec(_meta_label(body)):
        # The label was readable as ASCII, so it cannot be true of UTF-16.
        yield "utf-8" if from_meta.startswith("utf-16") else from_meta


def _meta_label(body: bytes) -> str | None:
    match = _META.search(body[:_META_BYTES])
    return (match[1] or match[2]).decode("ascii") if match else None


def _codec(label: str | None) -> str | None:
    if label is None or not _LABEL.fullmatch(label):
        return None
    label = _READ_AS.get(label.lower(), label)
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    name = _READ_AS.get(name, name)
    return name if name in _KNOWN else None


def _read(body: bytes, charset: str) -> Decoded:
    text = body.decode(charset, errors="replace").removeprefix("\ufeff")
    share = text.count(_REPLACEMENT) / len(text) if text else 0.0
    return Decoded(text=text, charset=charset, replaced_share=share)
