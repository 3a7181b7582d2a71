"""Recognises the page that a site shows for what is not there, when it comes with status 200.

A crawl asks once for a URL that cannot exist. Answers with the fingerprint of that answer are
"not found" too, whatever their status says (F-D10). Only such a comparison means anything:
two ordinary pages that differ in their numbers alone have one fingerprint as well.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from omni_pipeline.domain.crawl.rendering import script_evidence
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.html.parsing import content_text, one_line, parse_html
from omni_pipeline.domain.web.urls import canonical_url, url_parts
from omni_pipeline.errors import PermanentError

# The echo of a shorter piece of the URL could be any word of the page.
_MIN_ECHO = 4
_NUMBER_OR_ID = re.compile(
    r"(?<![a-z\d])(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|[a-z]*\d[a-z\d]*)(?![a-z\d])"
)
_TIME_WORD = re.compile(
    r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b|\b(?:am|pm|utc|gmt)\b"
    r"|\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_FEW_CHARACTERS = 600
_NOT_FOUND = re.compile(
    r"\b(?:404|410)\b|\bnot (?:be )?found\b|\bno longer (?:available|exists?|here)\b"
    r"|\b(?:does|do)(?:n['\u2019]t| not) exist\b"
    r"|\b(?:page|content) (?:is )?(?:missing|unavailable)\b"
    r"|\bnicht (?:gefunden|vorhanden|mehr verf\u00fcgbar)\b|\bexistiert nicht\b|\bintrouvable\b"
    r"|\bn['\u2019]existe (?:pas|plus)\b|\bno (?:se (?:ha )?)?encontrad[ao]|\bno existe\b"
    r"|\bnon (?:\u00e8 stat[ao] )?trovat[ao]|\bnon esiste\b|\bniet gevonden\b|\bbestaat niet\b"
    r"|\bn\u00e3o (?:foi )?encontrad[ao]|\bn\u00e3o existe\b|\bnie (?:została )?znaleziono?\b"
    r"|не найден|не существует|\bbulunamad\u0131|\bhittades inte\b|\bikke fundet\b|\bikke funnet\b"
    r"|見つかりません|存在しません|找不到|不存在|未找到|찾을 수 없|غير موجود",
    re.IGNORECASE,
)
_NO_LETTER = re.compile(r"[\W_]+")


def says_not_found(html: str) -> bool:
    """Whether a page says that what was asked for is not there.

    In its title, in its first heading, or as one of the few things that it says at all. Alone that
    proves nothing: there are articles about the error 404.
    """
    try:
        tree = parse_html(html)
    except PermanentError:
        return False
    heads = [one_line(node) for node in (tree.css_first("title"), tree.css_first("h1,h2")) if node]
    text = content_text(tree)
    said = [*heads, text] if len(text) <= _FEW_CHARACTERS else heads
    return any(_NOT_FOUND.search(words[:_FEW_CHARACTERS]) for words in said)


def probe_url(start_url: str, token: str) -> str:
    """A URL beside the start page that does not exist.

    Args:
        start_url: Canonical.
        token: Letters and digits that nobody could have named a page.
    """
    return canonical_url(f"omni-pipeline-{token}", start_url) or start_url


def fingerprint(html: str, url: str) -> str | None:
    """Name what a page says, less what differs between two URLs of one "not found" template.

    Left out are echoes of the URL, numbers, times and the texts of links, which may be
    suggestions.

    Returns:
        A hash, or None where nothing is left, or where scripts have yet to fill the page: every
        page of such a site looks the same as it is sent.
    """
    if script_evidence(html):
        return None
    try:
        tree = parse_html(html)
    except PermanentError:
        return None
    title = tree.css_first("title")
    for link in tree.css("a"):
        link.decompose()
    words = _lasting_words(f"{one_line(title) if title else ''} {content_text(tree)}", url)
    return text_hash(words).hex() if words else None


def _lasting_words(text: str, url: str) -> str:
    text = text.casefold()
    for echo in sorted(set(_echoes(url)), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(echo)}(?!\w)", " ", text)
    return _NO_LETTER.sub(" ", _TIME_WORD.sub(" ", _NUMBER_OR_ID.sub(" ", text))).strip()


def _echoes(url: str) -> Iterator[str]:
    """How a page may repeat its URL: whole, its path, its last segment, that one as words.

    Not the folders, nor a last segment that is a word: "contact" is what the page says anyway, and
    "products" what the shop's template says of any page.
    """
    target = url_parts(url).target
    path = target.partition("?")[0]
    last = path.rstrip("/").rpartition("/")[2]
    name = last.rpartition(".")[0] or last
    forms = [url, url.partition("://")[2], target, path]
    forms += [form for form in (path.strip("/"), last, name) if not form.isalpha()]
    if re.search(r"\d", name):
        forms.append(_NO_LETTER.sub(" ", unquote(name)))
    for form in forms:
        for echo in (form, unquote(form)):
            if len(echo) >= _MIN_ECHO:
                yield echo.casefold()
