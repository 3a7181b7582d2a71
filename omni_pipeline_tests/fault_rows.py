"""Which test shows which fault or attack: read from the docstrings and names of the tests.

    python -m omni_pipeline_tests.fault_rows     # prints the table

A test names the rows it shows in its docstring, as in ``A12, D6: confirmed by a second request``,
or at the end of its name, as in ``..._d27_s46``. The rows A, B and C share their letters with the
requirements, so they are named as ``fault A19`` (C also bare where no requirement can be meant). So
the table cannot drift from the tests; what no test shows is listed here with its reason.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent

ROWS = (
    *(f"A{number}" for number in range(1, 25)),
    *(f"B{number}" for number in range(1, 19)),
    *(f"C{number}" for number in range(1, 24)),
    *(f"D{number}" for number in range(1, 41)),
    *(f"E{number}" for number in range(1, 12)),
    *(f"F{number}" for number in range(1, 14)),
    *(f"G{number}" for number in range(1, 14)),
    *(f"S{number}" for number in range(1, 54)),
)

# Rows that no test shows, each with the reason.
LEFT_OUT: dict[str, str] = {
    "A23": "no page takes that much memory (D31, D35), so none is quarantined for it; a worker that"
    " is killed for its memory is A1 to A13",
    "B14": "Dagster's own storage is Dagster's: a run that cannot report is reaped as A16",
    "F9": "prices are written under the domain's one lease, and so never beside a refresh",
    "F12": "a failed page is asked for again by a refresh alone: there is no second way to it",
    "F13": "needs two releases; code older than the schema refuses to start (test_migrations)",
}

# Where the rows C are meant by their bare numbers: what these test is the embedding endpoint.
ENDPOINT_TESTS = {
    "gateways/embedding/test_client.py",
    "domain/embedding/test_validation.py",
    "steps/services/test_shared_throttle.py",
    "store/usage/test_circuit_breakers.py",
    "store/usage/test_rate_limits.py",
    "domain/web/test_retry_after.py",
}

_RANGE = r"(\d{1,2})(?:(?:\s?[-–]\s?|\sto\s)[A-S]?(\d{1,2}))?\b"
_ROW = re.compile(rf"\b([DEFGS]){_RANGE}")
_ENDPOINT_ROW = re.compile(rf"\b(C){_RANGE}")
_NAMED_FAULTS = re.compile(r"\bfaults? ([A-G]\d[A-G\d, –-]*)", re.IGNORECASE)
_NAMED_ROW = re.compile(rf"\b([A-G]){_RANGE}")
_SUFFIX = re.compile(r"_([des])(\d{1,2})(?=_|$)")


def rows_by_test() -> Iterator[tuple[str, set[str]]]:
    """Every test as ``folder/file.py::name``, with the rows that it names."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        is_about_endpoint = str(file.relative_to(TESTS)) in ENDPOINT_TESTS
        module_rows = _rows_of_attacks(ast.get_docstring(tree) or "")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = ast.get_docstring(node) or ""
                named = _rows_in(text, is_about_endpoint=is_about_endpoint) | _rows_of(node.name)
                yield f"{file.relative_to(TESTS)}::{node.name}", named or module_rows


@cache
def tests_by_row() -> dict[str, list[str]]:
    """The table: row to tests."""
    table: dict[str, list[str]] = defaultdict(list)
    for test, rows in rows_by_test():
        for row in rows:
            table[row].append(test)
    return table


def _rows_of_attacks(text: str) -> set[str]:
    """What a whole module is about: attacks and sites; of other faults each test says its own."""
    rows = _rows_in(text, is_about_endpoint=False)
    return {row for row in rows if row[0] in "DES"}


def _rows_of(name: str) -> set[str]:
    return {f"{letter.upper()}{number}" for letter, number in _SUFFIX.findall(name)}


def _rows_in(text: str, *, is_about_endpoint: bool) -> set[str]:
    found = _ROW.findall(text)
    for named in _NAMED_FAULTS.findall(text):
        found += _NAMED_ROW.findall(named)
    if is_about_endpoint:
        found += _ENDPOINT_ROW.findall(text)
    rows: set[str] = set()
    for letter, first, last in found:
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
