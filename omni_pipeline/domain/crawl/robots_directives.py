"""What robots metadata asks of this crawler: in ``<meta name=robots>`` and in ``X-Robots-Tag``.

Google's "Robots meta tag, data-nosnippet, and X-Robots-Tag specifications"; nothing else is one.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EXPIRES = "unavailable_after"
_CONCERNED = re.compile(
    r"\s*(?!max-(?:snippet|image-preview|video-preview)\b|unavailable_after\b)"
    r"(\*|[a-z][\w-]*)\s*:"
)
_EXPIRY = re.compile(rf"\s*{_EXPIRES}\s*:\s*(.+)")
# A comma stands in dates behind the weekday alone.
_WEEKDAY = re.compile(rf"({_EXPIRES}\s*:\s*)[a-z]+,")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked; ``expires_at`` is from when on the page is not to be indexed."""

    noindex: bool = False
    nofollow: bool = False
    expires_at: datetime | None = None


def wishes_in(contents: Iterable[str]) -> Wishes:
    """The wishes of the robots ``meta`` elements of a page."""
    parts = [part for content in contents for part in _parts(content.lower())]
    return _wishes(parts, {word for part in parts for word in part.split()})


def wishes_of_header(header: str | None, agent: str) -> Wishes:
    """What X-Robots-Tag asks of this crawler; see ``robots_tag_wishes``."""
    return _wishes(_ours(header, agent), robots_tag_directives(header, agent))


def robots_tag_directives(header: str | None, agent: str) -> frozenset[str]:
    """What X-Robots-Tag asks of this crawler: ``noindex``, ``nofollow``, ``none`` and the like.

    A name with a colon says whom the wishes after it concern, up to the end of the line.

    Args:
        header: Several headers may be joined by line ends; joined by commas, wishes for everyone
            that stand behind those for another crawler are taken for that crawler's.
        agent: This crawler's product token.
    """
    directives = (part.strip() for part in _ours(header, agent))
    return frozenset(
        directive for directive in directives if directive and ":" not in directive
    )  # else a value, or a time


def _ours(header: str | None, agent: str) -> Iterator[str]:
    for line in (header or "").lower().splitlines():
        is_ours = True
        for part in _parts(line):
            concerned = _CONCERNED.match(part)
            if concerned:
                is_ours = concerned[1] in (agent.lower(), "*")
            if is_ours:
                yield part[concerned.end() if concerned else 0 :]


def _parts(text: str) -> list[str]:
    return _WEEKDAY.sub(r"\1", text).split(",")


def _wishes(parts: Iterable[str], words: AbstractSet[str]) -> Wishes:
    expiries = (_EXPIRY.match(part) for part in parts)
    moments = [moment for found in expiries if found and (moment := _moment(found[1]))]
    return Wishes(
        noindex=not words.isdisjoint({"noindex", "none"}),
        nofollow=not words.isdisjoint({"nofollow", "none"}),
        expires_at=min(moments, default=None),
    )


def _moment(text: str) -> datetime | None:
    """A date by RFC 822, RFC 850 or ISO 8601, whichever; without a zone it is read as UTC."""
    text = text.strip().upper()
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
