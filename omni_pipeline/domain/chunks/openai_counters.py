"""Counts as OpenAI's tokenizers do, whose vocabularies are compiled into the splitter."""

import re
from bisect import bisect_left

from semantic_text_splitter import TextSplitter

from omni_pipeline.domain.chunks.token_counter import TokenCounter
from omni_pipeline.domain.chunks.word_counts import ASCII_SPACE, TokenSums
from omni_pipeline.errors import PermanentError

_USUAL_TOKENS_OF_A_WORD = (1, 2, 3)
CL100K_MODELS = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")


class OpenAiCounter(TokenCounter):
    """Asks a splitter whether words fit into so many tokens, and adds them up.

    The vocabularies of OpenAI are compiled into semantic-text-splitter, which cannot count;
    tiktoken, which can, downloads them at run time. Their pre-tokenizers always cut before a single
    space, so sums over such words are exact, except for words above 64 characters, which come out
    a little too large.
    """

    _BETWEEN_WORDS = re.compile(r"(?<=\S)(?= \S)")

    def __init__(self, model: str) -> None:
        self._model = model
        self._splitters = _Splitters(model)
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
        # The splitter never cuts a character, and lets one of four tokens pass as one; and it
        # cuts before final line breaks. So the word is put between tokens that it cannot join.
        before = "a" if word[0].isnumeric() else "0"
        behind = "a" if word[-1] in "\r\n" else ""
        text, others = f"{before}{word}{behind}", len(before + behind)
        for tokens in _USUAL_TOKENS_OF_A_WORD:
            if self._fits(text, others + tokens):
                return tokens
        # No token is shorter than a byte.
        candidates = range(_USUAL_TOKENS_OF_A_WORD[-1] + 1, len(word.encode()) + 1)
        index = bisect_left(candidates, x=True, key=lambda count: self._fits(text, others + count))
        return candidates[min(index, len(candidates) - 1)]

    def _fits(self, text: str, tokens: int) -> bool:
        return len(self._splitters[tokens].chunks(text)) <= 1

    def _measure(self, text: str, limit: int) -> int | None:
        return min(self.estimate(text), limit) if self._fits(text, limit) else None

    def _split(self, text: str, limit: int) -> list[tuple[int, str]]:
        return TextSplitter.from_tiktoken_model(self._model, limit).chunk_indices(text)


class _Splitters(dict[int, TextSplitter]):
    """One for each size that was asked for; those of words are small and come again."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, tokens: int) -> TextSplitter:
        splitter = TextSplitter.from_tiktoken_model(self._model, tokens, trim=False)
        self[tokens] = splitter
        return splitter


class Cl100kCounter(OpenAiCounter):
    """Cuts as cl100k does before it merges bytes; what is cut apart is never merged.

    The pattern is that of OpenAI's tiktoken, in the classes that Python has.
    """

    _PIECES = re.compile(
        r" ?[^\W\d_]+"  # most are; what follows is the pattern, which says the same of them
        r"|'(?:[sdmtSDMT\u017f]|[lL][lL]|[vV][eE]|[rR][eE])|(?:[^\r\n\w]|_)?[^\W\d_]+|\d{1,3}"
        r"| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    _ASCII_PIECES = re.compile(
        r" ?[A-Za-z]+"
        r"|'(?:[sdmtSDMT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n0-9A-Za-z]?[A-Za-z]+|[0-9]{1,3}"
        rf"| ?[^{ASCII_SPACE}0-9A-Za-z]+[\r\n]*|[{ASCII_SPACE}]*[\r\n]+"
        rf"|[{ASCII_SPACE}]+(?![^{ASCII_SPACE}])|[{ASCII_SPACE}]+"
    )

    # White space for Python only; and lines of white space, which the splitter may cut.
    _SEPARATOR = re.compile(r"[\x1c-\x1f]")
    _WHITE_LINE = re.compile(r"\n[^\S\n]+\n")

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._sums = TokenSums(self._PIECES, self._ASCII_PIECES, self._words)

    def estimate(self, text: str) -> int:
        return self._sums[text][0]

    def _count_word(self, word: str) -> int:
        # All numbers below 1000 are in the vocabulary.
        return 1 if word.isascii() and word.isdigit() else super()._count_word(word)

    def count_exactly(self, text: str) -> int | None:
        if self._SEPARATOR.search(text) or self._WHITE_LINE.search(text):
            return None
        # Fractions, superscripts and roman numerals are digits for cl100k, letters for Python.
        if not text.isascii() and any(map(_is_odd_number, set(text))):
            return None
        return self._sums.exact(text)


def _is_odd_number(character: str) -> bool:
    return character.isnumeric() and not (character.isdecimal() or character.isalpha())
