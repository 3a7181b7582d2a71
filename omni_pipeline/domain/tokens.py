"""Counts tokens as an embedding model does, and fast, because splitting asks often.

Splitting asks for the size of thousands of overlapping candidates. Tokenizing each of them reached
0.11 MB per CPU second with the tokenizer of MiniLM; adding up remembered counts of words, and
tokenizing only what is finished, reaches 1 MB.
"""

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.errors import PermanentError

# Longer words are measured in pieces of this length, so that none is slow or remembered whole.
_MOST_WORD_LENGTH = 64
_MOST_REMEMBERED_WORDS = 100_000


class TokenCounter(ABC):
    """How many tokens a text has for one model; made by ``token_counter``."""

    def __init__(self, *, added: int, count_word: Callable[[str], int]) -> None:
        self.added = added  # to every text by the model itself: [CLS], [SEP]
        self._words = _WordCounts(count_word)

    @abstractmethod
    def estimate(self, text: str) -> int:
        """Sum over the words, without what the model adds."""

    def fit(self, text: str, most: int) -> list[tuple[int, str, int]]:
        """Cut the text so that no piece has more than ``most`` tokens, with what the model adds.

        Returns:
            Offset in characters, text and tokens of each piece; the text itself where it fits.
        """
        tokens = self._measure(text, most)
        if tokens is not None:
            return [(0, text, tokens)]
        return [
            (offset, piece, self._measure(piece, most) or most)
            for offset, piece in self._split(text, most)
        ]

    @abstractmethod
    def _measure(self, text: str, most: int) -> int | None:
        """The number of tokens, None where there are more than ``most``."""

    @abstractmethod
    def _split(self, text: str, most: int) -> list[tuple[int, str]]: ...


def token_counter(tokenizer: str | Tokenizer) -> TokenCounter:
    """Count as this tokenizer does.

    Args:
        tokenizer: The name of an OpenAI model, or a loaded tokenizer without truncation.

    Raises:
        PermanentError: The name is unknown, or the tokenizer truncates or pads.
    """
    return _OpenAiCounter(tokenizer) if isinstance(tokenizer, str) else _LoadedCounter(tokenizer)


class _WordCounts(dict[str, int]):
    """Tokens of words; remembered, but never without limit."""

    def __init__(self, count_word: Callable[[str], int]) -> None:
        super().__init__()
        self._count_word = count_word

    def __missing__(self, word: str) -> int:
        if len(word) > _MOST_WORD_LENGTH:
            starts = range(0, len(word), _MOST_WORD_LENGTH)
            return sum(self[word[start : start + _MOST_WORD_LENGTH]] for start in starts)
        if len(self) >= _MOST_REMEMBERED_WORDS:
            self.clear()
        tokens = self[word] = self._count_word(word)
        return tokens


class _LoadedCounter(TokenCounter):
    """Exact; its estimate is too for tokenizers that split at white space first, as BERT's do."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        if tokenizer.truncation is not None or tokenizer.padding is not None:
            raise PermanentError(
                "the tokenizer truncates or pads, so that texts of any length seem to fit: call "
                "its no_truncation() and no_padding() first",
                kind="permanent.tokenizer",
            )
        self._tokenizer = tokenizer
        self._per_line_break = self._count("a\na") - self._count("a a")
        one_word = self._count("a")
        super().__init__(
            added=self._count(""), count_word=lambda word: self._count(f"a {word}") - one_word
        )

    def estimate(self, text: str) -> int:
        in_words = sum(map(self._words.__getitem__, text.split()))
        return in_words + self._per_line_break * text.count("\n")

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    def _measure(self, text: str, most: int) -> int | None:
        tokens = self._count(text)
        return tokens if tokens <= most else None

    def _split(self, text: str, most: int) -> list[tuple[int, str]]:
        splitter = TextSplitter.from_huggingface_tokenizer(self._tokenizer, most - self.added)
        return splitter.chunk_indices(text)


class _OpenAiCounter(TokenCounter):
    """Asks a splitter whether words fit into so many tokens, and adds them up.

    The vocabularies of OpenAI are compiled into semantic-text-splitter, which cannot count;
    tiktoken, which can, downloads them at run time. Their pre-tokenizers always cut before a single
    space, so sums over such words are exact, except for words above 64 characters, which come out
    a little too large.
    """

    _BETWEEN_WORDS = re.compile(r"(?<=\S)(?= \S)")

    def __init__(self, model: str) -> None:
        self._model = model
        try:
            self._fits("a", 1)
        except Exception as error:  # the library raises no narrower class
            raise PermanentError(
                f"no tokenizer is known for the model {model!r}: name a model of OpenAI, or give "
                "the model's own tokenizer",
                kind="permanent.tokenizer",
            ) from error
        super().__init__(added=0, count_word=self._count_word)

    def estimate(self, text: str) -> int:
        return sum(map(self._words.__getitem__, self._BETWEEN_WORDS.split(text)))

    def _count_word(self, word: str) -> int:
        if not word:
            return 0
        # No token is shorter than a byte.
        candidates = range(1, len(word.encode()) + 1)
        return 1 + bisect_left(candidates, x=True, key=lambda tokens: self._fits(word, tokens))

    def _fits(self, text: str, tokens: int) -> bool:
        splitter = TextSplitter.from_tiktoken_model(self._model, tokens, trim=False)
        return len(splitter.chunks(text)) <= 1

    def _measure(self, text: str, most: int) -> int | None:
        return min(self.estimate(text), most) if self._fits(text, most) else None

    def _split(self, text: str, most: int) -> list[tuple[int, str]]:
        return TextSplitter.from_tiktoken_model(self._model, most).chunk_indices(text)
