"""Reports of the steps as Dagster's metadata: numbers become plots, crawled text never markdown."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg


def materialized(
    report: Any,
    *,
    rows: int,
    table: str,
    tables: Mapping[str, dg.TableMetadataValue] | None = None,
) -> dg.MaterializeResult[None]:
    """A step's frozen report as a materialization, with the row count that Dagster headlines."""
    metadata: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(report).items()
    }
    return dg.MaterializeResult(
        metadata=metadata
        | {"dagster/partition_row_count": rows, "dagster/table_name": table}
        | dict(tables or {})
    )
