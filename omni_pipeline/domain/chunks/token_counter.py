"""What every way to count tokens can do."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from omni_pipeline.domain.chunks.word_counts import WordCounts


class TokenCounter(ABC):
    """How many tokens a text has for one model; made by ``tokens.token_counter``."""

    def __init__(self, *, added: int, count_word: Callable[[str], int]) -> None:
        self.added = added  # to every text by the model itself: [CLS], [SEP]
        self._words = WordCounts(count_word)

    @abstractmethod
    def estimate(self, text: str) -> int:
        """Sum over the words, without what the model adds."""

    def count_exactly(self, text: str) -> int | None:
        """What the model would count, with what it adds; None where that needs its tokenizer."""
        del text
        return None

    def fit(self, text: str, limit: int) -> list[tuple[int, str, int]]:
        """Cut the text so that no piece has more than ``limit`` tokens, with what the model adds.

        Returns:
            Offset in characters, text and tokens of each piece; the text itself where it fits.
        """
        tokens = self.count_exactly(text)
        if tokens is None or tokens > limit:
            tokens = self._measure(text, limit)
        if tokens is not None:
            return [(0, text, tokens)]
        return [
            (offset, piece, self._measure(piece, limit) or limit)
            for offset, piece in self._split(text, limit)
        ]

    @abstractmethod
    def _measure(self, text: str, limit: int) -> int | None:
        """The number of tokens, None where there are more than ``limit``."""

    @abstractmethod
    def _split(self, text: str, limit: int) -> list[tuple[int, str]]: ...
