"""Finds price and stock of a product in what the page shows, where markup is silent or in doubt.

The price stands near the heading and the button that buys; its element is called "price" in one
language or another; it does not stand in a list of other products, in a footer or in a basket.
Each of these is a number of points, and the best place wins if it has enough of them.
"""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from math import exp

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.availability import Availability, availability_in_text
from omni_pipeline.domain.prices.money import Price, PriceKind, parse_price
from omni_pipeline.domain.products.dom_signs import (
    BUTTONS,
    CURRENT,
    DIGIT,
    ELSEWHERE,
    LEVELS_ABOVE,
    MONEY_TEXT,
    OLD,
    PRICED,
    STOCKED,
    is_buy_button,
    is_called_price,
    is_elsewhere,
    is_hidden,
    is_named,
    name_of,
)

MAX_CANDIDATES = 400
MAX_BUTTONS = 600
MAX_PRICE_TEXT = 160
MIN_POINTS = 3.0
SURE_POINTS = 5.0
_CONFIRMED = 2.0
_RIVAL_POINTS = 1.5
_MAX_STOCK_TEXT = 200
_SHORT_STOCK_TEXT = 60
_SHORT_STOCK_BONUS = 0.2
_STOCK_REACH = 300
_MIN_STOCK_POINTS = 0.15
_NAMED_LEVELS = 3
_FEW_ALIKE = 3
_REGULAR_REACH = 40

_BESIDE = 15


@dataclass(kw_only=True)
class PricedElement:
    """An element whose text is a price; ``is_old``: it or what is around it is struck out."""

    node: LexborNode
    place: int
    price: Price
    name: str
    is_old: bool = False
    points: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ShownPrice:
    """The price that stands where a product's price stands.

    ``points`` is how much speaks for this place; ``rivals`` are elements of the same build for
    which as much speaks: the page is then a list.
    """

    price: Price
    regular: Price | None
    points: float
    rivals: int


class ShownProduct:
    """The rendered page, asked for what stands near the heading."""

    def __init__(
        self, page: ParsedPage, *, currency: str | None = None, default: str | None = None
    ) -> None:
        self._page = page
        self._currency, self._default = currency, default
        self._texts: dict[str, Price | None] = {}
        self._heading = page.place(page.heading) if page.heading else None
        self._buttons = [
            page.place(node) for node in page.tree.css(BUTTONS)[:MAX_BUTTONS] if is_buy_button(node)
        ]
        self.buy_place = self._first_button()

    def price(self, known: AbstractSet[Decimal] = frozenset()) -> ShownPrice | None:
        """Return the best placed price; ``known`` are amounts that data of the page confirms."""
        found: dict[int, PricedElement] = {}
        for elements in (self._named_elements, self._money_elements):
            for node in elements():
                self._add(node, found)
            candidates = list(found.values())[:MAX_CANDIDATES]
            best = self._best(candidates, known)
            if best is not None and best.points >= SURE_POINTS:
                break  # without a look at every text of the page
        if best is None or best.points < MIN_POINTS:
            return None
        return ShownPrice(
            price=best.price,
            regular=_regular(best, candidates),
            points=best.points,
            rivals=sum(_is_rival(other, best) for other in candidates),
        )

    def _best(
        self, candidates: list[PricedElement], known: AbstractSet[Decimal]
    ) -> PricedElement | None:
        repeats = Counter((c.node.tag, c.name) for c in candidates)
        for candidate in candidates:
            candidate.is_old = False
            candidate.points = self._points(candidate, repeats)
            candidate.points += _CONFIRMED * (candidate.price.amount in known)
        current = [c for c in candidates if not _is_past(c, candidates)]
        return max(current, key=lambda c: (c.points, -c.place), default=None)

    def priced_elements(self) -> list[PricedElement]:
        """Every element of the page that reads as a price, with its points."""
        found: dict[int, PricedElement] = {}
        for node in [*self._named_elements(), *self._money_elements()]:
            self._add(node, found)
        elements = list(found.values())
        self._best(elements, frozenset())
        return elements

    def availability(self) -> Availability | None:
        """What is said about stock nearest to the heading or the button that buys."""
        start = self._heading or 0
        near = (start, start if self.buy_place is None else self.buy_place)
        best: tuple[float, Availability] | None = None
        for node in self._page.tree.css(STOCKED)[:MAX_CANDIDATES]:
            place, text = self._page.place(node), text_of_node(node)
            if place < start or not 0 < len(text) <= _MAX_STOCK_TEXT or is_elsewhere(node):
                continue
            found = availability_in_text(text)
            points = exp(-min(abs(place - p) for p in near) / _STOCK_REACH)
            points += _SHORT_STOCK_BONUS * (len(text) <= _SHORT_STOCK_TEXT)
            if found is not None and (best is None or points > best[0]):
                best = points, found
        return best[1] if best and best[0] > _MIN_STOCK_POINTS else None

    def _first_button(self) -> int | None:
        start = self._heading or 0
        after = [place for place in self._buttons if place >= start]
        return min(after, default=None) or min(self._buttons, default=None)

    def _named_elements(self) -> list[LexborNode]:
        """Elements that are called a price."""
        return self._page.tree.css(PRICED)[: 3 * MAX_CANDIDATES]

    def _money_elements(self) -> list[LexborNode]:
        """Elements whose own text holds the sign of a currency: without a telling name."""
        root = self._page.tree.body
        if root is None:
            return []
        elements: list[LexborNode] = []
        for node in root.traverse(include_text=True):
            if node.tag == "-text" and MONEY_TEXT.search(node.text_content or ""):
                parent = node.parent
                if parent is not None:
                    elements.append(parent)
                    if parent.parent is not None and not DIGIT.search(text_of_node(parent)):
                        elements.append(parent.parent)
            if len(elements) > MAX_CANDIDATES:
                break
        return elements

    def _add(self, node: LexborNode, found: dict[int, PricedElement]) -> None:
        if node.mem_id in found or node.tag in ("body", "html", "select", "form", "input"):
            return
        text = text_of_node(node)
        if not text or len(text) > MAX_PRICE_TEXT or not DIGIT.search(text):
            return
        price = self._read(text)
        if price is None or not price.amount:
            return
        name = name_of(node)
        found[node.mem_id] = PricedElement(
            node=node, place=self._page.place(node), price=price, name=name
        )

    def _read(self, text: str) -> Price | None:
        """Elements within each other have the same text: each is read once."""
        if text not in self._texts:
            self._texts[text] = parse_price(
                text,
                currency_hint=self._currency,
                language=self._page.language,
                default_currency=self._default,
            )
        return self._texts[text]

    def _points(self, candidate: PricedElement, repeats: Counter[tuple[str | None, str]]) -> float:
        points = 0.0
        own = candidate.name
        points -= 1.5 * (candidate.price.includes_tax is False)
        if is_called_price(own):
            points += 1.5
        points += 1.0 if MONEY_TEXT.search(candidate.price.text) else -1.0
        if candidate.price.kind is PriceKind.PER_UNIT:
            points -= 3.0
        points -= 0.015 * max(0, len(candidate.price.text) - 20)
        points += self._points_of_place(candidate.place)
        points += self._points_of_ancestors(candidate)
        if (count := repeats[candidate.node.tag, own]) > _FEW_ALIKE:
            points -= min(2.0, 0.3 * count)
        if candidate.node.tag in ("option", "label", "a"):
            points -= 1.0
        return points

    def _points_of_place(self, place: int) -> float:
        points = 0.0
        if self._heading is not None:
            distance = place - self._heading
            points += (
                2.5 * exp(-distance / 250) if distance >= 0 else -1.0 + 1.5 * exp(distance / 60)
            )
        if self.buy_place is not None:
            points += 1.5 * exp(-abs(place - self.buy_place) / 120)
        return points

    def _points_of_ancestors(self, candidate: PricedElement) -> float:
        points = 0.0
        node: LexborNode | None = candidate.node
        named_current = False
        for level in range(LEVELS_ABOVE):
            if node is None or node.tag in ("body", "html"):
                break
            name = name_of(node)
            if level < _NAMED_LEVELS and (
                node.tag in ("del", "s", "strike") or is_named(OLD, name)
            ):
                candidate.is_old = candidate.is_old or not (
                    level and is_named(CURRENT, candidate.name)
                )
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


def _is_past(candidate: PricedElement, candidates: list[PricedElement]) -> bool:
    """An element named "old" holds the price all the same where no other price is beside it."""
    return candidate.is_old and any(
        not other.is_old
        and abs(other.place - candidate.place) < _BESIDE
        and other.price.amount != candidate.price.amount
        and other.price.includes_tax is not False
        for other in candidates
    )


def _is_rival(other: PricedElement, best: PricedElement) -> bool:
    return (
        (other.node.tag, other.name) == (best.node.tag, best.name)
        and other.price.amount != best.price.amount
        and other.points > best.points - _RIVAL_POINTS
        and not other.is_old
    )


def _regular(best: PricedElement, candidates: list[PricedElement]) -> Price | None:
    amount = best.price.amount
    near = [
        c.price
        for c in candidates
        if c.is_old
        and abs(c.place - best.place) < _REGULAR_REACH
        and c.price.amount
        and amount
        and c.price.amount > amount
    ]
    return near[0] if near else None
