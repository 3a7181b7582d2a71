"""What a person sees: tables, JSON, CSV, one-line errors."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# What spreadsheets take for the beginning of a formula, or skip before one (OWASP, S-69).
_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def print_json(value: object) -> None:
    """Machine-readable, one document on standard output."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=2) + "\n")


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """Print a table; the columns named in ``right`` hold numbers."""
    out.print(make_table(columns, rows, right=right))


def make_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()
) -> Table:
    """A table, for whoever shows it; the columns named in ``right`` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        justify: JustifyMethod = "right" if column in right else "left"
        # A host or a model's name is copied from here: it is never broken over lines.
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column == columns[0])
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return ago(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return escape(str(value))


def write_csv(target: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a line of names; empty stands for None.

    Every value is quoted, and text that a spreadsheet would calculate gets an apostrophe before it.
    Numbers stay numbers: they come from our own columns.
    """
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_cell(row[column]) for column in columns])


def _csv_cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_STARTS_OF_FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def ago(when: datetime, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that fits: ``12 s``, ``5 min``, ``3 h``, ``2 d`` ago."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - when).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def say(line: str) -> None:
    """A line for a person, on standard output."""
    out.print(escape(line))


def warn(line: str) -> None:
    """A line for a person, on standard error."""
    err.print(f"[yellow]{escape(line)}[/]")


def print_counts(counts: Mapping[str, int]) -> None:
    """Numbers with their names, one line each, aligned."""
    width = max((len(f"{value:,}") for value in counts.values()), default=0)
    for name, value in counts.items():
        say(f"  {value:>{width},} {name}")
