"""Reads products and company profiles from pages; the list of products follows what pages show.

Runs beside the content lineage, on the same bodies. Prices are the next step's: see
``price_snapshots``.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from traceback import extract_tb
from typing import Any

from psycopg import Connection

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.companies.profile import company_on
from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.mass_loss import is_implausible
from omni_pipeline.domain.products.extraction import EXTRACTOR_VERSION, products_on
from omni_pipeline.domain.products.identity import identities_of
from omni_pipeline.domain.products.llm_questions import QUESTION_VERSION
from omni_pipeline.domain.products.matching import Matcher
from omni_pipeline.domain.products.model import PageKind, Product
from omni_pipeline.errors import LeaseLostError, OmniError, PermanentError
from omni_pipeline.steps.catalogue.llm_extraction import LlmExtractor, ModelReader
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.store.catalogue import companies, extracted_pages, products
from omni_pipeline.store.catalogue.extracted_pages import DueBody, NewExtraction
from omni_pipeline.store.catalogue.products import NewProduct, ProductListing
from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.jobs.domains import Domain

# Bodies are up to 10 MB each, so a batch is small.
BATCH_PAGES = 20

# Longer ones are no addresses of pages; the crawler has none either.
MAX_URL_BYTES = 2048

# What nothing that a page holds may make a reader raise. One page costs one page all the same,
# never the refresh; whose fault it is, is said.
_OWN_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ProductsReport:
    """What was read, and the list of products after it.

    Attributes:
        products_held: Vanished, and so many at once that a person has to confirm it.
        pages_asked_about: Of which a chat model was asked, where one is configured.
        pages_unanswered: Of which it could not be asked; what the rules found of them stands.
    """

    pages_extracted: int
    pages_failed: int
    products_seen: int
    products_listed: int
    products_delisted: int
    products_held: int
    pages_asked_about: int = 0
    pages_unanswered: int = 0


@dataclass(frozen=True, kw_only=True)
class _Read:
    page: DueBody
    products: tuple[Product, ...]
    company: dict[str, Any] | None
    unanswered: Failure | None = None


def extract(
    refresh: Refresh, client: LlmExtractor | None = None, *, today: date | None = None
) -> ProductsReport:
    """Read every live page whose body, or whose extractor, changed; then settle the list.

    A page that cannot be read keeps what it showed; the failure is on the ledger.

    Args:
        refresh: The claimed domain.
        client: To the chat model, where one is configured.
        today: Against which the dates of offers are read; by the clock where it is not given.
    """
    day, currency = today or datetime.now(UTC).date(), refresh.domain.default_currency
    model = _open_reader(refresh, client)
    extractor = extractor_of(refresh.domain, model.settings.model if model else None)
    done = failed = seen = unanswered = after_id = 0
    with refresh.stage("products"):
        known = _count_due(refresh, extractor)
        while done < known and (due := _due(refresh, extractor, after_id)):
            read, failures = _read_batch(due, currency=currency, today=day, model=model)
            refresh.write(_save, read, failures, extractor=extractor)
            done, failed = done + len(due), failed + len(failures)
            seen += sum(len(one.products) for one in read)
            unanswered += sum(one.unanswered is not None for one in read)
            after_id = due[-1].page_id
            refresh.report(Progress(stage="products", done=done, known=known, failed=failed))
        refresh.write(_settle)
        numbers = refresh.read(lambda conn, claim: products.count(conn, claim.domain_id))
    return ProductsReport(
        pages_extracted=done - failed,
        pages_failed=failed,
        products_seen=seen,
        products_listed=numbers.listed,
        products_delisted=numbers.delisted,
        products_held=numbers.held,
        pages_asked_about=model.pages_asked if model else 0,
        pages_unanswered=unanswered,
    )


def _open_reader(refresh: Refresh, client: LlmExtractor | None) -> ModelReader | None:
    settings = refresh.settings.extraction
    if client is None or settings is None:
        return None
    return ModelReader(refresh=refresh, settings=settings, client=client)


def extractor_of(domain: Domain, model: str | None = None) -> str:
    """What decides about an extraction beside the body: another value means another reading."""
    rules = f"products-{EXTRACTOR_VERSION}/{domain.default_currency or '-'}"
    return f"{rules}/{QUESTION_VERSION}-{model}" if model else rules


def _count_due(refresh: Refresh, extractor: str) -> int:
    """How many pages are to be read; none of a domain that has no products by configuration."""
    if not refresh.domain.has_products:
        return 0
    return refresh.read(extracted_pages.count_due, extractor=extractor)


def _due(refresh: Refresh, extractor: str, after_id: int) -> list[DueBody]:
    return refresh.read(
        extracted_pages.due, extractor=extractor, after_id=after_id, limit=BATCH_PAGES
    )


def _read_batch(
    due: list[DueBody], *, currency: str | None, today: date, model: ModelReader | None
) -> tuple[list[_Read], list[Failure]]:
    read: list[_Read] = []
    failures: list[Failure] = []
    for page in due:
        try:
            read.append(_read(page, currency=currency, today=today, model=model))
        except LeaseLostError:
            raise
        except PermanentError as error:
            failures.append(Failure(url=page.url, kind=error.kind, reason=str(error)))
        except _OWN_FAULTS as error:
            failures.append(_own_fault(page.url, error))
    return read, failures


def _read(page: DueBody, *, currency: str | None, today: date, model: ModelReader | None) -> _Read:
    parsed = ParsedPage(page.html, url=page.url, language=None)
    found = products_on(parsed, default_currency=currency, today=today)
    company = company_on(parsed)
    found, unanswered = _ask_about(parsed, found, model)  # last, as it prunes the page
    return _Read(
        page=page,
        products=tuple(one for one in found if len(one.url.encode()) <= MAX_URL_BYTES),
        company=_clean(companies.as_json(company)) if company.evidence else None,
        unanswered=unanswered,
    )


def _ask_about(
    page: ParsedPage, found: tuple[Product, ...], model: ModelReader | None
) -> tuple[tuple[Product, ...], Failure | None]:
    """What a chat model adds; whatever goes wrong with that, what was found stays."""
    if model is None:
        return found, None
    try:
        return model.read(page, found), None
    except LeaseLostError:
        raise
    except OmniError as error:
        return found, Failure(url=page.url, kind=error.kind, reason=str(error))
    except _OWN_FAULTS as error:
        return found, _own_fault(page.url, error)


def _own_fault(url: str, error: Exception) -> Failure:
    _logger.error("reading %s for products failed", url, exc_info=error)
    place = extract_tb(error.__traceback__)[-1]
    reason = (
        f"The reader of products failed on {url} with {type(error).__name__} in {place.name} "
        f"({Path(place.filename).name}, line {place.lineno}). That is a fault of omni_pipeline, "
        "not of the page: please report it with this line. Its text is searched all the same."
    )
    return Failure(url=url, kind="permanent.reader_failed", reason=reason)


def _save(
    conn: Connection,
    claim: Claim,
    read: list[_Read],
    failures: list[Failure],
    *,
    extractor: str,
) -> None:
    """Write a batch whole: what was read, what it shows, and the products behind it."""
    extracted = [
        NewExtraction(page_id=one.page.page_id, body_hash=one.page.body_hash, company=one.company)
        for one in read
    ]
    extracted_pages.save(conn, claim, extracted, extractor=extractor)
    before = products.forget_listings(conn, [one.page.page_id for one in read])
    listings = _identify(conn, claim, read)
    products.save_listings(conn, claim, listings)
    products.show(conn, list(before | {one.product_id for one in listings}))
    failed_pages.resolve(conn, claim, [one.page.url for one in read], "extract")
    unanswered = [one.unanswered for one in read if one.unanswered]
    failed_pages.record(conn, claim, "extract", [*failures, *unanswered])


def _identify(conn: Connection, claim: Claim, read: list[_Read]) -> list[ProductListing]:
    """Find the product of each extraction: add the new ones, merge those that are one."""
    keys = {key for one in read for product in one.products for key in identities_of(product)}
    matcher = Matcher(products.load_known(conn, claim, list(keys)))
    matched = [
        (one.page, position, product, matcher.match(identities_of(product), product.name))
        for one in read
        for position, product in enumerate(one.products)
    ]
    new = [number for number in matcher.new_ids if number not in matcher.absorbed]
    ids = dict(zip(new, products.reserve_ids(conn, len(new)), strict=True))

    def stored(number: int) -> int:
        settled = matcher.settled(number)
        return ids.get(settled, settled)

    owners = {key: stored(owner) for key, owner in matcher.owners.items()}
    listings = [
        _listing(page, position, product, stored(number))
        for page, position, product, number in matched
    ]
    merged = {number: stored(number) for number in matcher.absorbed if number > 0}
    products.merge(conn, merged)
    products.add(conn, claim, _new_products(set(ids.values()), owners, listings))
    products.keep_keys(conn, claim, owners)
    return listings


def _new_products(
    ids: set[int], owners: dict[str, int], listings: list[ProductListing]
) -> list[NewProduct]:
    identity = {owner: key for key, owner in sorted(owners.items(), reverse=True)}
    first = {one.product_id: one for one in reversed(listings) if one.product_id in ids}
    return [
        NewProduct(
            product_id=number,
            identity=identity[number],
            page_id=one.page_id,
            url=one.shown["url"],
        )
        for number, one in first.items()
    ]


def _listing(page: DueBody, position: int, product: Product, product_id: int) -> ProductListing:
    return ProductListing(
        page_id=page.page_id,
        position=position,
        product_id=product_id,
        is_detail=product.page_kind is PageKind.DETAIL,
        shown=_clean(asdict(product)),
    )


def _clean(value: Any) -> Any:
    """Make JSON of dataclasses and amounts, without characters that Postgres refuses."""
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return storable(value) if isinstance(value, str) else value


def _settle(conn: Connection, claim: Claim) -> None:
    """Delist what no page shows any more, or hold it when it is too much to be believed."""
    products.note_seen(conn, claim)
    vanished = products.vanished(conn, claim)
    doubtful = [one.product_id for one in vanished if not one.is_confirmed]
    if is_implausible(len(doubtful), products.count(conn, claim.domain_id).listed):
        products.hold(conn, doubtful)
        vanished = [one for one in vanished if one.is_confirmed]
    products.delist(conn, claim, [one.product_id for one in vanished])
