"""Tells the cards of a list apart: each priced element with the largest box that is its alone."""

from collections import Counter
from collections.abc import Iterable

from selectolax.lexbor import LexborNode

_LEVELS_OF_A_CARD = 8


def cards_of(nodes: Iterable[LexborNode]) -> list[tuple[LexborNode, LexborNode]]:
    """Each element with the largest box around it that holds none of the others."""
    elements = list(nodes)
    within = Counter(box.mem_id for element in elements for box in _boxes(element))
    cards: list[tuple[LexborNode, LexborNode]] = []
    for element in elements:
        alone = [box for box in _boxes(element) if within[box.mem_id] == 1]
        if alone:
            cards.append((element, alone[-1]))
    return cards


def stands_in_card(node: LexborNode, other: LexborNode) -> bool:
    """Whether the element's box, which does not hold the other one, links to a page."""
    theirs = {box.mem_id for box in _boxes(other)}
    alone = [box for box in _boxes(node) if box.mem_id not in theirs]
    return bool(alone) and any(
        not (link.attributes.get("href") or "#").startswith(("#", "javascript:"))
        for link in [alone[-1], *alone[-1].css("a[href]")]
        if link.tag == "a"
    )


def _boxes(node: LexborNode) -> list[LexborNode]:
    boxes: list[LexborNode] = []
    current: LexborNode | None = node
    while current is not None and current.tag != "body" and len(boxes) < _LEVELS_OF_A_CARD:
        boxes.append(current)
        current = current.parent
    return boxes
