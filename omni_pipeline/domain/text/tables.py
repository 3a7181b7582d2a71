"""Makes the tables of a parsed page fit for Markdown, which has only plain grids of lines.

A table that lays out blocks is turned into those blocks, or its code would lose its lines. A table
whose grid would be enormous is refused: the converter pads every row to the widest one, so that
one cell of 99,000 columns above 100,000 short rows became 300 MB of Markdown.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.parse_cost import Excess

MAX_GRID_CELLS = 1_000_000

# Longer spans draw a line across the table.
MAX_REPEATS = 100

_LAYOUT_TABLE = "table:has(td pre, td table, td h1, td h2)"
_TABLE_PARTS = "td,th,tr,thead,tbody,tfoot,caption,colgroup"
_CELLS = ("td", "th")


def open_layout_tables(tree: LexborHTMLParser, content: LexborNode) -> None:
    """Replace tables that hold blocks (code, headings, other tables) by those blocks."""
    tables = {table.mem_id: table for table in content.css(_LAYOUT_TABLE)}
    if not tables:
        return
    parts = [part for part in content.css(_TABLE_PARTS) if _table_id(part) in tables]
    for part in parts:
        if part.tag in _CELLS or part.tag == "caption":
            part.insert_before(tree.create_node("div"))  # keeps neighbouring cells apart
        part.unwrap(delete_empty=True)
    for table in tables.values():
        table.unwrap(delete_empty=True)


def limit_grids(content: LexborNode) -> Excess | None:
    """Drop the spans of enormous tables; say so where the grid is enormous without them."""
    rows = content.css("tr")
    if _grid_cells(rows) <= MAX_GRID_CELLS:
        return None
    for cell in content.css("[colspan],[rowspan]"):
        for name in ("colspan", "rowspan"):
            if name in cell.attrs:
                del cell.attrs[name]
    cells = _grid_cells(rows)
    if cells <= MAX_GRID_CELLS:
        return None
    return Excess(
        kind="permanent.too_complex",
        reason=f"the tables of the page have {cells:,} cells; the limit is {MAX_GRID_CELLS:,}",
    )


def repeat_spans(content: LexborNode) -> None:
    """Write a cell that spans rows or columns into each of them: every row says what it is of."""
    spanning = content.css("table :is([rowspan],[colspan])")
    tables = {_table_id(cell) for cell in spanning if cell.tag in _CELLS}
    if not tables:
        return
    rows_of: dict[int, list[LexborNode]] = {}
    for row in content.css("tr"):
        if (table := _table_id(row)) in tables:
            rows_of.setdefault(table, []).append(row)
    for rows in rows_of.values():
        _repeat_in(rows)


def _repeat_in(rows: list[LexborNode]) -> None:
    carried: dict[int, tuple[LexborNode, int]] = {}
    for row in rows:
        column = 0
        for cell in [cell for cell in row.iter() if cell.tag in _CELLS]:
            column = _fill(row, cell, column, carried)
            down, across = _span(cell, "rowspan"), min(_span(cell, "colspan"), MAX_REPEATS)
            for name in ("rowspan", "colspan"):
                if name in cell.attrs:
                    del cell.attrs[name]
            for step in range(max(1, across)):
                if step:
                    cell.insert_after(cell.clone())
                if 1 < down <= MAX_REPEATS:
                    carried[column + step] = cell, down
            column += max(1, across)
        _fill(row, None, column, carried)
        carried = {at: (cell, left - 1) for at, (cell, left) in carried.items() if left > 1}


def _fill(
    row: LexborNode,
    before: LexborNode | None,
    column: int,
    carried: dict[int, tuple[LexborNode, int]],
) -> int:
    """Put what spans from above where it belongs, up to the next free column."""
    while column in carried:
        cell, left = carried[column]
        if not _is_in_row(cell, row):
            copy = cell.clone()
            if before is None:
                row.insert_child(copy)
            else:
                before.insert_before(copy)
        carried[column] = cell, left
        column += 1
    return column


def _is_in_row(cell: LexborNode, row: LexborNode) -> bool:
    return cell.parent is not None and cell.parent.mem_id == row.mem_id


@dataclass(kw_only=True)
class _Grid:
    rows: int = 0
    widest: int = 0
    carried: int = 0


def _grid_cells(rows: Iterable[LexborNode]) -> int:
    """Count cells after padding, at most: a cell that spans rows may widen each row below."""
    grids: dict[int, _Grid] = {}
    for row in rows:
        grid = grids.setdefault(_table_id(row), _Grid())
        spans = [(_span(c, "colspan"), _span(c, "rowspan")) for c in row.iter() if c.tag in _CELLS]
        grid.rows += 1
        grid.widest = max(grid.widest, sum(columns for columns, _ in spans))
        grid.carried += sum(columns for columns, down in spans if down > 1)
    return sum(grid.rows * (grid.widest + grid.carried) for grid in grids.values())


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attrs.sget(name)
    return int(value[:9]) if value.isascii() and value.isdigit() else 1


def _table_id(part: LexborNode) -> int:
    node = part.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return node.mem_id if node is not None else 0
