"""The embedding client: the one path that turns text into vectors (R-A7).

Every model is behind it, the one inside this process too, and behind every model the same client.
Breaker and rate limit, which all runs share, are behind the throttle that stands before it.
"""

import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from omni_pipeline.domain.embedding.batching import plan_batches
from omni_pipeline.domain.embedding.known_models import EmbeddingModel
from omni_pipeline.domain.embedding.validation import (
    EmbeddingResponse,
    InputRefusedError,
    UnusableAnswerError,
    read_answer,
)
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.embedding.installed import resolve_model
from omni_pipeline.gateways.embedding.local_model import (
    open_local_model,
)
from omni_pipeline.gateways.embedding.results import Embedded, Refusal, Results
from omni_pipeline.gateways.embedding.retry_policy import DEFAULT_RETRY, RetryPolicy
from omni_pipeline.gateways.embedding.throttle import NoThrottle, Throttle
from omni_pipeline.settings import EmbeddingSettings

if TYPE_CHECKING:
    from omni_pipeline.gateways.embedding.openai_client import OpenAIEmbeddings

DEADLINE_SECONDS = 60.0

# OpenAI takes 2,048 texts and 300,000 tokens; many others take 64 texts, and a kill loses less.
REQUEST_ITEMS = 64
REQUEST_TOKENS = 32_000

# Answers that are paid for and cannot be used: as many in a row, and no more is bought.
MAX_UNUSABLE = 3

PROBE_ATTEMPTS = 2

PROBE_TEXTS = ("Is anybody there?", "Two different sentences have two different vectors.")

MEND = "Tell its provider, or use another endpoint or model."

# Of a text whose answers are paid for and refused.
UNUSABLE_VECTOR = "permanent.embed_vector"

_logger = logging.getLogger(__name__)


class EmbeddingClient:
    """Turns texts into vectors of one model. For one thread at a time."""

    def __init__(
        self,
        *,
        model: EmbeddingModel,
        client: "OpenAIEmbeddings",
        retry: RetryPolicy = DEFAULT_RETRY,
        throttle: Throttle | None = None,
    ) -> None:
        self.model = model
        self._client = client
        self._retry = retry
        self._throttle = throttle or NoThrottle()
        # Not every endpoint knows base64. What the first answer came in is asked for from then on.
        self._as_floats: bool | None = None
        self._unusable_in_a_row = 0
        self._has_answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def probe(self) -> None:
        """Ask for two tiny vectors, so that a wrong key, address or model shows at once (R-A16).

        Raises:
            TemporaryError: It cannot be reached, or answers nonsense.
            PermanentError: Key, address, model or dimension is wrong; the message says which.
        """
        counts = [_estimate_tokens(text) for text in PROBE_TEXTS]
        results = Results(counts, self.model.dimensions)
        try:
            self._send(PROBE_TEXTS, results, tokens=sum(counts), attempts=PROBE_ATTEMPTS)
        except InputRefusedError as refusal:
            raise PermanentError(
                f"{refusal} It refuses the simplest text: check OMNI_EMBEDDING_MODEL.",
                kind="permanent.embed_request",
            ) from None

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        """Embed ``texts`` in as few requests as the limits allow.

        What fails after some of them were answered is no error but part of what came of it, so
        that the caller can keep what is paid for.

        Args:
            texts: Not empty, each of at most ``model.max_input_tokens`` tokens; one that the
                endpoint refuses does not keep the others from their vectors.
            tokens: Of each text, where known; else estimated.

        Raises:
            TemporaryError: The endpoint failed until patience ended. Of kind ``throttled`` when
                it asks to be left alone, ``retry_after_seconds`` long.
            PermanentError: Key, quota, address, model or dimension is wrong.
        """
        counts = [_estimate_tokens(text) for text in texts] if tokens is None else tokens
        results = Results(counts, self.model.dimensions)
        try:
            for batch in plan_batches(counts, max_items=REQUEST_ITEMS, max_tokens=REQUEST_TOKENS):
                self._embed_batch(texts, batch, results)
        except OmniError as error:
            if not results.has_any:
                raise
            return results.embedded(failure=error)
        return results.embedded()

    def _embed_batch(self, texts: Sequence[str], batch: range, results: Results) -> None:
        """Embed one batch; one that is refused is halved until the refused texts stand alone."""
        try:
            answer = self._send(
                [texts[index] for index in batch], results, tokens=results.estimate(batch)
            )
        except InputRefusedError as refusal:
            if len(batch) == 1:
                results.refuse(batch[0], refusal)
                return
        else:
            results.keep(batch, answer)
            self._ask_again(texts, [batch[index] for index in answer.unusable], results)
            return
        middle = len(batch) // 2
        self._embed_batch(texts, batch[:middle], results)
        self._embed_batch(texts, batch[middle:], results)

    def _ask_again(self, texts: Sequence[str], indexes: Sequence[int], results: Results) -> None:
        """Ask once more for what had no usable vector; then it is refused, and the others stay."""
        if not indexes:
            return
        try:
            answer = self._send(
                [texts[i] for i in indexes], results, tokens=results.estimate(indexes)
            )
        except InputRefusedError as refusal:
            answered: Mapping[int, str] = dict.fromkeys(range(len(indexes)), str(refusal))
        else:
            results.keep(indexes, answer)
            answered = answer.unusable
        for place, what in answered.items():
            reason = f"The embedding endpoint answered {what}; the other texts are kept. {MEND}"
            results.note(Refusal(index=indexes[place], kind=UNUSABLE_VECTOR, reason=reason))

    def _send(
        self,
        texts: Sequence[str],
        results: Results,
        *,
        tokens: int,
        attempts: int | None = None,
    ) -> EmbeddingResponse:
        """Ask until there is an answer that may be used, or patience ends.

        Patience is with the endpoint: the time in which other runs have their turn does not count.
        """
        spent_seconds = 0.0
        for attempt in itertools.count(1):
            self._throttle.enter(tokens)
            started = time.monotonic()
            results.requests += 1
            try:
                return self._ask_and_tell(texts)
            except TemporaryError as error:
                self._count_unusable(error)
                spent_seconds += time.monotonic() - started
                wait = self._retry.wait_seconds(attempt, error, spent_seconds=spent_seconds)
                if wait is None or attempt == attempts:
                    raise
                _logger.warning("%s Attempt %d follows in %.1f s.", error, attempt + 1, wait)
            spent_seconds += wait
            time.sleep(wait)
        raise AssertionError("counting never ends")

    def _ask_and_tell(self, texts: Sequence[str]) -> EmbeddingResponse:
        try:
            answer = self._send_once(texts)
        except OmniError as error:
            self._throttle.failed(error)
            raise
        self._throttle.succeeded()
        return answer

    def _send_once(self, texts: Sequence[str]) -> EmbeddingResponse:
        if self._as_floats is not None:
            return self._read(texts, as_floats=self._as_floats)
        try:
            answer = self._read(texts, as_floats=False)
        except InputRefusedError as error:
            if error.kind != InputRefusedError.kind:
                raise  # it says what is wrong with the texts
            return self._read_floats(texts, error)
        self._as_floats = False
        return answer

    def _read_floats(self, texts: Sequence[str], refusal: OmniError) -> EmbeddingResponse:
        """Ask for numbers after the first refusal; refused in the same words, it is the texts'."""
        try:
            answer = self._read(texts, as_floats=True)
        except OmniError as error:
            if str(error) == str(refusal):
                self._as_floats = False
            raise refusal from None
        self._as_floats = True
        return answer

    def _read(self, texts: Sequence[str], *, as_floats: bool) -> EmbeddingResponse:
        document = self._client.send(texts, model=self.model, as_floats=as_floats)
        answer = read_answer(
            document, texts, model=self.model.name, dimensions=self.model.dimensions
        )
        if len(answer.unusable) == len(texts) and not self._has_answered:
            raise UnusableAnswerError(
                f"The embedding endpoint answered {answer.unusable[0]}; nothing of it was used.",
                kind="transient.embed_vector",
            )
        self._has_answered = True
        self._unusable_in_a_row = 0
        return answer

    def _count_unusable(self, error: TemporaryError) -> None:
        """Buy no more of what cannot be used.

        Raises:
            PermanentError: The endpoint answers so whatever it is asked.
        """
        if not isinstance(error, UnusableAnswerError):
            return
        self._unusable_in_a_row += 1
        if self._unusable_in_a_row < MAX_UNUSABLE:
            return
        useless = PermanentError(
            f"{error} It answered so {MAX_UNUSABLE} times in a row, and each answer may be on the "
            f"bill: it is asked for no more. {MEND}",
            kind="permanent.embed_unusable",
        )
        self._throttle.failed(useless)
        raise useless from error


def open_embedding_client(
    settings: EmbeddingSettings,
    *,
    throttle: Throttle | None = None,
    retry: RetryPolicy = DEFAULT_RETRY,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> EmbeddingClient:
    """Open the client to the model that ``settings`` name; asks no endpoint yet.

    Args:
        settings: Neither address nor key means the model inside this process.
        throttle: What all runs share of the endpoint; None lets every request through.
        retry: When to ask again.
        deadline_seconds: For one request, from connecting to the last byte of the answer.

    Raises:
        SettingsError: No model can be told from the settings.
        PermanentError: The weights of the local model are not those that were published.
    """
    from omni_pipeline.gateways.embedding import openai_client  # noqa: PLC0415 - slow import

    model = resolve_model(settings)
    if settings.is_local:
        client = openai_client.open_local_client(open_local_model(model.name))
    else:
        client = openai_client.open_remote_client(settings, deadline_seconds=deadline_seconds)
    return EmbeddingClient(model=model, client=client, retry=retry, throttle=throttle)


def _estimate_tokens(text: str) -> int:
    """Rather too many than too few: three bytes are seldom two tokens."""
    return len(text.encode(errors="replace")) // 3 + 1
