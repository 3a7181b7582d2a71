"""Whether what was read of products can be believed: prices found, prices sane, products there."""

from psycopg import Connection

from omni_pipeline.domain.mass_loss import MAX_GONE_SHARE
from omni_pipeline.domain.prices.history import MAX_MOVE_SHARE
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.store.catalogue import price_snapshots, products
from omni_pipeline.store.jobs import domains

# A shop hides some prices until one logs in; when it is more than this, the extraction lost them.
MAX_WITHOUT_PRICE = 0.3
MIN_WITHOUT_PRICE = 5


def check_delistings(conn: Connection, host: str) -> CountsReport:
    """No vanished products wait for a person."""
    domain = domains.get(conn, host)
    held = products.count(conn, domain.id).held
    summary = (
        f"{held} products of {host} are on no page any more: more than {MAX_GONE_SHARE:.0%} at "
        "once looks like a changed template or a wall, so they stay listed. Look at the site; if "
        f"they are gone: omni products {host} --confirm-delistings"
    )
    return CountsReport(
        passed=not held,
        summary=summary if held else "Nothing waits for a person.",
        numbers={"products_held": held},
        kind="permanent.mass_delisted",
    )


def check_prices_found(conn: Connection, host: str) -> CountsReport:
    """Most pages about one product show what it costs."""
    domain = domains.get(conn, host)
    pages, without = products.count_own_pages(conn, domain.id)
    is_high = without >= MIN_WITHOUT_PRICE and without > pages * MAX_WITHOUT_PRICE
    return CountsReport(
        passed=not is_high,
        summary=f"{without} of {pages} product pages show no price"
        + (f", more than {MAX_WITHOUT_PRICE:.0%}." if is_high else "."),
        numbers={"product_pages": pages, "product_pages_without_price": without},
        kind="suspicious.no_prices",
    )


def check_prices_sane(conn: Connection, host: str) -> CountsReport:
    """No price moved too far to be believed, and every amount has a currency."""
    domain = domains.get(conn, host)
    held = price_snapshots.count_held(conn, domain.id)
    bare = products.count(conn, domain.id).without_currency
    found = []
    if held:
        found.append(
            f"{held} prices moved by more than {MAX_MOVE_SHARE:.0%} or to another currency and "
            "are held until they are seen again"
        )
    if bare:
        found.append(
            f"{bare} prices tell no currency (set one: omni domains set {host} --currency EUR)"
        )
    return CountsReport(
        passed=not found,
        summary="; ".join(found) or "Every price is plausible and has a currency.",
        numbers={"prices_held": held, "prices_without_currency": bare},
        kind="suspicious.price",
    )
