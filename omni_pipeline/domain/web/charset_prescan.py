"""The charset that a page declares of itself, as browsers find it before they read the page.

WHATWG HTML, 13.2.3.2, "prescan a byte stream to determine its encoding": comments do not count, and
of a ``meta`` only ``charset``, or ``content`` beside ``http-equiv=content-type``. What scripts and
styles hold is skipped too: a browser that meets it while it reads the page takes it for their text.
"""

import re
from collections.abc import Iterator

from omni_pipeline.domain.web.encoding_labels import codec_of

# The standard looks at 1024 bytes, and its tree builder obeys a later meta as well.
_SCANNED_BYTES = 4096

_XML = re.compile(
    rb"<\?xml\s[^>]{0,512}?\bencoding\s*=\s*(?:\"([^\"\x00-\x20]*)\"|'([^'\x00-\x20]*)')"
)
_UTF16_XML = ((b"<\0?\0x\0", "utf-16-le"), (b"\0<\0?\0x", "utf-16-be"))
_SPACE = rb"\t\n\f\r "
_PIECE = re.compile(
    rb"<(?:(!--)|(/?[A-Za-z][^" + _SPACE + rb"/>]*)|[!/?])",
)
_COMMENT_END = re.compile(rb"--!?>")
_ATTRIBUTE = re.compile(
    rb"[" + _SPACE + rb"/]*+(?:(>)|([^" + _SPACE + rb"/>=]?[^" + _SPACE + rb"/>=]*+)"
    rb"[" + _SPACE + rb"]*+(?:=[" + _SPACE + rb"]*+"
    rb"(?:\"([^\"]*+)\"|'([^']*+)'|([^" + _SPACE + rb">]*+)))?+)"
)
_RAW_TEXT = frozenset((b"script", b"style", b"title", b"textarea", b"xmp", b"noframes"))
_CONTENT_CHARSET = re.compile(
    rb"charset["
    + _SPACE
    + rb"]*=["
    + _SPACE
    + rb"]*(?:\"([^\"]*)\"|'([^']*)'|([^"
    + _SPACE
    + rb";\"'][^"
    + _SPACE
    + rb";]*))",
    re.IGNORECASE,
)


def label_in_page(body: bytes) -> str | None:
    """The Python codec that the page names in its first bytes, or None."""
    head = body[:_SCANNED_BYTES]
    for mark, codec in _UTF16_XML:
        if head.startswith(mark):
            return codec
    declaration = _XML.match(head)
    if declaration and (codec_said := codec_of(_text(declaration[1] or declaration[2]))):
        return _readable(codec_said)
    if b"charset" not in head.lower():
        return None
    return next((codec for codec in map(_codec_in_meta, _metas(head)) if codec), None)


def _metas(head: bytes) -> Iterator[dict[bytes, bytes]]:
    """The attributes of each ``meta`` that is no part of a comment, a script or another tag."""
    position = 0
    while piece := _PIECE.search(head, position):
        position = piece.end()
        comment, name = piece.groups()
        if comment:  # "<!-->" is whole
            position = _end_of(_COMMENT_END, head, position - len(b"--"))
        elif name is None:
            position = _end_of(re.compile(b">"), head, position)
        else:
            attributes, position = _attributes(head, position)
            if name.lower() == b"meta":
                yield attributes
            elif name.lower() in _RAW_TEXT:
                position = _end_of(re.compile(b"(?i)(?=</" + name + b")"), head, position)


def _attributes(head: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes from ``position`` on, the first of each name, and where the tag ends."""
    attributes: dict[bytes, bytes] = {}
    while position < len(head):
        found = _ATTRIBUTE.match(head, position)
        if found is None or found.end() == position:
            return attributes, position + 1
        position = found.end()
        if found[1]:
            break
        attributes.setdefault(found[2].lower(), found[3] or found[4] or found[5] or b"")
    return attributes, position


def _codec_in_meta(attributes: dict[bytes, bytes]) -> str | None:
    if b"charset" in attributes:
        codec = codec_of(_text(attributes[b"charset"]))
    elif attributes.get(b"http-equiv", b"").lower() == b"content-type":
        found = _CONTENT_CHARSET.search(attributes.get(b"content", b""))
        codec = codec_of(_text(b"".join(filter(None, found.groups())))) if found else None
    else:
        return None
    return _readable(codec) if codec else None


def _readable(codec: str) -> str:
    """The label was readable as ASCII, so it cannot be true of UTF-16."""
    return "utf-8" if codec.startswith("utf-16") else codec


def _end_of(pattern: re.Pattern[bytes], head: bytes, position: int) -> int:
    found = pattern.search(head, position)
    return found.end() if found else len(head)


def _text(label: bytes) -> str:
    return label.decode("latin-1")
