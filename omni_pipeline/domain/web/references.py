"""References as they stand in pages, read as browsers read them, and then as strictly as any URL.

Browsers repair much. Repaired is here what cannot make two parsers see two hosts: line breaks and
tabs are taken out, and a backslash is a slash in the path of a relative reference. Queries are sent
in the charset of their page (WHATWG URL, 4.4 and 5.2).
"""

import re
from urllib.parse import quote

from omni_pipeline.domain.web.urls import canonical_url

_LINE_BREAK = re.compile(r"[\t\r\n]")
_ODD = re.compile(r"[\t\r\n\\\x80-\U0010ffff]")
_SCHEME_OR_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2}")
_QUERY = re.compile(r"\?[^#]*")


def referenced_url(reference: str, base: str, *, charset: str = "utf-8") -> str | None:
    """The canonical URL that a page's reference names, or None when it is not one to fetch.

    Args:
        reference: An ``href``, ``src`` or the like, as written.
        base: Canonical.
        charset: The Python codec that the page was read with.
    """
    if not _ODD.search(reference):  # most of them, and there are many
        return canonical_url(reference, base)
    text = reference.strip(" \t\r\n\f")
    if _LINE_BREAK.search(text):
        text = _LINE_BREAK.sub("", text)
    if "\\" in text and not _SCHEME_OR_HOST.match(text):
        path, mark, rest = text.partition("?")
        text = path.replace("\\", "/") + mark + rest
    if charset != "utf-8" and not text.isascii():
        text = _QUERY.sub(lambda query: _in_charset(query[0], charset), text, count=1)
    return canonical_url(text, base)


def _in_charset(query: str, charset: str) -> str:
    """The query with its letters as that charset's bytes; UTF-16 is sent as UTF-8."""
    if charset.startswith("utf-16"):
        return query
    return "".join(
        letter if letter.isascii() else quote(letter.encode(charset, "xmlcharrefreplace"), safe="")
        for letter in query
    )
