"""Adds up remembered counts of words: what makes counting tokens fast."""

import re
from collections.abc import Callable

# Longer words are measured in pieces of this length, so that none is slow or remembered whole.
_MAX_WORD_LENGTH = 64
_MAX_REMEMBERED_WORDS = 100_000
_MAX_REMEMBERED_TEXTS = 500
_MAX_REMEMBERED_STRETCHES = 2_000
# What ``\s`` is in ASCII. Sets of characters are tested far faster than classes of Unicode, so that
# texts in ASCII, most of all in English, have a pattern of their own that says the same.
ASCII_SPACE = r"\t-\r\x1c-\x20"


class WordCounts(dict[str, int]):
    """Tokens of words; remembered, but never without limit."""

    def __init__(self, count_word: Callable[[str], int]) -> None:
        super().__init__()
        self._count_word = count_word

    def __missing__(self, word: str) -> int:
        if len(word) > _MAX_WORD_LENGTH:
            starts = range(0, len(word), _MAX_WORD_LENGTH)
            return sum(self[word[start : start + _MAX_WORD_LENGTH]] for start in starts)
        if len(self) >= _MAX_REMEMBERED_WORDS:
            self.clear()
        tokens = self[word] = self._count_word(word)
        return tokens


class TokenSums(dict[str, tuple[int, int]]):
    """Tokens and longest piece of texts, added up by stretches of a line.

    A line is counted again and again: in its section, its block, the chunk that it comes to, and a
    line that is too long at every place where it might be cut. So what was cut into pieces once is
    remembered. No piece reaches from text over white space into text; only the last one before a
    line break may take it along.
    """

    # Whole words, as many as fit, else one; and the line breaks behind them, or the rest.
    _STRETCH = re.compile(r"([^\r\n]{0,199}\S(?!\S)|[^\S\r\n]*\S+)?(\s*[\r\n]|\s*\Z|)")

    def __init__(
        self, piece: re.Pattern[str], ascii_piece: re.Pattern[str], words: WordCounts
    ) -> None:
        super().__init__()
        self._piece = piece
        self._ascii_piece = ascii_piece
        self._words = words
        self._stretches: dict[str, tuple[int, int, str]] = {}
        self._ends: dict[str, tuple[int, int]] = {}

    def __missing__(self, text: str) -> tuple[int, int]:
        if len(self) >= _MAX_REMEMBERED_TEXTS:
            self.clear()
        tokens = longest = 0
        for words, space in self._STRETCH.findall(text):
            before, longest_before, last = self._stretches.get(words) or self._cut(words)
            end = last + space
            behind, longest_behind = self._ends.get(end) or self._count_end(end)
            tokens += before + behind
            longest = max(longest, longest_before, longest_behind)
        self[text] = tokens, longest
        return tokens, longest

    def exact(self, text: str) -> int | None:
        """The tokens, unless a piece was remembered in parts."""
        tokens, longest = self[text]
        return tokens if longest <= _MAX_WORD_LENGTH else None

    def _cut(self, words: str) -> tuple[int, int, str]:
        """Tokens and longest of all pieces but the last, and the last."""
        if len(self._stretches) >= _MAX_REMEMBERED_STRETCHES:
            self._stretches.clear()
        *pieces, last = self._find(words) or [""]
        self._stretches[words] = answer = (*self._count(pieces), last)
        return answer

    def _count_end(self, end: str) -> tuple[int, int]:
        if len(self._ends) >= _MAX_REMEMBERED_STRETCHES:
            self._ends.clear()
        self._ends[end] = answer = self._count(self._find(end))
        return answer

    def _find(self, text: str) -> list[str]:
        return (self._ascii_piece if text.isascii() else self._piece).findall(text)

    def _count(self, pieces: list[str]) -> tuple[int, int]:
        return sum(map(self._words.__getitem__, pieces)), max(map(len, pieces), default=0)
