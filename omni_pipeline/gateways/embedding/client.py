"""The embedding client: the one path that turns text into vectors (R-A7).

Every model is behind it, the one inside this process too, and behind every model the same client.
Breaker and rate limit, which all runs share, are behind the throttle that stands before it.
"""

import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from omni_pipeline.domain.embedding.batching import plan_batches
from omni_pipeline.domain.embedding.known_models import MINILM, EmbeddingModel, choose_model
from omni_pipeline.domain.embedding.validation import (
    EmbeddingResponse,
    InputRefusedError,
    Vectors,
    read_answer,
)
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.gateways.embedding.local_model import (
    find_weights,
    load_minilm_tokenizer,
    open_local_model,
)
from omni_pipeline.gateways.embedding.retry_policy import DEFAULT_RETRY, RetryPolicy
from omni_pipeline.gateways.embedding.throttle import NoThrottle, Throttle
from omni_pipeline.settings import EmbeddingSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from omni_pipeline.gateways.embedding.openai_client import OpenAIEmbeddings

DEADLINE_SECONDS = 60.0

# OpenAI takes 2,048 texts and 300,000 tokens; many others take 64 texts, and a kill loses less.
REQUEST_ITEMS = 64
REQUEST_TOKENS = 64_000

# An endpoint that refuses this many inputs in a row, one by one, is not refusing inputs.
SUSPICIOUS_REFUSALS = 8

PROBE_ATTEMPTS = 2

PROBE_TEXTS = ("Is anybody there?", "Two different sentences have two different vectors.")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A text, by its index, that the endpoint will never embed, and why."""

    index: int
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What came of the texts.

    Attributes:
        vectors: (n, dimensions), row i of text i; as the endpoint gave them, not normalised.
            Rows of texts without an answer are NaN, which no later check lets pass.
        tokens_billed: As the endpoint counted them, else as estimated.
        requests: Sent, retries included.
        refused: The texts that the endpoint will never embed.
        failure: What stopped it before all texts were asked for. Those answered are paid for.
    """

    vectors: Vectors
    tokens_billed: int
    requests: int
    refused: tuple[Refusal, ...] = ()
    failure: OmniError | None = None


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
        results = _Results(counts, self.model.dimensions)
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
        results = _Results(counts, self.model.dimensions)
        try:
            for batch in plan_batches(counts, max_items=REQUEST_ITEMS, max_tokens=REQUEST_TOKENS):
                self._embed_batch(texts, batch, results)
        except OmniError as error:
            if not results.has_any:
                raise
            return results.embedded(failure=error)
        return results.embedded()

    def _embed_batch(self, texts: Sequence[str], batch: range, results: "_Results") -> None:
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
            return
        middle = len(batch) // 2
        self._embed_batch(texts, batch[:middle], results)
        self._embed_batch(texts, batch[middle:], results)

    def _send(
        self,
        texts: Sequence[str],
        results: "_Results",
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
        answer = self._client.send(texts, model=self.model)
        return read_answer(answer, texts, model=self.model.name, dimensions=self.model.dimensions)


class _Results:
    """What has come of the texts so far."""

    def __init__(self, counts: Sequence[int], dimensions: int) -> None:
        self.requests = 0
        self._counts = counts
        self._vectors = np.full((len(counts), dimensions), np.nan, dtype=np.float32)
        self._tokens = 0
        self._refused: list[Refusal] = []
        self.has_any = False

    def estimate(self, batch: range) -> int:
        """The batch's tokens, before the endpoint has counted them."""
        return sum(self._counts[index] for index in batch)

    def keep(self, batch: range, answer: EmbeddingResponse) -> None:
        self._vectors[batch.start : batch.stop] = answer.vectors
        self._tokens += self.estimate(batch) if answer.tokens is None else answer.tokens
        self.has_any = True

    def refuse(self, index: int, refusal: InputRefusedError) -> None:
        """Note a refused text; too many of them without a reason are not the texts' fault."""
        self._refused.append(Refusal(index=index, kind=refusal.kind, reason=str(refusal)))
        is_unexplained = refusal.kind == InputRefusedError.kind and not self.has_any
        if is_unexplained and len(self._refused) == SUSPICIOUS_REFUSALS:
            raise PermanentError(
                f"{refusal} It said so of the first {SUSPICIOUS_REFUSALS} texts, each by itself: "
                "check OMNI_EMBEDDING_MODEL and the endpoint's own log.",
                kind="permanent.embed_request",
            )

    def embedded(self, *, failure: OmniError | None = None) -> Embedded:
        return Embedded(
            vectors=self._vectors,
            tokens_billed=self._tokens,
            requests=self.requests,
            refused=tuple(self._refused),
            failure=failure,
        )


def resolve_model(settings: EmbeddingSettings) -> EmbeddingModel:
    """The model that ``settings`` name, by looking at what is installed; asks no endpoint.

    Raises:
        SettingsError: No model, or no dimension, can be told from the settings.
    """
    return choose_model(settings, has_weights=find_weights() is not None)


def load_tokenizer(model: EmbeddingModel) -> "str | Tokenizer":
    """What counts this model's tokens: a name that tiktoken knows, or a tokenizer.

    Raises:
        PermanentError: The model's own tokenizer is not installed.
    """
    return load_minilm_tokenizer() if model.tokenizer == MINILM else model.tokenizer


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
