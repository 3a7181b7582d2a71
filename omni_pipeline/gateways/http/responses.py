"""From status and headers to the outcome a caller branches on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from omni_pipeline.domain.html.refreshes import refresh_of
from omni_pipeline.domain.web.media_types import is_html_type, media_type_of
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    FetchRequest,
    Forbidden,
    Gone,
    NotModified,
    Outcome,
    Redirected,
    Unreachable,
    Unusable,
)
from omni_pipeline.domain.web.references import referenced_url
from omni_pipeline.domain.web.retry_after import retry_after_seconds
from omni_pipeline.domain.web.urls import canonical_url

_DOCUMENT = (200, 203)
_GONE = (404, 410)
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT_REDIRECTS = (301, 308)
_SERVER_ERROR = 500
# What may be stored and sent back: printable, and short enough for a row.
_VALIDATOR = re.compile(r"[\x20-\x7e]{1,512}")


_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_MAX_ROBOTS_TAG = 512
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w*]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s,;\"]*))?)*)")
_IS_CANONICAL = re.compile(
    r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?canonical(?:\s[^\"]*)?\"|canonical(?=[\s;]|$))", re.IGNORECASE
)
_MAX_LINK = 4096
_AT_ONCE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Head:
    """Status and headers of an answer."""

    status: int
    headers: Sequence[tuple[str, str]]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def codings(self) -> list[str]:
        """All content codings, in the order they were applied; none for ``identity``."""
        values = ",".join(value for key, value in self.headers if key == "content-encoding")
        words = (word.strip().lower().removeprefix("x-") for word in values.split(","))
        return [word for word in words if word not in ("", "identity")]

    def media_type(self) -> tuple[str, str | None]:
        """The media type in lower case ("" without one) and the charset it claims."""
        values = (value[:200] for key, value in self.headers if key == "content-type")
        return _media_type(",".join(values))

    def canonical(self, url: str) -> str | None:
        """The URL that a Link header calls the page's own (RFC 6596, RFC 8288)."""
        for key, value in self.headers:
            for found in _LINK.finditer(value[:_MAX_LINK]) if key == "link" else ():
                if _IS_CANONICAL.search(found[2]):
                    return referenced_url(_as_text(found[1]), url)
        return None

    def refresh(self, url: str) -> str | None:
        """Where a Refresh header sends the reader at once."""
        found = refresh_of(_as_text(self.get("refresh") or ""))
        if found is None or found.seconds > _AT_ONCE_SECONDS:
            return None
        target = referenced_url(found.reference, url)
        return target if target != url else None

    def robots_tag(self) -> str | None:
        """The X-Robots-Tag headers, a line each, as far as they are sane; None without any."""
        values = [value for key, value in self.headers if key == "x-robots-tag"]
        lines = "\n".join(_UNPRINTABLE.sub(" ", value) for value in values)
        return lines[:_MAX_ROBOTS_TAG] or None

    def validator(self, name: str) -> str | None:
        value = self.get(name)
        return value if value and _VALIDATOR.fullmatch(value) else None


_media_type = lru_cache(maxsize=256)(media_type_of)  # a site has two or three


def head_of(status: int, raw_headers: Iterable[tuple[bytes, bytes]]) -> Head:
    return Head(
        status=status,
        headers=[
            (key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in raw_headers
        ],
    )


def outcome_without_body(request: FetchRequest, head: Head, now: datetime) -> Outcome | None:
    """Judge what status and headers alone decide; None when the body is wanted."""
    url, status = request.url, head.status
    if status in _DOCUMENT:
        if target := head.refresh(url):
            return Redirected(url=url, target=target, permanent=True)
        return _unusable_document(url, head)
    if status in _REDIRECTS:
        return _redirect(url, head)
    if status == 304 and (request.etag or request.last_modified):  # noqa: PLR2004 - Not Modified
        return NotModified(url=url)
    if status in _GONE:
        return Gone(url=url, status=status)
    return _blocked(url, head, now) or _failed(url, status)


def _failed(url: str, status: int) -> Outcome:
    reason = f"{url} answered {status}"
    if status >= _SERVER_ERROR:
        return Unreachable(url=url, kind="transient.status", reason=reason)
    return Unusable(url=url, status=status, kind="permanent.status", reason=reason)


def _unusable_document(url: str, head: Head) -> Outcome | None:
    codings = head.codings()
    if len(codings) > 1 or not {"gzip", "deflate"}.issuperset(codings):
        return Unusable(
            url=url,
            status=head.status,
            kind="permanent.encoding",
            reason=f"{url} is encoded as {', '.join(codings)[:80]!r}: one layer of gzip or "
            "deflate is read, and was all that was asked for",
        )
    return None


def not_html(url: str, head: Head) -> Outcome | None:
    """Refuse by media type what no page can be, before its body is read."""
    media_type, _ = head.media_type()
    if is_html_type(media_type):
        return None
    return Unusable(
        url=url,
        status=head.status,
        kind="permanent.not_html",
        reason=f"{url} is {media_type[:80]!r}: only HTML is indexed",
    )


def _redirect(url: str, head: Head) -> Outcome:
    location = head.get("location")
    if not location:
        return Unusable(
            url=url,
            status=head.status,
            kind="permanent.redirect",
            reason=f"{url} answered {head.status} without a place to go",
        )
    target = canonical_url(_as_text(location), url)
    if target is None:
        return Forbidden(
            url=url, reason=f"{url} redirects to {location[:120]!r}, which is no web page's URL"
        )
    if target == url:
        return Unusable(
            url=url,
            status=head.status,
            kind="permanent.redirect_loop",
            reason=f"{url} redirects to itself",
        )
    return Redirected(url=url, target=target, permanent=head.status in _PERMANENT_REDIRECTS)


def _as_text(location: str) -> str:
    """Locations are ASCII by the standard, UTF-8 in practice."""
    return location.encode("latin-1").decode("utf-8", errors="replace")


def _blocked(url: str, head: Head, now: datetime) -> Blocked | None:
    seconds = retry_after_seconds(head.get("retry-after"), now=now)
    refused = head.status in (401, 403)
    throttled = head.status == 429 or (head.status == 503 and seconds is not None)  # noqa: PLR2004
    if not refused and not throttled:
        return None
    return Blocked(
        url=url,
        status=head.status,
        kind="permanent.blocked" if refused else "throttled",
        reason=f"{url} answered {head.status}",
        retry_after_seconds=seconds,
    )
