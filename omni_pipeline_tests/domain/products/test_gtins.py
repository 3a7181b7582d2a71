"""Numbers that are the same in every shop (B7)."""

import pytest

from omni_pipeline.domain.products.gtins import normalize_gtin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4006381333931", "4006381333931"),
        ("4006-381-33393 1", "4006381333931"),
        ("099482467999", "0099482467999"),
        ("00099482467999", "0099482467999"),
        ("96385074", "96385074"),
        ("0306406152", "9780306406157"),
        ("0-306-40615-2", "9780306406157"),
        ("155404295X", "9781554042951"),
        ("14006381333938", "14006381333938"),
    ],
)
def test_one_product_has_one_number(text: str, expected: str) -> None:
    assert normalize_gtin(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "4006381333932",
        "0000000000000",
        "2000000043333",
        "123",
        "",
        None,
        "4006381333931a",
        "١" * 13,
    ],
)
def test_what_is_no_number_of_the_world_is_refused(text: str | None) -> None:
    assert normalize_gtin(text) is None
