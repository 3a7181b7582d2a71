"""`omni products` and `omni prices`: what a person or a spreadsheet gets to see."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from omni_pipeline.cli import app
from omni_pipeline.commands.console import write_csv
from omni_pipeline.commands.prices import PLOT_HEIGHT, plot
from omni_pipeline.commands.products import read_age
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.catalogue.price_snapshots import Snapshot
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.steps.catalogue.shops import HOST, Shop, open_shop


@pytest.fixture
def shop(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Followed through two refreshes, between which a price fell."""
    monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
    monkeypatch.setenv("OMNI_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    shop = open_shop(database, tmp_path)
    shop.sell("motor", "129.00", sku="FH-210")
    shop.sell("=HYPERLINK(1)", "5.00", sku="FH-1")
    shop.sell("lamp", "64.50", sku="FH-2", currency="USD")
    shop.refresh()
    shop.sell("motor", "99.00", sku="FH-210")
    shop.sell("lamp", "0.64", sku="FH-2", currency="USD")
    shop.refresh()
    return shop


def omni(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_products_are_listed_with_their_newest_prices(shop: Shop) -> None:
    result = omni("products", HOST)
    assert result.exit_code == 0, result.output
    assert "99.00 EUR" in result.stdout
    assert "64.50 USD" in result.stdout
    assert "USD 0.64 is too far" in result.stderr


def test_what_is_held_back_is_seen_with_its_remedy(shop: Shop) -> None:
    """S-68, and the guard of mass delistings (R-A12)."""
    for name in ("motor", "=HYPERLINK(1)", "lamp"):
        shop.pages[f"/{name}.html"] = "<h1>Moved to another shop</h1>"
    shop.refresh()
    listed = omni("products", HOST)
    assert listed.stdout.count("vanished, held") == 3
    assert f"omni products {HOST} --confirm-delistings" in listed.stderr
    status = omni("status")
    assert f"3 vanished products wait for you to look: omni domains confirm-removals {HOST}" in (
        status.stderr
    )
    assert "1 price waits for a second look" in status.stderr


def test_a_part_that_cannot_be_meant_is_refused_before_anything_runs(shop: Shop) -> None:
    result = omni("refresh", HOST, "--only", "https://shop.test/lamp.html")
    assert result.exit_code == 1
    assert "begins with / or *" in result.stderr
    assert len(shop.rows("SELECT FROM crawl_jobs")) == 2


def test_only_what_changed_is_listed_when_asked_for(shop: Shop) -> None:
    with shop.database.connect() as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE products SET first_seen_at = first_seen_at - interval '30 days'")
        conn.execute(
            "UPDATE price_snapshots SET observed_at = observed_at - interval '30 days'"
            " WHERE price_amount <> 99"
        )
    result = omni("products", HOST, "--changed-since", "7d", "--json")
    assert [one["name"] for one in json.loads(result.stdout)["products"]] == ["motor"]


def test_an_export_is_safe_to_open_in_a_spreadsheet(shop: Shop) -> None:
    """S-69"""
    rows = list(csv.DictReader(io.StringIO(omni("products", HOST, "--csv").stdout)))
    assert {row["name"] for row in rows} == {"motor", "lamp", "'=HYPERLINK(1)"}


def test_prices_are_plotted_and_listed(shop: Shop) -> None:
    result = omni("prices", "FH-210")
    assert result.exit_code == 0, result.output
    assert "129.00 EUR" in result.stdout
    assert "█" in result.stdout
    report = json.loads(omni("prices", "motor", "--json").stdout)
    assert [one["price_amount"] for one in report["history"]] == ["129.00", "99.00"]


def test_a_product_that_is_unknown_or_not_one_is_refused_with_a_remedy(shop: Shop) -> None:
    missing = omni("prices", "no such thing")
    assert missing.exit_code == 1
    assert "omni products DOMAIN" in missing.stderr
    several = omni("prices", "m")
    assert several.exit_code == 1
    assert "name one number" in several.stderr


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"]
)
def test_a_cell_that_a_spreadsheet_would_calculate_is_text(text: str) -> None:
    """S-69"""
    target = io.StringIO()
    write_csv(target, ["name"], [{"name": text}])
    [_, [cell]] = list(csv.reader(io.StringIO(target.getvalue())))
    assert cell == f"'{text}"


def test_other_cells_are_as_they_are() -> None:
    target = io.StringIO()
    row = {"a": 'a "b", c', "b": Decimal("-1.50"), "c": None, "d": "a=b\nc"}
    write_csv(target, list(row), [row])
    assert list(csv.reader(io.StringIO(target.getvalue())))[1] == [
        'a "b", c',
        "-1.50",
        "",
        "a=b\nc",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30min", 1_800), ("24h", 86_400), ("7d", 604_800), (" 4W ", 2_419_200)]
)
def test_an_age_is_a_number_with_a_unit(text: str, seconds: int) -> None:
    assert read_age(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1y", "1.5h", "٣d"])
def test_what_is_no_age_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="such as 7d"):
        read_age(text)


def snapshot(day: int, amount: str | None, currency: str = "EUR") -> Snapshot:
    values: dict[str, Any] = dict.fromkeys(
        ("price_kind", "price_text", "regular_price_amount", "availability")
    )
    return Snapshot(
        observed_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
        is_change=True,
        price_amount=None if amount is None else Decimal(amount),
        price_currency=currency,
        page_url="https://shop.test/p",
        job_id=day,
        **values,
    )


def test_a_plot_shows_steps_from_the_oldest_price_to_the_newest() -> None:
    lines = plot([snapshot(0, "10"), snapshot(5, "20"), snapshot(9, None), snapshot(10, "15")])
    assert len(lines) == PLOT_HEIGHT
    assert lines[0].startswith("20 │")
    assert lines[-1].startswith("10 │█")
    assert "█" not in lines[-1][-5:]


@pytest.mark.parametrize(
    "history",
    [
        [],
        [snapshot(0, "10")],
        [snapshot(0, "10"), snapshot(1, "10")],
        [snapshot(0, "1", "USD"), snapshot(1, "2")],
    ],
)
def test_a_price_that_never_changed_is_not_plotted(history: list[Snapshot]) -> None:
    assert plot(history) == []
