"""What the sources of one page say about its product, read once and asked by every nomination."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property

from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.amounts import read_amount
from omni_pipeline.domain.prices.currencies import (
    country_of_host,
    currency_of_country,
    currency_of_language,
    iso_code,
)
from omni_pipeline.domain.products.claims import ProductClaim
from omni_pipeline.domain.products.declared.embedded_state import state_claims, state_prices
from omni_pipeline.domain.products.declared.opengraph import meta_claim
from omni_pipeline.domain.products.labels import Labels, folded, read_labels
from omni_pipeline.domain.products.model import Source
from omni_pipeline.domain.products.offers import (
    Quote,
    ReadOffer,
    claimed_price,
    in_one_currency,
    nearest_offers,
    read_offer,
)
from omni_pipeline.domain.products.shown.visible_page import SURE_POINTS, ShownPrice, ShownProduct

_CODE_REACH = 200
# Five digits at least, in pieces or not: fewer are a year, a size, a price.
_CODE = re.compile(r"(?=(?:\D*\d){5})[A-Za-z0-9](?:[A-Za-z0-9/._-]{3,38})[A-Za-z0-9]")
# Best first; the sources that claim, as opposed to what is read off the rendered page.
CLAIMING = (Source.JSON_LD, Source.MICRODATA, Source.META, Source.EMBEDDED_STATE)


class ProductSources:
    """The claims of a page about its own product, and what it shows.

    Args:
        page: The parsed page.
        own: Claims of its markup about its own product, best source first.
        default: ISO 4217, of the domain's configuration.
    """

    def __init__(self, page: ParsedPage, own: list[ProductClaim], *, default: str | None) -> None:
        self.page, self.default = page, default
        meta = meta_claim(page)
        self.claims = [*own, *([meta] if meta else []), *state_claims(page)]
        self.claims_of = {
            source: [claim for claim in self.claims if claim.source is source]
            for source in CLAIMING
        }

    @cached_property
    def offers_of(self) -> dict[Source, list[ReadOffer]]:
        """The nearest offers of each source, in one currency."""
        preferred = (self.default, self.currency, self.home_currency)
        return {
            source: in_one_currency(nearest_offers(self._read(claims)), preferred)
            for source, claims in self.claims_of.items()
        }

    @property
    def offers(self) -> list[ReadOffer]:
        """Of the best source that has any; several claims of it are variants of one product."""
        return next((offers for offers in self.offers_of.values() if offers), [])

    @cached_property
    def quotes(self) -> dict[Source, Quote]:
        """What each source says that the product costs."""
        quotes = {source: claimed_price(offers) for source, offers in self.offers_of.items()}
        return {source: quote for source, quote in quotes.items() if quote is not None}

    @cached_property
    def home_currency(self) -> str | None:
        """What people pay with where the page is at home: by the host's country or the language."""
        country = country_of_host(self.page.host)
        return currency_of_country(country) or currency_of_language(self.page.language)

    @cached_property
    def currency(self) -> str | None:
        """The first that a claim names: it is configured, or one of several is the shop's own."""
        codes = list(self._claimed_currencies())
        preferred = (self.default, self.home_currency)
        return next((code for code in preferred if code in codes), next(iter(codes), None))

    @cached_property
    def shown(self) -> ShownProduct:
        return ShownProduct(self.page, currency=self.currency, default=self.default)

    @cached_property
    def shown_price(self) -> ShownPrice | None:
        """The price where a product's stands; around what is sold out stand those of others."""
        shown = self.shown.price(self._known_amounts())
        if shown is None or shown.points >= SURE_POINTS:
            return shown
        stock = self.shown.stock
        is_gone = stock is not None and not stock.availability.can_be_embedded
        return None if is_gone else shown

    @cached_property
    def labels(self) -> Labels:
        """Numbers that the page labels, from its heading on and then before it."""
        body = self.page.tree.body
        text = text_of_node(body) if body else ""
        heading = self.page.heading_text
        start = max(0, text.find(heading)) if heading else 0
        return read_labels(text[start:], before=text[:start], known=self.page.url)

    @cached_property
    def witnessed_number(self) -> str | None:
        """A code that stands alone below the heading, and in the page's address, too."""
        root, heading = self.page.tree.body, self.page.heading
        address = folded(self.page.url.partition("//")[2].partition("/")[2])
        if root is None or heading is None:
            return None
        start = self.page.place(heading)
        for node in root.traverse(include_text=True):
            if node.tag != "-text" or node.parent is None:
                continue
            text = (node.text_content or "").strip()
            if not _CODE.fullmatch(text) or folded(text) not in address:
                continue
            if start < self.page.place(node.parent) <= start + _CODE_REACH:
                return text
        return None

    def _claimed_currencies(self) -> Iterator[str]:
        for claim in self.claims:
            for offer in claim.offers:
                if code := iso_code(offer.currency):
                    yield code

    def _known_amounts(self) -> set[Decimal]:
        amounts = {amount for text in state_prices(self.page) if (amount := read_amount(text))}
        amounts.update(q.price.amount for q in self.quotes.values() if q.price.amount)
        return amounts

    def _read(self, claims: list[ProductClaim]) -> list[ReadOffer]:
        return [
            read_offer(offer, claim, self.page, default=self.default)
            for claim in claims
            for offer in claim.offers
        ]
