"""What a person reads on the page of a materialization."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from omni_pipeline.definitions import defs
from omni_pipeline.defs.lineage import columns
from omni_pipeline.defs.lineage.columns import Table
from omni_pipeline.defs.lineage.reports import show_rows, summarize
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.defs.conftest import Console

TABLES = (
    *(columns.RAW_PAGES, columns.CLEANED_PAGES, columns.CHUNKS, columns.EMBEDDINGS),
    *(columns.PRODUCTS, columns.PRICE_SNAPSHOTS, columns.COMPANIES),
)
IN_POSTGRES = b"""
SELECT attname, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


def page_of(console: Console, asset: str) -> Mapping[str, Any]:
    event = console.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_columns_are_those_of_postgres(table: Table, database: Database) -> None:
    """R-C1: names, types and what may be null, as the migrations left them."""
    with database.connect() as conn:
        found = {
            (name, kind.replace("timestamp with time zone", "timestamptz"), nullable)
            for name, kind, nullable in conn.execute(IN_POSTGRES, (table.name,))
        }
    declared = [column.describe() for column in table.columns]
    assert {(one.name, one.type, one.constraints.nullable) for one in declared} == found


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_lineage_names_columns_that_are(table: Table) -> None:
    columns = {
        spec.key: {column.name for column in spec.metadata["dagster/column_schema"].columns}
        for spec in defs.resolve_all_asset_specs()
        if "dagster/column_schema" in spec.metadata
    }
    made = table.lineage.deps_by_column
    assert made.keys() <= {column.name for column in table.columns}
    for dep in (dep for deps in made.values() for dep in deps):
        assert dep.column_name in columns[dep.asset_key]


def test_every_asset_says_what_it_is_and_whose() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name in ("content", "products", "health"), spec.key


def test_a_materialization_has_summary_site_numbers_and_samples(console: Console) -> None:
    """R-C1, R-C7: units are in the names, and numbers are numbers, which Dagster plots."""
    assert console.refresh().error is None
    raw = page_of(console, "raw_pages")
    assert raw["summary"].value.startswith("**25** pages discovered, **24** pages changed")
    assert raw["site"].value == f"{console.site.url}/"
    assert raw["in_a_terminal"].value == f"omni status {console.host}"
    assert raw["duration_seconds"].value > 0
    assert raw["pages_per_second"].value > 0
    assert raw["newest"].records[0].data["path"].startswith("/")
    assert "notes" not in raw
    assert page_of(console, "cleaned_pages")["newest"].records[0].data["characters"] > 0
    assert page_of(console, "chunks")["staged"].records[0].data["tokens"] > 0
    embeddings = page_of(console, "embeddings")
    assert embeddings["published"].records[0].data["chunks"] > 0
    assert embeddings["tokens_embedded"].value > 0
    assert embeddings["dagster/partition_row_count"].value == embeddings["embeddings_live"].value
    fields = {record.data["field"] for record in page_of(console, "companies")["profile"].records}
    assert "name" in fields


def test_crawled_text_is_never_markdown(console: Console) -> None:
    """S-57: a title that is markup stays a cell of plain text."""
    hostile = "[click](javascript:alert(1))"
    page = console.site.read("/docs/alerts.html")
    console.site.pages["/docs/alerts.html"] = page.replace("<h1>", f"<h1>{hostile} ")
    assert console.refresh().error is None
    for asset in ("raw_pages", "cleaned_pages", "chunks", "embeddings", "products", "companies"):
        for entry in page_of(console, asset).values():
            assert not (isinstance(entry, dg.MarkdownMetadataValue) and "click" in entry.value)


def test_the_summary_leaves_out_what_did_not_happen() -> None:
    numbers = {"pages_changed": 1_204, "pages_gone": 0, "is_truncated": True, "cost_usd": 0.0123}
    assert summarize(numbers, 61.04) == "**1,204** pages changed, **$0.0123**, in 61.0 s."
    assert summarize({"pages_gone": 1}, 0.26) == "**1** page gone, in 0.3 s."
    assert summarize({"pages_changed": 0, "cost_usd": None}, 2) == "Nothing to do, in 2.0 s."


def test_cells_are_plain_and_bounded() -> None:
    seen_at = datetime(2026, 7, 1, 2, 3, tzinfo=UTC)
    row = {"n": 3, "price": Decimal("9.90"), "at": seen_at, "none": None, "text": "x" * 500}
    shown = show_rows([row])
    assert [column.type for column in shown.schema.columns][:2] == ["int", "string"]
    cells = shown.records[0].data
    assert (cells["n"], cells["price"], cells["none"]) == (3, "9.90", "")
    assert cells["at"] == "2026-07-01\N{NO-BREAK SPACE}02:03"
    assert len(str(cells["text"])) == 80
