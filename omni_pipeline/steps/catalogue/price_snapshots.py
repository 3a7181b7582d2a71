"""Adds to the history of prices: once per refresh, on a change, and per day where asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.prices.availability import Availability
from omni_pipeline.domain.prices.history import SeenPrice, Verdict, judge
from omni_pipeline.domain.prices.money import PriceKind
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.store.catalogue import price_snapshots
from omni_pipeline.store.catalogue.price_snapshots import HeldPrice, NewSnapshot, PriceInView
from omni_pipeline.store.jobs.crawl_jobs import Claim

BATCH_PRODUCTS = 1000


@dataclass(frozen=True, kw_only=True)
class PriceSnapshotsReport:
    """What was added to the history.

    Attributes:
        prices_added: First prices and changes.
        price_points_added: Daily points of unchanged prices.
        prices_held: Moved too far to be believed before a second look (``suspicious.price``).
    """

    products_compared: int
    prices_added: int
    price_points_added: int
    prices_held: int
    price_snapshots_total: int


def snapshot_prices(refresh: Refresh) -> PriceSnapshotsReport:
    """Compare what each listed product's page shows with its newest snapshot."""
    compared = added = points = after_id = 0
    with refresh.stage("price_snapshots"):
        while views := refresh.read(price_snapshots.seen, after_id=after_id, limit=BATCH_PRODUCTS):
            new_points = _daily_points(views) if refresh.domain.daily_price_points else []
            verdicts = {view.product_id: _judge(view) for view in views}
            refresh.write(_save, views, verdicts, new_points)
            compared += len(views)
            added += sum(verdict is Verdict.CHANGED for verdict in verdicts.values())
            points += len(new_points)
            after_id = views[-1].product_id
            refresh.report(Progress(stage="price_snapshots", done=compared, known=compared))
        held = refresh.read(lambda conn, own: price_snapshots.count_held(conn, own.domain_id))
        total = refresh.read(lambda conn, own: price_snapshots.count(conn, own.domain_id))
    return PriceSnapshotsReport(
        products_compared=compared,
        prices_added=added,
        price_points_added=points,
        prices_held=held,
        price_snapshots_total=total,
    )


def _judge(view: PriceInView) -> Verdict:
    return judge(
        SeenPrice(
            price_kind=_kind(view.price_kind),
            price_amount=view.price_amount,
            price_currency=view.price_currency,
            availability=_availability(view.availability),
        ),
        newest=_newest(view),
        last_priced=SeenPrice(price_amount=view.last_amount, price_currency=view.last_currency),
        held=_held(view),
    )


def _newest(view: PriceInView) -> SeenPrice | None:
    if not view.is_known:
        return None
    return SeenPrice(
        price_kind=_kind(view.newest_kind),
        price_amount=view.newest_amount,
        price_currency=view.newest_currency,
        availability=_availability(view.newest_availability),
    )


def _held(view: PriceInView) -> SeenPrice | None:
    if not view.is_second_look:
        return None
    return SeenPrice(price_amount=view.held_amount, price_currency=view.held_currency)


def _kind(text: str | None) -> PriceKind | None:
    return PriceKind(text) if text else None


def _availability(text: str | None) -> Availability | None:
    return Availability(text) if text else None


def _save(
    conn: Connection,
    claim: Claim,
    views: Sequence[PriceInView],
    verdicts: dict[int, Verdict],
    points: list[NewSnapshot],
) -> None:
    changed = [_snapshot(view) for view in views if verdicts[view.product_id] is Verdict.CHANGED]
    price_snapshots.append(conn, claim, changed + points)
    faults.point("CP11")
    suspicious = [view for view in views if verdicts[view.product_id] is Verdict.SUSPICIOUS]
    price_snapshots.hold(conn, claim, [_to_hold(view) for view in suspicious])
    price_snapshots.release(conn, _cleared(views, verdicts))


def _cleared(views: Sequence[PriceInView], verdicts: dict[int, Verdict]) -> list[int]:
    """Held prices that are believed by now, or that the page does not show any more."""
    return [
        view.product_id
        for view in views
        if view.held_amount is not None and verdicts[view.product_id] is not Verdict.SUSPICIOUS
    ]


def _to_hold(view: PriceInView) -> HeldPrice:
    assert view.price_amount is not None, "only an amount can be too far from another"
    return HeldPrice(
        product_id=view.product_id,
        price_amount=view.price_amount,
        price_currency=view.price_currency,
    )


def _snapshot(view: PriceInView) -> NewSnapshot:
    return NewSnapshot(
        product_id=view.product_id,
        is_change=True,
        page_url=view.page_url,
        price_kind=view.price_kind,
        price_amount=view.price_amount,
        price_currency=view.price_currency,
        price_text=view.price_text,
        regular_price_amount=view.regular_price_amount,
        availability=view.availability,
    )


def _daily_points(views: Sequence[PriceInView]) -> list[NewSnapshot]:
    """Points of today for what was looked at today and is as it was."""
    return [
        replace(
            _snapshot(view),
            is_change=False,
            price_kind=view.newest_kind,
            price_amount=view.newest_amount,
            price_currency=view.newest_currency,
            availability=view.newest_availability,
        )
        for view in views
        if view.is_new_day and _judge(view) is Verdict.SAME
    ]
