"""Tables of products for the run page; their cells are plain text, never markdown."""

from collections.abc import Mapping, Sequence

import dagster as dg
from psycopg import Connection

from omni_pipeline.store import price_snapshots, products
from omni_pipeline.store.crawl_jobs import Claim

MOST_ROWS = 20
MOST_CHARACTERS = 80


def products_table(conn: Connection, holding: Claim) -> dg.TableMetadataValue:
    """Some of the domain's products with their prices as of the last refresh."""
    found = products.list_products(conn, holding.domain_id, most=MOST_ROWS)
    return _table(
        ("product", "name", "price", "currency", "availability", "status"),
        [
            {
                "product": str(one.product_id),
                "name": one.name,
                "price": one.current_price_amount,
                "currency": one.current_price_currency,
                "availability": one.current_availability,
                "status": one.status,
            }
            for one in found
        ],
    )


def changes_table(conn: Connection, holding: Claim) -> dg.TableMetadataValue:
    """What this refresh changed of known prices."""
    found = price_snapshots.changes(conn, holding, most=MOST_ROWS)
    return _table(
        ("product", "name", "before", "now", "currency", "availability"),
        [
            {
                "product": str(one.product_id),
                "name": one.name,
                "before": one.before_amount,
                "now": one.price_amount,
                "currency": one.price_currency,
                "availability": one.availability,
            }
            for one in found
        ],
    )


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> dg.TableMetadataValue:
    records = [dg.TableRecord({name: _cell(row[name]) for name in columns}) for row in rows]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in columns])
    return dg.TableMetadataValue(records=records, schema=schema)


def _cell(value: object) -> str:
    return "" if value is None else str(value)[:MOST_CHARACTERS]
