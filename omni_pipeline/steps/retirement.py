"""How pages leave the index: by evidence, and never so many that it looks like an outage."""

from collections import Counter

from psycopg import Connection

from omni_pipeline.errors import PermanentError
from omni_pipeline.store import chunks, cleaned_pages, crawl_frontier, failed_pages, raw_pages
from omni_pipeline.store.crawl_jobs import Claim

# A refresh in which more than this share of the live pages vanishes is not believed (I40).
MOST_GONE_SHARE = 0.3
FEWEST_GONE_FOR_GUARD = 10

# So many pages that all move to one place have not moved: the site has no other answer left (D10).
FEWEST_FOR_DUMPING_GROUND = 5


def retire(conn: Connection, holding: Claim, missing: dict[str, int], moved: dict[str, str]) -> int:
    """Take pages out of the index with their evidence; returns how many.

    A page that moved for good leaves when the page it moved to is live.

    Raises:
        PermanentError: Too many at once to be believed; nothing is removed (I40).
    """
    arrived = raw_pages.live_among(conn, holding, list(moved.values()))
    settled = {url: target for url, target in moved.items() if target in arrived}
    lost = len(missing) + _count_dumped(settled)
    _refuse_mass_loss(lost, raw_pages.count_live(conn, holding), holding.host)
    evidence = missing | dict.fromkeys(settled, 301)
    page_ids = raw_pages.retire(conn, holding, evidence)
    chunks.remove_pages(conn, page_ids)
    cleaned_pages.remove(conn, page_ids)
    failed_pages.resolve(conn, holding, evidence, "fetch", "clean", "chunk", "embed")
    crawl_frontier.settle(conn, holding, dict.fromkeys(missing, "gone"))
    return len(page_ids)


def _count_dumped(moved: dict[str, str]) -> int:
    counts = Counter(moved.values()).values()
    return sum(count for count in counts if count >= FEWEST_FOR_DUMPING_GROUND)


def _refuse_mass_loss(gone: int, live: int, host: str) -> None:
    if gone >= FEWEST_GONE_FOR_GUARD and gone > live * MOST_GONE_SHARE:
        raise PermanentError(
            f"{gone} of the {live} live pages of {host} answered 404 or 410, twice, or redirect "
            f"to one page: more than {MOST_GONE_SHARE:.0%} at once looks like an outage. "
            "Nothing was removed. Look at the site; the next refresh asks again.",
            kind="permanent.mass_gone",
        )
