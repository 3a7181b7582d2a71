"""From what Chromium says about a navigation to the outcome a caller branches on."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from omni_pipeline.domain.web.hosts import bracketed
from omni_pipeline.domain.web.outcomes import (
    Fetched,
    FetchRequest,
    Forbidden,
    Outcome,
    Unreachable,
    Unusable,
)
from omni_pipeline.domain.web.urls import url_parts
from omni_pipeline.gateways.http.responses import Head, not_html, outcome_without_body

_UNREACHABLE: tuple[tuple[str, str, str], ...] = (
    ("TIMED_OUT", "timeout", "it stopped sending"),
    ("NAME_NOT_RESOLVED", "dns", "its name does not resolve"),
    ("TUNNEL_CONNECTION_FAILED", "connect", "it refuses connections or cannot be reached"),
    ("PROXY_CONNECTION_FAILED", "connect", "the browser's way to the web is closed"),
    ("", "connection", "the connection broke"),
)


def head_of_response(status: int, headers: Sequence[Mapping[str, str]]) -> Head:
    """Chromium has undone the content coding, whichever it was: the header is left out."""
    pairs = ((header["name"].lower(), header["value"]) for header in headers)
    return Head(status=status, headers=[pair for pair in pairs if pair[0] != "content-encoding"])


def outcome_of_head(url: str, head: Head, now: datetime) -> Outcome | None:
    """Judge what status and headers decide; None when the page is to be rendered."""
    outcome = outcome_without_body(FetchRequest(url=url), head, now)
    return outcome or _attachment(url, head) or not_html(url, head)


def outcome_of_net_error(url: str, error: str, refusals: Mapping[str, str]) -> Outcome:
    """Judge ``net::ERR_...``; a refusal of the proxy's is one of ours, not the site's."""
    if refused := refusal(url, refusals):
        return refused
    if "_CERT_" in error or "_SSL_" in error:
        return Unreachable(
            url=url,
            kind="permanent.tls",
            temporary=False,
            reason=f"{url}: TLS failed: {error}. The site must mend its certificate or TLS",
        )
    kind, text = next((kind, text) for part, kind, text in _UNREACHABLE if part in error)
    return Unreachable(url=url, kind=f"transient.{kind}", reason=f"{url}: {text}")


def refusal(url: str, refusals: Mapping[str, str]) -> Forbidden | None:
    """Why the proxy refused the page itself, if it did."""
    parts = url_parts(url)
    reason = refusals.get(f"{bracketed(parts.host)}:{parts.port}")
    return Forbidden(url=url, reason=f"{url} is refused: {reason}") if reason else None


def rendered(url: str, head: Head, body: bytes, elapsed_seconds: float) -> Fetched:
    """A page as the browser shows it. No validators: they describe what was sent."""
    return Fetched(
        url=url,
        status=head.status,
        body=body,
        content_type="text/html",
        charset="utf-8",
        elapsed_seconds=elapsed_seconds,
        robots_tag=head.robots_tag(),
        is_rendered=True,
    )


def download(url: str, status: int | None = None) -> Unusable:
    return Unusable(
        url=url,
        status=status,
        kind="permanent.not_html",
        reason=f"{url} is a download: only HTML is indexed",
    )


def too_large(url: str, what: str, max_bytes: int) -> Unusable:
    return Unusable(
        url=url, kind="permanent.too_large", reason=f"{url}: {what} exceeds {max_bytes} bytes"
    )


def too_many_requests(url: str, limit: int) -> Unusable:
    return Unusable(
        url=url,
        kind="permanent.too_many_requests",
        reason=f"{url} asks for more than {limit} other files",
    )


def went_elsewhere(url: str, target: str) -> Unusable:
    return Unusable(
        url=url,
        kind="permanent.redirect",
        reason=f"{url} replaces itself by {target[:120]!r}, which is no web page's URL",
    )


def reloads_for_ever(url: str, limit: int) -> Unusable:
    return Unusable(
        url=url,
        kind="permanent.redirect_loop",
        reason=f"{url} loads itself again more than {limit} times",
    )


def out_of_time(url: str, seconds: float) -> Unreachable:
    return Unreachable(
        url=url,
        kind="transient.timeout",
        reason=f"{url} was not ready in the browser after {seconds:g} s",
    )


def crashed(url: str, how: str) -> Unreachable:
    return Unreachable(
        url=url, kind="transient.browser_crash", reason=f"{url} lost its browser twice: {how}"
    )


def _attachment(url: str, head: Head) -> Unusable | None:
    disposition = (head.get("content-disposition") or "").strip().lower()
    return download(url, head.status) if disposition.startswith("attachment") else None
