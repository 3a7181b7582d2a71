"""When two extractions are one product (R-B7)."""

from typing import Any

import pytest

from omni_pipeline.domain.products.identity import MAX_IDENTITY_LENGTH, identities_of, identity_of
from omni_pipeline.domain.products.model import PageKind, Product

URL = "https://shop.example.com/p/1"


def product(**values: Any) -> Product:
    return Product(**{"url": URL, "page_kind": PageKind.DETAIL} | values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gtin": "4006381333931", "sku": "A-1"}, "gtin:04006381333931"),
        ({"sku": "AB-12", "brand": "Acme"}, "sku:acme:ab12"),
        ({"sku": "ab 12", "brand": "ACME"}, "sku:acme:ab12"),
        ({"sku": "AB-12"}, "sku::ab12"),
        ({"sku": "--"}, f"url:{URL}"),
        ({}, f"url:{URL}"),
    ],
)
def test_the_strongest_number_names_the_product(values: dict[str, Any], expected: str) -> None:
    assert identity_of(product(**values)) == expected


def test_all_keys_are_known_so_that_a_better_number_keeps_the_history() -> None:
    before, after = product(sku="A-1"), product(sku="A-1", gtin="4006381333931")

    assert identity_of(before) in identities_of(after)


def test_a_key_fits_an_index_row_and_long_ones_stay_apart() -> None:
    """F-D38."""
    one, other = (identity_of(product(sku="x" * 5_000 + end)) for end in "ab")

    assert len(one) <= MAX_IDENTITY_LENGTH
    assert one != other
