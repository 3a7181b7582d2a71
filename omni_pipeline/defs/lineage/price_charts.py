"""The chart of prices on a run page: an image of ours inside markdown, the one kind that renders.

The UI drops SVG that stands in markdown by itself, and shows images with their data in the link.
"""

from base64 import b64encode

import dagster as dg
from psycopg import Connection

from omni_pipeline.domain.prices.chart import MAX_LINES, draw_prices
from omni_pipeline.store.catalogue import price_snapshots
from omni_pipeline.store.jobs.crawl_jobs import Claim

DAYS = 90


def price_chart(conn: Connection, claim: Claim) -> dict[str, dg.MarkdownMetadataValue]:
    """How the prices that changed last moved in 90 days; nothing where none has."""
    points = price_snapshots.recent_prices(conn, claim, days=DAYS, limit=MAX_LINES)
    drawing = draw_prices(points)
    if drawing is None:
        return {}
    data = b64encode(drawing.encode()).decode()
    return {"prices": dg.MetadataValue.md(f"![Prices](data:image/svg+xml;base64,{data})")}
