"""A small shop to refresh: its pages go into the store as a crawl would leave them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from omni_pipeline.domain.crawl.options import CrawlChanges
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.settings import Settings
from omni_pipeline.steps.catalogue.companies import CompaniesReport, join_profiles
from omni_pipeline.steps.catalogue.llm_extraction import LlmExtractor
from omni_pipeline.steps.catalogue.price_snapshots import PriceSnapshotsReport, snapshot_prices
from omni_pipeline.steps.catalogue.products import ProductsReport, extract
from omni_pipeline.steps.run.claimed_refresh import open_refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.store.catalogue import price_snapshots, products
from omni_pipeline.store.catalogue.price_snapshots import Snapshot
from omni_pipeline.store.catalogue.products import StoredProduct
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.crawl.raw_pages import NewBody, RemovalEvidence
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database

HOST = "shop.test"


@dataclass(frozen=True, kw_only=True)
class ShopReports:
    products: ProductsReport
    price_snapshots: PriceSnapshotsReport
    companies: CompaniesReport


@dataclass(kw_only=True)
class Shop:
    """A registered shop, its pages by path, and what refreshes leave of it."""

    database: Database
    settings: Settings
    pages: dict[str, str] = field(default_factory=dict)
    client: LlmExtractor | None = None

    def sell(self, name: str, price: str | None, **values: Any) -> None:
        """Put a product on the page ``/NAME.html``."""
        self.pages[f"/{name}.html"] = product_page(name, price, **values)

    def withdraw(self, name: str) -> None:
        del self.pages[f"/{name}.html"]

    def configure(self, options: CrawlChanges) -> None:
        with self.database.connect() as conn:
            domains.configure(conn, HOST, options)

    def refresh(self, *, is_looked_at: bool = True) -> ShopReports:
        """What a run does with the pages; without a look, as within the recency window."""
        request = Request(run_id="run-1", worker=this_worker())
        with open_refresh(self.database, self.settings, HOST, request) as refresh:
            if is_looked_at:
                refresh.write(self._crawl)
            return ShopReports(
                products=extract(refresh, self.client),
                price_snapshots=snapshot_prices(refresh),
                companies=join_profiles(refresh),
            )

    def _crawl(self, conn: Connection, claim: Claim) -> None:
        found = {f"https://{HOST}{path}": html for path, html in self.pages.items()}
        raw_pages.save(conn, claim, [_body(url, html) for url, html in found.items()])
        held = conn.execute("SELECT url FROM raw_pages WHERE status = 'live'")
        gone = {url for (url,) in held} - found.keys()
        missing = RemovalEvidence(reason="missing", http_status=404)
        raw_pages.remove_pages(conn, claim, dict.fromkeys(gone, missing))

    def domain_id(self) -> int:
        with self.database.connect() as conn:
            return domains.get(conn, HOST).id

    def products(self) -> dict[str, StoredProduct]:
        """By name."""
        with self.database.connect() as conn:
            found = products.list_products(conn, self.domain_id())
        assert len({one.name for one in found}) == len(found), "names are taken as unique here"
        return {str(one.name): one for one in found}

    def history(self, name: str) -> list[Snapshot]:
        with self.database.connect() as conn:
            return price_snapshots.history(conn, self.products()[name].product_id)

    def prices(self, name: str) -> list[str]:
        return [f"{one.price_amount} {one.price_currency}" for one in self.history(name)]

    def rows(self, query: LiteralString) -> list[dict[str, Any]]:
        with self.database.connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query).fetchall()

    def run(self, statement: LiteralString) -> None:
        with self.database.connect() as conn:
            conn.execute(statement)

    def violations(self) -> list[invariants.Violation]:
        with self.database.connect() as conn:
            return invariants.find_violations(conn, lease_seconds=90)


def _body(url: str, html: str) -> NewBody:
    return NewBody(
        url=url,
        etag=None,
        last_modified=None,
        content_type="text/html",
        charset="utf-8",
        html=html,
        body_hash=text_hash(html),
    )


def product_page(
    name: str,
    price: str | None,
    *,
    currency: str = "EUR",
    stock: str = "InStock",
    **values: Any,
) -> str:
    """A page whose JSON-LD says all."""
    offer = {"@type": "Offer", "availability": f"https://schema.org/{stock}"}
    if price is not None:
        offer |= {"price": price, "priceCurrency": currency}
    item = {"@type": "Product", "name": name, "offers": offer} | values
    return (
        f'<html lang="en"><main><h1>{name}</h1><script type="application/ld+json">'
        f"{json.dumps(item)}</script><p>All about {name}.</p></main></html>"
    )


def open_shop(database: Database, home: Path) -> Shop:
    with database.connect() as conn:
        domains.add(conn, NewDomain(host=HOST, start_url=f"https://{HOST}/"))
    return Shop(database=database, settings=Settings(home=home))
