"""Counts tokens as an embedding model does, and fast, because splitting asks often.

Splitting asks for the size of thousands of overlapping candidates. Tokenizing each of them reached
0.11 MB per CPU second with the tokenizer of MiniLM. Adding up remembered counts of words reaches
3 MB: for the two families of tokenizers whose cuts before words are known (BERT's, and cl100k of
OpenAI's embedding models) the sum is exact, and finished chunks need not be tokenized either.
"""

import json
import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.errors import PermanentError

# Longer words are measured in pieces of this length, so that none is slow or remembered whole.
_MAX_WORD_LENGTH = 64
_MAX_REMEMBERED_WORDS = 100_000
_MAX_REMEMBERED_TEXTS = 500
_MAX_REMEMBERED_STRETCHES = 2_000
_USUAL_TOKENS_OF_A_WORD = (1, 2, 3)
# What ``\s`` is in ASCII. Sets of characters are tested far faster than classes of Unicode, so that
# texts in ASCII, most of all in English, have a pattern of their own that says the same.
_ASCII_SPACE = r"\t-\r\x1c-\x20"


class TokenCounter(ABC):
    """How many tokens a text has for one model; made by ``token_counter``."""

    def __init__(self, *, added: int, count_word: Callable[[str], int]) -> None:
        self.added = added  # to every text by the model itself: [CLS], [SEP]
        self._words = _WordCounts(count_word)

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


def token_counter(tokenizer: str | Tokenizer) -> TokenCounter:
    """Count as this tokenizer does.

    Args:
        tokenizer: The name of an OpenAI model, or a loaded tokenizer without truncation.

    Raises:
        PermanentError: The name is unknown, or the tokenizer truncates or pads.
    """
    if isinstance(tokenizer, str):
        is_cl100k = tokenizer in _CL100K_MODELS
        return _Cl100kCounter(tokenizer) if is_cl100k else _OpenAiCounter(tokenizer)
    return _BertCounter(tokenizer) if _is_bert(tokenizer) else _LoadedCounter(tokenizer)


class _WordCounts(dict[str, int]):
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


class _TokenSums(dict[str, tuple[int, int]]):
    """Tokens and longest piece of texts, added up by stretches of a line.

    A line is counted again and again: in its section, its block, the chunk that it comes to, and a
    line that is too long at every place where it might be cut. So what was cut into pieces once is
    remembered. No piece reaches from text over white space into text; only the last one before a
    line break may take it along.
    """

    # Whole words, as many as fit, else one; and the line breaks behind them, or the rest.
    _STRETCH = re.compile(r"([^\r\n]{0,199}\S(?!\S)|[^\S\r\n]*\S+)?(\s*[\r\n]|\s*\Z|)")

    def __init__(
        self, piece: re.Pattern[str], ascii_piece: re.Pattern[str], words: _WordCounts
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
        self._one_word = self._count("a")
        super().__init__(added=self._count(""), count_word=self._count_word)

    def _count_word(self, word: str) -> int:
        return self._count(f"a {word}") - self._one_word

    def estimate(self, text: str) -> int:
        in_words = sum(map(self._words.__getitem__, text.split()))
        return in_words + self._per_line_break * text.count("\n")

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    def _measure(self, text: str, limit: int) -> int | None:
        tokens = self._count(text)
        return tokens if tokens <= limit else None

    def _split(self, text: str, limit: int) -> list[tuple[int, str]]:
        splitter = TextSplitter.from_huggingface_tokenizer(self._tokenizer, limit - self.added)
        return splitter.chunk_indices(text)


def _is_bert(tokenizer: Tokenizer) -> bool:
    parts = json.loads(tokenizer.to_str())
    kinds = [(parts[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    return kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"]


# What BERT cuts off as a word of its own: ASCII punctuation, Chinese, and the common punctuation
# of typesetters. Other punctuation and symbols stay in their word, which is then counted whole.
_ASCII_SINGLE = "!-/:-@\\[-`{-~"
_BERT_SINGLE = f"{_ASCII_SINGLE}\u2010-\u2027\u3001\u3002\u3400-\u4dbf\u4e00-\u9fff"


class _BertCounter(_LoadedCounter):
    """Adds up what BERT's pre-tokenizer leaves to WordPiece; it looks at no word's neighbours."""

    _PIECES = re.compile(rf"[^\s{_BERT_SINGLE}]+|[{_BERT_SINGLE}]")
    _ASCII_PIECES = re.compile(rf"[^{_ASCII_SPACE}{_ASCII_SINGLE}]+|[{_ASCII_SINGLE}]")
    # Python and BERT disagree on control characters: white space here, nothing there.
    _CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        # Names such as [MASK] are one token wherever they stand.
        self._sums = _TokenSums(self._PIECES, self._ASCII_PIECES, self._words)
        added = tokenizer.get_added_tokens_decoder().values()
        self._names = [token.content.lower() for token in added]
        self._vocabulary = frozenset(tokenizer.get_vocab(with_added_tokens=False))
        self._folds_case = bool(json.loads(tokenizer.to_str())["normalizer"]["lowercase"])

    def _count_word(self, word: str) -> int:
        if word.isascii() and (word.lower() if self._folds_case else word) in self._vocabulary:
            return 1
        return super()._count_word(word)

    def estimate(self, text: str) -> int:
        return self._sums[text][0]

    def count_exactly(self, text: str) -> int | None:
        folded = text.lower()
        if any(name in folded for name in self._names) or self._CONTROL.search(text):
            return None
        tokens = self._sums.exact(text)
        return None if tokens is None else tokens + self.added


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


_CL100K_MODELS = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")


class _Cl100kCounter(_OpenAiCounter):
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
        rf"| ?[^{_ASCII_SPACE}0-9A-Za-z]+[\r\n]*|[{_ASCII_SPACE}]*[\r\n]+"
        rf"|[{_ASCII_SPACE}]+(?![^{_ASCII_SPACE}])|[{_ASCII_SPACE}]+"
    )

    # White space for Python only; and lines of white space, which the splitter may cut.
    _SEPARATOR = re.compile(r"[\x1c-\x1f]")
    _WHITE_LINE = re.compile(r"\n[^\S\n]+\n")

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._sums = _TokenSums(self._PIECES, self._ASCII_PIECES, self._words)

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
