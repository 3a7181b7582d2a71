"""One question about a page to an OpenAI-compatible chat endpoint, through the openai client.

Imported only when a client is opened: openai takes a second to import.
"""

from typing import Any

import openai

from omni_pipeline.domain.products.llm_questions import (
    INSTRUCTIONS,
    MAX_ANSWER_TOKENS,
    SCHEMA,
    Question,
)
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.llm.refusals import PageRefusedError
from omni_pipeline.gateways.openai.endpoint import OpenAIEndpoint, open_endpoint
from omni_pipeline.gateways.openai.failures import EndpointFailure, FailureMeaning, read_failure
from omni_pipeline.settings import ExtractionSettings


class OpenAIChat:
    """Asks once and hands on what came back; repeating and judging are the client's."""

    def __init__(self, endpoint: OpenAIEndpoint, *, model: str) -> None:
        self._endpoint = endpoint
        self._model = model

    def close(self) -> None:
        self._endpoint.close()

    def ask(self, question: Question) -> Any:
        """The answer's JSON, not yet checked.

        Raises:
            OmniError: By what to do next. It holds neither the client's error nor the key.
        """
        try:
            response = self._endpoint.client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": question.message},
                ],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "product", "strict": True, "schema": dict(SCHEMA)},
                },
                max_completion_tokens=MAX_ANSWER_TOKENS,
            )
        except openai.APIError as error:
            failure = self._describe(read_failure(error, self._endpoint.redactor))
        else:
            return self._endpoint.parse(
                response.content, who=f"{self._asked} and", kind="transient.extraction_answer"
            )
        raise failure  # not inside `except`: the client's error would travel along as context

    @property
    def _asked(self) -> str:
        return f"The chat model {self._model} was asked at {self._endpoint.place}"

    def _describe(self, failure: EndpointFailure) -> OmniError:
        if failure.status is None:
            return TemporaryError(
                f"{self._asked} and did not answer in time, or could not be reached "
                f"({failure.said}). Check the network and OMNI_EMBEDDING_BASE_URL if this lasts.",
                kind="transient.extraction_unreachable",
            )
        answered = f"{self._asked} and answered {failure.status} ({failure.said})"
        match failure.meaning:
            case FailureMeaning.INPUT:
                return PageRefusedError(f"{answered}: this page is left to the rules.")
            case FailureMeaning.THROTTLED | FailureMeaning.SERVER:
                return TemporaryError(
                    f"{answered}. It may work later.",
                    kind="transient.extraction_server",
                    retry_after_seconds=failure.wait_seconds,
                )
        return PermanentError(
            f"{answered}. Check OPENAI_API_KEY and its credit, OMNI_EXTRACTION_MODEL, and that "
            "OMNI_EMBEDDING_BASE_URL ends at its /v1.",
            kind="permanent.extraction_model",
        )


def open_client(settings: ExtractionSettings, deadline_seconds: float) -> OpenAIChat:
    """A client of the endpoint at ``settings.base_url``, or OpenAI's own."""
    endpoint = open_endpoint(settings.base_url, settings.api_key, deadline_seconds=deadline_seconds)
    return OpenAIChat(endpoint, model=settings.model)
