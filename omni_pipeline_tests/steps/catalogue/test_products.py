"""Products from page to list: identity, delisting and relisting, and what is too much at once."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from omni_pipeline.steps.catalogue import products as steps
from omni_pipeline.steps.checks.product_plausibility import check_delistings
from omni_pipeline.store.catalogue import products
from omni_pipeline.store.catalogue.extracted_pages import DueBody
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.steps.catalogue.shops import HOST, Shop, open_shop, product_page


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return open_shop(database, tmp_path)


def test_a_product_has_the_values_of_its_page_and_says_where_they_are_from(shop: Shop) -> None:
    """R-B6"""
    shop.sell("lamp", "39.90", sku="L-1", gtin13="4012345678901", brand="Fernhill")
    report = shop.refresh()
    assert (report.products.products_listed, report.price_snapshots.prices_added) == (1, 1)
    lamp = shop.products()["lamp"]
    assert (lamp.identity, lamp.sku, lamp.brand) == ("gtin:04012345678901", "L-1", "Fernhill")
    assert (lamp.current_price_amount, lamp.current_price_currency) == (Decimal("39.90"), "EUR")
    assert (lamp.status, lamp.current_availability) == ("listed", "in_stock")
    [row] = shop.rows("SELECT evidence FROM products")
    assert row["evidence"]["price_amount"]["source"] == "json_ld"


def test_an_unchanged_page_is_not_read_again_until_the_extractor_changes(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    assert shop.refresh().products.pages_extracted == 1
    assert shop.refresh().products.pages_extracted == 0
    shop.configure({"default_currency": "CHF"})
    assert shop.refresh().products.pages_extracted == 1
    shop.run("UPDATE extracted_pages SET extractor = 'products-0/CHF'")
    assert shop.refresh().products.pages_extracted == 1
    assert len(shop.history("lamp")) == 1


def test_a_domain_without_products_is_not_read(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.configure({"has_products": False})
    report = shop.refresh()
    assert (report.products.pages_extracted, report.products.products_listed) == (0, 0)


def test_a_product_whose_page_is_gone_is_delisted_and_keeps_its_history(shop: Shop) -> None:
    """F-D6, I38: in the transaction in which the page leaves."""
    shop.sell("lamp", "39.90")
    shop.sell("fuse", "3.00")
    shop.refresh()
    shop.withdraw("lamp")
    shop.refresh()
    lamp = shop.products()["lamp"]
    assert lamp.status == "delisted"
    assert lamp.delisted_at is not None
    assert shop.prices("lamp") == ["39.90 EUR"]
    assert shop.products()["fuse"].status == "listed"
    assert shop.violations() == []


def test_a_product_that_returns_is_the_one_that_left(shop: Shop) -> None:
    """R-B7: the same row, and its history goes on."""
    shop.sell("lamp", "39.90", sku="L-1")
    shop.refresh()
    before = shop.products()["lamp"].product_id
    shop.withdraw("lamp")
    shop.refresh()
    shop.sell("lamp", "44.90", sku="L-1")
    shop.refresh()
    lamp = shop.products()["lamp"]
    assert (lamp.product_id, lamp.status, lamp.delisted_at) == (before, "listed", None)
    assert shop.prices("lamp") == ["39.90 EUR", "44.90 EUR"]


def test_a_page_that_shows_its_product_no_more_delists_it_while_the_page_stays(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.refresh()
    shop.pages["/lamp.html"] = "<html><main><h1>Sorry</h1><p>The lamp is history.</p></main></html>"
    shop.refresh()
    assert shop.products()["lamp"].status == "delisted"


def test_a_product_moves_with_its_number_and_keeps_its_history(shop: Shop) -> None:
    """R-B7: found again by its SKU on another address."""
    shop.sell("lamp", "39.90", sku="L-1")
    shop.refresh()
    before = shop.products()["lamp"].product_id
    shop.withdraw("lamp")
    shop.pages["/lights/lamp.html"] = product_page("lamp", "35.00", sku="L-1")
    shop.refresh()
    lamp = shop.products()["lamp"]
    assert (lamp.product_id, lamp.status) == (before, "listed")
    assert lamp.url.endswith("/lights/lamp.html")
    assert shop.prices("lamp") == ["39.90 EUR", "35.00 EUR"]


def test_a_page_that_gains_a_number_keeps_its_product(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.refresh()
    before = shop.products()["lamp"].product_id
    shop.sell("lamp", "39.90", gtin13="4012345678901")
    shop.refresh()
    lamp = shop.products()["lamp"]
    assert (lamp.product_id, lamp.identity) == (before, "gtin:04012345678901")


def test_a_page_that_shows_another_number_shows_another_product(shop: Shop) -> None:
    """A split: the old product's history does not take in the new one's price."""
    shop.sell("lamp", "39.90", sku="L-1")
    shop.refresh()
    shop.pages["/lamp.html"] = product_page("torch", "12.00", sku="T-9")
    shop.refresh()
    found = shop.products()
    assert {name: one.status for name, one in found.items()} == {
        "lamp": "delisted",
        "torch": "listed",
    }
    assert (shop.prices("lamp"), shop.prices("torch")) == (["39.90 EUR"], ["12.00 EUR"])


def test_two_products_that_prove_to_be_one_are_merged_with_both_histories(shop: Shop) -> None:
    """A merge: nothing of either history is lost or rewritten."""
    shop.sell("lamp", "39.90", sku="L-1")
    shop.pages["/old/lamp.html"] = product_page("lamp, classic", "41.00")
    shop.refresh()
    first, second = (shop.products()[name].product_id for name in ("lamp", "lamp, classic"))
    shop.pages["/old/lamp.html"] = product_page("lamp, classic", "42.00", sku="L-1")
    shop.refresh()
    [kept] = shop.products().values()
    assert kept.product_id in (first, second)
    [gone] = shop.rows("SELECT id, status FROM products WHERE merged_into IS NOT NULL")
    assert {kept.product_id, gone["id"]} == {first, second}
    amounts = {str(one.price_amount) for one in shop.history(str(kept.name))}
    assert amounts >= {"39.90", "41.00"}
    assert shop.violations() == []


def test_a_list_shows_a_product_until_the_page_of_its_own_does(shop: Shop) -> None:
    cards = "".join(
        f'<li class=card><h2><a href="/p{n}.html">Product {n}</a></h2>'
        f'<span class="price">€{n}.50</span></li>'
        for n in range(1, 5)
    )
    shop.pages["/all.html"] = f"<html lang=en><main><h1>All</h1><ul>{cards}</ul></main></html>"
    shop.refresh()
    assert shop.products()["Product 1"].current_price_amount == Decimal("1.50")
    before = shop.products()["Product 1"].product_id
    shop.pages["/p1.html"] = product_page("Product 1", "1.25", sku="P-1")
    shop.refresh()
    found = shop.products()["Product 1"]
    assert (found.product_id, found.current_price_amount) == (before, Decimal("1.25"))
    assert found.identity == "sku::p1"
    shop.withdraw("p1")
    shop.refresh()
    found = shop.products()["Product 1"]
    assert (found.status, found.current_price_amount) == ("listed", Decimal("1.50"))


def fill(shop: Shop, count: int) -> None:
    for number in range(count):
        shop.sell(f"thing-{number}", f"{number + 1}.00", sku=f"T-{number}")


def test_too_many_vanishing_at_once_are_held_until_a_person_confirms_it(shop: Shop) -> None:
    """I40, in its manner: a changed template is not a clearance sale."""
    fill(shop, 12)
    shop.refresh()
    for number in range(12):
        page = f"<html><main><h1>Log in</h1><p>Customer number {number}?</p></main></html>"
        shop.pages[f"/thing-{number}.html"] = page
    report = shop.refresh()
    assert (report.products.products_held, report.products.products_delisted) == (12, 0)
    with shop.database.connect() as conn:
        check = check_delistings(conn, HOST)
        assert not check.passed
        assert f"omni products {HOST} --confirm-delistings" in check.summary
    shop.sell("thing-0", "1.00", sku="T-0")
    assert shop.refresh().products.products_held == 11
    with shop.database.connect() as conn:
        assert products.confirm_vanished(conn, shop.domain_id()) == 11
        assert check_delistings(conn, HOST).passed
    report = shop.refresh()
    assert (report.products.products_listed, report.products.products_delisted) == (1, 11)
    assert shop.violations() == []


def test_a_page_that_cannot_be_read_is_on_the_ledger_and_keeps_its_product(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.refresh()
    shop.run(
        "UPDATE raw_pages SET body_hash = sha256('deep'),"
        " html = repeat('<div>', 60000) WHERE url LIKE '%/lamp.html'"
    )
    assert shop.refresh(is_looked_at=False).products.pages_failed == 1
    [failure] = shop.rows("SELECT error_kind FROM failed_pages WHERE stage = 'extract'")
    assert failure["error_kind"] == "permanent.too_deep"
    assert shop.products()["lamp"].status == "listed"
    shop.refresh()
    assert shop.rows("SELECT FROM failed_pages WHERE resolved_at IS NULL") == []


def test_characters_that_postgres_refuses_cost_no_batch(shop: Shop) -> None:
    """F-D29"""
    shop.sell("lamp", "39.90", sku="L\u0000-1\ud800", brand="Fern\u0000hill")
    shop.refresh()
    assert shop.products()["lamp"].current_price_amount == Decimal("39.90")


def test_a_refresh_that_is_repeated_writes_no_row_twice(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.refresh()
    query = "SELECT id, xmin::text FROM price_snapshots"
    before = shop.rows(query)
    shop.refresh()
    assert shop.rows(query) == before


def test_removing_the_domain_removes_its_products_and_prices(shop: Shop) -> None:
    shop.sell("lamp", "39.90")
    shop.refresh()
    with shop.database.connect() as conn:
        domains.remove(conn, HOST)
    for left in (
        shop.rows("SELECT FROM products"),
        shop.rows("SELECT FROM price_snapshots"),
        shop.rows("SELECT FROM companies"),
    ):
        assert left == []


def test_a_fault_of_our_own_costs_one_page_and_is_not_said_to_be_the_pages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr(steps, "products_on", broken)
    page = DueBody(page_id=1, url="https://shop.test/vane", html="<p>x</p>", body_hash=b"")
    read, [failure] = steps._read_batch([page], currency=None, today=date(2026, 1, 1), model=None)
    assert (read, failure.kind) == ([], "permanent.reader_failed")
    assert "a fault of omni_pipeline" in failure.reason
    assert "AttributeError in broken" in failure.reason
    assert "no such thing" in caplog.text, "with its traceback"
