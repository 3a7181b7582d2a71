"""Rows as frozen dataclasses: how every store module asks Postgres."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from psycopg import Connection, sql
from psycopg.rows import class_row

Row = TypeVar("Row")


def fetch_all(
    conn: Connection, query: bytes | sql.Composed, parameters: Mapping[str, object], row: type[Row]
) -> list[Row]:
    """All rows of ``query``, each as ``row(**columns)``."""
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def fetch_one(
    conn: Connection, query: bytes | sql.Composed, parameters: Mapping[str, object], row: type[Row]
) -> Row | None:
    """The first row of ``query``, or None."""
    with conn.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, parameters).fetchone()


def pick(query: bytes, row: type[Any]) -> sql.Composed:
    """``query`` with those of its columns alone that ``row`` has a field for.

    So a column is named once, by its field: the query selects all of its table. What is not picked
    is not read, and the order is the query's own, as nothing above it joins or groups.
    """
    return sql.SQL("SELECT {columns} FROM ({query}) AS found").format(
        columns=sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(row)),
        query=sql.SQL(query.decode()),
    )
