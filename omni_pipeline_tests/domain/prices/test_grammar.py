"""What holds of all prices: of every locale, every currency, and whatever else a line says."""

import time
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, get_currency_precision, get_territory_currencies
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_pipeline.domain.prices import money
from omni_pipeline.domain.prices.currencies import (
    ISO_CODES,
    country_of_host,
    currency_of_language,
    origin_of,
    words,
)
from omni_pipeline.domain.prices.line_tokens import tokens_of
from omni_pipeline.domain.prices.mentions import find_mentions
from omni_pipeline.domain.prices.money import PriceKind, parse_price

# Toki Pona groups digits by hundreds.
LOCALES = [tag for tag in sorted(locale_identifiers()) if not tag.startswith("tok")]
# Languages of shops, of all families and scripts.
NAMED = sorted(
    words(
        """
    af ar az be bg bn bs ca cs da de el en es et eu fa fi fr gl gu he hi hr hu hy id is it ja
    ka kk km kn ko lt lv mk mn mr ms my nb ne nl pa pl pt ro ru si sk sl sq sr sv sw ta te tr
    uk ur vi zh
        """
    )
)
AMOUNTS = st.decimals(min_value="0.01", max_value=9_999_999, places=2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)))


def own_currency(locale: str) -> str:
    return currency_of_language(locale) or "EUR"


def test_every_locale_is_read_as_it_is_written() -> None:
    wrong = []
    for locale, amount in product(LOCALES, map(Decimal, ("0.99", "7", "1234.5", "1234567.89"))):
        currency = own_currency(locale)
        shown = format_currency(rounded(amount, currency), currency, locale=locale)
        price = parse_price(shown, language=locale)
        # Cape Verde's sign is a space of no width.
        read = price and (price.amount, "CVE" if currency == "CVE" else price.currency)
        if read != (rounded(amount, currency), currency):
            wrong.append((locale, shown, read))

    assert wrong == []


@settings(deadline=None, max_examples=300)
@given(locale=st.sampled_from(LOCALES), amount=AMOUNTS, currency=st.sampled_from(sorted(ISO_CODES)))
def test_a_foreign_currency_is_read_in_every_locale_by_its_code(
    locale: str, amount: Decimal, currency: str
) -> None:
    known = Locale.parse(locale)
    shown = format_currency(rounded(amount, currency), currency, locale=locale)
    shown = shown.replace(known.currency_symbols.get(currency, currency), currency)

    price = parse_price(shown, language=locale)

    assert price is not None
    assert (price.amount, price.currency) == (rounded(amount, currency), currency)


@pytest.mark.parametrize("language", NAMED)
def test_currencies_are_known_by_their_names_in_the_language_of_the_page(language: str) -> None:
    for currency in ("USD", "EUR", "JPY", "CHF", "PLN", own_currency(language)):
        amount = rounded(Decimal("1234.50"), currency)
        shown = format_currency(amount, currency, locale=language, format_type="name")
        price = parse_price(shown, language=language)

        assert price is not None, shown
        assert (price.amount, price.currency) == (amount, currency), shown


@pytest.mark.parametrize("currency", sorted(ISO_CODES))
def test_every_code_of_iso_4217_is_known_before_and_behind_an_amount(currency: str) -> None:
    for pattern in ("{} 1299.00", "1299.00 {}", "{}1299.00", "Total: {} 1299.00"):
        price = parse_price(pattern.format(currency))

        assert price is not None
        assert (price.amount, price.currency) == (Decimal("1299.00"), currency)


def test_every_country_has_the_currency_that_is_paid_with_there() -> None:
    for country in get_global("territory_currencies"):
        current = get_territory_currencies(country, start_date=date(2026, 11, 1))
        if (
            current
            and len(country) == len("DE")
            and country not in ("DG", "EA", "IC", "TA", "BT", "CQ")
        ):
            assert currency_of_language(f"und-{country}") == current[0], country


BEFORE = (
    *("Model {}", "Pack of {}", "No. {}", "{} pcs", "{} GB", "{} x", "Phone {}", "VM-{}", "#{}"),
    *("Item no. {}:", "{}%", "({})", "{}-pack", "Set {}", "{} mm", "Ø{}"),
)
BEHIND = (
    *("{} pcs", "({} reviews)", "{} g", "Model {}", "#{}", "{} ml", "- article {}", "{} Stück"),
    *("{} %", "/ Model {}", "x {}", "({} in stock)"),
)
PRICES = (
    ("${:,.2f}", "en"),
    ("£{:.2f}", "en-GB"),
    ("CHF {:.2f}", "de-CH"),
    ("{:.2f} USD", "en"),
    ("{:,.2f} €", "de"),
)


@settings(deadline=None, max_examples=1_000)
@given(
    amount=AMOUNTS.filter(lambda amount: amount > 1),
    price=st.sampled_from(PRICES),
    before=st.sampled_from(BEFORE),
    behind=st.sampled_from(BEHIND),
    number=st.integers(1, 99_999),
)
def test_a_number_anywhere_else_on_the_line_never_changes_the_amount(
    amount: Decimal, price: tuple[str, str], before: str, behind: str, number: int
) -> None:
    pattern, language = price
    alone = pattern.format(amount)
    if language == "de":
        alone = alone.translate(str.maketrans(",.", ".,"))

    for line in (
        f"{before.format(number)} {alone}",
        f"{alone} {behind.format(number)}",
        f"{before.format(number)} {alone} {behind.format(number)}",
    ):
        read = parse_price(line, language=language)

        assert read is not None, line
        assert read.amount == amount, line


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("$5", "AU", "AUD"),
        ("$5", "MX", "MXN"),
        ("5 kr", "SE", "SEK"),
        ("5 kr", "DK", "DKK"),
        ("¥128", "CN", "CNY"),
        ("¥128", "JP", "JPY"),
        ("£5", "EG", "EGP"),
        ("£5", "DE", "GBP"),
        ("Rs 5", "LK", "LKR"),
        ("5 km", "BA", "BAM"),
    ],
)
def test_the_country_of_the_page_settles_a_sign_that_several_countries_have(
    text: str, country: str, expected: str
) -> None:
    price = parse_price(text, country=country, language="en-US")

    assert price is not None
    assert price.currency == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example.com.au", "AU"),
        ("example.se.", "SE"),
        ("example.co.uk", "UK"),
        ("example.com", None),
        ("example.io", None),
        ("example.eu", None),
        ("localhost", None),
    ],
)
def test_a_domain_of_a_country_names_it(host: str, expected: str | None) -> None:
    assert country_of_host(host) == expected


SIGNS = (
    "",
    "€",
    "$",
    "US$",
    "kr",
    "Kč",
    "zł",
    "C$",
    "лв.",
    "Rs.",
    "¥",
    "円",
    "%",
    "x",
    "p",
    "km",
    "CAD",
)
NUMBERS = ("5", "12.50", "1,299", "1 299,50", ".99", "1.234.567", "1.2.3", "12,345")


@pytest.mark.parametrize("language", [None, "en", "de", "sv", "zh"])
def test_plain_prices_are_read_as_all_others(
    language: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"{before}{gap}{number}{gap}{after}".strip()
        for before, number, after, gap in product(SIGNS, NUMBERS, SIGNS, ("", " "))
    ]
    quick = [parse_price(line, language=language) for line in lines]
    monkeypatch.setattr(money, "_plain_price", lambda *_: None)

    assert quick == [parse_price(line, language=language) for line in lines]


GROWING = (
    *(
        "1 ",
        "1,",
        "1.1",
        "€",
        "12€",
        "€1 ",
        "1 111 ",
        "$1 CAD ",
        "a",
        "a1",
        "a.",
        "- ",
        "/kg ",
        "税込",
    ),
    *(
        "was $1 ",
        "1€-",
        "per 1 ",
        "New ",
        "1:",
        "5 x ",
        "'1",
        "ab € 1 / kg ",
        "1 US ",
        "US dollars ",
    ),
)


def cpu_seconds(line: str) -> float:
    origin = origin_of(None, None, "en", None)

    def once() -> float:
        begun = time.process_time()
        find_mentions(line, tokens_of(line, origin), origin, language="en")
        return time.process_time() - begun

    return min(once() for _ in range(3))


@pytest.mark.parametrize("piece", GROWING)
def test_a_line_of_eight_times_the_length_takes_no_more_than_in_proportion(piece: str) -> None:
    length = 1_000 // len(piece)

    # Quadratic growth would take 64 times as long.
    assert cpu_seconds(piece * 8 * length) < 24 * cpu_seconds(piece * length) + 0.001


def test_old_prices_and_prices_of_another_currency_are_no_regular_price() -> None:
    price = parse_price("was $20 now 15 €")

    assert price is not None
    assert (price.kind, price.amount, price.regular_amount) == (PriceKind.EXACT, Decimal(15), None)
