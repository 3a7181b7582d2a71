"""A question to the index: what is asked, where, and how many answers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Mode = Literal["hybrid", "vector", "text"]
"""By both, by meaning, or by words."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where to search; None does not restrict. A field is a parameter of the query by that name.

    Attributes:
        organization: Only domains of the organization of this name.
        host: Only this domain's pages.
        url_prefix: Only pages whose address begins so.
        language: Only pages in it; ``de`` includes ``de-AT``.
        seen_within: Only pages that the site showed to a refresh within this time.
    """

    organization: str | None = None
    host: str | None = None
    url_prefix: str | None = None
    language: str | None = None
    seen_within: timedelta | None = None


EVERYWHERE = Scope()


@dataclass(frozen=True, kw_only=True)
class SearchQuestion:
    """One question, as it is handed from whoever asks to the search.

    Attributes:
        text: In plain words.
        limit: How many answers.
        scope: Where to search.
        mode: By meaning (``vector``), by words (``text``), or by both.
        per_page: Most answers from one page, and no text twice; None leaves all in.
    """

    text: str
    limit: int
    scope: Scope = EVERYWHERE
    mode: Mode = "hybrid"
    per_page: int | None = None
