"""What one fetch can end in: values for callers to ``match``, never exceptions.

"Gone" is the site's own word. "Could not look" (``Unreachable``, ``Blocked``) is never mistaken
for it, and what this crawler itself refuses is ``Forbidden``.
"""

from dataclasses import dataclass, field
from typing import Literal

Rendering = Literal["http", "browser", "auto"]
"""How a page is to be had: its HTML as sent, as a browser shows it, or whichever it needs."""


@dataclass(frozen=True, kw_only=True)
class FetchRequest:
    """One page to ask for, with the validators of the copy that is held, if one is."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    rendering: Rendering = "http"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The site sent a document.

    Attributes:
        url: What was asked for; for a file fetched through redirects, where it was found.
        body: Inflated.
        content_type: Lower case, without parameters; empty when the site named none.
        charset: What the header claims.
        canonical: The URL that a Link header calls the page's own, in canonical form.
        elapsed_seconds: From the start of the last attempt to the end of the body.
        truncated: The document went on; only files (robots.txt, sitemaps) are ever cut.
        robots_tag: The X-Robots-Tag headers, a line each.
        is_rendered: The body is the DOM as a browser serialized it, in UTF-8.
        needs_browser: What comparing both kinds of this page showed; None where only one was had
            and nothing spoke for the other.
    """

    url: str
    status: int
    body: bytes = field(repr=False)
    content_type: str
    charset: str | None = None
    canonical: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    elapsed_seconds: float
    truncated: bool = False
    robots_tag: str | None = None
    is_rendered: bool = False
    needs_browser: bool | None = None


@dataclass(frozen=True, kw_only=True)
class NotModified:
    """The copy whose validators were sent is still good."""

    url: str


@dataclass(frozen=True, kw_only=True)
class Redirected:
    """The site names another URL. It was not asked for: scope and robots.txt come first."""

    url: str
    target: str
    permanent: bool


@dataclass(frozen=True, kw_only=True)
class Gone:
    """404 or 410: evidence that the page is no more."""

    url: str
    status: int


@dataclass(frozen=True, kw_only=True)
class Forbidden:
    """This crawler's own rules refuse: the address, the port, or the form of the URL."""

    url: str
    reason: str
    kind: str = "permanent.forbidden"


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """The site refuses this crawler: 401, 403, 429, or 503 with a time to come back."""

    url: str
    status: int
    reason: str
    kind: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """There was no complete answer, or a server error; says nothing about the page."""

    url: str
    reason: str
    kind: str
    temporary: bool = True


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """An answer came, and it is nothing that can be indexed."""

    url: str
    reason: str
    kind: str
    status: int | None = None


Outcome = Fetched | NotModified | Redirected | Gone | Forbidden | Blocked | Unreachable | Unusable
