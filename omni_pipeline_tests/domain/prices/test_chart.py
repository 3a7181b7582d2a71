"""The chart of prices: steps in percent, and nothing in it but numbers."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

from omni_pipeline.domain.prices.chart import MAX_LINES, PricePoint, draw_prices


def point(product_id: int, day: int, amount: str) -> PricePoint:
    observed_at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    return PricePoint(product_id=product_id, observed_at=observed_at, price_amount=Decimal(amount))


def texts(drawing: str) -> list[str]:
    root = ET.fromstring(drawing)
    return [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_prices_are_steps_in_percent_of_the_first() -> None:
    drawing = draw_prices(
        [point(7, 0, "20"), point(7, 10, "15"), point(9, 5, "3"), point(9, 6, "6")]
    )
    assert drawing is not None
    assert texts(drawing) == [
        "75 %",
        "100 %",
        "200 %",
        "2026-01-01",
        "2026-01-11",
        "product 7: 75 %",
        "product 9: 200 %",
    ]
    paths = re.findall(r'd="M([^"]+)"', drawing)
    assert [re.sub(r"[\d.]+", "#", path) for path in paths] == ["# #H#V#H#", "# #H#V#H#"]


def test_what_never_changed_is_not_drawn() -> None:
    assert draw_prices([]) is None
    assert draw_prices([point(1, 0, "5"), point(1, 3, "5.00"), point(2, 0, "7")]) is None


def test_one_moment_is_drawn_without_a_division_by_zero() -> None:
    assert draw_prices([point(1, 0, "5"), point(1, 0, "6")])


def test_there_are_as_many_lines_as_colours() -> None:
    many = [point(number, day, str(5 + day)) for number in range(20) for day in range(2)]
    drawing = draw_prices(many)
    assert drawing is not None
    assert drawing.count("<path") == MAX_LINES
