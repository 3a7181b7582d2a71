"""Finds the new pages of a crawl that are copies of others, to the byte.

A page that was published before is never found here: whatever copies of it appear, it stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omni_pipeline.domain.crawl.copies import representative
from omni_pipeline.domain.crawl.soft_404 import says_not_found
from omni_pipeline.steps.crawl.removal import Losses, Move
from omni_pipeline.store.crawl.raw_pages import Alike, RemovalEvidence

_DUPLICATE = RemovalEvidence(reason="duplicate", http_status=200)
_SOFT_404 = RemovalEvidence(reason="soft_404", http_status=200)


@dataclass(frozen=True, kw_only=True)
class PageCopies:
    """The new pages that one body under several URLs leaves out.

    Attributes:
        losses: Copies move to the URL that stands for them. "Not found" pages leave, if that is
            what they say: that they are alike is no evidence of it.
        example: One of the copies, and what it is a copy of.
    """

    losses: Losses
    example: tuple[str, str] | None

    def __str__(self) -> str:
        assert self.example is not None, "asked only where there are copies"
        copy, original = self.example
        return (
            f"{len(self.losses.moves)} addresses show the same page as another one, such as {copy} "
            f"and {original}: each such page is kept once."
        )


def find_copies(
    groups: Sequence[Sequence[Alike]], body_of: Callable[[str], str], *, start_url: str
) -> PageCopies:
    """Judge groups of pages with one body each.

    Args:
        groups: Each has a page that was never published.
        body_of: The HTML of a page.
        start_url: Stays, whatever is like it.
    """
    losses = Losses()
    example = None
    for group in groups:
        published = frozenset(page.url for page in group if page.is_published)
        kept = representative(
            (page.url for page in group), published=published, start_url=start_url
        )
        fresh = [page.url for page in group if page.url not in {*published, start_url}]
        if fresh and says_not_found(body_of(fresh[0])):
            losses.evidence.update(dict.fromkeys(fresh, _SOFT_404))
            continue
        for url in fresh:
            if url != kept:
                losses.moves[url] = Move(target=kept, evidence=_DUPLICATE)
                example = example or (url, kept)
    return PageCopies(losses=losses, example=example)
