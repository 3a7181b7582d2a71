"""The history of prices: what is added, what is not, and what waits for a second look."""

from decimal import Decimal
from pathlib import Path

import pytest

from omni_pipeline.steps.checks.product_plausibility import check_prices_found, check_prices_sane
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.steps.catalogue.shops import HOST, Shop, open_shop


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return open_shop(database, tmp_path)


def test_a_snapshot_is_added_on_a_change_and_only_then(shop: Shop) -> None:
    """R-B7, I35, I36"""
    for price in ("39.90", "39.90", "34.90", "34.90"):
        shop.sell("lamp", price)
        shop.refresh()
    assert shop.prices("lamp") == ["39.90 EUR", "34.90 EUR"]
    assert shop.products()["lamp"].current_price_amount == Decimal("34.90")
    jobs = [one.job_id for one in shop.history("lamp")]
    assert len(set(jobs)) == len(jobs)


def test_a_change_of_availability_is_one_too(shop: Shop) -> None:
    for stock in ("InStock", "OutOfStock", "OutOfStock", "InStock"):
        shop.sell("lamp", "39.90", stock=stock)
        shop.refresh()
    assert [one.availability for one in shop.history("lamp")] == [
        "in_stock",
        "out_of_stock",
        "in_stock",
    ]


def test_a_price_that_falls_too_far_is_held_until_it_is_seen_twice(shop: Shop) -> None:
    """S-68"""
    shop.sell("lamp", "499.00")
    shop.refresh()
    shop.sell("lamp", "4.99")
    report = shop.refresh()
    assert (report.price_snapshots.prices_added, report.price_snapshots.prices_held) == (0, 1)
    lamp = shop.products()["lamp"]
    assert lamp.current_price_amount == Decimal("499.00")
    assert lamp.held_price_amount == Decimal("4.99")
    with shop.database.connect() as conn:
        check = check_prices_sane(conn, HOST)
    assert (check.passed, check.kind) == (False, "suspicious.price")
    report = shop.refresh()
    assert (report.price_snapshots.prices_added, report.price_snapshots.prices_held) == (1, 0)
    assert shop.prices("lamp") == ["499.00 EUR", "4.99 EUR"]


def test_a_refresh_that_did_not_look_at_the_page_is_no_second_look(shop: Shop) -> None:
    """S-68: within the recency window nothing was seen again."""
    shop.sell("lamp", "499.00")
    shop.refresh()
    shop.sell("lamp", "4.99")
    shop.refresh()
    shop.refresh(is_looked_at=False)
    assert shop.prices("lamp") == ["499.00 EUR"]


def test_a_mistake_that_is_taken_back_leaves_no_trace(shop: Shop) -> None:
    for price in ("499.00", "4.99", "499.00"):
        shop.sell("lamp", price)
        shop.refresh()
    assert shop.prices("lamp") == ["499.00 EUR"]
    assert shop.rows("SELECT FROM held_prices") == []


def test_another_currency_is_as_suspicious_as_another_order_of_magnitude(shop: Shop) -> None:
    shop.sell("lamp", "100.00")
    shop.refresh()
    shop.sell("lamp", "100.00", currency="USD")
    shop.refresh()
    assert shop.prices("lamp") == ["100.00 EUR"]
    shop.refresh()
    assert shop.prices("lamp") == ["100.00 EUR", "100.00 USD"]


def test_a_page_that_loses_its_price_says_nothing_about_it(shop: Shop) -> None:
    """ "Found nothing" is no price: the extraction may have missed it."""
    shop.sell("lamp", "39.90")
    shop.refresh()
    shop.sell("lamp", None)
    shop.refresh()
    assert shop.products()["lamp"].current_price_amount == Decimal("39.90")
    shop.sell("lamp", None, stock="SoldOut")
    shop.refresh()
    assert [one.availability for one in shop.history("lamp")] == ["in_stock", "sold_out"]
    shop.sell("lamp", "3.99")
    shop.refresh()
    assert shop.products()["lamp"].held_price_amount == Decimal("3.99")


def test_daily_points_are_added_once_a_day_when_configured(shop: Shop) -> None:
    """R-B7: seen again, unchanged, on a later day."""
    shop.sell("lamp", "39.90")
    shop.refresh()
    yesterday = (
        "SET session_replication_role = replica; "
        "UPDATE price_snapshots SET observed_at = observed_at - interval '1 day'"
    )
    shop.run(yesterday)
    shop.refresh()
    assert len(shop.history("lamp")) == 1
    shop.configure({"daily_price_points": True})
    assert shop.refresh().price_snapshots.price_points_added == 1
    assert shop.refresh().price_snapshots.price_points_added == 0
    assert [one.is_change for one in shop.history("lamp")] == [True, False]


def test_a_price_without_a_currency_takes_the_configured_one_or_is_reported(shop: Shop) -> None:
    shop.sell("lamp", "39.90", currency="")
    shop.refresh()
    with shop.database.connect() as conn:
        if shop.products()["lamp"].current_price_currency is None:
            assert not check_prices_sane(conn, HOST).passed


def test_product_pages_without_prices_turn_a_check_red(shop: Shop) -> None:
    for number in range(8):
        shop.sell(f"thing-{number}", None, sku=f"T-{number}")
    shop.refresh()
    with shop.database.connect() as conn:
        check = check_prices_found(conn, HOST)
    assert not check.passed
    assert check.numbers == {"product_pages": 8, "product_pages_without_price": 8}
