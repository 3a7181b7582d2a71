"""Nominates prices: each source has a vote, because markup goes stale.

A template that still prints the list price is outvoted by what data and page show together, and
has next to no vote where the page strikes its price out.
"""

from collections.abc import Iterator
from decimal import Decimal

from omni_pipeline.domain.prices.money import Price, PriceKind
from omni_pipeline.domain.products.candidates import Candidate, Choice
from omni_pipeline.domain.products.model import Source
from omni_pipeline.domain.products.offers import Quote
from omni_pipeline.domain.products.shown.visible_page import ShownPrice
from omni_pipeline.domain.products.sources import ProductSources

_VOTES = {Source.JSON_LD: 3.0, Source.MICRODATA: 2.8, Source.META: 2.0, Source.EMBEDDED_STATE: 1.5}
_POINTS_OF_A_VOTE = 3.0
_MAX_SHOWN_VOTE = 2.5
_NET = 0.5
_UNDER_A_CONDITION = 0.3
_STRUCK_OUT = 0.1
_NO_AMOUNT = 0.01


def nominate_price(sources: ProductSources) -> Iterator[Candidate]:
    """Candidates whose value is a `Price`; they agree when their amounts do."""
    shown = sources.shown_price
    net = _net_amounts(sources)
    for source, quote in sources.quotes.items():
        weight, why = _weight(quote, shown, net)
        yield _candidate(quote.price, source, _VOTES[source] * weight, why)
    if shown is not None:
        vote = min(_MAX_SHOWN_VOTE, shown.points / _POINTS_OF_A_VOTE)
        vote *= _UNDER_A_CONDITION if shown.conditions else 1.0
        yield _candidate(shown.price, Source.RULES, vote, f"{shown.points:.1f} points on the page")
    elif not sources.quotes:
        yield from _in_words(sources)


def nominate_currency(sources: ProductSources, price: Choice) -> Iterator[Candidate]:
    """Currencies of the chosen price, the one said beside it before what is said elsewhere."""
    agreed = [one for one in price.candidates if one.stands_for == price.winner.stands_for]
    said = [(one.value.currency, one.source, "beside the price") for one in agreed]
    said += [
        (sources.currency, price.winner.source, "beside another price"),
        (sources.home_currency, Source.LANGUAGE, "by the page's country or language"),
        (sources.default, Source.CONFIGURATION, "configured"),
    ]
    if price.winner.value.amount is None:
        return
    for rank, (code, source, found) in enumerate(said):
        yield Candidate(
            field="price_currency", value=code, source=source, votes=0.5**rank, found=found
        )


def nominate_regular(sources: ProductSources, price: Choice) -> Iterator[Candidate]:
    """Prices before, above the chosen one: those said with it, and what the page strikes out."""
    amount = price.winner.value.amount
    if not amount:
        return
    for rank, one in enumerate(price.candidates):
        if one.stands_for == amount and (before := one.value.regular_amount):
            yield _regular(before, amount, one.source, 0.5**rank)
    shown = sources.shown_price
    if shown is not None and shown.regular and shown.price.amount == amount:
        yield _regular(shown.regular.amount, amount, Source.RULES, 0.5 ** len(price.candidates))


def _regular(before: Decimal | None, amount: Decimal, source: Source, votes: float) -> Candidate:
    value = before if before and before > amount else None
    return Candidate(field="regular_price_amount", value=value, source=source, votes=votes)


def _candidate(price: Price, source: Source, votes: float, found: str) -> Candidate:
    return Candidate(
        field="price", value=price, source=source, votes=votes, found=found, side=price.amount
    )


def _weight(quote: Quote, shown: ShownPrice | None, net: set[Decimal]) -> tuple[float, str]:
    amount = quote.price.amount
    if _is_struck_out(amount, shown):
        return _STRUCK_OUT, "the page strikes it out"
    if quote.conditions:
        return _UNDER_A_CONDITION, ", ".join(sorted(quote.conditions))
    if amount in net:
        return _NET, "without tax"
    return 1.0, ""


def _is_struck_out(amount: Decimal | None, shown: ShownPrice | None) -> bool:
    """The page shows a lower price now, and this one as what it was."""
    if shown is None or shown.conditions:
        return False
    regular = shown.regular.amount if shown.regular else shown.price.regular_amount
    return amount is not None and amount == regular and amount != shown.price.amount


def _net_amounts(sources: ProductSources) -> set[Decimal]:
    shown = sources.shown_price
    said = {q.price.amount for q in sources.quotes.values() if q.price.includes_tax is False}
    gross = {q.price.amount for q in sources.quotes.values() if q.price.includes_tax}
    beside = shown.net_amounts - {shown.price.amount} if shown else frozenset()
    return {amount for amount in said | beside if amount} - {one for one in gross if one}


def _in_words(sources: ProductSources) -> Iterator[Candidate]:
    """Nothing has an amount: then a price of nothing, or one on request, may be meant.

    A 0 in markup alone says neither: templates print it when they know no price.
    """
    price = sources.shown.worded_price()
    claimed = [offer.offer for offer in sources.offers if offer.offer.price_kind]
    for offer in claimed:
        if offer.price_kind is PriceKind.ON_REQUEST:
            said = Price(
                kind=PriceKind.ON_REQUEST, amount=None, currency=None, text=offer.price_text or ""
            )
            yield _worded(said, sources.claims[0].source)
    if price is not None:
        yield _worded(price, Source.RULES)


def _worded(price: Price, source: Source) -> Candidate:
    return Candidate(
        field="price",
        value=price,
        source=source,
        votes=_NO_AMOUNT * _VOTES.get(source, 1.0),
        found="in words",
        side=price.kind,
    )
