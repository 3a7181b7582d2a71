"""Decides when two extractions speak of one product: today and in last year's price history."""

import re

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.products.model import Product

MAX_IDENTITY_LENGTH = 512
_NOT_IN_NUMBERS = re.compile(r"[\W_]+")


def identity_of(product: Product) -> str:
    """Return the key under which a domain keeps this product.

    The first rule that has what it needs decides:

    1. ``gtin:4006381333931``: the number that is the same in every shop. Its check digit was
       verified and numbers for use within one shop were refused (see ``gtins``).
    2. ``sku:BRAND:NUMBER``, in lower case without punctuation: "AB-12" and "ab 12" are one number.
       The brand stays empty where the page names none: within one domain a SKU alone tells.
    3. ``url:https://...``: the canonical URL.

    A page that gains a better number later gets another identity: the caller finds the product by
    ``identities_of`` and keeps its history.
    """
    return identities_of(product)[0]


def identities_of(product: Product) -> tuple[str, ...]:
    """All keys of the product, strongest first; the caller merges by the first that it knows.

    The URL of a list is nobody's key, as a list's own URL would join all that it lists.
    """
    keys = []
    if product.gtin:
        keys.append(f"gtin:{product.gtin.zfill(14)}")
    if product.sku and (number := _folded(product.sku)):
        keys.append(_bounded(f"sku:{_folded(product.brand or '')}:{number}"))
    keys.append(_bounded(f"url:{product.url}"))
    return tuple(keys)


def _folded(text: str) -> str:
    return _NOT_IN_NUMBERS.sub("", text.casefold())


def _bounded(key: str) -> str:
    """Longer keys would not fit an index row (F-D38); the hash keeps them apart."""
    if len(key) <= MAX_IDENTITY_LENGTH:
        return key
    return f"{key[: MAX_IDENTITY_LENGTH - 65]}:{text_hash(key).hex()}"
