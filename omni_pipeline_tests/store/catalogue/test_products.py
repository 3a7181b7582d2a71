"""What the database itself holds of products and prices, whoever writes."""

from typing import LiteralString

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.domain.companies.profile import Company
from omni_pipeline.domain.products.model import Evidence, Source
from omni_pipeline.store.catalogue import companies, price_snapshots, products
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline_tests.store.catalogue.product_fixtures import list_product, price
from omni_pipeline_tests.store.conftest import MISSING, Run, claim_domain, count

SNAPSHOT: LiteralString = """
    INSERT INTO price_snapshots (
        product_id, domain_id, job_id, is_change, page_url, price_amount, price_currency)
    SELECT id, domain_id, 99, true, ''"""


def next_job(run: Run) -> Run:
    run.finish()
    return Run(conn=run.conn, claim=claim_domain(run.conn), model=run.model)


def current(conn: Connection) -> list[str]:
    rows = conn.execute("SELECT current_price_amount::text FROM products ORDER BY id")
    return [amount for (amount,) in rows]


def status(conn: Connection, product_id: int) -> tuple[str, int]:
    row = conn.execute("SELECT status, page_id FROM products WHERE id = %s", [product_id])
    found: tuple[str, int] | None = row.fetchone()
    assert found is not None
    return found


@pytest.fixture
def lamp(run: Run) -> int:
    (page,) = run.save_pages("p")
    return list_product(run, page, "lamp")


def test_a_new_snapshot_is_the_current_price(run: Run, lamp: int) -> None:
    """I35, by construction."""
    price(run, lamp, "10")
    later = next_job(run)
    price(later, lamp, "12")
    assert current(run.conn) == ["12"]


def test_a_job_adds_one_snapshot_of_a_product_however_often_it_tries(run: Run, lamp: int) -> None:
    """I36, F-B11"""
    assert (price(run, lamp, "10"), price(run, lamp, "11")) == (1, 0)
    assert current(run.conn) == ["10"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE products SET current_price_amount = 1",
        "UPDATE products SET current_availability = 'sold_out'",
        "UPDATE price_snapshots SET price_amount = 1",
        "DELETE FROM price_snapshots",
        "TRUNCATE price_snapshots",
        "DELETE FROM products",
        "DELETE FROM raw_pages",
        "UPDATE products SET status = 'delisted'",
        "UPDATE products SET merged_into = id, status = 'delisted', delisted_at = now()",
        f"{SNAPSHOT}, NULL, NULL FROM products",
        f"{SNAPSHOT}, 'NaN', NULL FROM products",
        f"{SNAPSHOT}, 'Infinity', NULL FROM products",
        f"{SNAPSHOT}, -1, NULL FROM products",
        f"{SNAPSHOT}, 1, 'eur' FROM products",
    ],
)
def test_history_can_neither_be_rewritten_nor_filled_with_nonsense(
    run: Run, lamp: int, statement: LiteralString
) -> None:
    """R-B7, I35, I37, S-60"""
    price(run, lamp, "10")
    with pytest.raises(psycopg.IntegrityError):
        run.conn.execute(statement)


def test_history_goes_with_its_domain(run: Run, lamp: int) -> None:
    price(run, lamp, "10")
    domains.remove(run.conn, run.claim.host)
    assert count(run.conn, "SELECT count(*) FROM price_snapshots") == 0
    assert count(run.conn, "SELECT count(*) FROM products") == 0


def test_a_page_that_leaves_takes_its_product_along_in_one_transaction(run: Run, lamp: int) -> None:
    """F-D6, I38"""
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {"https://a.test/p": MISSING})
        assert status(run.conn, lamp)[0] == "delisted"


def test_a_product_that_another_page_shows_moves_there_instead(run: Run) -> None:
    first, second = run.save_pages("p", "q")
    lamp, fuse = list_product(run, first, "lamp"), list_product(run, second, "fuse")
    run.conn.execute(
        "INSERT INTO product_listings SELECT page_id, 1, domain_id, %s, false,"
        ' shown || \'{"name": "lamp"}\' FROM product_listings WHERE product_id = %s',
        [lamp, fuse],
    )
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {"https://a.test/p": MISSING})
    assert status(run.conn, lamp) == ("listed", second)
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, {"https://a.test/q": MISSING})
    assert {status(run.conn, lamp)[0], status(run.conn, fuse)[0]} == {"delisted"}


def test_two_pages_that_leave_at_once_leave_no_product_on_either(run: Run) -> None:
    """I38: neither is a refuge for what the other showed."""
    first, second = run.save_pages("p", "q")
    lamp, fuse = list_product(run, first, "lamp"), list_product(run, second, "fuse")
    run.conn.execute(
        "INSERT INTO product_listings SELECT page_id, 1, domain_id, %s, false, shown"
        " FROM product_listings WHERE product_id = %s",
        [lamp, fuse],
    )
    gone = {f"https://a.test/{path}": MISSING for path in "pq"}
    with run.fenced():
        raw_pages.remove_pages(run.conn, run.claim, gone)
    assert {status(run.conn, lamp)[0], status(run.conn, fuse)[0]} == {"delisted"}


def test_products_are_found_by_number_sku_or_part_of_their_name(run: Run, lamp: int) -> None:
    for wanted in (str(lamp), "LAMP", "sku::lamp", "https://a.test/lamp", "am"):
        [found] = products.find(run.conn, wanted)
        assert found.product_id == lamp
    assert products.find(run.conn, "lamp", host="b.test") == []
    assert products.find(run.conn, "100%' OR true --") == []


def test_a_merged_product_leaves_its_history_to_the_other(run: Run) -> None:
    first, second = run.save_pages("p", "q")
    lamp, twin = list_product(run, first, "lamp"), list_product(run, second, "twin")
    price(run, lamp, "10")
    price(run, twin, "11")
    with run.fenced():
        products.merge(run.conn, {twin: lamp})
    amounts = [str(one.price_amount) for one in price_snapshots.history(run.conn, lamp)]
    assert amounts == ["10", "11"]
    assert [one.product_id for one in products.list_products(run.conn, run.claim.domain_id)] == [
        lamp
    ]


def test_a_profile_is_written_when_it_says_something_else(run: Run) -> None:
    evidence = {"name": Evidence(source=Source.JSON_LD, confidence=0.95)}
    company = Company(name="Fernhill", social_links=("https://x.com/f",), evidence=evidence)
    with run.fenced():
        assert companies.save(run.conn, run.claim, company)
        assert not companies.save(run.conn, run.claim, company)
    assert companies.find(run.conn, run.claim.domain_id) == company
