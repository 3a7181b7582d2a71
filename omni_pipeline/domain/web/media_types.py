"""Telling HTML from everything else that is served as a page."""

import re

_HTML_TYPES = frozenset({"", "text/html", "application/xhtml+xml"})
_BINARY_SIGNATURES = (
    b"%PDF-",
    b"%!PS-",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"Rar!",
    b"MZ",
    b"\x7fELF",
    b"OggS",
    b"ID3",
    b"\xd0\xcf\x11\xe0",
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Control characters that text never has; NUL is judged apart, since some HTML pages hold a few.
_BINARY_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_SNIFFED_BYTES = 1024


def is_html_type(content_type: str) -> bool:
    """Whether a page may be of this media type; a missing one is judged by its bytes."""
    return content_type in _HTML_TYPES


def is_binary(body: bytes) -> bool:
    """Whether the bytes are no text, whatever their header says (FAULTS D30).

    Follows the binary-or-text rule of the WHATWG MIME sniffing standard, with room for the stray
    control characters of real pages.
    """
    head = body[:_SNIFFED_BYTES]
    if head.startswith(_UTF16_MARKS):
        return False
    if head.startswith(_BINARY_SIGNATURES):
        return True
    return len(_BINARY_CONTROLS.findall(head)) + head.count(b"\0") > len(head) // 20
