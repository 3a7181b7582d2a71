"""The way to the chat model that reads product pages; opened only where one is configured.

It asks one question of one page, without tools, for an answer of fixed form and bounded length.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from omni_pipeline.domain.products.llm_questions import Question, read_answer
from omni_pipeline.errors import TemporaryError
from omni_pipeline.settings import ExtractionSettings

if TYPE_CHECKING:
    from omni_pipeline.gateways.llm.openai_client import OpenAIChat

DEADLINE_SECONDS = 60.0
ATTEMPTS = 2
PAUSE_SECONDS = 2.0
# An endpoint that asks for a longer pause is left alone; the page is read in the next refresh.
MAX_PAUSE_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a model made of a page.

    Attributes:
        answer: By field; None where it refused, was cut off, or answered in another form twice.
        requests: Sent, with the one that was repeated.
        input_tokens: Billed, of all requests.
        output_tokens: Billed, of all requests.
    """

    answer: dict[str, str | None] | None
    requests: int
    input_tokens: int
    output_tokens: int


class LlmClient:
    """Asks a chat model about pages. For one thread at a time."""

    def __init__(
        self,
        client: "OpenAIChat",
        *,
        pause_seconds: float = PAUSE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._pause_seconds = pause_seconds
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def ask(self, question: Question) -> Reading:
        """Ask about one page, and once more after a fault or an answer of another form (S-67).

        Raises:
            PageRefusedError: The endpoint refuses this page.
            TemporaryError: It could not be asked twice in a row.
            PermanentError: Key, quota, address or model is wrong.
        """
        answer: dict[str, str | None] | None = None
        input_tokens = output_tokens = 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                document = self._client.ask(question)
            except TemporaryError as error:
                if input_tokens:
                    break  # the first answer was of no use, and is paid for
                pause = max(self._pause_seconds, error.retry_after_seconds or 0.0)
                if attempt == ATTEMPTS or pause > MAX_PAUSE_SECONDS:
                    raise
                self._sleep(pause)
                continue
            sent, answered = _tokens(document, question)
            input_tokens, output_tokens = input_tokens + sent, output_tokens + answered
            answer = _answer(document)
            if answer is not None or attempt == ATTEMPTS:
                break
        return Reading(
            answer=answer,
            requests=attempt,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )


def _answer(document: Any) -> dict[str, str | None] | None:
    try:
        content = document["choices"][0]["message"]["content"]
    except (LookupError, TypeError):
        return None
    return read_answer(content) if isinstance(content, str) else None


def _tokens(document: Any, question: Question) -> tuple[int, int]:
    """As billed; where the endpoint does not count, rather too many than too few."""
    usage = document.get("usage") if isinstance(document, dict) else None
    counts = usage if isinstance(usage, dict) else {}
    sent, answered = counts.get("prompt_tokens"), counts.get("completion_tokens")
    return (
        sent if isinstance(sent, int) and sent >= 0 else estimate_tokens(question),
        answered if isinstance(answered, int) and answered >= 0 else len(json.dumps(document)) // 3,
    )


def estimate_tokens(question: Question) -> int:
    """Of a question, before anybody has counted: three bytes are seldom two tokens."""
    return len(question.message.encode()) // 3 + 500


def open_llm_client(
    settings: ExtractionSettings, *, deadline_seconds: float = DEADLINE_SECONDS
) -> LlmClient:
    """Open the client to the configured model; asks nothing yet."""
    from omni_pipeline.gateways.llm import openai_client  # noqa: PLC0415 - slow import

    return LlmClient(openai_client.open_client(settings, deadline_seconds))
