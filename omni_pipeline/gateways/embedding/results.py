"""What comes of texts that an embedding endpoint is asked for: vectors, refusals, and the bill."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omni_pipeline.domain.embedding.validation import EmbeddingResponse, InputRefusedError, Vectors
from omni_pipeline.errors import OmniError, PermanentError

# An endpoint that refuses this many inputs in a row, one by one, is not refusing inputs.
SUSPICIOUS_REFUSALS = 8


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


class Results:
    """What has come of the texts so far."""

    def __init__(self, counts: Sequence[int], dimensions: int) -> None:
        self.requests = 0
        self._counts = counts
        self._vectors = np.full((len(counts), dimensions), np.nan, dtype=np.float32)
        self._tokens = 0
        self._refused: list[Refusal] = []
        self.has_any = False

    def estimate(self, batch: Sequence[int]) -> int:
        """The batch's tokens, before the endpoint has counted them."""
        return sum(self._counts[index] for index in batch)

    def keep(self, batch: Sequence[int], answer: EmbeddingResponse) -> None:
        self._vectors[list(batch)] = answer.vectors
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

    def note(self, refusal: Refusal) -> None:
        """Note a text that was answered without a vector of use."""
        self._refused.append(refusal)

    def embedded(self, *, failure: OmniError | None = None) -> Embedded:
        return Embedded(
            vectors=self._vectors,
            tokens_billed=self._tokens,
            requests=self.requests,
            refused=tuple(self._refused),
            failure=failure,
        )
