"""What the openai client's exceptions mean: one map, for every client of such an endpoint.

Who asked puts it into words: what was asked for, and which setting to look at.

The exceptions themselves go no further. They hold the request, which holds the API key, and their
text is the server's, which may echo it (S-71).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, auto
from http import HTTPStatus

import openai

from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.domain.web.retry_after import retry_after_seconds
from omni_pipeline.gateways.openai.transport import AnswerRefusedError


class FailureMeaning(StrEnum):
    """What went wrong, by what is to be done about it."""

    KEY = auto()  # it refuses the key
    NOT_FOUND = auto()  # no such model, or no such address
    INPUT = auto()  # it refuses this input, and would take others
    QUOTA = auto()  # the account has nothing left to spend
    THROTTLED = auto()  # later
    SERVER = auto()  # later, perhaps
    REDIRECT = auto()
    REQUEST = auto()  # it refuses the request, whatever the input
    CUT_OFF = auto()  # its answer broke a bound of ours
    SLOW = auto()
    UNREACHABLE = auto()


@dataclass(frozen=True, kw_only=True)
class EndpointFailure:
    """A failed request.

    Attributes:
        meaning: What is to be done.
        said: What came back, redacted, on one line.
        status: Of HTTP; None where there was no answer.
        wait_seconds: What the endpoint asks to be left alone for.
    """

    meaning: FailureMeaning
    said: str
    status: int | None = None
    wait_seconds: float | None = None


def read_failure(error: openai.APIError, redactor: Redactor) -> EndpointFailure:
    """What ``error`` means; nothing in it comes from the request."""
    if isinstance(error, openai.APIStatusError):
        return EndpointFailure(
            meaning=_meaning_of_status(error),
            said=redactor.line(_what_it_said(error)),
            status=error.status_code,
            wait_seconds=_asked_wait(error),
        )
    cause = error.__cause__ or error
    said = redactor.line(str(cause)) or type(cause).__name__
    if isinstance(cause, AnswerRefusedError):
        return EndpointFailure(meaning=FailureMeaning.CUT_OFF, said=said)
    is_slow = isinstance(error, openai.APITimeoutError)
    return EndpointFailure(
        meaning=FailureMeaning.SLOW if is_slow else FailureMeaning.UNREACHABLE, said=said
    )


_BY_STATUS: dict[int, FailureMeaning] = {
    HTTPStatus.UNAUTHORIZED: FailureMeaning.KEY,
    HTTPStatus.FORBIDDEN: FailureMeaning.KEY,
    HTTPStatus.NOT_FOUND: FailureMeaning.NOT_FOUND,
    HTTPStatus.BAD_REQUEST: FailureMeaning.INPUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: FailureMeaning.INPUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: FailureMeaning.INPUT,
    HTTPStatus.PAYMENT_REQUIRED: FailureMeaning.QUOTA,
    HTTPStatus.REQUEST_TIMEOUT: FailureMeaning.SERVER,
    HTTPStatus.CONFLICT: FailureMeaning.SERVER,
    HTTPStatus.TOO_EARLY: FailureMeaning.SERVER,
}


def _meaning_of_status(error: openai.APIStatusError) -> FailureMeaning:
    status = error.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        is_quota = "insufficient_quota" in (error.code, error.type)
        return FailureMeaning.QUOTA if is_quota else FailureMeaning.THROTTLED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FailureMeaning.SERVER
    if status < HTTPStatus.BAD_REQUEST:
        return FailureMeaning.REDIRECT
    return _BY_STATUS.get(status, FailureMeaning.REQUEST)


def _what_it_said(error: openai.APIStatusError) -> str:
    if isinstance(error.body, Mapping) and isinstance(error.body.get("message"), str):
        return str(error.body["message"])
    return error.response.text[:2000]


def _asked_wait(error: openai.APIStatusError) -> float | None:
    headers = error.response.headers
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return int(milliseconds) / 1000
    return retry_after_seconds(headers.get("retry-after"), now=datetime.now(UTC))
