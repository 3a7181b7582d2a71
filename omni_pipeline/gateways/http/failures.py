"""From an error of resolving, connecting, sending or receiving to the outcome of a fetch.

The errors' own texts are never used: they hold resolved addresses.
"""

import ssl
from collections.abc import Iterator

import httpcore2

from omni_pipeline.domain.web.outcomes import Forbidden, Outcome, Unreachable, Unusable
from omni_pipeline.gateways.http.dialling import NameNotResolvedError, NotAllowedError

FOREIGN_ERRORS = (
    NotAllowedError,
    NameNotResolvedError,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    OSError,
)

_TRANSIENT: tuple[tuple[type[BaseException], str, str], ...] = (
    (NameNotResolvedError, "dns", "its name does not resolve"),
    (httpcore2.ConnectTimeout, "timeout", "connecting took too long"),
    (TimeoutError, "timeout", "there was no complete answer in time"),
    (httpcore2.ConnectError, "connect", "it refuses connections or cannot be reached"),
    (httpcore2.RemoteProtocolError, "connection", "it broke off, or does not speak HTTP"),
    (BaseException, "connection", "the connection broke"),
)
_REQUEST_HEADER_FIELDS_TOO_LARGE = 431


def outcome_of_error(url: str, error: BaseException) -> Outcome:
    """Judge one of ``FOREIGN_ERRORS``."""
    if isinstance(error, NotAllowedError):
        return Forbidden(url=url, reason=f"{url} is refused: {error}")
    if refusal := _tls_refusal(error):
        return Unreachable(
            url=url,
            kind="permanent.tls",
            temporary=False,
            reason=f"{url}: TLS failed: {refusal}. The site must mend its certificate or TLS",
        )
    if _had_too_long_headers(error):
        return headers_too_large(url)
    kind, text = next((kind, text) for of, kind, text in _TRANSIENT if isinstance(error, of))
    return Unreachable(url=url, kind=f"transient.{kind}", reason=f"{url}: {text}")


def headers_too_large(url: str) -> Unusable:
    return Unusable(url=url, kind="permanent.headers", reason=f"{url} sent too many headers")


def _tls_refusal(error: BaseException) -> str | None:
    """What TLS found wrong with the site; a handshake cut short is no finding."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            cut = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
            return None if cut else getattr(cause, "verify_message", "") or cause.reason
    return None


def _had_too_long_headers(error: BaseException) -> bool:
    """h11 keeps at most 100 KiB of an unfinished head, and says so with this hint."""
    hints = (getattr(cause, "error_status_hint", None) for cause in _causes(error))
    return _REQUEST_HEADER_FIELDS_TOO_LARGE in hints


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
