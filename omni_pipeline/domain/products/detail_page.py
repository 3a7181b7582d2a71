"""Puts together what the sources say about the one product of a page.

Each value is taken from the best source that has it. Prices are voted on, because markup goes
stale: a template that still prints the list price is outvoted by what data and page show together.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.prices.amounts import read_amount
from omni_pipeline.domain.prices.availability import Availability, read_availability
from omni_pipeline.domain.prices.currencies import currency_of_language, iso_code
from omni_pipeline.domain.prices.money import Price, PriceKind
from omni_pipeline.domain.products.claims import Claim
from omni_pipeline.domain.products.embedded_state import state_claims, state_prices
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.labels import read_brand, read_labels
from omni_pipeline.domain.products.model import TRUST, Evidence, Offer, PageKind, Product, Source
from omni_pipeline.domain.products.offers import claimed_price, merge_offers, read_offer
from omni_pipeline.domain.products.opengraph import is_product_page, meta_claim
from omni_pipeline.domain.products.visible_page import SURE_POINTS, ShownPrice, ShownProduct

_VOTES = {Source.JSON_LD: 3.0, Source.MICRODATA: 2.8, Source.META: 2.0, Source.EMBEDDED_STATE: 1.5}
_POINTS_OF_A_VOTE = 3.0
_MAX_SHOWN_VOTE = 2.5
_MIN_GTIN = 12
_MIN_SIGNS = 2
_MAX_RIVALS = 2
_HAS_DIGIT = re.compile(r"\d")
_PLACEHOLDER = re.compile(r"[${<|]|^\W*$")
_MAX_BRAND = 80
_LONG_WORD = re.compile(r"(?<!\S)[^\W\d_]{4,}(?!\S)")


def detail_product(
    page: ParsedPage, own: list[Claim], *, default_currency: str | None
) -> Product | None:
    """The product that the page is about, or None where it sells none.

    Args:
        page: The parsed page.
        own: Claims of its markup about its own product, best source first.
        default_currency: ISO 4217.
    """
    return _Detail(page, own, default_currency).product()


class _Detail:
    def __init__(self, page: ParsedPage, own: list[Claim], default: str | None) -> None:
        self._page, self._own, self._default = page, own, default
        meta = meta_claim(page)
        self._claims = [*own, *([meta] if meta else []), *state_claims(page)]
        self._read = {source: self._read_offers(source) for source in Source}
        self._hint = self._claimed_currency()
        self._shown = ShownProduct(page, currency=self._hint, default=default)
        self._labelled: str | None = None
        self._values: dict[str, Any] = {}
        self._evidence: dict[str, Evidence] = {}

    def product(self) -> Product | None:
        offers = self._offers()
        self._decide_names()
        self._decide_numbers(offers)
        shown = self._shown.price(self._known_amounts())
        stock = self._decide_availability(offers)
        self._decide_price(offers, shown if self._trusts(shown, stock) else None)
        if not self._is_product(shown):
            return None
        self._assume_stock()
        return Product(
            url=self._page.own_url,
            page_kind=PageKind.DETAIL,
            offers=offers if len(offers) > 1 else (),
            evidence=self._evidence,
            **self._values,
        )

    def _set(self, name: str, value: object, source: Source, share: float = 1.0) -> None:
        if value is not None and name not in self._values:
            self._values[name] = value
            self._evidence[name] = Evidence(
                source=source, confidence=round(min(1.0, TRUST[source] * share), 2)
            )

    def _decide_names(self) -> None:
        heading = self._page.heading_text
        for claim in self._claims:
            if claim.name:
                self._set("name", storable(claim.name), claim.source)
        if heading:
            self._set("name", storable(heading)[:500], Source.RULES)
        title = self._page.meta.get("og:title")
        self._set("name", storable(title) if title else None, Source.META, 0.8)
        for claim in self._claims:
            self._set("brand", _brand(claim.brand), claim.source)
            self._set("image_url", self._page.absolute(claim.image), claim.source)
        self._set("image_url", self._page.absolute(self._page.meta.get("og:image")), Source.META)
        if "brand" not in self._values:
            self._set("brand", _brand(read_brand(self._page.tree)), Source.RULES)

    def _decide_numbers(self, offers: tuple[Offer, ...]) -> None:
        labels = read_labels(self._text_from_heading(), known=self._page.url)
        self._labelled = labels.sku
        if labels.sku:
            claimed = {claim.sku for claim in self._claims if claim.sku}
            self._set("sku", labels.sku, Source.RULES, 1.5 if labels.sku in claimed else 1.2)
        skus = self._product_skus(offers)
        for sku, source in skus:
            if not _LONG_WORD.search(sku):
                self._set("sku", storable(sku), source)
        self._set("sku", self._page.number_of_url(), Source.RULES, 0.8)
        for claim in self._claims:
            self._set("gtin", self._gtin(claim), claim.source)
            if claim.mpn and claim.mpn != claim.sku and _HAS_DIGIT.search(claim.mpn):
                self._set("mpn", storable(claim.mpn), claim.source)
        self._set("gtin", normalize_gtin(labels.gtin), Source.RULES)
        self._set("mpn", labels.mpn, Source.RULES)

    def _product_skus(self, offers: tuple[Offer, ...]) -> Iterator[tuple[str, Source]]:
        """SKUs of the product; of a group that is marked up as many products there is none."""
        by_source: dict[Source, set[str]] = {}
        for claim in self._claims:
            if claim.sku:
                by_source.setdefault(claim.source, set()).add(claim.sku)
        for source, skus in by_source.items():
            if len(skus) == 1:
                yield skus.pop(), source
        if not by_source and len({offer.sku for offer in offers}) == 1 and offers[0].sku:
            yield offers[0].sku, self._claims[0].source

    def _gtin(self, claim: Claim) -> str | None:
        numbers = [claim.gtin, *(offer.gtin for offer in claim.offers)]
        if claim.sku and len(claim.sku) >= _MIN_GTIN:  # shops of books use the EAN as SKU
            numbers.append(claim.sku)
        found = {gtin for number in numbers if (gtin := normalize_gtin(number))}
        return found.pop() if len(found) == 1 else None

    def _text_from_heading(self) -> str:
        body = self._page.tree.body
        text = text_of_node(body) if body else ""
        start = text.find(self._page.heading_text) if self._page.heading_text else 0
        return text[max(0, start) :]

    def _decide_availability(self, offers: tuple[Offer, ...]) -> Availability | None:
        """Take what markup says, else what the page shows; returns what it shows."""
        known = [offer.availability for offer in offers if offer.availability]
        if known:
            best = next((one for one in known if one.can_be_embedded), known[0])
            self._set("availability", best, self._claims[0].source)
        for claim in self._claims:
            for offer in claim.offers:
                self._set("availability", read_availability(offer.availability), claim.source)
        if "availability" in self._values:
            return None
        said = self._shown.availability()
        if said is not None:
            self._set("availability", said, Source.RULES)
        return said

    def _assume_stock(self) -> None:
        """What has a price, and is nowhere said to be absent, is sold; a weak belief."""
        if self._values.get("price_amount") is not None:
            share = 0.8 if self._shown.buy_place is not None else 0.6
            self._set("availability", Availability.IN_STOCK, Source.RULES, share)

    def _offers(self) -> tuple[Offer, ...]:
        """Of the best source that has any; several claims of it are variants of one product."""
        return next((offers for offers in self._read.values() if offers), ())

    def _claimed_currency(self) -> str | None:
        return next(
            (
                code
                for claim in self._claims
                for offer in claim.offers
                if (code := iso_code(offer.currency))
            ),
            None,
        )

    def _trusts(self, shown: ShownPrice | None, stock: Availability | None) -> bool:
        """Around what is sold out stand the prices of what is not."""
        if shown is None:
            return False
        sold_out = stock is not None and not stock.can_be_embedded
        return shown.points >= SURE_POINTS or not sold_out

    def _decide_price(self, offers: tuple[Offer, ...], shown: ShownPrice | None) -> None:
        quotes = self._quotes()
        votes: dict[Decimal, float] = {}
        for price, source in quotes:
            if price.amount:
                votes[price.amount] = votes.get(price.amount, 0.0) + _VOTES[source]
        if shown and shown.price.amount:
            vote = min(_MAX_SHOWN_VOTE, shown.points / _POINTS_OF_A_VOTE)
            votes[shown.price.amount] = votes.get(shown.price.amount, 0.0) + vote
        winner = max(votes, key=lambda amount: votes[amount], default=None)
        total = sum(votes.values())
        share = votes[winner] / total if winner else 1.0
        for price, source in quotes:
            if price.amount == winner:
                self._set_price(price, source, share)
        if shown:
            if shown.price.amount == winner:
                self._set_price(shown.price, Source.RULES, share)
            self._set_regular(shown, winner)
        self._set_free(offers)

    def _set_price(self, price: Price, source: Source, share: float) -> None:
        self._set("price_kind", price.kind, source, share)
        self._set("price_amount", price.amount, source, share)
        self._set("price_text", storable(price.text), source, share)
        self._set("price_currency", price.currency, source)
        self._set("price_currency", self._hint, source)
        self._set("price_currency", currency_of_language(self._page.language), Source.LANGUAGE)
        self._set("price_currency", self._default, Source.CONFIGURATION)
        if price.regular_amount and price.amount and price.regular_amount > price.amount:
            self._set("regular_price_amount", price.regular_amount, source)

    def _set_regular(self, shown: ShownPrice, winner: Decimal | None) -> None:
        regular = shown.regular.amount if shown.regular else shown.price.regular_amount
        if regular and winner and shown.price.amount == winner and regular > winner:
            self._set("regular_price_amount", regular, Source.RULES)

    def _set_free(self, offers: tuple[Offer, ...]) -> None:
        """Nothing costs something: then a price of nothing, or one on request, may be meant."""
        for offer in offers:
            if "price_kind" not in self._values and offer.price_kind in (
                PriceKind.FREE,
                PriceKind.ON_REQUEST,
            ):
                self._set("price_kind", offer.price_kind, self._claims[0].source)
                self._set("price_amount", offer.price_amount, self._claims[0].source)

    def _quotes(self) -> list[tuple[Price, Source]]:
        """What each source says that the product costs, at most once each."""
        return [
            (price, source)
            for source in _VOTES
            if (price := claimed_price(self._read[source])) is not None
        ]

    def _known_amounts(self) -> set[Decimal]:
        amounts = {amount for text in state_prices(self._page) if (amount := read_amount(text))}
        amounts.update(price.amount for price, _ in self._quotes() if price.amount)
        return amounts

    def _read_offers(self, source: Source) -> tuple[Offer, ...]:
        return merge_offers(
            [
                read_offer(offer, claim, self._page, default=self._default)
                for claim in self._claims
                if claim.source is source
                for offer in claim.offers
            ]
        )

    def _is_product(self, shown: ShownPrice | None) -> bool:
        """Markup says so, or the page can be bought from; a price in an article is none."""
        if self._own or is_product_page(self._page) or self._claims:
            return True
        if shown is not None and shown.rivals >= _MAX_RIVALS:
            return False
        signs = (self._shown.buy_place, shown, self._values.get("availability"), self._labelled)
        if sum(sign is not None for sign in signs) >= _MIN_SIGNS:
            return True
        return shown is not None and shown.points >= SURE_POINTS


def _brand(text: str | None) -> str | None:
    """The brand without the words before a colon; templates leave their variables in it, too."""
    if not text or len(text) > _MAX_BRAND or _PLACEHOLDER.search(text):
        return None
    return storable(text.rpartition(":")[2].strip()) or None
