"""Bytes of a page to text, in the order browsers use: byte order mark, header, meta, a guess."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field

from charset_normalizer import from_bytes

from omni_pipeline.domain.web.charset_prescan import label_in_page
from omni_pipeline.domain.web.encoding_labels import codec_of

# Above this share of unreadable characters a declared charset is not believed (F-D28).
MAX_REPLACED_SHARE = 0.01

_REPLACEMENT = "\ufffd"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GUESSED_BYTES = 64 * 1024
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
    """Read ``body``; never raises, whatever bytes and labels say (F-D28).

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


def declared_codec(body: bytes) -> str | None:
    """The Python codec that the byte order mark of a file names, if it has one."""
    return next((charset for mark, charset in _BOMS if body.startswith(mark)), None)


def _candidates(body: bytes, header_charset: str | None) -> Iterator[str]:
    is_declared = False
    for codec in _declared(body, header_charset):
        is_declared = True
        yield codec
    yield "utf-8"
    if guess := from_bytes(body[:_GUESSED_BYTES], cp_isolation=_GUESSED).best():
        yield codecs.lookup(guess.encoding).name
    if not is_declared:
        # Browsers' last resort. It reads anything, so it must not win over a declared charset.
        yield "cp1252"


def _declared(body: bytes, header_charset: str | None) -> Iterator[str]:
    if codec := declared_codec(body):
        yield codec
    if codec := codec_of(header_charset):
        yield codec
    if codec := label_in_page(body):  # last: it costs the most
        yield codec


def _read(body: bytes, charset: str) -> Decoded:
    text = body.decode(charset, errors="replace").removeprefix("\ufeff")
    share = text.count(_REPLACEMENT) / len(text) if text else 0.0
    return Decoded(text=text, charset=charset, replaced_share=share)
