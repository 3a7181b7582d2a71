"""Finds tables of prices by quantity: the more pieces, the less each costs."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.html.page import text_of_node
from omni_pipeline.domain.products.shown.cards import stands_in_card
from omni_pipeline.domain.products.shown.priced_elements import PricedElement

MAX_ROWS = 100
_MIN_ROWS = 2
# Many more pieces cost more in all; many more instalments come to nearly the same.
_FAR = Decimal("1.5")
_MIN_GROWTH = Decimal("1.3")
_LEVELS = 6
_MAX_COUNT_TEXT = 40
# Behind it stand decimals or a unit that is counted by no piece.
_COUNT = re.compile(
    r"(?<![\d.,])(?P<count>\d{1,3}(?:[.,\u00a0 ]\d{3})+|\d{1,7})(?![\d%])(?![.,]\d)"
    r"(?!\s?(?:mm|cm|m|kg|g|mg|l|ml|cl|w|v|gb|tb|mb|kb|zoll|inch|in|ft|\"|″|°)(?!\w))",
    re.IGNORECASE,
)
_NOT_DIGIT = re.compile(r"\D")


@dataclass(frozen=True, kw_only=True)
class QuantityBreaks:
    """Rows of one table, the smallest quantity first.

    ``elements`` are all priced elements of the table: unit prices, and what the rows come to.
    """

    quantities: tuple[int, ...]
    rows: tuple[PricedElement, ...]
    elements: tuple[PricedElement, ...]


def find_breaks(priced: Sequence[PricedElement]) -> list[QuantityBreaks]:
    """The quantity tables among priced elements, in the order of the page."""
    groups: defaultdict[tuple[str | None, str, int], list[PricedElement]] = defaultdict(list)
    for element in sorted(priced, key=lambda one: one.place):
        groups[element.node.tag, element.name, _box(element.node)].append(element)
    found = [
        breaks
        for group in groups.values()
        if _MIN_ROWS <= len(group) <= MAX_ROWS
        for breaks in _of_group(group)
        if not stands_in_card(breaks.rows[0].node, breaks.rows[1].node)
    ]
    inside = {one.node.mem_id for breaks in found for one in breaks.elements}
    tables = [_table(breaks.rows) for breaks in found]
    return [
        QuantityBreaks(
            quantities=breaks.quantities,
            rows=breaks.rows,
            elements=(*breaks.elements, *_others(priced, table, inside)),
        )
        for breaks, table in zip(found, tables, strict=True)
    ]


def _others(
    priced: Sequence[PricedElement], table: LexborNode | None, inside: set[int]
) -> list[PricedElement]:
    """What else is priced within the table: sums of rows, wrappers of cells."""
    if table is None:
        return []
    return [one for one in priced if one.node.mem_id not in inside and _is_within(one.node, table)]


def _is_within(node: LexborNode, table: LexborNode) -> bool:
    current: LexborNode | None = node
    for _ in range(2 * _LEVELS):
        if current is None:
            return False
        if current.mem_id == table.mem_id:
            return True
        current = current.parent
    return False


def _of_group(group: list[PricedElement]) -> list[QuantityBreaks]:
    container = _table(group)
    if container is None:
        return []
    rows: defaultdict[int, list[PricedElement]] = defaultdict(list)
    for element in group:
        row = _child_of(container, element.node)
        rows[row.mem_id if row is not None else 0].append(element)
    columns = min(len(cells) for cells in rows.values())
    for column in range(columns):
        cells = [row[column] for row in rows.values()]
        counts = [_count_of(cell, container) for cell in cells]
        quantities = [count for count in counts if count]
        if len(quantities) == len(cells) and _falls(quantities, cells):
            order = sorted(range(len(cells)), key=lambda n: quantities[n])
            return [
                QuantityBreaks(
                    quantities=tuple(quantities[n] for n in order),
                    rows=tuple(cells[n] for n in order),
                    elements=tuple(group),
                )
            ]
    return []


def _falls(quantities: list[int], cells: list[PricedElement]) -> bool:
    """The more, the cheaper: in the order of the page, or the other way round if it is long."""
    pairs = list(zip(quantities, (cell.price.amount or Decimal(0) for cell in cells), strict=True))
    if pairs != sorted(pairs):
        if len(pairs) == _MIN_ROWS or pairs != sorted(pairs, reverse=True):
            return False
        pairs.reverse()
    steps = list(pairwise(pairs))
    if any(one[0] >= two[0] or one[1] < two[1] for one, two in steps):
        return False
    (minimum, dearest), (limit, cheapest) = pairs[0], pairs[-1]
    are_instalments = limit > _FAR * minimum and limit * cheapest < _MIN_GROWTH * minimum * dearest
    return cheapest < dearest and not are_instalments


def _count_of(cell: PricedElement, container: LexborNode) -> int | None:
    """The number of pieces that its row names, in or before the priced element, or above it."""
    row = _child_of(container, cell.node)
    if row is None:
        return None
    own = _first_count(_without(text_of_node(row), cell))
    if own is not None or row.mem_id != cell.node.mem_id:
        return own
    before = row.prev
    while before is not None and not text_of_node(before):
        before = before.prev
    if before is not None and before.tag != row.tag:
        return _first_count(text_of_node(before))
    return _count_above(row)


def _count_above(cell: LexborNode) -> int | None:
    """Of a table that lies on its side: what the first row has in the same column."""
    row = cell.parent
    first = row.prev if row is not None else None
    while first is not None and first.tag != "tr":
        first = first.prev
    if row is None or first is None:
        return None
    cells = [node.mem_id for node in row.iter()]
    heads = list(first.iter())
    place = cells.index(cell.mem_id)
    return _first_count(text_of_node(heads[place])) if len(heads) == len(cells) else None


def _without(text: str, cell: PricedElement) -> str:
    """The text of a row up to its price."""
    own = text_of_node(cell.node)
    if own != text:
        return text.partition(own)[0]
    whole = f"{cell.price.amount or 0:f}".partition(".")[0]  # count and price in one element
    number = r"[ .,'\u00a0]?".join(whole)
    found = list(re.finditer(rf"(?<![\d.,]){number}(?:[.,]\d+)?(?!\d)", text))
    return text[: found[-1].start()] if found else ""


def _first_count(text: str) -> int | None:
    if len(text) > _MAX_COUNT_TEXT:
        return None
    found = _COUNT.search(text)
    return int(_NOT_DIGIT.sub("", found["count"])) if found else None


def _table(group: Sequence[PricedElement]) -> LexborNode | None:
    """The smallest element that holds them all, where it is not far above them."""
    paths = [_path(element.node) for element in (group[0], group[-1])]
    others = {node.mem_id for node in paths[1]}
    return next((node for node in paths[0] if node.mem_id in others), None)


def _child_of(container: LexborNode, node: LexborNode) -> LexborNode | None:
    current: LexborNode | None = node
    for _ in range(_LEVELS + 1):
        if current is None or current.parent is None:
            return None
        if current.parent.mem_id == container.mem_id:
            return current
        current = current.parent
    return None


def _box(node: LexborNode) -> int:
    """The table or list that an element is a row of; else what holds its row."""
    current = node.parent
    for _ in range(_LEVELS):
        if current is None:
            break
        if current.tag in ("table", "dl", "ul", "ol"):
            return current.mem_id
        current = current.parent
    row = node.parent
    return row.parent.mem_id if row is not None and row.parent is not None else 0


def _path(node: LexborNode) -> list[LexborNode]:
    path: list[LexborNode] = []
    current = node.parent
    while current is not None and current.tag not in ("body", "html") and len(path) < _LEVELS:
        path.append(current)
        current = current.parent
    return path
