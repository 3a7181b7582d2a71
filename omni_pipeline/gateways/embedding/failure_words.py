"""Failures of an embedding endpoint in words: what came back, and which setting to look at."""

from collections.abc import Mapping

from omni_pipeline.domain.embedding.validation import InputRefusedError
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.openai.failures import EndpointFailure, FailureMeaning

_TOO_LONG_WORDS = ("too long", "maximum context", "max_tokens", "too many tokens", "token limit")

_ANSWERED = "The embedding endpoint {place} answered {status}"

# By what is to be done: the kind of error, and its line.
_LATER: Mapping[FailureMeaning, tuple[str, str]] = {
    FailureMeaning.THROTTLED: (
        "throttled",
        _ANSWERED + ": too many requests ({said}). It will work later.",
    ),
    FailureMeaning.SERVER: ("transient.embed_server", _ANSWERED + " ({said}). It may work later."),
    FailureMeaning.SLOW: (
        "transient.embed_timeout",
        "The embedding endpoint {place} was too slow ({said}). It may work later.",
    ),
    FailureMeaning.UNREACHABLE: (
        "transient.embed_unreachable",
        (
            "The embedding endpoint {place} could not be reached, or hung up ({said}). Check the "
            "network and OMNI_EMBEDDING_BASE_URL if this lasts."
        ),
    ),
}
_FOR_A_PERSON: Mapping[FailureMeaning, tuple[str, str]] = {
    FailureMeaning.KEY: (
        "permanent.embed_key",
        _ANSWERED + ": it refuses the API key ({said}). Check OPENAI_API_KEY.",
    ),
    FailureMeaning.NOT_FOUND: (
        "permanent.embed_model",
        (
            _ANSWERED
            + " ({said}). Check OMNI_EMBEDDING_MODEL, and that OMNI_EMBEDDING_BASE_URL ends "
            "at its /v1."
        ),
    ),
    FailureMeaning.QUOTA: (
        "permanent.embed_quota",
        (
            _ANSWERED
            + ": the account has nothing left to spend ({said}). Add credit, or use another "
            "OPENAI_API_KEY."
        ),
    ),
    FailureMeaning.REDIRECT: (
        "permanent.config",
        (
            _ANSWERED
            + ": it redirects, and a redirect would carry the API key to another host. Set "
            "OMNI_EMBEDDING_BASE_URL to where the endpoint really is."
        ),
    ),
    FailureMeaning.CUT_OFF: (
        "permanent.embed_answer",
        "The embedding endpoint {place} was cut off: {said}. Check OMNI_EMBEDDING_BASE_URL.",
    ),
    FailureMeaning.REQUEST: (
        "permanent.embed_request",
        _ANSWERED + " ({said}). Check OMNI_EMBEDDING_BASE_URL.",
    ),
}


def describe_failure(failure: EndpointFailure, *, place: str) -> OmniError:
    """The error to raise for a request for vectors."""
    facts = {"place": place, "status": failure.status, "said": failure.said}
    if failure.meaning is FailureMeaning.INPUT:
        is_too_long = any(words in failure.said.lower() for words in _TOO_LONG_WORDS)
        kind = "permanent.input_too_long" if is_too_long else "permanent.input_refused"
        return InputRefusedError(f"{_ANSWERED} ({{said}}).".format(**facts), kind=kind)
    if failure.meaning in _LATER:
        kind, line = _LATER[failure.meaning]
        wait = failure.wait_seconds
        return TemporaryError(line.format(**facts), kind=kind, retry_after_seconds=wait)
    kind, line = _FOR_A_PERSON[failure.meaning]
    return PermanentError(line.format(**facts), kind=kind)
