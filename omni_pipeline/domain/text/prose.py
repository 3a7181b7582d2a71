"""Finds the block of a page that holds its prose: text in sentences, outside of links."""

from collections import defaultdict

from selectolax.lexbor import LexborNode

_WITH_PROSE = "p,div,td,li,blockquote,pre,section,article,font,span,dd,center,em,strong,b,i"
_BLOCKS = frozenset(("div", "td", "section", "article", "main", "body"))
# Shorter stretches of text outside of links are labels and buttons.
_MIN_STRETCH = 30


def find_prose(root: LexborNode, share: float) -> LexborNode:
    """Find the innermost block with this share of the prose: text in sentences, not in links."""
    total = 0
    stretches: dict[int, int] = defaultdict(int)
    nodes: dict[int, LexborNode] = {}
    for node in root.css(_WITH_PROSE):
        length = len(node.text(deep=False).strip())
        holder = node if node.tag in _BLOCKS else node.parent
        if length >= _MIN_STRETCH and holder is not None:
            total += length
            stretches[holder.mem_id] += length
            nodes[holder.mem_id] = holder
    innermost, depth = root, 0
    sums: dict[int, int] = defaultdict(int)
    for identity, length in stretches.items():
        chain = _chain(nodes[identity], root)
        for level, node in enumerate(reversed(chain)):
            sums[node.mem_id] += length
            # Sums only grow: the last to pass the mark on the deepest level is the innermost.
            if level >= depth and node.tag in _BLOCKS and sums[node.mem_id] >= share * total:
                innermost, depth = node, level
    return innermost


def _chain(node: LexborNode, root: LexborNode) -> list[LexborNode]:
    """The node and what it stands in, up to the root."""
    chain = [node]
    while node.mem_id != root.mem_id and node.parent is not None:
        node = node.parent
        chain.append(node)
    return chain
