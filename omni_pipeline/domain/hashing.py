"""Names content by what it says: SHA-256, the same that Postgres computes over the stored row."""

import hashlib


def text_hash(text: str) -> bytes:
    """Hash of the UTF-8 bytes: equals Postgres' ``sha256(convert_to(text, 'UTF8'))``.

    ``text`` must be storable (see ``hygiene``): a lone surrogate has no UTF-8 form, and raises
    ``UnicodeEncodeError`` here as it would on its way into the database.
    """
    return hashlib.sha256(text.encode()).digest()


def body_hash(body: bytes) -> bytes:
    """Hash of a response body as it came over the wire, before any decoding."""
    return hashlib.sha256(body).digest()
