"""What goes into a price's history: changes, doubts, and nothing else (R-B7, S-68)."""

from decimal import Decimal

import pytest

from omni_pipeline.domain.prices.availability import Availability
from omni_pipeline.domain.prices.history import SeenPrice, Verdict, judge
from omni_pipeline.domain.prices.money import PriceKind

IN, OUT = Availability.IN_STOCK, Availability.SOLD_OUT
ON_REQUEST = SeenPrice(price_kind=PriceKind.ON_REQUEST)
NOTHING = SeenPrice()


def at(
    amount: str | None, currency: str | None = "EUR", stock: Availability | None = None
) -> SeenPrice:
    return SeenPrice(
        price_amount=None if amount is None else Decimal(amount),
        price_currency=currency,
        availability=stock,
    )


@pytest.mark.parametrize(
    ("seen", "newest", "expected"),
    [
        (at("10"), None, Verdict.CHANGED),
        (NOTHING, None, Verdict.SAME),
        (at(None, None, OUT), None, Verdict.CHANGED),
        (at("10"), at("10.00"), Verdict.SAME),
        (at("10", None), at("10"), Verdict.SAME),
        (at("11"), at("10"), Verdict.CHANGED),
        (at("10", stock=OUT), at("10", stock=IN), Verdict.CHANGED),
        (at("10", stock=None), at("10", stock=IN), Verdict.SAME),
        (at(None, None, IN), at("10", stock=IN), Verdict.SAME),
        (at(None, None, IN), at("10", stock=OUT), Verdict.SAME),
        (at(None, None, OUT), at("10", stock=IN), Verdict.CHANGED),
        (NOTHING, at("10"), Verdict.SAME),
        (ON_REQUEST, at("10"), Verdict.CHANGED),
        (ON_REQUEST, ON_REQUEST, Verdict.SAME),
        (at("3"), at("10"), Verdict.CHANGED),
        (at("2.99"), at("10"), Verdict.SUSPICIOUS),
        (at("17"), at("10"), Verdict.CHANGED),
        (at("17.01"), at("10"), Verdict.SUSPICIOUS),
        (at("0"), at("10"), Verdict.SUSPICIOUS),
        (at("10"), at("0"), Verdict.SUSPICIOUS),
        (at("10", "USD"), at("10"), Verdict.SUSPICIOUS),
        (at("10", "USD"), at("10", None), Verdict.CHANGED),
    ],
)
def test_what_is_seen_is_judged_by_the_newest_snapshot(
    seen: SeenPrice, newest: SeenPrice | None, expected: Verdict
) -> None:
    assert judge(seen, newest=newest, last_priced=newest, held=None) is expected


def test_what_was_held_is_believed_when_it_is_seen_again_and_only_that() -> None:
    now = at("4.99")
    assert judge(now, newest=at("499"), last_priced=at("499"), held=now) is Verdict.CHANGED
    other = judge(at("5.99"), newest=at("499"), last_priced=at("499"), held=now)
    assert other is Verdict.SUSPICIOUS


def test_a_sold_out_product_that_returns_is_compared_with_its_last_price() -> None:
    gone = at(None, None, OUT)
    assert judge(at("4.99"), newest=gone, last_priced=at("499"), held=None) is Verdict.SUSPICIOUS
    assert judge(at("489"), newest=gone, last_priced=at("499"), held=None) is Verdict.CHANGED
