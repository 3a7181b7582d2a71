"""Asks schema.org items, however a page embedded them, for texts and for objects."""

import html
import re
from collections.abc import Iterator
from typing import Any

from omni_pipeline.domain.html.json_ld import walk

Item = dict[str, Any]

MAX_VALUE_LENGTH = 500
MAX_REFERENCES = 10_000

_NAMING_KEYS = ("name", "value", "@value", "url", "contentUrl")
_VOCABULARY = re.compile(r".*[/#:]", re.DOTALL)
# What is said of a product by reference. Pages, lists and reviews are not: whatever they lead to
# would look as if it stood in them.
_REFERRING = (
    *("offers", "hasVariant", "isVariantOf", "brand", "manufacturer", "priceSpecification"),
    *("itemOffered", "image", "logo", "address", "eligibleQuantity", "referenceQuantity"),
)


def types_of(item: Item) -> set[str]:
    """The types of an item in lower case, without their vocabulary."""
    found = item.get("@type") or item.get("type") or ()
    return {kind_of(str(name)) for name in (found if isinstance(found, list) else [found])}


def kind_of(name: str) -> str:
    """A name of a vocabulary in lower case: ``https://schema.org/InStock`` is ``instock``."""
    return _VOCABULARY.sub("", name[:MAX_VALUE_LENGTH].rstrip("/")).lower()


def text_of(item: Item, *keys: str) -> str | None:
    """The first value with text under one of the keys; of an object its name, value or URL."""
    for key in keys:
        for value in values_of(item, key):
            named = _naming_text(value) if isinstance(value, dict) else value
            if text := _clean(named):
                return text
    return None


def terms_of(item: Item, key: str) -> set[str]:
    """Members of enumerations, which JSON-LD also writes as ``{"@id": "schema:InStock"}``."""
    named = (
        value.get("@id") or _naming_text(value) if isinstance(value, dict) else value
        for value in values_of(item, key)
    )
    return {kind_of(text) for text in named if isinstance(text, str) and text}


def values_of(item: Item, key: str) -> list[Any]:
    value = item.get(key)
    return value if isinstance(value, list) else [value]


def objects_of(item: Item, *keys: str) -> Iterator[Item]:
    for key in keys:
        for value in values_of(item, key):
            if isinstance(value, dict):
                yield value


def link_references(blocks: list[Any]) -> None:
    """Put in place of each ``{"@id": ...}`` about a product the object that has this id.

    Objects of one id in several blocks are one: what the first lacks is taken from the others.
    """
    known: dict[str, Item] = {}
    referring: list[Item] = []
    for number, item in enumerate(walk(blocks)):
        if number >= MAX_REFERENCES:
            break
        reference = item.get("@id")
        if isinstance(reference, str) and not _is_reference(item):
            known.setdefault(reference, item)
            if known[reference] is not item:
                for key, value in item.items():
                    known[reference].setdefault(key, value)
        referring.append(item)
    if known:
        for item in referring:
            for key in item.keys() & set(_REFERRING):
                item[key] = [_linked(value, known) for value in values_of(item, key)]


def _linked(value: Any, known: dict[str, Item]) -> Any:
    reference = value.get("@id") if isinstance(value, dict) else value
    if not isinstance(reference, str) or (isinstance(value, dict) and not _is_reference(value)):
        return value
    return known.get(reference, value)


def _is_reference(item: Item) -> bool:
    return item.keys() <= {"@id", "@type", "@context"}


def _naming_text(item: Item) -> str | None:
    """One level only: objects within objects may be nested as deep as somebody likes."""
    values = (value for key in _NAMING_KEYS for value in values_of(item, key))
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def _clean(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join(html.unescape(value[: 4 * MAX_VALUE_LENGTH]).split())
    return text[:MAX_VALUE_LENGTH] or None
