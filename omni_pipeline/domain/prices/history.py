"""Decides what of a price goes into its history: nothing, a change, or a doubt."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from omni_pipeline.domain.prices.availability import Availability
from omni_pipeline.domain.prices.money import PriceKind

# A price that moves further than this share at once is believed when it is seen twice (S-68).
MAX_MOVE_SHARE = Decimal("0.7")


class Verdict(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    SUSPICIOUS = "suspicious"


@dataclass(frozen=True, kw_only=True)
class SeenPrice:
    """What a page, or a snapshot, says of a product's price; None is what it does not say."""

    price_kind: PriceKind | None = None
    price_amount: Decimal | None = None
    price_currency: str | None = None
    availability: Availability | None = None

    @property
    def says_price(self) -> bool:
        return self.price_amount is not None or self.price_kind is PriceKind.ON_REQUEST

    @property
    def money(self) -> tuple[Decimal | None, str | None]:
        return self.price_amount, self.price_currency


def judge(
    seen: SeenPrice,
    *,
    newest: SeenPrice | None,
    last_priced: SeenPrice | None,
    held: SeenPrice | None,
) -> Verdict:
    """Compare what is seen now with a product's history.

    A page that shows no price says nothing about it, as the extraction may have missed it; when it
    also says that the product cannot be bought, that is how shops show what they are out of.

    Args:
        seen: What the page shows now.
        newest: The newest snapshot; None when there is none.
        last_priced: The newest snapshot that has an amount.
        held: The suspicious price of an earlier look at the page, to be believed if seen again.
    """
    if newest is None:
        return Verdict.CHANGED if seen.says_price or seen.availability else Verdict.SAME
    is_new_stock = seen.availability not in (None, newest.availability)
    if not seen.says_price:
        is_out = seen.availability is not None and not seen.availability.can_be_embedded
        return Verdict.CHANGED if is_new_stock and is_out else Verdict.SAME
    if _is_same_price(seen, newest):
        return Verdict.CHANGED if is_new_stock else Verdict.SAME
    if last_priced and _is_far(seen, last_priced) and not (held and held.money == seen.money):
        return Verdict.SUSPICIOUS
    return Verdict.CHANGED


def _is_same_price(seen: SeenPrice, newest: SeenPrice) -> bool:
    """A currency that is not said this time is the one that was said before."""
    is_same_currency = seen.price_currency in (None, newest.price_currency)
    return newest.says_price and seen.price_amount == newest.price_amount and is_same_currency


def _is_far(seen: SeenPrice, before: SeenPrice) -> bool:
    if seen.price_amount is None or before.price_amount is None:
        return False
    currencies = {seen.price_currency, before.price_currency} - {None}
    move = abs(seen.price_amount - before.price_amount)
    return len(currencies) > 1 or move > MAX_MOVE_SHARE * before.price_amount
