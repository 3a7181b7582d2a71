"""Reports of the steps as Dagster's metadata: numbers become plots, crawled text never markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import dagster as dg

from omni_pipeline.defs.lineage.columns import Table
from omni_pipeline.defs.runs.resource import RefreshRun

Rows = Sequence[Mapping[str, object]]

MAX_CHARACTERS = 80
# Between day and time: tables are narrow, and break where they can.
NO_BREAK = "\N{NO-BREAK SPACE}"


def materialized(
    refresh: RefreshRun, report: Any, table: Table, *, rows: int, **samples: Rows
) -> dg.MaterializeResult[None]:
    """A step's frozen report as a materialization, with the row count that Dagster headlines.

    Args:
        refresh: The run's refresh, of which the domain and the duration are told.
        report: Its fields become entries by their own names, which carry the units.
        table: Where the rows are.
        rows: How many of them are the domain's.
        samples: Tables by title; one without rows is left out.
    """
    refresh.reports.append(report)
    said = asdict(report)
    numbers = {name: value for name, value in said.items() if not isinstance(value, tuple)}
    lists = {
        name: list(value) for name, value in said.items() if isinstance(value, tuple) and value
    }
    tables = {title: show_rows(shown) for title, shown in samples.items() if shown}
    return dg.MaterializeResult(
        metadata={
            "summary": dg.MetadataValue.md(summarize(numbers, refresh.worked_seconds)),
            "site": dg.MetadataValue.url(refresh.domain.start_url),
            "in_a_terminal": f"omni status {refresh.domain.host}",
            **lists,
            **tables,
            **numbers,
            **_paces(numbers, refresh.worked_seconds),
            "duration_seconds": round(refresh.worked_seconds, 2),
            "dagster/partition_row_count": rows,
            "dagster/column_lineage": table.lineage,
        }
    )


def summarize(numbers: Mapping[str, object], seconds: float) -> str:
    """The counts that are not zero, as Markdown: numbers and names of ours only (S-57)."""
    parts = [f"**{count:,}** {_spell(name, count)}" for name, count in _counts(numbers) if count]
    cost = numbers.get("cost_usd")
    if isinstance(cost, float) and cost:
        parts.append(f"**${cost:,.4f}**")
    return f"{', '.join(parts) or 'Nothing to do'}, in {seconds:,.1f} s."


def _spell(name: str, count: int) -> str:
    noun, _, rest = name.partition("_")
    return f"{noun.removesuffix('s') if count == 1 else noun} {rest.replace('_', ' ')}"


def show_rows(rows: Rows) -> dg.TableMetadataValue:
    """Rows of equal columns as a table of plain text and whole numbers."""
    columns = [
        dg.TableColumn(name, "int" if isinstance(value, int) else "string")
        for name, value in rows[0].items()
    ]
    records = [
        dg.TableRecord({name: show_cell(value) for name, value in row.items()}) for row in rows
    ]
    return dg.TableMetadataValue(records=records, schema=dg.TableSchema(columns))


def _paces(numbers: Mapping[str, Any], seconds: float) -> dict[str, float]:
    """How quickly went what was done; of nothing there is no pace."""
    pages = numbers.get("pages_discovered", 0) - numbers.get("pages_skipped", 0)
    done = {"pages_per_second": pages, "tokens_per_second": numbers.get("tokens_embedded", 0)}
    return {name: round(count / seconds, 1) for name, count in done.items() if count and seconds}


def _counts(numbers: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    for name, value in numbers.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value


def show_cell(value: object) -> str | int:
    """Plain text of bounded length, times in UTC to the minute; whole numbers as they are."""
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d{NO_BREAK}%H:%M}"
    return "" if value is None else str(value)[:MAX_CHARACTERS]
