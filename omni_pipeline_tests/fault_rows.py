"""Which test shows which fault or attack: read from the docstrings and names of the tests.

    python -m omni_pipeline_tests.fault_rows     # prints the table

A test names the rows it shows in its docstring, as in ``A12, D6: confirmed by a second request``,
or at the end of its name, as in ``..._d27_s46``. So the table cannot drift from the tests; what no
test shows is listed here with its reason.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent

ROWS = (
    *(f"D{number}" for number in range(1, 41)),
    *(f"E{number}" for number in range(1, 12)),
    *(f"S{number}" for number in range(1, 54)),
)

# Rows that are about fetching and that no test shows, each with the reason.
LEFT_OUT: dict[str, str] = {}

_ROW = re.compile(r"\b([DES])(\d{1,2})(?:\s?[-–]\s?\1?(\d{1,2}))?\b")
_SUFFIX = re.compile(r"_([des])(\d{1,2})(?=_|$)")


def rows_by_test() -> Iterator[tuple[str, set[str]]]:
    """Every test as ``folder/file.py::name``, with the rows that it names."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        module_rows = _rows_in(ast.get_docstring(tree) or "")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                named = _rows_in(ast.get_docstring(node) or "") | _rows_of(node.name)
                yield f"{file.relative_to(TESTS)}::{node.name}", named or module_rows


def tests_by_row() -> dict[str, list[str]]:
    """The table: row to tests."""
    table: dict[str, list[str]] = defaultdict(list)
    for test, rows in rows_by_test():
        for row in rows:
            table[row].append(test)
    return table


def _rows_of(name: str) -> set[str]:
    return {f"{letter.upper()}{number}" for letter, number in _SUFFIX.findall(name)}


def _rows_in(text: str) -> set[str]:
    rows: set[str] = set()
    for letter, first, last in _ROW.findall(text):
        rows.update(f"{letter}{number}" for number in range(int(first), int(last or first) + 1))
    return rows


def main() -> None:
    """Print the table."""
    table = tests_by_row()
    for row in ROWS:
        shown = table.get(row) or [f"left out: {LEFT_OUT.get(row, 'NOT SHOWN')}"]
        for test in shown:
            sys.stdout.write(f"{row:<4} {test}\n")


if __name__ == "__main__":
    main()
