"""Rows as dataclasses."""

from dataclasses import dataclass

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.store.postgres.rows import fetch_all, fetch_one, pick


@dataclass(frozen=True, kw_only=True)
class Pair:
    number: int
    double: int


NUMBERS = b"""SELECT n AS number, 2 * n AS double, 1 / (n - n) AS unread
FROM generate_series(1, 5) AS n WHERE n <> %(without)s ORDER BY n DESC LIMIT 3"""


def test_what_has_no_field_is_not_read_and_the_order_stays(conn: Connection) -> None:
    """The column that is left out would fail if it were computed."""
    found = fetch_all(conn, pick(NUMBERS, Pair), {"without": 4}, Pair)
    assert [(pair.number, pair.double) for pair in found] == [(5, 10), (3, 6), (2, 4)]


def test_a_field_that_the_query_lacks_is_an_error_and_never_a_default(conn: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn, match="double"):
        fetch_one(conn, pick(b"SELECT 1 AS number", Pair), {}, Pair)
