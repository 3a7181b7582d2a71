"""What the openai client's exceptions mean: try later, someone must act, or an input is refused.

The exceptions themselves go no further. They hold the request, which holds the API key, and their
text is the server's, which may echo it (S-71).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import openai

from omni_pipeline.domain.embedding.validation import InputRefusedError
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.domain.web.retry_after import retry_after_seconds
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.openai.transport import AnswerRefusedError

_TOO_LONG_WORDS = ("too long", "maximum context", "max_tokens", "too many tokens", "token limit")


def read_failure(error: openai.APIError, *, place: str, redactor: Redactor) -> OmniError:
    """The error to raise instead of ``error``; nothing in it comes from the request."""
    if isinstance(error, openai.APIStatusError):
        said = redactor.line(_what_it_said(error))
        return _read_status(error, f"The embedding endpoint {place} answered", said)
    return _read_connection(error, place=place, redactor=redactor)


def _read_status(error: openai.APIStatusError, answered: str, said: str) -> OmniError:
    status = error.status_code
    answered = f"{answered} {status}"
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return PermanentError(
                f"{answered}: it refuses the API key ({said}). Check OPENAI_API_KEY.",
                kind="permanent.embed_key",
            )
        case HTTPStatus.NOT_FOUND:
            return PermanentError(
                f"{answered} ({said}). Check OMNI_EMBEDDING_MODEL, and that "
                "OMNI_EMBEDDING_BASE_URL ends at its /v1.",
                kind="permanent.embed_model",
            )
        case (
            HTTPStatus.BAD_REQUEST
            | HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            | HTTPStatus.UNPROCESSABLE_ENTITY
        ):
            is_too_long = any(words in said.lower() for words in _TOO_LONG_WORDS)
            kind = "permanent.input_too_long" if is_too_long else "permanent.input_refused"
            return InputRefusedError(f"{answered} ({said}).", kind=kind)
        case HTTPStatus.PAYMENT_REQUIRED:
            return _quota_error(answered, said)
        case HTTPStatus.TOO_MANY_REQUESTS:
            is_quota = "insufficient_quota" in (error.code, error.type)
            return _quota_error(answered, said) if is_quota else _throttled(error, answered, said)
        case _:
            return _read_other_status(error, answered, said)


def _read_other_status(error: openai.APIStatusError, answered: str, said: str) -> OmniError:
    status = error.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
    ):
        return TemporaryError(
            f"{answered} ({said}). It may work later.",
            kind="transient.embed_server",
            retry_after_seconds=_asked_wait(error),
        )
    if status < HTTPStatus.BAD_REQUEST:
        return PermanentError(
            f"{answered}: it redirects, and a redirect would carry the API key to another host. "
            "Set OMNI_EMBEDDING_BASE_URL to where the endpoint really is.",
            kind="permanent.config",
        )
    return PermanentError(
        f"{answered} ({said}). Check OMNI_EMBEDDING_BASE_URL.", kind="permanent.embed_request"
    )


def _quota_error(answered: str, said: str) -> OmniError:
    return PermanentError(
        f"{answered}: the account has nothing left to spend ({said}). Add credit, or use "
        "another OPENAI_API_KEY.",
        kind="permanent.embed_quota",
    )


def _throttled(error: openai.APIStatusError, answered: str, said: str) -> OmniError:
    return TemporaryError(
        f"{answered}: too many requests ({said}). It will work later.",
        kind="throttled",
        retry_after_seconds=_asked_wait(error),
    )


def _read_connection(error: openai.APIError, *, place: str, redactor: Redactor) -> OmniError:
    cause = error.__cause__ or error
    said = redactor.line(str(cause)) or type(cause).__name__
    if isinstance(cause, AnswerRefusedError):
        return PermanentError(
            f"The embedding endpoint {place} was cut off: {said}. Check OMNI_EMBEDDING_BASE_URL.",
            kind="permanent.embed_answer",
        )
    if isinstance(error, openai.APITimeoutError):
        return TemporaryError(
            f"The embedding endpoint {place} was too slow ({said}). It may work later.",
            kind="transient.embed_timeout",
        )
    return TemporaryError(
        f"The embedding endpoint {place} could not be reached, or hung up ({said}). Check the "
        "network and OMNI_EMBEDDING_BASE_URL if this lasts.",
        kind="transient.embed_unreachable",
    )


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
