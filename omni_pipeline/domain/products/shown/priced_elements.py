"""Finds the elements of a page whose text is a price, and reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.currencies import country_of_host
from omni_pipeline.domain.prices.money import Price, PriceKind, parse_price
from omni_pipeline.domain.products.claims import OfferCondition
from omni_pipeline.domain.products.shown.dom_signs import DIGIT, MONEY_TEXT, PRICED, name_of
from omni_pipeline.domain.products.shown.price_labels import (
    Label,
    conditions_in,
    label_of,
    unit_behind,
)

MAX_CANDIDATES = 400
MAX_PRICE_TEXT = 160
_LEVELS_OF_NAMES = 3
# Of the world's value added taxes: Canada's alone is 5 %, Hungary's is 27 %.
_MIN_TAX, _MAX_TAX = Decimal("0.02"), Decimal("0.28")
_NOT_SHOWN = ("body", "html", "select", "form", "input")


@dataclass(kw_only=True)
class PricedElement:
    """An element whose text is a price.

    Attributes:
        is_old: It, or what is around it, is struck out.
        begins_table: It is the price of the fewest pieces in a table of quantities.
        points: How much speaks for it; what its place in the page gives of them never changes.
    """

    node: LexborNode
    place: int
    price: Price
    name: str
    label: Label | None = None
    conditions: frozenset[OfferCondition] = frozenset()
    is_old: bool = False
    begins_table: bool = False
    points: float = 0.0
    points_of_place: float | None = None


class PriceReader:
    """Reads elements as prices, each text once, as elements within each other share it."""

    def __init__(self, page: ParsedPage, *, currency: str | None, default: str | None) -> None:
        self._page = page
        self._currency, self._default = currency, default
        self._texts: dict[str, Price | None] = {}

    def named(self) -> list[LexborNode]:
        """Elements that are called a price, or struck out as one."""
        return self._page.tree.css(f"{PRICED},del,s,strike")[: 3 * MAX_CANDIDATES]

    def with_money(self) -> list[LexborNode]:
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

    def add(self, nodes: Iterable[LexborNode], found: dict[int, PricedElement]) -> None:
        """Add what reads as an amount; other elements are left out."""
        for node in nodes:
            if node.mem_id in found or node.tag in _NOT_SHOWN:
                continue
            text = text_of_node(node)
            if not text or len(text) > MAX_PRICE_TEXT or not DIGIT.search(text):
                continue
            price = self.read(text)
            if price is not None and price.amount:
                found[node.mem_id] = PricedElement(
                    node=node, place=self._page.place(node), price=price, name=name_of(node)
                )

    def read(self, text: str) -> Price | None:
        if text not in self._texts:
            self._texts[text] = parse_price(
                text,
                currency_hint=self._currency,
                language=self._page.language,
                default_currency=self._default,
                country=country_of_host(self._page.host),
            )
        return self._texts[text]


def add_words(element: PricedElement) -> None:
    """What the words beside an element say of its price."""
    if element.label is not None:
        return
    label = label_of(element.node)
    element.label = label
    names, node = element.name, element.node.parent
    for _ in range(_LEVELS_OF_NAMES - 1):
        if node is not None and node.tag not in ("body", "html"):
            names, node = f"{names} {name_of(node)}", node.parent
    element.conditions = conditions_in(f"{label.before} {element.price.text} {label.after}", names)
    if element.price.unit is None and (unit := unit_behind(label.after)):
        element.price = replace(element.price, kind=PriceKind.PER_UNIT, unit=unit)


def settle_taxes(elements: Sequence[PricedElement]) -> None:
    """Give each price the note on tax that is its own: labels stand before prices, or behind."""
    silent = [(one, one.label) for one in elements if one.label and one.price.includes_tax is None]
    befores = [label for _, label in silent if label.tax_before is not None]
    afters = [label for _, label in silent if label.tax_after is not None]
    # The last price of a row of "label price label price" has none behind it.
    is_before = not afters or any(label.tax_after is None for label in befores)
    amounts = {one.price.amount for one in elements if one.price.amount}
    for one, label in silent:
        tax = label.tax_before if is_before else label.tax_after
        if tax is not None and _has_counterpart(one.price.amount, amounts, is_gross=tax):
            one.price = replace(one.price, includes_tax=tax)


def _has_counterpart(amount: Decimal | None, amounts: set[Decimal], *, is_gross: bool) -> bool:
    """Whether another amount differs by what a tax may be: "net weight" is no net price."""
    for other in amounts:
        net, gross = (other, amount) if is_gross else (amount, other)
        if net and gross and _MIN_TAX <= gross / net - 1 <= _MAX_TAX:
            return True
    return False
