"""Reads what an offer of schema.org costs, and under which conditions.

https://schema.org/Offer, https://schema.org/UnitPriceSpecification and the patterns of
https://developers.google.com/search/docs/appearance/structured-data/merchant-listing.
"""

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation

from omni_pipeline.domain.html.schema_items import Item, kind_of, objects_of, terms_of, text_of
from omni_pipeline.domain.products.claims import OfferClaim, OfferCondition

_OLD_PRICE_TYPES = frozenset(
    {
        *("listprice", "strikethroughprice", "srp", "msrp", "regularprice", "invoiceprice"),
        *("suggestedretailprice", "minimumadvertisedprice"),
    }
)
_NOT_NEW = frozenset({"usedcondition", "refurbishedcondition", "damagedcondition"})
_NOT_NEW_WORDS = re.compile(
    r"used|refurb|renewed|damaged|open[ -]?box|b-ware|gebraucht", re.IGNORECASE
)
_RENT = frozenset({"leaseout", "lease", "rent", "rental", "maintain", "repair"})
_BUSINESS = frozenset({"business", "reseller", "publicinstitution"})
_BILLING = ("billingDuration", "billingIncrement", "billingStart")
_PARTIAL = frozenset(
    {"downpayment", "installment", "subscription", "activationfee", "cleaningfee", "distancefee"}
)
# UN/CEFACT Recommendation 20: of pieces and of time; the rest are measures.
_PIECE_CODES = frozenset({"", "c62", "h87", "ea", "nmp", "pce", "pr", "set"})
_TIME_CODES = frozenset({"day", "wee", "mon", "ann", "hur", "min", "sec", "qan"})
_MEASURES = {
    "kgm": "kg",
    "grm": "g",
    "ltr": "l",
    "mlt": "ml",
    "clt": "cl",
    "mtr": "m",
    "mtk": "m²",
    "mtq": "m³",
    "cmt": "cm",
    "mmt": "mm",
    "onz": "oz",
    "lbr": "lb",
    "fot": "ft",
    "ftk": "sq ft",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
MAX_SPECIFICATIONS = 100


@dataclass(frozen=True, kw_only=True)
class _Term:
    """A price of an offer; what is dated is a sale beside what always holds."""

    claim: OfferClaim
    is_dated: bool = False


def read_offer_item(offer: Item, *, today: date) -> OfferClaim:
    """Read price and conditions of an offer; names and numbers are the caller's to add.

    Of several prices the one that is nearest to the price of one new piece today is meant, and of
    two of those the one with tax, then one that is dated (a sale) before one that always holds.

    Args:
        offer: An ``Offer`` or ``AggregateOffer``.
        today: Against which its dates are read.
    """
    specifications = list(objects_of(offer, "priceSpecification"))[:MAX_SPECIFICATIONS]
    specifications += [s for one in specifications for s in objects_of(one, "priceComponent")]
    own = conditions_of(offer, today=today)
    usual = [one for one in specifications if not terms_of(one, "priceType") & _OLD_PRICE_TYPES]
    terms = [term for one in usual if (term := _read_specification(one, offer, own, today))]
    if stated := _read_stated(offer, terms, own):
        terms.insert(0, stated)
    best = min(terms, key=_order, default=_Term(claim=OfferClaim(conditions=own)))
    words = None if terms else text_of(offer, "price")
    return replace(
        best.claim,
        price=best.claim.price or words,
        currency=best.claim.currency or _currency(offer),
        regular_price=_regular(specifications, terms, best),
        availability=_availability(offer, own, today),
    )


def conditions_of(item: Item, *, today: date) -> frozenset[OfferCondition]:
    """Why a price of this offer or specification is not what one new piece costs today."""
    found = {
        OfferCondition.MEMBERS: bool(item.get("validForMemberTier")),
        OfferCondition.BUSINESS: bool(terms_of(item, "eligibleCustomerType"))
        and terms_of(item, "eligibleCustomerType") <= _BUSINESS,
        OfferCondition.NOT_YET: _is_after(item, today, "validFrom", "availabilityStarts"),
        OfferCondition.EXPIRED: _is_before(
            item, today, "validThrough", "priceValidUntil", "availabilityEnds"
        ),
        OfferCondition.RENT: bool(
            terms_of(item, "businessFunction") & _RENT
            or terms_of(item, "priceComponentType") & _PARTIAL
            or any(item.get(key) for key in _BILLING)
            or terms_of(item, "unitCode") & _TIME_CODES
        ),
        OfferCondition.NOT_NEW: _is_not_new(item),
        OfferCondition.QUANTITY: _min_quantity(item) > 1,
    }
    return frozenset(condition for condition, holds in found.items() if holds)


def _is_not_new(item: Item) -> bool:
    terms = terms_of(item, "itemCondition")
    return bool(terms & _NOT_NEW) or any(_NOT_NEW_WORDS.search(term) for term in terms)


def _read_stated(offer: Item, terms: list[_Term], own: frozenset[OfferCondition]) -> _Term | None:
    """The price on the offer itself; a specification of the same price tells more of it."""
    price = _number(offer, "price", "lowPrice")
    if price is None:
        return None
    same = [term.claim for term in terms if term.claim.price == price]
    taxes = [_tax(offer), *(claim.includes_tax for claim in same)]
    nearest = min(same, key=lambda claim: claim.remoteness, default=None)
    return _Term(
        claim=OfferClaim(
            price=price,
            currency=_currency(offer),
            includes_tax=next((tax for tax in taxes if tax is not None), None),
            conditions=nearest.conditions if nearest else own,
            min_quantity=nearest.min_quantity if nearest else _min_quantity(offer),
            unit=nearest.unit if nearest else None,
        )
    )


def _read_specification(
    item: Item, offer: Item, own: frozenset[OfferCondition], today: date
) -> _Term | None:
    price = _number(item, "price", "minPrice")
    if price is None:
        return None
    unit = _reference_unit(item)
    conditions = own | conditions_of(item, today=today)
    tax = _tax(item)
    return _Term(
        claim=OfferClaim(
            price=price,
            currency=_currency(item),
            includes_tax=_tax(offer) if tax is None else tax,
            conditions=conditions | {OfferCondition.PER_UNIT} if unit else conditions,
            min_quantity=max(_min_quantity(item), _min_quantity(offer)),
            unit=unit,
        ),
        is_dated=bool(item.get("validFrom") or item.get("validThrough")),
    )


def _order(term: _Term) -> tuple[object, ...]:
    return (*term.claim.remoteness, term.claim.includes_tax is False, not term.is_dated)


def _reference_unit(item: Item) -> str | None:
    """The unit that the price is for, where that is not the piece.

    With ``valueReference`` the quantity is what the piece holds and the price is the piece's.
    """
    for quantity in objects_of(item, "referenceQuantity"):
        if any(objects_of(quantity, "valueReference")):
            return None
        code = kind_of(text_of(quantity, "unitCode", "unitText") or "")
        amount = _decimal(text_of(quantity, "value")) or Decimal(1)
        if code in _PIECE_CODES:
            return f"{amount:f} C62" if amount > 1 else None
        measure = _MEASURES.get(code, code)
        return measure if amount == 1 else f"{amount:f} {measure}"
    code = kind_of(text_of(item, "unitCode") or "")
    return _MEASURES.get(code)


def _regular(specifications: list[Item], terms: list[_Term], best: _Term) -> str | None:
    """What is called the price before, else what always holds beside a dated sale."""
    for item in specifications:
        if terms_of(item, "priceType") & _OLD_PRICE_TYPES and (text := text_of(item, "price")):
            return text
    if not best.is_dated:
        return None
    rank = best.claim.remoteness
    lasting = (one.claim for one in terms if not one.is_dated and one.claim.remoteness == rank)
    return next((claim.price for claim in lasting), None)


def _tax(item: Item) -> bool | None:
    value = (text_of(item, "valueAddedTaxIncluded") or "").lower()
    flag = item.get("valueAddedTaxIncluded")
    if flag is True or kind_of(value) == "true":
        return True
    return False if flag is False or kind_of(value) == "false" else None


def _availability(offer: Item, own: frozenset[OfferCondition], today: date) -> str | None:
    """What can be had from a later day on is ordered before it."""
    said = next(iter(sorted(terms_of(offer, "availability"))), None)
    if (
        said is not None
        and OfferCondition.NOT_YET in own
        and kind_of(said) in ("instock", "onlineonly")
    ):
        return "PreOrder" if _is_after(offer, today, "availabilityStarts") else said
    return text_of(offer, "availability") or said


def _min_quantity(item: Item) -> Decimal:
    for quantity in objects_of(item, "eligibleQuantity"):
        minimum = _decimal(text_of(quantity, "minValue") or text_of(quantity, "value"))
        if minimum is not None:
            return max(minimum, Decimal(1))
    return Decimal(1)


def _currency(item: Item) -> str | None:
    return text_of(item, "priceCurrency", "currency")


def _number(item: Item, *keys: str) -> str | None:
    text = text_of(item, *keys)
    return text if text and any(character.isdigit() for character in text) else None


def _decimal(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_after(item: Item, today: date, *keys: str) -> bool:
    return any(day > today.isoformat() for key in keys if (day := _day(item, key)))


def _is_before(item: Item, today: date, *keys: str) -> bool:
    return any(day < today.isoformat() for key in keys if (day := _day(item, key)))


def _day(item: Item, key: str) -> str | None:
    found = _DATE.match(text_of(item, key) or "")
    return found[0] if found else None
