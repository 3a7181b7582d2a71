"""Whether what a refresh found can be believed: how much vanished, shrank or failed at once."""

from psycopg import Connection

from omni_pipeline.domain.mass_loss import MAX_GONE_SHARE
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.jobs import crawl_jobs, domains

# More failures than this in a refresh are no longer single pages that had a bad day (R-A17).
MAX_FAILED_SHARE = 0.1
MIN_FAILED = 5


def check_removals(conn: Connection, host: str) -> CountsReport:
    """No removals wait for a person (I40)."""
    return _check_held(
        conn,
        host,
        reasons=("missing", "moved", "soft_404", "noindex", "duplicate", "excluded"),
        what="are gone by what the site says",
        kind="permanent.mass_gone",
    )


def check_changes(conn: Connection, host: str) -> CountsReport:
    """No shrunk pages wait for a person (F-D36)."""
    return _check_held(
        conn,
        host,
        reasons=(held_pages.SHRUNK,),
        what="lost most of their text",
        kind="permanent.mass_shrunk",
    )


def _check_held(
    conn: Connection, host: str, *, reasons: tuple[str, ...], what: str, kind: str
) -> CountsReport:
    domain = domains.get(conn, host)
    count_by_reason = held_pages.count_unconfirmed(conn, domain.id)
    held = {reason: count for reason, count in count_by_reason.items() if reason in reasons}
    pages = sum(held.values())
    summary = (
        f"{pages} live pages of {host} {what} ({_listed(held)}): more than {MAX_GONE_SHARE:.0%} "
        "at once looks like an outage, so they were kept, and nothing was published. Look at the "
        f"site; if it is right: omni domains confirm-removals {host}"
    )
    return CountsReport(
        passed=not pages,
        summary=summary if pages else "Nothing waits for a person.",
        numbers={"pages_held": pages},
        kind=kind,
    )


def _listed(count_by_reason: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(count_by_reason.items()))


def check_failures(conn: Connection, host: str) -> CountsReport:
    """Few of the pages that the newest refresh asked for failed."""
    domain = domains.get(conn, host)
    asked, failed = crawl_jobs.newest_crawl(conn, domain.id)
    is_high = failed >= MIN_FAILED and failed > asked * MAX_FAILED_SHARE
    return CountsReport(
        passed=not is_high,
        summary=f"{failed} of {asked} pages failed"
        + (f", more than {MAX_FAILED_SHARE:.0%}: omni failed {host}" if is_high else "."),
        numbers={"pages_asked": asked, "pages_failed": failed},
        kind="transient.many_failures",
    )


def check_vectors(conn: Connection, host: str) -> CountsReport:
    """The vectors that the newest refresh bought are like those stored before (F-C16)."""
    drift = crawl_jobs.newest_drift(conn, domains.get(conn, host).id)
    summary = (
        f"{drift}: the endpoint seems to serve another model under the old name, and vectors of "
        "two models cannot be compared. Ask its provider; if it did change, pay once for all: "
        f"omni refresh {host} --force-reembed"
    )
    return CountsReport(
        passed=drift is None,
        summary=summary if drift else "What was bought is like what was stored before.",
        numbers={},
        kind="permanent.vector_drift",
    )
