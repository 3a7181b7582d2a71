"""Rows of products for the run page, as `reports` shows them."""

from psycopg import Connection

from omni_pipeline.defs.lineage.reports import Rows
from omni_pipeline.store.catalogue import companies, price_snapshots, products
from omni_pipeline.store.jobs.crawl_jobs import Claim

MAX_ROWS = 20


def some_products(conn: Connection, claim: Claim) -> Rows:
    """Some of the domain's products with their prices as of the last refresh."""
    found = products.list_products(conn, claim.domain_id, limit=MAX_ROWS)
    return [
        {
            "product": one.product_id,
            "name": one.name,
            "price": one.current_price_amount,
            "currency": one.current_price_currency,
            "availability": one.current_availability,
            "status": one.status,
        }
        for one in found
    ]


def price_changes(conn: Connection, claim: Claim) -> Rows:
    """What this refresh changed of known prices."""
    found = price_snapshots.changes(conn, claim, limit=MAX_ROWS)
    return [
        {
            "product": one.product_id,
            "name": one.name,
            "before": one.before_amount,
            "now": one.price_amount,
            "currency": one.price_currency,
            "availability": one.availability,
        }
        for one in found
    ]


def profile(conn: Connection, claim: Claim) -> Rows:
    """What is known of the company, each field with where it was found."""
    company = companies.find(conn, claim.domain_id)
    if company is None:
        return []
    return [
        {
            "field": name,
            "value": getattr(company, name),
            "found in": evidence.source,
            "confidence": evidence.confidence,
        }
        for name, evidence in company.evidence.items()
    ]
