"""`omni prices`: what a product has cost over time, as a plot and as rows."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import print_json, print_table, say
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.catalogue import price_snapshots
from omni_pipeline.store.catalogue import products as stored
from omni_pipeline.store.catalogue.price_snapshots import Snapshot
from omni_pipeline.store.catalogue.products import FoundProduct

PLOT_WIDTH = 60
PLOT_HEIGHT = 8
MAX_ALIKE = 10


def prices(
    product: Annotated[str, typer.Argument(help="Its number, SKU, GTIN, URL or name.")],
    domain: Annotated[str | None, typer.Option(help="Only this domain's products.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a product's price history."""
    with open_application() as app:
        found, history = _read(app, product, app.get_domain(domain).host if domain else None)
    if as_json:
        print_json({"product": found, "history": history})
    else:
        _print_history(found, history)


def show_prices(app: Application, wanted: str, host: str) -> None:
    """The price history of a domain's product, as a plot and a table."""
    _print_history(*_read(app, wanted, host))


def _read(app: Application, wanted: str, host: str | None) -> tuple[FoundProduct, list[Snapshot]]:
    found = _find(app, wanted, host)
    return found, app.session.run(lambda conn: price_snapshots.history(conn, found.product_id))


def _print_history(found: FoundProduct, history: Sequence[Snapshot]) -> None:
    say(f"{found.name}  ({found.host}, {found.status})")
    say(found.url)
    for line in plot(history):
        say(line)
    print_table(
        ["seen", "price", "before", "availability", "as shown"],
        [
            (
                f"{one.observed_at:%Y-%m-%d %H:%M}",
                _price(one),
                one.regular_price_amount,
                one.availability,
                one.price_text,
            )
            for one in history
        ],
        right=["price", "before"],
    )


def _find(app: Application, wanted: str, host: str | None) -> FoundProduct:
    found = app.session.run(lambda conn: stored.find(conn, wanted, host=host, limit=MAX_ALIKE))
    if not found:
        raise SettingsError(
            f"No product is known as {wanted!r}: `omni products DOMAIN` lists them with numbers."
        )
    exact = [one for one in found if wanted in (str(one.product_id), one.name, one.url)]
    if len(exact or found) > 1:
        listed = "; ".join(f"{one.product_id} {one.name} ({one.host})" for one in exact or found)
        raise SettingsError(f"{wanted!r} is said of several products, name one number: {listed}")
    return (exact or found)[0]


def _price(one: Snapshot) -> str:
    if one.price_amount is None:
        return (one.price_kind or "-").replace("_", " ")
    return f"{one.price_amount:,} {one.price_currency or ''}".rstrip()


def plot(history: Sequence[Snapshot]) -> list[str]:
    """The newest currency's prices as steps over time; no lines for fewer than two prices."""
    priced = [one for one in history if one.price_amount is not None]
    if priced:
        priced = [one for one in priced if one.price_currency == priced[-1].price_currency]
    if len({one.price_amount for one in priced}) < 2:  # noqa: PLR2004 - a level line says nothing
        return []
    amounts = [one.price_amount or Decimal(0) for one in priced]
    low, high = min(amounts), max(amounts)
    heights = [int((amount - low) / (high - low) * (PLOT_HEIGHT - 1)) for amount in amounts]
    columns = _steps([one.observed_at.timestamp() for one in priced], heights)
    labels = {PLOT_HEIGHT - 1: f"{high:,}", 0: f"{low:,}"}
    width = max(map(len, labels.values()))
    return [
        f"{labels.get(row, ''):>{width}} │"
        + "".join("█" if height == row else " " for height in columns)
        for row in reversed(range(PLOT_HEIGHT))
    ]


def _steps(times: Sequence[float], heights: Sequence[int]) -> list[int]:
    """The height that holds at each column; the last one at the end."""
    span = times[-1] - times[0] or 1.0
    starts = [round((time - times[0]) / span * (PLOT_WIDTH - 1)) for time in times]
    columns = [heights[0]] * PLOT_WIDTH
    for start, height in zip(starts, heights, strict=True):
        columns[start:] = [height] * (PLOT_WIDTH - start)
    return columns
