"""Finds price and stock of a product in what the page shows, where markup is silent or in doubt.

Each priced element has points for its place (see ``product_points``), and the best place wins if
it has enough of them.
"""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.currencies import currency_of_language
from omni_pipeline.domain.prices.money import Price, PriceKind
from omni_pipeline.domain.products.claims import OfferCondition
from omni_pipeline.domain.products.shown.cards import stands_in_card
from omni_pipeline.domain.products.shown.dom_signs import (
    BUTTONS,
    MONEY_TEXT,
    is_buy_button,
    is_disabled,
    is_elsewhere,
)
from omni_pipeline.domain.products.shown.points import Places, points_of
from omni_pipeline.domain.products.shown.priced_elements import (
    MAX_CANDIDATES,
    PricedElement,
    PriceReader,
    add_words,
    settle_taxes,
)
from omni_pipeline.domain.products.shown.quantity_breaks import find_breaks
from omni_pipeline.domain.products.shown.stock import ShownStock, shown_stock

MAX_BUTTONS = 600
MIN_POINTS = 3.0
SURE_POINTS = 5.0
_CONFIRMED = 2.0
_OWN_CURRENCY = 0.75
_RIVAL_POINTS = 1.5
_REGULAR_REACH = 40
_BESIDE = 15
_MIN_ROWS = 3
_WORDED = 40
_LEVELS_OF_PARTS = 5
_MAX_WORDS = 60
_WORDS_REACH = 250


@dataclass(frozen=True, kw_only=True)
class ShownPrice:
    """The price that stands where a product's price stands.

    Attributes:
        regular: The price before, struck out beside it.
        points: How much speaks for this place.
        rivals: Elements of the same build in cards of other products, for which as much speaks:
            the page is then a list.
        net_amounts: Of prices beside it that are said to be without tax.
        conditions: Under which it holds, by the words around it.
    """

    price: Price
    regular: Price | None
    points: float
    rivals: int
    net_amounts: frozenset[Decimal] = frozenset()
    conditions: frozenset[OfferCondition] = frozenset()


class ShownProduct:
    """The rendered page, asked for what stands near the heading."""

    def __init__(
        self, page: ParsedPage, *, currency: str | None = None, default: str | None = None
    ) -> None:
        self._page = page
        self._currency = currency or default or currency_of_language(page.language)
        self._reader = PriceReader(page, currency=currency, default=default)
        self._heading = page.place(page.heading) if page.heading else None
        buttons = (node for node in page.tree.css(BUTTONS)[:MAX_BUTTONS] if is_buy_button(node))
        self._buttons = {page.place(node): not is_disabled(node) for node in buttons}
        self.buy_place = self._first_button()

    def price(self, known: AbstractSet[Decimal] = frozenset()) -> ShownPrice | None:
        """Return the best placed price; ``known`` are amounts that data of the page confirms."""
        found: dict[int, PricedElement] = {}
        for elements in (self._reader.named, self._reader.with_money):
            self._reader.add(elements(), found)
            candidates = list(found.values())[:MAX_CANDIDATES]
            best = self._best(candidates, known)
            if best is not None and best.points >= SURE_POINTS and _is_alone(best):
                break  # without a look at every text of the page
        if best is None or best.points < MIN_POINTS:
            return None
        left = _without_parts(candidates)
        return ShownPrice(
            price=_lowest(best, left),
            regular=_regular(best, candidates),
            points=best.points,
            rivals=sum(_is_rival(other, best) for other in left),
            net_amounts=frozenset(
                one.price.amount
                for one in candidates
                if one.price.amount and one.price.includes_tax is False
            ),
            conditions=best.conditions,
        )

    def _best(
        self, candidates: list[PricedElement], known: AbstractSet[Decimal]
    ) -> PricedElement | None:
        self._score(candidates, known)
        worded = sorted(candidates, key=lambda one: -one.points)[:_WORDED]
        for candidate in worded:
            add_words(candidate)
        settle_taxes(worded)
        self._score(candidates, known)
        left = _without_parts(candidates)
        if len(left) < len(candidates):
            self._score(left, known)  # what was left out does not make the others many
        current = [c for c in left if not _is_past(c, candidates)]
        return max(current, key=lambda c: (c.points, -c.place), default=None)

    def _score(self, candidates: list[PricedElement], known: AbstractSet[Decimal]) -> None:
        repeats = Counter((c.node.tag, c.name) for c in candidates)
        places = Places(heading=self._heading, buy=self.buy_place)
        own = self._own_currency(candidates)
        for candidate in candidates:
            candidate.points = points_of(candidate, repeats, places)
            candidate.points += _CONFIRMED * (candidate.price.amount in known)
            if own and candidate.price.currency == own:
                candidate.points += _OWN_CURRENCY

    def _own_currency(self, candidates: list[PricedElement]) -> str | None:
        """Of several currencies the page's own, else the first behind the heading; or None."""
        said = [c.price.currency for c in candidates if c.place >= (self._heading or 0)]
        codes = list(dict.fromkeys(code for code in said if code))
        if len(codes) <= 1:
            return None
        return self._currency if self._currency in codes else codes[0]

    def priced_elements(self) -> list[PricedElement]:
        """Every element of the page that reads as a price, with its points."""
        found: dict[int, PricedElement] = {}
        self._reader.add([*self._reader.named(), *self._reader.with_money()], found)
        elements = list(found.values())
        self._score(elements, frozenset())
        return elements

    @cached_property
    def stock(self) -> ShownStock | None:
        """What is said about stock nearest to the heading or the button that buys."""
        return shown_stock(self._page, self._heading, self.buy_place)

    def worded_price(self) -> Price | None:
        """A price in words near the heading: nothing, or one on request."""
        start = self._heading or 0
        for node in self._reader.named():
            place, text = self._page.place(node), text_of_node(node)
            if not start <= place <= start + _WORDS_REACH or not text or len(text) > _MAX_WORDS:
                continue
            price = self._reader.read(text)
            if price is not None and not price.amount and not is_elsewhere(node):
                return price
        return None

    @property
    def can_buy(self) -> bool:
        """Whether the product's button that buys is there and not switched off."""
        return self.buy_place is not None and self._buttons[self.buy_place]

    def _first_button(self) -> int | None:
        start = self._heading or 0
        after = [place for place in self._buttons if place >= start]
        return min(after, default=None) or min(self._buttons, default=None)


def _is_alone(element: PricedElement) -> bool:
    """Whether no other price goes with it, in its text (tables, pairs) or in its stead."""
    return not element.is_old and len(MONEY_TEXT.findall(element.price.text)) <= 1


def _without_parts(candidates: list[PricedElement]) -> list[PricedElement]:
    """Each price once, in the element that tells what it is.

    Left out are the ends of ranges, of quantity tables all but the row of the fewest pieces, and
    whatever holds several prices that are labelled one by one.
    """
    dropped: set[int] = set()
    by_id = {one.node.mem_id: one for one in candidates}
    inside: dict[int, list[PricedElement]] = {}
    for one in candidates:
        for holder in _holders(one, by_id):
            inside.setdefault(holder.node.mem_id, []).append(one)
            if holder.price.kind is PriceKind.RANGE and one.price.kind is not PriceKind.RANGE:
                dropped.add(one.node.mem_id)
    for place, parts in inside.items():
        amounts = {part.price.amount for part in parts if part.price.includes_tax is not None}
        if len(amounts) > 1:
            dropped.add(place)
    for breaks in find_breaks([one for one in candidates if not one.is_old]):
        kept = breaks.rows[0]
        dropped.update(one.node.mem_id for one in breaks.elements if one is not kept)
        dropped.update(
            place
            for place, parts in inside.items()
            if any(part is kept for part in parts) and any(part is breaks.rows[1] for part in parts)
        )
        kept.conditions, kept.begins_table = kept.conditions - {OfferCondition.QUANTITY}, True
    return [one for one in candidates if one.node.mem_id not in dropped]


def _holders(one: PricedElement, by_id: dict[int, PricedElement]) -> Iterator[PricedElement]:
    node = one.node.parent
    for _ in range(_LEVELS_OF_PARTS):
        if node is None:
            return
        if node.mem_id in by_id:
            yield by_id[node.mem_id]
        node = node.parent


def _is_past(candidate: PricedElement, candidates: list[PricedElement]) -> bool:
    """An element named "old" holds the price all the same where no other price is beside it."""
    return candidate.is_old and any(
        not other.is_old
        and abs(other.place - candidate.place) < _BESIDE
        and other.price.amount != candidate.price.amount
        and other.price.includes_tax is not False
        and other.price.kind is not PriceKind.PER_UNIT
        and not other.conditions
        for other in candidates
    )


def _lowest(best: PricedElement, left: list[PricedElement]) -> Price:
    """Of rows of one build that are no cards of other products, variants, the lowest price."""
    rows = [
        one
        for one in left
        if _is_alike(one, best)
        and one.price.currency == best.price.currency
        and not one.conditions
        and not stands_in_card(one.node, best.node)
    ]
    amounts = {one.price.amount for one in rows if one.price.amount}
    if len(amounts | {best.price.amount}) < _MIN_ROWS or best.price.kind is not PriceKind.EXACT:
        return best.price
    lowest = min([best, *rows], key=lambda one: one.price.amount or Decimal(0))
    return replace(lowest.price, kind=PriceKind.FROM)


def _is_alike(other: PricedElement, best: PricedElement) -> bool:
    return (
        (other.node.tag, other.name) == (best.node.tag, best.name)
        and other.price.amount != best.price.amount
        and other.points > best.points - _RIVAL_POINTS
        and not other.is_old
    )


def _is_rival(other: PricedElement, best: PricedElement) -> bool:
    return _is_alike(other, best) and stands_in_card(other.node, best.node)


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
        and c.price.currency in (None, best.price.currency)
    ]
    return near[0] if near else None
