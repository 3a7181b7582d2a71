"""Counts tokens as an embedding model does: exactly, and fast where it is asked often.

Splitting asks for the size of thousands of overlapping candidates. Tokenizing each of them reached
0.11 MB per CPU second with the tokenizer of MiniLM; adding up remembered counts of words, and
tokenizing only what is finished, reaches 1 MB.
"""

from bisect import bisect_left
from typing import Protocol

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.errors import PermanentError

# Longer words are measured in pieces of this length, so that none is slow or remembered whole.
_MOST_WORD_LENGTH = 32
_MOST_REMEMBERED_WORDS = 100_000


class _Vocabulary(Protocol):
    def count(self, text: str, guess: int) -> int:
        """How many tokens the model is given for this text; the guess only makes it faster."""

    def split(self, text: str, tokens: int) -> list[tuple[int, str]]:
        """Cut by exact size, which does not count what the model adds: offsets and texts."""


class TokenCounter:
    """How many tokens a text has for one model; made by ``token_counter``."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._words = _WordCounts(vocabulary)
        self._per_line_break = vocabulary.count("a\na", 2) - vocabulary.count("a a", 2)
        self.added = vocabulary.count("", 0)

    def count(self, text: str) -> int:
        """Exactly what the model will be given, including what it adds itself."""
        return self._vocabulary.count(text, self.estimate(text))

    def estimate(self, text: str) -> int:
        """Sum over the words, without what the model adds.

        Exact for tokenizers that split at white space first, as BERT's do; near it for others.
        """
        in_words = sum(map(self._words.__getitem__, text.split()))
        line_breaks = text.count("\n") - text.count("\n\n")  # a blank line is one token
        return in_words + self._per_line_break * line_breaks

    def split(self, text: str, most: int) -> list[tuple[int, str]]:
        """Cut so that ``count`` of no piece is above ``most``: exact and slow.

        Returns:
            Offset in characters, and text, of each piece; white space is left out between them.
        """
        return self._vocabulary.split(text, most - self.added)


def token_counter(tokenizer: str | Tokenizer) -> TokenCounter:
    """Count as this tokenizer does.

    Args:
        tokenizer: The name of an OpenAI model, or a loaded tokenizer without truncation.

    Raises:
        PermanentError: The name is unknown, or the tokenizer truncates or pads.
    """
    if isinstance(tokenizer, str):
        return TokenCounter(_OpenAiVocabulary(tokenizer))
    return TokenCounter(_TokenizerVocabulary(tokenizer))


class _WordCounts(dict[str, int]):
    """Tokens of a word that follows another one; remembered, but never without limit."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._alone = vocabulary.count("a", 1)

    def __missing__(self, word: str) -> int:
        if len(word) > _MOST_WORD_LENGTH:
            starts = range(0, len(word), _MOST_WORD_LENGTH)
            return sum(self[word[start : start + _MOST_WORD_LENGTH]] for start in starts)
        if len(self) >= _MOST_REMEMBERED_WORDS:
            self.clear()
        tokens = self[word] = self._vocabulary.count(f"a {word}", 2) - self._alone
        return tokens


class _TokenizerVocabulary:
    def __init__(self, tokenizer: Tokenizer) -> None:
        if tokenizer.truncation is not None or tokenizer.padding is not None:
            raise PermanentError(
                "the tokenizer truncates or pads, so that texts of any length seem to fit: call "
                "its no_truncation() and no_padding() first",
                kind="permanent.tokenizer",
            )
        self._tokenizer = tokenizer

    def count(self, text: str, guess: int) -> int:  # noqa: ARG002 - the protocol's
        return len(self._tokenizer.encode(text).ids)

    def split(self, text: str, tokens: int) -> list[tuple[int, str]]:
        splitter = TextSplitter.from_huggingface_tokenizer(self._tokenizer, tokens)
        return splitter.chunk_indices(text)


class _OpenAiVocabulary:
    """Counts by asking a splitter whether the text fits into so many tokens.

    The vocabularies of OpenAI are compiled into semantic-text-splitter, which cannot count;
    tiktoken, which can, downloads them at run time.
    """

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

    def count(self, text: str, guess: int) -> int:
        if not text:
            return 0
        too_few, enough = self._bracket(text, max(1, guess))
        between = range(too_few + 1, enough)
        fitting = bisect_left(between, True, key=lambda tokens: self._fits(text, tokens))
        return too_few + 1 + fitting

    def _bracket(self, text: str, guess: int) -> tuple[int, int]:
        """Find a number that is too few and one that is enough, close together."""
        step = max(1, guess // 32)
        if self._fits(text, guess):
            too_few, enough = guess - step, guess
            while too_few > 0 and self._fits(text, too_few):
                step *= 2
                too_few, enough = too_few - step, too_few
            return max(too_few, 0), enough
        too_few, enough = guess, guess + step
        while not self._fits(text, enough):
            step *= 2
            too_few, enough = enough, enough + step
        return too_few, enough

    def split(self, text: str, tokens: int) -> list[tuple[int, str]]:
        return TextSplitter.from_tiktoken_model(self._model, tokens).chunk_indices(text)

    def _fits(self, text: str, tokens: int) -> bool:
        splitter = TextSplitter.from_tiktoken_model(self._model, tokens, trim=False)
        return len(splitter.chunks(text)) == 1
