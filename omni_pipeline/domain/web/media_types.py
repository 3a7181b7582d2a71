"""Telling HTML from everything else that is served as a page."""

import re

# A type that says nothing is judged by the bytes, as by browsers (WHATWG MIME sniffing, 7).
_NO_TYPES = frozenset({"", "unknown/unknown", "application/unknown"})
_HTML_TYPES = _NO_TYPES | {"text/html", "application/xhtml+xml"}
_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_CHARSET = re.compile(r"\bcharset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
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


def media_type_of(content_type: str) -> tuple[str, str | None]:
    """The media type in lower case, and the charset it claims.

    Args:
        content_type: All Content-Type headers of an answer, joined by commas. The last type that
            is one counts (WHATWG Fetch, "extract a MIME type"); "" means that there is none.
    """
    words = (part.partition(";")[0].split() for part in content_type.lower().split(","))
    types = [word[0] for word in words if word and _TYPE.fullmatch(word[0]) and word[0] != "*/*"]
    charsets = _CHARSET.findall(content_type)
    return types[-1] if types else "", charsets[-1] if charsets else None


def is_html_type(content_type: str) -> bool:
    """Whether a page may be of this media type; a missing one is judged by its bytes."""
    return content_type in _HTML_TYPES


def is_binary(body: bytes) -> bool:
    """Whether the bytes are no text, whatever their header says (F-D30).

    Follows the binary-or-text rule of the WHATWG MIME sniffing standard, with room for the stray
    control characters of real pages.
    """
    head = body[:_SNIFFED_BYTES]
    if head.startswith(_UTF16_MARKS):
        return False
    if head.startswith(_BINARY_SIGNATURES):
        return True
    return len(_BINARY_CONTROLS.findall(head)) + head.count(b"\0") > len(head) // 20
