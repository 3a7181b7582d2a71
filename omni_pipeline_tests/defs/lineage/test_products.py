"""The product lineage through Dagster, on the sample shop: prices fall, products come and go."""

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import dagster as dg

from omni_pipeline.domain.crawl.selection import name_part
from omni_pipeline.store.catalogue import price_snapshots, products
from omni_pipeline.store.catalogue.products import StoredProduct
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.monitoring import invariants
from omni_pipeline_tests.defs.conftest import Console

LAMP = "/shop/frost-lamp.html"
MOTOR = "/shop/vent-motor.html"


def shop_of(console: Console) -> dict[str, StoredProduct]:
    with console.database.connect() as conn:
        found = products.list_products(conn, domains.get(conn, console.host).id)
    return {str(one.name): one for one in found}


def prices(console: Console, product_id: int) -> list[Decimal | None]:
    with console.database.connect() as conn:
        return [one.price_amount for one in price_snapshots.history(conn, product_id)]


def refresh(console: Console) -> dict[str, dict[str, object]]:
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is None, outcome.error
    with console.database.connect() as conn:
        assert invariants.find_violations(conn, lease_seconds=90) == []
    return outcome.metadata


def take_out(console: Console, path: str, *, name: str) -> None:
    """Remove a product's page and its card in the list."""
    cards = console.site.read("/shop/").splitlines(keepends=True)
    console.site.pages["/shop/"] = "".join(line for line in cards if name not in line)
    console.site.remove(path)


def bring_back(console: Console, path: str) -> None:
    del console.site.pages["/shop/"]
    del console.site.pages[path]


def test_a_shop_is_followed_from_refresh_to_refresh(console: Console) -> None:
    """R-B6, R-B7: history, delisting and relisting, in the run that keeps the index in step."""
    reports = refresh(console)
    assert reports["products"]["products_listed"] == 5
    assert reports["price_snapshots"]["prices_added"] == 5
    assert reports["companies"]["company_fields"]
    shop = shop_of(console)
    assert {name: one.current_price_currency for name, one in shop.items()} == {
        "Leaf moisture sensor": "EUR",
        "Vent motor": "EUR",
        "Drip kit": "EUR",
        "Frost lamp": "USD",
        "Seed box": "EUR",
    }
    [(offers,)] = console.query(
        b"SELECT jsonb_array_length(offers) FROM products WHERE sku = 'FH-300'"
    )
    assert offers == 3

    console.site.pages[MOTOR] = console.site.read(MOTOR).replace("129.00", "119.00")
    take_out(console, LAMP, name="Frost lamp")
    reports = refresh(console)
    assert reports["price_snapshots"]["prices_added"] == 1
    gone = shop_of(console)
    assert gone["Frost lamp"].status == "delisted"
    assert gone["Vent motor"].current_price_amount == Decimal("119.00")

    bring_back(console, LAMP)
    reports = refresh(console)
    assert (reports["products"]["products_listed"], reports["products"]["products_delisted"]) == (
        5,
        0,
    )
    back = shop_of(console)
    assert back["Frost lamp"].status == "listed"
    assert back["Frost lamp"].product_id == shop["Frost lamp"].product_id
    assert prices(console, back["Frost lamp"].product_id) == [Decimal("64.50")]
    amounts = prices(console, back["Vent motor"].product_id)
    assert amounts == [Decimal("129.00"), Decimal("119.00")]

    assert refresh(console)["products"]["pages_extracted"] == 0
    chart = metadata_of(console, "price_snapshots")["prices"].value
    assert str(chart).startswith("![Prices](data:image/svg+xml;base64,")
    drawing = b64decode(str(chart).partition("base64,")[2].rstrip(")")).decode()
    assert f"product {back['Vent motor'].product_id}: 92 %" in drawing
    assert "motor" not in drawing, "S-57: numbers only"


def metadata_of(console: Console, asset: str) -> Mapping[str, dg.MetadataValue[Any]]:
    event = console.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata


def test_a_run_may_be_about_a_part_of_the_site(console: Console) -> None:
    """R-B1: other pages and products stay as they are, and the domain as stale as it was."""
    refresh(console)
    fresh = console.query(b"SELECT last_success_at FROM domains")
    console.site.pages[MOTOR] = console.site.read(MOTOR).replace("129.00", "119.00")
    console.site.pages["/faq.html"] = "<h1>Other questions</h1>"
    take_out(console, LAMP, name="Frost lamp")
    outcome = console.refresh(force_rescrape=True, part=name_part(None, ["/shop/v*"]))
    assert outcome.error is None, outcome.error
    assert outcome.metadata["raw_pages"]["pages_discovered"] == 1
    assert outcome.metadata["price_snapshots"]["prices_added"] == 1
    shop = shop_of(console)
    assert shop["Vent motor"].current_price_amount == Decimal("119.00")
    assert shop["Frost lamp"].status == "listed"
    assert console.query(b"SELECT last_success_at FROM domains") == fresh
    assert console.query(b"SELECT job_type, only_patterns FROM crawl_jobs ORDER BY id") == [
        ("full", []),
        ("category", ["/shop/v*"]),
    ]
    nothing = console.refresh(part=name_part(None, ["/shpo/*"]))
    assert nothing.error is not None
    assert "no page to refresh" in nothing.error


def test_the_run_page_shows_products_and_changes_as_plain_text_and_red_checks(
    console: Console,
) -> None:
    """S-57, S-68: a doubt is seen on the run, and stops nothing."""
    refresh(console)
    console.site.pages[MOTOR] = console.site.read(MOTOR).replace("129.00", "1.29")
    outcome = console.refresh(force_rescrape=True)
    assert outcome.error is None
    events = console.instance.all_logs(
        outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    found = [entry.get_dagster_event().asset_check_evaluation_data for entry in events]
    assert {one.check_name for one in found if not one.passed} == {"prices_are_sane"}
    sample = metadata_of(console, "products")["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert "Vent motor" in {record.data["name"] for record in sample.records}
