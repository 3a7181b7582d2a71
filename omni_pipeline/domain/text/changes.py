"""Says in words what a refresh found to be new, changed or gone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.text.noise import without_noise
from omni_pipeline.domain.text.outline import find_sections

MAX_HEADINGS = 20
MAX_HEADINGS_LISTED = 5
MAX_HEADING_LENGTH = 60
MAX_TITLE_LENGTH = 80
MAX_URL_LENGTH = 200

_GONE = {
    "missing": "the site says that it is not there",
    "moved": "moved",
    "soft_404": "says that there is no such page",
    "noindex": "asks not to be indexed",
    "duplicate": "names another page as its own",
    "excluded": "excluded by the domain's patterns",
}


@dataclass(frozen=True, kw_only=True)
class PageChange:
    """One page that is not what it was.

    Attributes:
        kind: ``new``, ``changed`` or ``gone``.
        headings: Those under which a changed page changed, in their order.
        reason: Why a page is gone, in a word.
        pages: How many pages changed in the same way, this one and those that are not told.
    """

    kind: str
    url: str
    title: str
    headings: Sequence[str]
    reason: str | None
    pages: int


def changed_headings(before: str, after: str) -> tuple[str, ...]:
    """The headings of two Markdown texts under which they differ, in the order of the page.

    First those of the text as it is now, then those that went. Text above the first heading has
    none, and noise is no difference.
    """
    old, new = _sections(before), _sections(after)
    differing = [path for path, _ in (*(new - old), *(old - new)) if path]
    return tuple(dict.fromkeys(path[-1] for path in differing if path[-1]))[:MAX_HEADINGS]


def _sections(markdown: str) -> Counter[tuple[tuple[str, ...], str]]:
    return Counter(
        (section.path, " ".join(without_noise(markdown[section.body_start : section.end]).split()))
        for section in find_sections(markdown)
    )


def describe_changes(changes: Iterable[PageChange]) -> tuple[str, ...]:
    """One line for each page, and one for those of each kind that are not told.

    The lines are fit for a terminal: nothing that a site wrote moves the cursor or hides.

    Args:
        changes: Those of one kind together.
    """
    lines: list[str] = []
    for kind, group in groupby(changes, key=lambda change: change.kind):
        listed = list(group)
        lines += [_line(change) for change in listed]
        if more := listed[0].pages - len(listed):
            lines.append(f"{kind}: {more:,} more page{'s' if more > 1 else ''}")
    return tuple(lines)


def _line(change: PageChange) -> str:
    url = _shown(change.url, MAX_URL_LENGTH)
    match change.kind:
        case "gone":
            detail = _GONE.get(change.reason or "", change.reason or "")
        case "changed":
            detail = _under(change.headings)
        case _:
            detail = _shown(change.title, MAX_TITLE_LENGTH)
    return f"{change.kind}: {url}" + (f" ({detail})" if detail else "")


def _under(headings: Sequence[str]) -> str:
    shown = [_shown(heading, MAX_HEADING_LENGTH) for heading in headings[:MAX_HEADINGS_LISTED]]
    more = len(headings) - len(shown)
    names = ", ".join(shown) + (f" and {more} more" if more else "")
    return f"under {names}" if names else ""


def _shown(text: str, max_length: int) -> str:
    line = storable(" ".join(text.split()))
    return line if len(line) <= max_length else f"{line[: max_length - 1]}\N{HORIZONTAL ELLIPSIS}"
