"""A product on a page, with its price, as a refresh leaves it."""

from decimal import Decimal

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.catalogue import extracted_pages, price_snapshots, products
from omni_pipeline.store.catalogue.extracted_pages import NewExtraction
from omni_pipeline.store.catalogue.price_snapshots import NewSnapshot
from omni_pipeline.store.catalogue.products import NewProduct, ProductListing
from omni_pipeline_tests.store.conftest import Run


def list_product(run: Run, page_id: int, name: str) -> int:
    """The id of a product that this page shows under its name; it is found by that as SKU."""
    with run.fenced():
        conn, claim = run.conn, run.claim
        extraction = NewExtraction(page_id=page_id, body_hash=text_hash(name), company=None)
        extracted_pages.save(conn, claim, [extraction], extractor="products-1/-")
        [product_id] = products.reserve_ids(conn, 1)
        key, url = f"sku::{name}", f"https://{claim.host}/{name}"
        new = NewProduct(product_id=product_id, identity=key, page_id=page_id, url=url)
        products.add(conn, claim, [new])
        products.keep_keys(conn, claim, {key: product_id})
        shown = {"url": url, "name": name, "sku": name, "offers": [], "evidence": {}}
        listing = ProductListing(
            page_id=page_id, position=0, product_id=product_id, is_detail=True, shown=shown
        )
        products.save_listings(conn, claim, [listing])
        products.show(conn, [product_id])
    return product_id


def price(run: Run, product_id: int, amount: str, *, is_change: bool = True) -> int:
    """Add a snapshot; how many were new."""
    snapshot = NewSnapshot(
        product_id=product_id,
        is_change=is_change,
        page_url=f"https://{run.claim.host}/p",
        price_kind="exact",
        price_amount=Decimal(amount),
        price_currency="EUR",
        price_text=amount,
        regular_price_amount=None,
        availability="in_stock",
    )
    with run.fenced():
        return price_snapshots.append(run.conn, run.claim, [snapshot])
