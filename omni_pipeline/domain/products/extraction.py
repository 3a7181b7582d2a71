"""Extracts the products of a page: its own one, or those that it lists."""

from datetime import date

from omni_pipeline.domain.html.page import ParsedPage, likeness, words_of
from omni_pipeline.domain.products.candidates import explain
from omni_pipeline.domain.products.claims import ProductClaim
from omni_pipeline.domain.products.declared.schema_org import product_claims
from omni_pipeline.domain.products.detail_page import choose_fields, detail_product
from omni_pipeline.domain.products.listing_page import listed_products, shown_list
from omni_pipeline.domain.products.model import Product, Source
from omni_pipeline.domain.products.sources import ProductSources

# Stored with what is extracted. Raise it with every change of the rules: pages are read again.
EXTRACTOR_VERSION = 2

# Dates of offers are read against it where nobody says what day the page is from.
RULES_DATE = date(2026, 12, 1)

_MIN_LIKENESS = 0.6
_MIN_LISTED = 3


def extract_products(
    html: str,
    *,
    url: str,
    language: str | None = None,
    default_currency: str | None = None,
    today: date = RULES_DATE,
) -> tuple[Product, ...]:
    """Extract what a page sells: one product of its own, or the products that it lists.

    Args:
        html: The decoded page.
        url: Its canonical URL.
        language: BCP 47, used where the page does not name its own.
        default_currency: ISO 4217, of the domain's configuration.
        today: When the page was read: sales that are over or to come are no price.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``, as for links.
    """
    page = ParsedPage(html, url=url, language=language)
    return products_on(page, default_currency=default_currency, today=today)


def products_on(
    page: ParsedPage, *, default_currency: str | None = None, today: date = RULES_DATE
) -> tuple[Product, ...]:
    """Extract what a page that is parsed already sells, see `extract_products`."""
    claims = _structured_claims(page, today)
    own = _own_claims(page, claims)
    if not own and len({claim.name for claim in claims}) >= _MIN_LISTED:
        return listed_products(page, claims, default_currency=default_currency)
    product = detail_product(page, own, default_currency=default_currency)
    return (product,) if product else shown_list(page, default_currency=default_currency)


def explain_product(
    page: ParsedPage, *, default_currency: str | None = None, today: date = RULES_DATE
) -> list[dict[str, object]]:
    """Each field's candidates for the page's own product: sources, votes, and why one won."""
    own = _own_claims(page, _structured_claims(page, today))
    return explain(choose_fields(ProductSources(page, own, default=default_currency)))


def _structured_claims(page: ParsedPage, today: date) -> list[ProductClaim]:
    items, orphans = page.microdata
    if "offers" in orphans or "price" in orphans:  # a template without its outer itemscope
        items = [*items, {"@type": "Product", **orphans}]
    return [
        *product_claims(page.json_ld, Source.JSON_LD, today=today),
        *product_claims(items, Source.MICRODATA, today=today),
    ]


def _own_claims(page: ParsedPage, claims: list[ProductClaim]) -> list[ProductClaim]:
    """Claims about the product that the page is about, best source first."""
    free = [claim for claim in claims if not claim.listed]
    own = [claim for claim in free if _is_own(page, claim)]
    return own or (free if len({claim.name for claim in free}) == 1 else [])


def _is_own(page: ParsedPage, claim: ProductClaim) -> bool:
    if claim.url and claim.offers and page.absolute(claim.url) in (page.own_url, page.url):
        return True
    names = page.title_words | words_of(page.heading_text)
    return bool(claim.name) and likeness(claim.name or "", names) >= _MIN_LIKENESS
