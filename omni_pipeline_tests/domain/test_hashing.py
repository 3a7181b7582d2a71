"""Hashes that Postgres computes as well."""

import hashlib

import pytest
from psycopg import Connection

from omni_pipeline.domain.hashing import body_hash, text_hash

TEXTS = ["", "Größe", "日本語\n\tverbatim  ", "👩\u200d👧 family", "\U0001f600" * 100, "\uffff"]


def test_a_text_is_hashed_as_postgres_does(connection: Connection) -> None:
    query = "SELECT sha256(convert_to(text, 'UTF8')) FROM unnest(%s::text[]) AS text"
    hashes = [row[0] for row in connection.execute(query, (TEXTS,)).fetchall()]

    assert hashes == [text_hash(text) for text in TEXTS]


def test_a_body_is_hashed_as_it_came() -> None:
    assert body_hash(b"\xff\x00") == hashlib.sha256(b"\xff\x00").digest()
    assert body_hash("é".encode("cp1252")) != body_hash("é".encode())


def test_what_postgres_cannot_store_has_no_hash() -> None:
    with pytest.raises(UnicodeEncodeError):
        text_hash("\ud800")
