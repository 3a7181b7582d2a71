"""Prices as shops write them."""

import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.prices.lines import MAX_PRICE_LENGTH
from omni_pipeline.domain.prices.money import Price, PriceKind, parse_price

TABLE = Path(__file__).with_name("price_strings.txt")
ROWS = [line for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]


def shown(price: Price | None) -> dict[str, str]:
    """The price in the words of the table."""
    if price is None:
        return {"kind": "none"}
    tax = {None: None, True: "yes", False: "no"}[price.includes_tax]
    values = {
        "kind": price.kind,
        "amount": price.amount,
        "currency": price.currency,
        "regular": price.regular_amount,
        "most": price.max_amount,
        "unit": price.unit,
        "tax": tax,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def test_the_table_is_as_long_and_as_wide_as_promised() -> None:
    assert len(ROWS) >= 900
    assert len({row.split(";")[1] for row in ROWS}) >= 100


@pytest.mark.parametrize("row", ROWS)
def test_a_price_string_is_read_as_people_read_it(row: str) -> None:
    text, language, kind, *rest = row.split(";")
    amount, currency, more = (*rest, "", "", "")[:3]
    expected = {"kind": kind, "amount": amount, "currency": currency}
    expected |= dict(pair.split("=", 1) for pair in more.split(",") if pair)

    price = parse_price(text, language=language or None)

    assert shown(price) == {name: value for name, value in expected.items() if value}


@pytest.mark.parametrize(
    ("hint", "language", "default", "expected"),
    [
        ("CAD", "en-US", "AUD", "CAD"),
        (None, "en-NZ", "AUD", "NZD"),
        (None, "en", "AUD", "AUD"),
        (None, None, None, "USD"),
        ("EUR", "en", None, "USD"),
    ],
)
def test_a_shared_sign_is_settled_by_markup_then_language_then_configuration(
    hint: str | None, language: str | None, default: str | None, expected: str
) -> None:
    price = parse_price("$5", currency_hint=hint, language=language, default_currency=default)

    assert price is not None
    assert price.currency == expected


def test_kroner_without_a_country_have_no_currency_rather_than_a_wrong_one() -> None:
    price = parse_price("99 kr")

    assert price is not None
    assert (price.amount, price.currency) == (Decimal(99), None)


def test_the_raw_text_is_kept_on_one_line() -> None:
    price = parse_price("  19,90\n €  ")

    assert price is not None
    assert price.text == "19,90 €"


@pytest.mark.parametrize(
    "piece", ["1,", "€", "1 ", "12€", "was $1 ", " ", "a", "9", "1.1"], ids=repr
)
def test_a_mebibyte_costs_what_the_longest_price_costs(piece: str) -> None:
    def cpu_seconds(text: str) -> float:
        begun = time.process_time()
        parse_price(text)
        return time.process_time() - begun

    short = min(cpu_seconds(piece * (2 * MAX_PRICE_LENGTH)) for _ in range(3))

    assert min(cpu_seconds(piece * 2**20) for _ in range(3)) < 10 * short + 0.001


AMOUNTS = st.decimals(min_value="0.01", max_value=9_999_999, places=2)


def grouped(amount: Decimal, thousands: str, decimal: str) -> str:
    text = f"{amount:,.2f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


@pytest.mark.parametrize(
    ("thousands", "decimal", "pattern", "currency"),
    [
        (",", ".", "${}", "USD"),
        (".", ",", "{} €", "EUR"),
        (" ", ",", "{} zł", "PLN"),
        ("\u00a0", ",", "{} €", "EUR"),
        ("\u202f", ",", "{} €", "EUR"),
        ("’", ".", "CHF {}", "CHF"),
        ("", ".", "GBP {}", "GBP"),
        (".", ",", "R$ {}", "BRL"),
    ],
)
@given(amount=AMOUNTS)
def test_what_a_locale_formats_is_read_back(
    thousands: str, decimal: str, pattern: str, currency: str, amount: Decimal
) -> None:
    price = parse_price(pattern.format(grouped(amount, thousands, decimal)))

    assert price is not None
    assert (price.amount, price.currency) == (amount, currency)
    assert price.kind is PriceKind.EXACT


@given(st.text(max_size=2 * MAX_PRICE_LENGTH))
def test_any_text_is_read_without_an_error_and_never_below_nothing(text: str) -> None:
    price = parse_price(text)

    if price is not None and price.amount is not None:
        assert price.amount.is_finite()
        assert price.amount >= 0


@given(st.text(alphabet="0123456789.,'’ €$-–/%x", max_size=40))
def test_any_digits_and_marks_are_read_without_an_error(text: str) -> None:
    parse_price(text)
