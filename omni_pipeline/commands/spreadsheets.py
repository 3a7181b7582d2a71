"""CSV for spreadsheets: what looks like a formula is text, whoever wrote it."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

# What spreadsheets take for the beginning of a formula, or skip before one (OWASP, S69).
_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_csv(target: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a line of names; empty stands for None.

    Every value is quoted, and text that a spreadsheet would calculate gets an apostrophe before it.
    Numbers stay numbers: they come from our own columns.
    """
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_STARTS_OF_FORMULAS):
        return f"'{value}"
    return "" if value is None else value
