"""How pages are found gone: by evidence, and never so many that it looks like an outage.

They stay searchable until what replaces them is published: see `steps.embeddings`.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from psycopg import Connection

from omni_pipeline.domain.mass_loss import is_implausible
from omni_pipeline.store.crawl import failed_pages, frontier, held_pages, non_pages, raw_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.crawl.raw_pages import RemovalEvidence
from omni_pipeline.store.index import chunks
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.text import cleaned_pages

# So many pages that all move to one place have not moved: the site has no other answer left. So
# many that are the same to the byte are one page: "not found", with a status that lies (F-D10).
MIN_FOR_REDIRECT_SINK = 5
MIN_SAME_BODIES = 5

# The text of a copy is in the index under its own address, and patterns are a person's word.
_STAYS_OUT = ("duplicate", "excluded")


@dataclass(frozen=True, kw_only=True)
class Move:
    """A page's new place. It leaves when that place is live, and not before."""

    target: str
    evidence: RemovalEvidence


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Live pages that a crawl found gone, by URL.

    Attributes:
        evidence: What is certain.
        moves: Whatever has another place for good, live before or not.
        detours: Where pages redirect to for the time being: no loss, unless it is a circle.
    """

    evidence: dict[str, RemovalEvidence] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)
    temporary_redirects: dict[str, str] = field(default_factory=dict)

    def update(self, other: "Losses") -> None:
        """Take over what another found, which is newer."""
        self.evidence.update(other.evidence)
        self.moves.update(other.moves)
        self.temporary_redirects.update(other.temporary_redirects)

    def target(self, url: str) -> str | None:
        """Where ``url`` redirects to."""
        move = self.moves.get(url)
        return move.target if move else self.temporary_redirects.get(url)

    def is_endless(self, url: str) -> bool:
        """Whether the redirects from ``url``, of either kind, lead in a circle."""
        met: set[str] = set()
        here: str | None = url
        while here is not None and here not in met:
            met.add(here)
            here = self.target(here)
        return here is not None

    def destination(self, url: str) -> str | None:
        """Where the moves from ``url`` end; None where they lead in a circle."""
        met = {url}
        while (move := self.moves.get(url)) is not None:
            url = move.target
            if url in met:
                return None
            met.add(url)
        return url


@dataclass(frozen=True, kw_only=True)
class Removed:
    """How many pages left, and how many should have and are held until a person confirms it."""

    pages_gone: int
    pages_held: int


def remove_pages(conn: Connection, claim: Claim, losses: Losses, *, start_url: str) -> Removed:
    """Note pages as gone with their evidence, or hold them when they are too many."""
    frontier.settle(conn, claim, dict.fromkeys(losses.moves, "skipped"))
    moved = _settled(conn, claim, losses)
    _note_lost_moves(conn, claim, losses, moved)
    same = raw_pages.same_bodies(conn, claim, minimum=MIN_SAME_BODIES, start_url=start_url)
    soft = dict.fromkeys(same, RemovalEvidence(reason="soft_404", http_status=200))
    found = moved | losses.evidence | soft
    live = raw_pages.live_among(conn, claim, list(found))
    evidence = {url: why for url, why in found.items() if url in live}
    doubtful = evidence.keys() - moved.keys() | _dumped(
        losses.moves, evidence.keys() & moved.keys()
    )
    doubtful -= held_pages.confirmed_among(conn, claim, list(doubtful))
    doubtful &= frontier.known_among(conn, claim, list(doubtful))  # no loss is a new page
    if is_implausible(len(doubtful), raw_pages.count_live(conn, claim)):
        return _hold(conn, claim, evidence)
    removed = _remove(conn, claim, evidence, settled=moved)
    held_pages.release_others(conn, claim, {}, is_shrinkage=False)
    non_pages.forget(conn, claim)
    return removed


def _settled(conn: Connection, claim: Claim, losses: Losses) -> dict[str, RemovalEvidence]:
    """The moved pages whose new place is live."""
    places = {url: losses.destination(url) for url in losses.moves}
    targets = [place for place in places.values() if place]
    arrived = raw_pages.live_among(conn, claim, targets) if targets else set()
    return {
        url: replace(losses.moves[url].evidence, moved_to=place)
        for url, place in places.items()
        if place in arrived
    }


def _note_lost_moves(
    conn: Connection, claim: Claim, losses: Losses, moved: Mapping[str, RemovalEvidence]
) -> None:
    """A live page that moved to where no page is goes stale, and a circle is a mistake: say so."""
    live = raw_pages.live_among(conn, claim, [*losses.moves, *losses.temporary_redirects])
    lost = [url for url in losses.moves if url not in moved and url in live]
    fresh = (losses.moves.keys() | losses.temporary_redirects.keys()) - live
    lost += sorted(url for url in fresh if losses.is_endless(url))
    failures = [
        Failure(
            url=url,
            kind="permanent.redirect_loop" if losses.is_endless(url) else "transient.moved",
            reason=f"{url} redirects to {losses.target(url)}, which leads to no page",
        )
        for url in lost
    ]
    failed_pages.record(conn, claim, "fetch", failures)
    failed_pages.resolve(conn, claim, (losses.moves.keys() | fresh).difference(lost), "fetch")
    frontier.settle(conn, claim, dict.fromkeys(lost, "failed"))


def _dumped(moves: Mapping[str, Move], urls: AbstractSet[str]) -> set[str]:
    redirected = {url for url in urls if moves[url].evidence.reason == "moved"}
    counts = Counter(moves[url].target for url in redirected)
    return {url for url in redirected if counts[moves[url].target] >= MIN_FOR_REDIRECT_SINK}


def _hold(conn: Connection, claim: Claim, evidence: Mapping[str, RemovalEvidence]) -> Removed:
    """Keep the pages as they are, and remember what would have happened to them."""
    held_pages.hold(conn, claim, {url: found.reason for url, found in evidence.items()})
    frontier.settle(conn, claim, dict.fromkeys(evidence, "skipped"))
    return Removed(pages_gone=0, pages_held=len(evidence))


def _remove(
    conn: Connection,
    claim: Claim,
    evidence: Mapping[str, RemovalEvidence],
    *,
    settled: Mapping[str, RemovalEvidence],
) -> Removed:
    page_ids = raw_pages.remove_pages(conn, claim, evidence)
    may_return = [url for url, why in evidence.items() if why.reason not in _STAYS_OUT]
    non_pages.record_gone(conn, claim, may_return)
    chunks.unstage_pages(conn, page_ids)
    cleaned_pages.remove(conn, page_ids)
    failed_pages.resolve(conn, claim, evidence, "fetch", "clean", "chunk", "embed", "extract")
    # A move was counted as skipped already: its new place is the URL that counts.
    frontier.settle(conn, claim, dict.fromkeys(evidence.keys() - settled.keys(), "gone"))
    return Removed(pages_gone=len(page_ids), pages_held=0)
