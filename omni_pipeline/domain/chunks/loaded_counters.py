"""Counts as a loaded tokenizer does: any at all, and BERT's by adding up its words."""

import json
import re

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.domain.chunks.token_counter import TokenCounter
from omni_pipeline.domain.chunks.word_counts import ASCII_SPACE, TokenSums
from omni_pipeline.errors import PermanentError


class LoadedCounter(TokenCounter):
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


def is_bert(tokenizer: Tokenizer) -> bool:
    """Whether words are cut and counted as BERT does."""
    parts = json.loads(tokenizer.to_str())
    kinds = [(parts[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    return kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"]


# What BERT cuts off as a word of its own: ASCII punctuation, Chinese, and the common punctuation
# of typesetters. Other punctuation and symbols stay in their word, which is then counted whole.
_ASCII_SINGLE = "!-/:-@\\[-`{-~"
_BERT_SINGLE = f"{_ASCII_SINGLE}\u2010-\u2027\u3001\u3002\u3400-\u4dbf\u4e00-\u9fff"


class BertCounter(LoadedCounter):
    """Adds up what BERT's pre-tokenizer leaves to WordPiece; it looks at no word's neighbours."""

    _PIECES = re.compile(rf"[^\s{_BERT_SINGLE}]+|[{_BERT_SINGLE}]")
    _ASCII_PIECES = re.compile(rf"[^{ASCII_SPACE}{_ASCII_SINGLE}]+|[{_ASCII_SINGLE}]")
    # Python and BERT disagree on control characters: white space here, nothing there.
    _CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        # Names such as [MASK] are one token wherever they stand.
        self._sums = TokenSums(self._PIECES, self._ASCII_PIECES, self._words)
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
