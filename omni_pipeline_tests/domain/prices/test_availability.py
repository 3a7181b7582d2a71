"""Availability in schema.org's names (R-B6)."""

import time

import pytest

from omni_pipeline.domain.prices.availability import (
    Availability,
    availability_in_text,
    read_availability,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://schema.org/InStock", "in_stock"),
        ("http://schema.org/OutOfStock", "out_of_stock"),
        ("schema:PreOrder", "pre_order"),
        ("InStock", "in_stock"),
        ("instock", "in_stock"),
        ("in stock", "in_stock"),
        ("oos", "out_of_stock"),
        ("https://schema.org/BackOrder/", "back_order"),
        ("LimitedAvailability", "limited_availability"),
        ("SoldOut", "sold_out"),
        ("Discontinued", "discontinued"),
        ("available for order", "back_order"),
        ("Auf Lager", "in_stock"),
        ("", None),
        (None, None),
    ],
)
def test_values_of_markup(value: str | None, expected: str | None) -> None:
    assert read_availability(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In stock.", "in_stock"),
        ("Only 3 left", "in_stock"),
        ("3 left in stock", "in_stock"),
        ("Not in stock", "out_of_stock"),
        ("Currently unavailable.", "out_of_stock"),
        ("Sofort lieferbar", "in_stock"),
        ("Derzeit nicht verfügbar.", "out_of_stock"),
        ("Nicht auf Lager", "out_of_stock"),
        ("Ausverkauft", "sold_out"),
        ("Actuellement indisponible.", "out_of_stock"),
        ("En stock", "in_stock"),
        ("Rupture de stock", "out_of_stock"),
        ("Disponibile", "in_stock"),
        ("Attualmente non disponibile", "out_of_stock"),
        ("Agotado", "sold_out"),
        ("Sin stock", "out_of_stock"),
        ("Op voorraad", "in_stock"),
        ("Na zalogi", "in_stock"),
        ("Ni na zalogi", "out_of_stock"),
        ("Skladem > 5 ks", "in_stock"),
        ("Není skladem", "out_of_stock"),
        ("Dostępny", "in_stock"),
        ("Produkt niedostępny", "out_of_stock"),
        ("В наличии", "in_stock"),
        ("Нет в наличии", "out_of_stock"),
        ("Finns i lager", "in_stock"),
        ("Ej i lager", "out_of_stock"),
        ("在庫あり", "in_stock"),
        ("품절", "sold_out"),
        ("缺貨", "out_of_stock"),
        ("غير متوفر", "out_of_stock"),
        ("Pre-order now", "pre_order"),
        ("Vorbestellen", "pre_order"),
        ("Nicht mehr lieferbar", "discontinued"),
        ("A drill for walls", None),
    ],
)
def test_what_pages_tell_people(text: str, expected: str | None) -> None:
    assert availability_in_text(text) == expected


def test_only_what_can_be_bought_can_be_bought() -> None:
    assert Availability.PRE_ORDER.can_be_embedded
    assert not Availability.SOLD_OUT.can_be_embedded


def test_a_mebibyte_of_text_is_read_within_100_ms() -> None:
    """S-49."""
    begun = time.process_time()
    availability_in_text("not in " * 150_000)

    assert time.process_time() - begun < 0.1
