"""How pages leave the index: by evidence, and never so many that it looks like an outage."""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.store import (
    chunks,
    cleaned_pages,
    crawl_frontier,
    failed_pages,
    held_pages,
    raw_pages,
)
from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.raw_pages import Evidence

# A refresh in which more than this share of the live pages vanishes is not believed (I40).
MOST_GONE_SHARE = 0.3
FEWEST_GONE_FOR_GUARD = 10

# So many pages that all move to one place have not moved: the site has no other answer left. So
# many that are the same to the byte are one page: "not found", with a status that lies (D10).
FEWEST_FOR_DUMPING_GROUND = 5
FEWEST_SAME_BODIES = 5


@dataclass(frozen=True, kw_only=True)
class Move:
    """A page's new place. It leaves when that place is live, and not before."""

    target: str
    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Live pages that a crawl found gone, by URL."""

    evidence: dict[str, Evidence] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Retired:
    """How many pages left, and how many should have and are held until a person confirms it."""

    pages_gone: int
    pages_held: int


def retire(conn: Connection, holding: Claim, losses: Losses, *, start_url: str) -> Retired:
    """Take pages out of the index with their evidence, or hold them when they are too many."""
    crawl_frontier.settle(conn, holding, dict.fromkeys(losses.moves, "skipped"))
    moved = _settled(conn, holding, losses.moves)
    same = raw_pages.same_bodies(conn, holding, fewest=FEWEST_SAME_BODIES, start_url=start_url)
    soft = dict.fromkeys(same, Evidence(reason="soft_404", http_status=200))
    found = moved | losses.evidence | soft
    live = raw_pages.live_among(conn, holding, list(found))
    evidence = {url: why for url, why in found.items() if url in live}
    doubtful = evidence.keys() - moved.keys() | _dumped(
        losses.moves, evidence.keys() & moved.keys()
    )
    doubtful -= held_pages.confirmed_among(conn, holding, list(doubtful))
    if is_implausible(len(doubtful), raw_pages.count_live(conn, holding)):
        return _hold(conn, holding, evidence)
    held_pages.release_others(conn, holding, {}, is_shrinkage=False)
    return _retire(conn, holding, evidence, settled=moved)


def is_implausible(pages: int, live: int) -> bool:
    """Whether so many of the live pages at once look like an outage, not like an editor's work."""
    return pages >= FEWEST_GONE_FOR_GUARD and pages > live * MOST_GONE_SHARE


def _settled(conn: Connection, holding: Claim, moves: Mapping[str, Move]) -> dict[str, Evidence]:
    """The moved pages whose new place is live."""
    targets = [move.target for move in moves.values()]
    arrived = raw_pages.live_among(conn, holding, targets) if targets else set()
    return {url: move.evidence for url, move in moves.items() if move.target in arrived}


def _dumped(moves: Mapping[str, Move], urls: AbstractSet[str]) -> set[str]:
    redirected = {url for url in urls if moves[url].evidence.reason == "moved"}
    counts = Counter(moves[url].target for url in redirected)
    return {url for url in redirected if counts[moves[url].target] >= FEWEST_FOR_DUMPING_GROUND}


def _hold(conn: Connection, holding: Claim, evidence: Mapping[str, Evidence]) -> Retired:
    """Keep the pages as they are, and remember what would have happened to them."""
    held_pages.hold(conn, holding, {url: found.reason for url, found in evidence.items()})
    crawl_frontier.settle(conn, holding, dict.fromkeys(evidence, "skipped"))
    return Retired(pages_gone=0, pages_held=len(evidence))


def _retire(
    conn: Connection,
    holding: Claim,
    evidence: Mapping[str, Evidence],
    *,
    settled: Mapping[str, Evidence],
) -> Retired:
    page_ids = raw_pages.retire(conn, holding, evidence)
    faults.point("CP12")
    chunks.remove_pages(conn, page_ids)
    cleaned_pages.remove(conn, page_ids)
    failed_pages.resolve(conn, holding, evidence, "fetch", "clean", "chunk", "embed", "extract")
    # A move was counted as skipped already: its new place is the URL that counts.
    crawl_frontier.settle(conn, holding, dict.fromkeys(evidence.keys() - settled.keys(), "gone"))
    return Retired(pages_gone=len(page_ids), pages_held=0)
