"""One question about a page to an OpenAI-compatible chat endpoint, through the openai client.

Imported only when a door is opened: openai takes a second to import.
"""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx2
import openai

from omni_pipeline.domain.model_reading import INSTRUCTIONS, MOST_ANSWER_TOKENS, SCHEMA, Question
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.domain.retry_after import retry_after_seconds
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.embedding_transport import BoundedTransport, Deadline
from omni_pipeline.gateways.extraction import PageRefusedError
from omni_pipeline.gateways.web_transport import tls_context
from omni_pipeline.settings import OPENAI_URL, ExtractionSettings

CONNECT_SECONDS = 10.0

_PAGE_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_LATER_STATUSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)


class ExtractionClient:
    """Asks once and hands on what came back; repeating and judging are the door's."""

    def __init__(
        self, client: openai.OpenAI, redactor: Redactor, *, model: str, place: str
    ) -> None:
        self._client = client
        self._redactor = redactor
        self._model = model
        self._place = place

    def close(self) -> None:
        self._client.close()

    def ask(self, question: Question) -> Any:
        """The answer's JSON, not yet checked.

        Raises:
            OmniError: By what to do next. It holds neither the client's error nor the key.
        """
        try:
            response = self._client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": question.message},
                ],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "product", "strict": True, "schema": dict(SCHEMA)},
                },
                max_completion_tokens=MOST_ANSWER_TOKENS,
            )
        except openai.APIError as error:
            failure = self._read_failure(error)
        else:
            return self._parse(response.content)
        raise failure  # not inside `except`: the client's error would travel along as context

    def _parse(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            begin = self._redactor.line(content[:100].decode(errors="replace"), most=60)
        raise TemporaryError(
            f"{self._asked} and answered what is not JSON, beginning with {begin!r}. Check "
            "OMNI_EMBEDDING_BASE_URL if this lasts.",
            kind="transient.extraction_answer",
        )

    @property
    def _asked(self) -> str:
        return f"The chat model {self._model} was asked at {self._place}"

    def _read_failure(self, error: openai.APIError) -> OmniError:
        if not isinstance(error, openai.APIStatusError):
            said = self._redactor.line(str(error.__cause__ or error)) or type(error).__name__
            return TemporaryError(
                f"{self._asked} and did not answer in time, or could not be reached ({said}). "
                "Check the network and OMNI_EMBEDDING_BASE_URL if this lasts.",
                kind="transient.extraction_unreachable",
            )
        answered = f"{self._asked} and answered {error.status_code} ({self._said(error)})"
        if error.status_code in _PAGE_STATUSES:
            return PageRefusedError(f"{answered}: this page is left to the rules.")
        is_quota = "insufficient_quota" in (error.code, error.type)
        is_passing = (
            error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            or error.status_code in _LATER_STATUSES
            or (error.status_code == HTTPStatus.TOO_MANY_REQUESTS and not is_quota)
        )
        if is_passing:
            wait = retry_after_seconds(error.response.headers.get("retry-after"), now=_now())
            return TemporaryError(
                f"{answered}. It may work later.",
                kind="transient.extraction_server",
                retry_after_seconds=wait,
            )
        return PermanentError(
            f"{answered}. Check OPENAI_API_KEY and its credit, OMNI_EXTRACTION_MODEL, and that "
            "OMNI_EMBEDDING_BASE_URL ends at its /v1.",
            kind="permanent.extraction_model",
        )

    def _said(self, error: openai.APIStatusError) -> str:
        body = error.body
        message = body.get("message") if isinstance(body, dict) else None
        return self._redactor.line(str(message or error.response.text[:2000]))


def _now() -> datetime:
    return datetime.now(UTC)


def open_client(settings: ExtractionSettings, deadline_seconds: float) -> ExtractionClient:
    """A client of the endpoint at ``settings.base_url``, or OpenAI's own."""
    base_url = settings.base_url or OPENAI_URL
    tls = tls_context() if base_url.startswith("https:") else None
    http = httpx2.Client(
        transport=BoundedTransport(Deadline(deadline_seconds), tls=tls),
        timeout=httpx2.Timeout(deadline_seconds, connect=CONNECT_SECONDS),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
    )
    redactor = Redactor(secrets=(settings.api_key,) if settings.api_key else ())
    # Address and key are explicit: the library would take both from the environment (S72).
    client = openai.OpenAI(
        base_url=base_url,
        api_key=settings.api_key or "none-needed",
        max_retries=0,
        http_client=http,
    )
    return ExtractionClient(client, redactor, model=settings.model, place=redactor.line(base_url))
