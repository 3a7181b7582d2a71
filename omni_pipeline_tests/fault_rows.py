"""Which test shows which fault or attack: read from the docstrings and names of the tests.

    python -m omni_pipeline_tests.fault_rows     # prints the table

A test names the rows it shows in its docstring, as in ``F-D6, S-18 to S-20: confirmed by a second
request``, or leaves it to the docstring of its module. So the table cannot drift from the tests;
what no test shows is listed here with its reason. `docs/reference/faults.md` says what each is.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent

_LAST = {"A": 24, "B": 18, "C": 23, "D": 40, "E": 11, "F": 13, "G": 13}

ROWS = (
    *(f"F-{letter}{number}" for letter, last in _LAST.items() for number in range(1, last + 1)),
    *(f"S-{number}" for number in range(1, 54)),
)

# Rows that no test shows, each with the reason.
LEFT_OUT: dict[str, str] = {
    "F-A23": "no page takes that much memory (F-D31, F-D35), so none is quarantined for it; a"
    " worker that is killed for its memory is F-A1 to F-A13",
    "F-B14": "Dagster's own storage is Dagster's: a run that cannot report is reaped as F-A16",
    "F-F9": "prices are written under the domain's one lease, and so never beside a refresh",
    "F-F12": "a failed page is asked for again by a refresh alone: there is no second way to it",
    "F-F13": "needs two releases; code older than the schema refuses to start (test_migrations)",
}

_ROW = re.compile(r"\b(F-[A-G]|S-)(\d{1,2})(?:\sto\s\1(\d{1,2}))?\b")
_OF_MODULES = ("F-D", "F-E", "S-")


def rows_by_test() -> Iterator[tuple[str, set[str]]]:
    """Every test as ``folder/file.py::name``, with the rows that it names."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        module_rows = _rows_of_module(ast.get_docstring(tree) or "")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                named = rows_in(ast.get_docstring(node) or "")
                yield f"{file.relative_to(TESTS)}::{node.name}", named or module_rows


@cache
def tests_by_row() -> dict[str, list[str]]:
    """The table: row to tests."""
    table: dict[str, list[str]] = defaultdict(list)
    for test, rows in rows_by_test():
        for row in rows:
            table[row].append(test)
    return table


def _rows_of_module(text: str) -> set[str]:
    """What a whole module is about: attacks and sites; of other faults each test says its own."""
    return {row for row in rows_in(text) if row.startswith(_OF_MODULES)}


def rows_in(text: str) -> set[str]:
    """The faults and attacks that a text names, each of a range."""
    rows: set[str] = set()
    for kind, first, last in _ROW.findall(text):
        rows.update(f"{kind}{number}" for number in range(int(first), int(last or first) + 1))
    return rows


def main() -> None:
    """Print the table."""
    table = tests_by_row()
    for row in ROWS:
        shown = table.get(row) or [f"left out: {LEFT_OUT.get(row, 'NOT SHOWN')}"]
        for test in shown:
            sys.stdout.write(f"{row:<5} {test}\n")


if __name__ == "__main__":
    main()
