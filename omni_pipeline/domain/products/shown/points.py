"""Gives points to priced elements: how much speaks for the place where a product's price stands.

The price stands near the heading and the button that buys; its element is called "price" in one
language or another; it does not stand in a list of other products, in a footer or in a basket.
"""

from collections import Counter
from dataclasses import dataclass
from math import exp

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import text_of_node
from omni_pipeline.domain.prices.money import PriceKind
from omni_pipeline.domain.products.shown.dom_signs import (
    CURRENT,
    ELSEWHERE,
    LEVELS_ABOVE,
    MONEY_TEXT,
    OLD,
    is_called_price,
    is_hidden,
    is_named,
    name_of,
)
from omni_pipeline.domain.products.shown.priced_elements import PricedElement

_NAMED_LEVELS = 3
_FEW_ALIKE = 3
_CONDITION = 3.0
# Other quantities, units and sums are all that speaks against such a table.
_BEGINS_TABLE = 1.0
_APPROXIMATE = 2.0


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where heading and buy button stand in the page; None where there is none."""

    heading: int | None
    buy: int | None


def points_of(
    candidate: PricedElement, repeats: Counter[tuple[str | None, str]], places: Places
) -> float:
    """Points of one element; also settles whether it is struck out."""
    own = candidate.name
    points = -1.5 * (candidate.price.includes_tax is False)
    points -= _CONDITION * len(candidate.conditions)
    points -= _APPROXIMATE * bool(candidate.label and candidate.label.is_approximate)
    points += _BEGINS_TABLE * candidate.begins_table
    if is_called_price(own):
        points += 1.5
    points += 1.0 if MONEY_TEXT.search(candidate.price.text) else -1.0
    if candidate.price.kind is PriceKind.PER_UNIT:
        points -= 3.0
    points -= 0.015 * max(0, len(candidate.price.text) - 20)
    if candidate.points_of_place is None:
        candidate.points_of_place = _points_of_place(candidate.place, places)
        candidate.points_of_place += _points_of_ancestors(candidate)
    points += candidate.points_of_place
    if (count := repeats[candidate.node.tag, own]) > _FEW_ALIKE:
        points -= min(2.0, 0.3 * count)
    if candidate.node.tag in ("option", "label", "a"):
        points -= 1.0
    return points


def _points_of_place(place: int, places: Places) -> float:
    points = 0.0
    if places.heading is not None:
        distance = place - places.heading
        points += 2.5 * exp(-distance / 250) if distance >= 0 else -1.0 + 1.5 * exp(distance / 60)
    if places.buy is not None:
        points += 1.5 * exp(-abs(place - places.buy) / 120)
    return points


def _points_of_ancestors(candidate: PricedElement) -> float:
    points = 0.0
    node: LexborNode | None = candidate.node
    candidate.is_old = False
    named_current = False
    for level in range(LEVELS_ABOVE):
        if node is None or node.tag in ("body", "html"):
            break
        name = name_of(node)
        if level < _NAMED_LEVELS and _is_struck(node, name):
            candidate.is_old = candidate.is_old or not (level and is_named(CURRENT, candidate.name))
        if level < _NAMED_LEVELS and not named_current and is_named(CURRENT, name):
            named_current = True
            points += 1.0
        if node.tag in ("nav", "footer", "aside", "header") or is_hidden(node):
            points -= 3.0
        elif is_named(ELSEWHERE, name):
            points -= 2.5 if level else 3.0
            break
        if node.tag == "a" and level:
            points -= 1.5
        if node.tag == "li" and level:
            points -= 0.5
        node = node.parent
    return points


def _is_struck(node: LexborNode, name: str) -> bool:
    """Struck out or called old; what holds more than one price is called after its parts."""
    if node.tag in ("del", "s", "strike"):
        return True
    return is_named(OLD, name) and len(MONEY_TEXT.findall(text_of_node(node))) <= 1
