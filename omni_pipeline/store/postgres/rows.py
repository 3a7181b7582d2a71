"""Rows as frozen dataclasses: how every store module asks Postgres."""

from collections.abc import Mapping
from typing import TypeVar

from psycopg import Connection
from psycopg.rows import class_row

Row = TypeVar("Row")


def fetch_all(
    conn: Connection, query: bytes, parameters: Mapping[str, object], row: type[Row]
) -> list[Row]:
    """All rows of ``query``, each as ``row(**columns)``."""
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def fetch_one(
    conn: Connection, query: bytes, parameters: Mapping[str, object], row: type[Row]
) -> Row | None:
    """The first row of ``query``, or None."""
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, parameters).fetchone()
