"""Servers say in two ways how long to stay away (R-A15, F-C2)."""

from datetime import UTC, datetime

import pytest

from omni_pipeline.domain.web.retry_after import retry_after_seconds

NOW = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("Sun, 22 Nov 2026 02:01:30 GMT", 90.0),
        ("Sun, 22 Nov 2026 02:01:30 -0000", 90.0),
        ("Sun, 22 Nov 2026 03:01:30 +0100", 90.0),
        ("Sat, 21 Nov 2026 02:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2093 02:00:00 GMT", 86_400.0),
    ],
)
def test_seconds_and_dates_are_understood(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "-1", "soon", "nan", "inf", "1e9", "٣", "12 34"])
def test_anything_else_is_no_wish(value: str | None) -> None:
    assert retry_after_seconds(value, now=NOW) is None
