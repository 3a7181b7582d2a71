"""Nominates names, numbers and stock of the product, each source by its own rules."""

import re
from collections.abc import Iterator

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.prices.availability import Availability, read_availability
from omni_pipeline.domain.products.candidates import Candidate
from omni_pipeline.domain.products.claims import ProductClaim
from omni_pipeline.domain.products.gtins import normalize_gtin
from omni_pipeline.domain.products.labels import read_brand
from omni_pipeline.domain.products.model import Source
from omni_pipeline.domain.products.sources import CLAIMING, ProductSources

# One source is as good as all that come after it: in names and numbers there is no compromise.
_RANK = {source: 0.5**rank for rank, source in enumerate(CLAIMING)}
_SHOWN = 0.5 ** len(CLAIMING)
_LABELLED = 2.0
_WITNESSED = 1.1
_WORDS = 0.01
_MIN_GTIN = 12
_MAX_BRAND = 80
_MAX_NAME = 500
_HAS_DIGIT = re.compile(r"\d")
_PLACEHOLDER = re.compile(r"[${<|]|^\W*$")
_LONG_WORD = re.compile(r"(?<!\S)[^\W\d_]{4,}(?!\S)")
# Letters of icon fonts stand in the areas that Unicode leaves to everybody.
_ICONS = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")

_STOCK_VOTES = {
    Source.JSON_LD: 3.0,
    Source.MICRODATA: 2.8,
    Source.META: 2.5,
    Source.EMBEDDED_STATE: 2.5,
}
# Templates say "in stock" of everything; nobody writes "out of stock" into one.
_ABSENT = 1.3
# What repeats the same data of the shop is hardly a second witness.
_ECHO = 0.2
_SHOWN_STOCK = 2.5
_NOTHING_TO_BUY = 1.2
_ASSUMED = 0.01


def nominate_names(sources: ProductSources) -> Iterator[Candidate]:
    """Candidates for name, brand and picture."""
    page = sources.page
    for claim in sources.claims:
        votes = _RANK[claim.source]
        yield _of(claim, "name", _name(claim.name), votes)
        yield _of(claim, "brand", _brand(claim.brand), votes)
        yield _of(claim, "image_url", page.absolute(claim.image), votes)
    yield _shown("name", _name(page.product_heading), found="heading")
    title = page.meta.get("og:title")
    yield _meta("name", _name(title), share=0.8)
    yield _meta("image_url", page.absolute(page.meta.get("og:image")))
    yield _shown("brand", _brand(read_brand(page.tree)), found="label")


def nominate_numbers(sources: ProductSources) -> Iterator[Candidate]:
    """Candidates for SKU, GTIN and the maker's number."""
    labels = sources.labels
    yield from _skus(sources)
    for claim in sources.claims:
        votes = _RANK[claim.source]
        yield _of(claim, "gtin", _gtin(claim), votes)
        if claim.mpn and claim.mpn != claim.sku and _HAS_DIGIT.search(claim.mpn):
            yield _of(claim, "mpn", storable(claim.mpn), votes)
    yield _shown("gtin", normalize_gtin(labels.gtin), found="label")
    yield _shown("mpn", labels.mpn, found="label")


def _skus(sources: ProductSources) -> Iterator[Candidate]:
    """What the page labels for people comes first: they order by it; markup may hold a row's id."""
    labels, page = sources.labels, sources.page
    claimed = {claim.sku for claim in sources.claims if claim.sku}
    if labels.sku:
        share = 1.5 if labels.sku in claimed else 1.2
        votes = _LABELLED * _likeness_to_number(labels.sku)
        yield _shown("sku", labels.sku, votes=votes, share=share, found="label")
    yield _shown("sku", sources.witnessed_number, votes=_WITNESSED, share=1.2, found="address")
    for source, sku in _claimed_skus(sources):
        votes = _RANK[source] * _likeness_to_number(sku)
        yield Candidate(field="sku", value=storable(sku), source=source, votes=votes)
    number = page.number_of_url()
    yield _shown("sku", number, votes=_SHOWN / 2, share=0.8, found="address")


def _likeness_to_number(sku: str) -> float:
    """A text of words is a number only where nothing looks more like one."""
    return _WORDS if _LONG_WORD.search(sku) or not _HAS_DIGIT.search(sku) else 1.0


def _claimed_skus(sources: ProductSources) -> Iterator[tuple[Source, str]]:
    """SKUs of the product; of a group that is marked up as many products there is none."""
    for source, claims in sources.claims_of.items():
        skus = {claim.sku for claim in claims if claim.sku} or {
            offer.sku for claim in claims for offer in claim.offers if offer.sku
        }
        if len(skus) == 1:
            yield source, skus.pop()


def _gtin(claim: ProductClaim) -> str | None:
    numbers = [claim.gtin, *(offer.gtin for offer in claim.offers)]
    if claim.sku and len(claim.sku) >= _MIN_GTIN:  # shops of books use the EAN as SKU
        numbers.append(claim.sku)
    found = {gtin for number in numbers if (gtin := normalize_gtin(number))}
    return found.pop() if len(found) == 1 else None


def nominate_stock(sources: ProductSources, *, has_price: bool) -> Iterator[Candidate]:
    """Candidates for availability: markup, the words of the page, and the button that buys."""
    heard: set[bool] = set()
    for source in CLAIMING:
        stock = _claimed_stock(sources, source)
        if stock is not None:
            votes = _STOCK_VOTES[source] * (1.0 if stock.can_be_embedded else _ABSENT)
            votes *= _ECHO if stock.can_be_embedded in heard else 1.0
            heard.add(stock.can_be_embedded)
            yield _stock(stock, source, votes)
    shown = sources.shown.stock
    if shown is not None:
        votes = _SHOWN_STOCK * min(1.0, shown.points)
        is_gone = not shown.availability.can_be_embedded
        if is_gone and not sources.shown.can_buy:
            votes += _NOTHING_TO_BUY * min(1.0, shown.points)
        yield _stock(shown.availability, Source.RULES, votes, found=shown.found)
    if has_price:  # what has a price, and is nowhere said to be absent, is sold; a weak belief
        share = 0.8 if sources.shown.buy_place is not None else 0.6
        yield _stock(Availability.IN_STOCK, Source.RULES, _ASSUMED, share=share, found="assumed")


def _claimed_stock(sources: ProductSources, source: Source) -> Availability | None:
    """What can be bought in one variant can be bought."""
    said = [
        stock
        for claim in sources.claims_of[source]
        for offer in claim.offers
        if not offer.conditions and (stock := read_availability(offer.availability))
    ] or [
        stock
        for claim in sources.claims_of[source]
        for offer in claim.offers
        if (stock := read_availability(offer.availability))
    ]
    return next((one for one in said if one.can_be_embedded), next(iter(said), None))


def _stock(
    stock: Availability, source: Source, votes: float, *, share: float = 1.0, found: str = ""
) -> Candidate:
    return Candidate(
        field="availability",
        value=stock,
        source=source,
        votes=votes,
        share=share,
        found=found,
        side=stock.can_be_embedded,
    )


def _of(claim: ProductClaim, field: str, value: str | None, votes: float) -> Candidate:
    return Candidate(field=field, value=value, source=claim.source, votes=votes)


def _shown(
    field: str, value: str | None, *, votes: float = _SHOWN, share: float = 1.0, found: str
) -> Candidate:
    return Candidate(
        field=field, value=value, source=Source.RULES, votes=votes, share=share, found=found
    )


def _meta(field: str, value: str | None, *, share: float = 1.0) -> Candidate:
    return Candidate(
        field=field, value=value, source=Source.META, votes=_SHOWN / 2, share=share, found="og"
    )


def _name(text: str | None) -> str | None:
    return " ".join(_ICONS.sub(" ", storable(text or "")).split())[:_MAX_NAME] or None


def _brand(text: str | None) -> str | None:
    """The brand without the words before a colon; templates leave their variables in it, too."""
    if not text or len(text) > _MAX_BRAND or _PLACEHOLDER.search(text):
        return None
    return storable(text.rpartition(":")[2].strip()) or None
