"""Digits and separators, without words (B7)."""

from decimal import Decimal

import pytest

from omni_pipeline.domain.prices.amounts import read_amount, read_machine_amount


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("19.9", None, "19.90"),
        ("12.9900", None, "12.99"),
        ("1299", None, "1299"),
        ("0", None, "0"),
        ("1.299", "EUR", "1.299"),
        ("249.990", "CLP", None),
        ("1,299.00", None, None),
        ("1.299,00", None, None),
        ("12 345", None, None),
        ("NaN", None, None),
        ("1e9", None, None),
        ("-5", None, None),
        ("9" * 5_000, None, None),
    ],
)
def test_markup_is_read_as_a_number_only_where_it_is_one(
    text: str, currency: str | None, expected: str | None
) -> None:
    amount = read_machine_amount(text, currency=currency)

    assert amount == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "currency", "language", "expected"),
    [
        ("12.500", "KWD", "en", "12.5"),
        ("12,500", "KWD", "en", "12500"),
        ("12,500", "TND", "fr", "12.5"),
        ("1,2,3", None, None, None),
        ("1.2.3", None, None, None),
        ("12.34.567", None, None, None),
        ("1.234,567.89", None, None, None),
    ],
)
def test_one_mark_before_three_digits_depends_on_the_currency(
    text: str, currency: str | None, language: str | None, expected: str | None
) -> None:
    amount = read_amount(text, currency=currency, language=language)

    assert amount == (None if expected is None else Decimal(expected))
