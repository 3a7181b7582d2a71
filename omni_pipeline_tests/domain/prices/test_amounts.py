"""Digits and separators, without words."""

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
        ("1.234", "GBP", "en-GB", "1.234"),
        ("1.234", "EUR", "en", "1234"),
        ("1.234", "EUR", "en-IE", "1.234"),
        ("1.234", "EUR", "de", "1234"),
        ("12,345", "EUR", "de", "12.345"),
        ("12,345", "USD", "de", "12345"),
        ("12,345", "HUF", "hu", "12345"),
        ("12,345", "KZT", "kk", "12345"),
        ("12,345", "EUR", None, "12345"),
        ("12,345", None, "de", "12345"),
        ("12,345,678", "EUR", "de", "12345678"),
        (".99", None, None, "0.99"),
        (",5", None, None, "0.50"),
        ("1.87500", "USD", "en", "1.875"),
    ],
)
def test_one_mark_before_three_digits_depends_on_the_currency_and_the_language(
    text: str, currency: str | None, language: str | None, expected: str | None
) -> None:
    amount = read_amount(text, currency=currency, language=language)

    assert amount == (None if expected is None else Decimal(expected))
