"""Finds what a page says about the stock of its product, and how much speaks for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.availability import (
    Availability,
    availability_in_text,
    availability_of_note,
)
from omni_pipeline.domain.products.shown.dom_signs import STOCKED, is_elsewhere

MAX_ELEMENTS = 400
MAX_NOTES = 400
_MAX_STOCK_TEXT = 200
_SHORT_TEXT = 60
_SHORT_BONUS = 0.2
_REACH = 300
_NOTE_REACH = 100
_MIN_POINTS = 0.15
_NOTE_POINTS = 0.8
# Where one of several ways to buy is named, not the product.
_CHOICES = frozenset({"option", "label", "select", "li", "title"})


@dataclass(frozen=True, kw_only=True)
class ShownStock:
    """``points``: between 0.15 and 1.2, the nearer to heading or button the more."""

    availability: Availability
    points: float
    found: str


def shown_stock(page: ParsedPage, heading: int | None, buy: int | None) -> ShownStock | None:
    """The statement nearest to the heading or the button that buys, or None.

    An element that is called after stock may say it in a sentence; any other only in a note.

    Args:
        page: The parsed page.
        heading: Where the product's heading stands.
        buy: Where the button that buys stands.
    """
    start = heading or 0
    near = (start, start if buy is None else buy)
    best: ShownStock | None = None
    for node, stock, limit, reach in (*_named(page, start), *_notes(page, heading)):
        distance = min(abs(page.place(node) - place) for place in near)
        text = text_of_node(node)
        points = limit * exp(-distance / reach)
        points += _SHORT_BONUS * (len(text) <= _SHORT_TEXT)
        if best is None or points > best.points:
            best = ShownStock(availability=stock, points=points, found=text[:_SHORT_TEXT])
    return best if best is not None and best.points > _MIN_POINTS else None


_Statement = tuple[LexborNode, Availability, float, int]


def _named(page: ParsedPage, start: int) -> Iterator[_Statement]:
    for node in page.tree.css(STOCKED)[:MAX_ELEMENTS]:
        text = text_of_node(node)
        if page.place(node) < start or not 0 < len(text) <= _MAX_STOCK_TEXT or is_elsewhere(node):
            continue
        if stock := availability_in_text(text):
            yield node, stock, 1.0, _REACH


def _notes(page: ParsedPage, heading: int | None) -> Iterator[_Statement]:
    """Texts of no telling name between the heading and what stands far below it."""
    root = page.tree.body
    if root is None or heading is None:
        return
    seen = 0
    for node in root.traverse(include_text=True):
        if node.tag != "-text" or node.parent is None or node.parent.tag in _CHOICES:
            continue
        text = (node.text_content or "").strip()
        if not 1 < len(text) <= _SHORT_TEXT:
            continue
        place = page.place(node.parent)
        if place <= heading:
            continue
        if place > heading + _NOTE_REACH:
            return
        seen += 1
        if seen > MAX_NOTES:
            return
        if (stock := availability_of_note(text)) and not is_elsewhere(node.parent):
            yield node.parent, stock, _NOTE_POINTS, _NOTE_REACH
