"""Draws how prices moved as an SVG of numbers only: no text of a page is in it (S-57)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 150, 16, 30
_COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#9b2c2c", "#6b46c1", "#4a5568")

MAX_LINES = len(_COLOURS)


@dataclass(frozen=True, kw_only=True)
class PricePoint:
    product_id: int
    observed_at: datetime
    price_amount: Decimal


@dataclass(frozen=True)
class _Scale:
    """Maps moments and percents to places in the drawing."""

    start: float
    end: float
    low: float
    high: float

    def x(self, moment: float) -> float:
        share = (moment - self.start) / (self.end - self.start or 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, percent: float) -> float:
        share = (percent - self.low) / (self.high - self.low or 1.0)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def draw_prices(points: Sequence[PricePoint]) -> str | None:
    """Steps of a few products' prices, each in percent of its first; None without a change.

    Args:
        points: By product and time; of one product in one currency, amounts above 0.
    """
    lines = _lines(points)
    if not any(len({percent for _, percent in line}) > 1 for line in lines.values()):
        return None
    percents = [percent for line in lines.values() for _, percent in line]
    moments = [moment for line in lines.values() for moment, _ in line]
    scale = _Scale(min(moments), max(moments), min(percents), max(percents))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
        f"{_axes(scale)}{_drawn(lines, scale)}</svg>"
    )


def _lines(points: Sequence[PricePoint]) -> dict[int, list[tuple[float, float]]]:
    """By product: moments, and percents of its first price."""
    first: dict[int, Decimal] = {}
    lines: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        base = first.setdefault(point.product_id, point.price_amount)
        percent = float(point.price_amount / base * 100)
        moment = point.observed_at.timestamp()
        lines.setdefault(point.product_id, []).append((moment, percent))
    return dict(list(lines.items())[:MAX_LINES])


def _axes(scale: _Scale) -> str:
    levels = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{percent:.0f} %</text>'
        for percent in sorted({scale.low, 100.0, scale.high})
        for y in [scale.y(percent)]
    )
    return levels + "".join(
        f'<text x="{scale.x(moment)}" y="{_HEIGHT - 10}" text-anchor="{anchor}">'
        f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}</text>"
        for moment, anchor in ((scale.start, "start"), (scale.end, "end"))
    )


def _drawn(lines: dict[int, list[tuple[float, float]]], scale: _Scale) -> str:
    drawn = ""
    for row, (product_id, line) in enumerate(lines.items()):
        colour = _COLOURS[row]
        path = f"M{scale.x(line[0][0])} {scale.y(line[0][1])}" + "".join(
            f"H{scale.x(moment)}V{scale.y(percent)}" for moment, percent in line[1:]
        )
        drawn += (
            f'<path d="{path}H{scale.x(scale.end)}" fill="none" stroke="{colour}" '
            'stroke-width="2"/>'
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{_TOP + 16 * (row + 1)}" fill="{colour}">'
            f"product {product_id}: {line[-1][1]:.0f} %</text>"
        )
    return drawn
