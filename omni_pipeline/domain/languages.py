"""Says in which language a page is written: as declared, else as its text shows.

Detection is by py3langid (naive Bayes over bytes, 97 languages, 4 MB, no network). A declaration is
overruled only when both halves of a long text show the same other language almost surely: templates
say ``en`` on pages of every language.
"""

import io
import lzma
import re
from array import array
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
from selectolax.lexbor import LexborHTMLParser

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_CODE = re.compile(
    r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1|\Z)|`[^`\n]+`|\$[^$\n]+\$|https?://\S+",
    re.MULTILINE | re.DOTALL,
)
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_META = (
    "meta[http-equiv='content-language' i]",
    "meta[name='content-language' i]",
    "meta[name=language i]",
    "meta[property='og:locale']",
)

_MAX_READ = 4_000
_MIN_LETTERS = 30
_MIN_LETTERS_TO_OVERRULE = 400
_SURE = 0.9
_ALMOST_SURE = 0.999
# What holds this share of a page's text speaks for the page.
_MIN_SHARE = 0.5

# Kinds of one written language, which a count of bytes cannot always tell apart.
_ALIKE = (
    frozenset(("zh", "wuu", "yue", "gan", "lzh")),
    frozenset(("no", "nb", "nn", "da")),
    frozenset(("hr", "sr", "bs", "sh", "sl", "mk")),
    frozenset(("id", "ms", "jv")),
    frozenset(("pt", "gl", "es", "ca", "oc", "an")),
    frozenset(("cs", "sk")),
    frozenset(("hi", "mr", "ne", "sa")),
    frozenset(("ru", "uk", "be", "bg")),
    frozenset(("af", "nl", "fy", "li", "lb")),
    frozenset(("fa", "ps", "ur")),
    frozenset(("tr", "az", "kk", "ky")),
)
_USUAL = {"wuu": "zh", "yue": "zh", "nb": "no"}


def declared_language(tree: LexborHTMLParser) -> str | None:
    """The language tag that an unpruned page declares, at whatever level."""
    for selector in ("html", "body"):
        if (node := tree.css_first(selector)) is not None:
            attributes = node.attributes
            if tag := _tag(attributes.get("lang") or attributes.get("xml:lang")):
                return tag
    if (of_most := _of_most_text(tree)) is not None:
        return of_most
    for selector in _META:
        node = tree.css_first(selector)
        if node is not None and (tag := _tag(node.attributes.get("content"))):
            return tag
    return None


def language_of(text: str, declared: str | None) -> str | None:
    """The language tag of a text: the declared one, where nothing speaks against it."""
    words = _NOT_LETTERS.sub(" ", _CODE.sub(" ", text[: 4 * _MAX_READ]))[:_MAX_READ].strip()
    if len(words) < _MIN_LETTERS:
        return declared
    if declared is None:
        language, sureness = _detect(words)
        return _USUAL.get(language, language) if sureness >= _SURE else None
    if len(words) < _MIN_LETTERS_TO_OVERRULE:
        return declared
    shown = _shown_by_both_halves(words)
    if shown is None or _is_alike(shown, declared):
        return declared
    return _USUAL.get(shown, shown)


def _shown_by_both_halves(words: str) -> str | None:
    half = len(words) // 2
    one, other = _detect(words[:half]), _detect(words[half:])
    is_sure = min(one[1], other[1]) >= _ALMOST_SURE
    return one[0] if is_sure and one[0] == other[0] else None


def _is_alike(language: str, declared: str) -> bool:
    base = declared.lower().partition("-")[0]
    return language == base or any(language in kin and base in kin for kin in _ALIKE)


def _of_most_text(tree: LexborHTMLParser) -> str | None:
    body = tree.body
    parts = body.css("[lang]")[:200] if body is not None else []
    if body is None or not parts:
        return None
    limit = _MIN_SHARE * len(body.text(strip=True))
    for part in parts:
        if len(part.text(strip=True)) >= limit and (tag := _tag(part.attributes.get("lang"))):
            return tag
    return None


def _tag(value: str | None) -> str | None:
    tag = (value or "").strip().replace("_", "-")
    return tag if _TAG.fullmatch(tag) else None


def _detect(words: str) -> tuple[str, float]:
    language, sureness = _identifier().classify(words)
    return str(language), float(sureness)


@cache
def _identifier() -> LanguageIdentifier:
    """The model of the library, unpacked in memory.

    The library's own way unpacks it into a temporary file, for which there may be no room.
    """
    packed = (MODEL_DIR / MODEL_FILE).read_bytes()
    with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as model:
        return LanguageIdentifier(
            model["ptc"],
            model["pc"],
            model["classes"].tolist(),
            _unsigned(model["nextmove"]),
            model["out_feat"].tolist(),
            norm_probs=True,
            tk_row=_unsigned(model["nextmove_row"]),
        )


def _unsigned(numbers: NDArray[Any]) -> "array[int]":
    """As an array of the standard library, from which single numbers are read faster."""
    code = {2: "H", 4: "I", 8: "L"}[numbers.dtype.itemsize]
    return array(code, np.ascontiguousarray(numbers).tobytes())
