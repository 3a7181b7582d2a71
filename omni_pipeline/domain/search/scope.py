"""Which chunks may answer a question: what a person, a program and the query say of it."""

from dataclasses import dataclass
from datetime import timedelta


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
