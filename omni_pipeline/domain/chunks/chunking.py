"""Cuts a page's Markdown into chunks that fit the embedding model.

Headings cut first: a section that fits is one chunk, together with everything below its heading,
and only larger ones are split further. So a chunk is about one thing, and an edit changes the
chunks of its own section but not those of its neighbours (R-A11).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.domain.chunks.packing import Capacity, Part, Span, fill, pack_sections
from omni_pipeline.domain.chunks.token_counter import TokenCounter
from omni_pipeline.domain.chunks.tokens import token_counter
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.text.outline import find_blocks, find_sections
from omni_pipeline.errors import PermanentError

# Pages chunked by another version are chunked again: raise it with every change of the output.
CHUNKER_VERSION = 2

MAX_CHUNKS = 2000
# Only a hostile page has as many; two million took 13 s to sort out.
MAX_HEADINGS = 20_000
MIN_CHUNK_TOKENS = 32
# Prose has four. More means that the model sees little of the text: WordPiece reads a word of
# 100,000 characters as one unknown token.
MAX_CHARACTERS_PER_TOKEN = 16

# Larger blocks are cut roughly before they are cut well: the splitter takes quadratic time on
# Chinese or Japanese without full stops, 80 ms for 8,000 characters.
_CHUNKS_IN_LUMP = 2

# One line that is no list item, table row or quote and does not end like a sentence: a heading, a
# signature, "An example:". The last three are the full stops of Chinese and Japanese.
_LABEL = re.compile(r"(?![-*+|>`~]|\d+[.)])[^\n]*[^\s.!?\u3002\uff01\uff1f]\s*")
_TABLE_HEAD = re.compile(r"\|[^\n]*\n\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?:\n|\Z)")
# Of a chunk; a longer head would leave too little room for the rows.
_MAX_HEAD_SHARE = 1 / 4
_SENTENCE_END = re.compile(r"(?<=[.!?])[ \t]+|(?<=[\u3002\uff01\uff1f])")
_NOTHING_TO_SAY = re.compile(r"[\s#>|:=*_~`+-]*")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a page, never empty.

    Attributes:
        position: Counts from 0 without gaps.
        text: What is embedded. Its end is ``markdown[start_offset :]``, exactly, from
            ``text[repeated_length:]`` on.
        heading_path: Titles of the headings above, outermost first; of the chunk's own heading too.
        start_offset: In characters.
        token_count: By the model's tokenizer, with what the model adds.
        repeated_length: Characters at the beginning of the text that repeat the head of a table.
    """

    position: int
    text: str
    text_hash: bytes
    heading_path: tuple[str, ...]
    start_offset: int
    token_count: int
    repeated_length: int = 0


class _Piece(NamedTuple):
    path: tuple[str, ...]
    start: int
    text: str
    tokens: int
    repeated: int


@dataclass(frozen=True, kw_only=True)
class Chunker:
    """Made by ``make_chunker``; ``chunk_tokens`` includes what the model adds to a text."""

    counter: TokenCounter
    chunk_tokens: int

    @property
    def version(self) -> str:
        """Stored with the chunks: another rule or another size cuts every page anew (R-A13)."""
        return f"v{CHUNKER_VERSION}, {self.chunk_tokens} tokens"

    @cached_property
    def capacity(self) -> Capacity:
        return Capacity(
            tokens=self.chunk_tokens - self.counter.added,
            characters=self.chunk_tokens * MAX_CHARACTERS_PER_TOKEN,
        )

    def split(self, markdown: str) -> tuple[Chunk, ...]:
        """Cut the page. Deterministic; what is in no chunk is white space or a rule.

        Raises:
            PermanentError: The page has more than 2,000 chunks.
        """
        if markdown.count("\n#") > MAX_HEADINGS:
            raise _too_many(markdown)
        chunks: list[Chunk] = []
        for piece in self._pieces(markdown):
            if len(chunks) == MAX_CHUNKS:
                raise _too_many(markdown)
            chunks.append(
                Chunk(
                    position=len(chunks),
                    text=piece.text,
                    text_hash=text_hash(piece.text),
                    heading_path=piece.path,
                    start_offset=piece.start,
                    token_count=piece.tokens,
                    repeated_length=piece.repeated,
                )
            )
        return tuple(chunks)

    def _pieces(self, markdown: str) -> Iterator[_Piece]:
        sections = find_sections(markdown)
        tokens = [self._estimate(markdown[part.start : part.end].strip()) for part in sections]
        for span in pack_sections(markdown, sections, tokens, self.capacity):
            parts = [span] if span.fits(self.capacity) else self._fill(markdown, span)
            for part in parts:
                start, text = _trim(markdown, part.start, part.end)
                if not _NOTHING_TO_SAY.fullmatch(text):
                    yield from self._fit(markdown, part, start, text, span.path)

    def _fit(
        self, markdown: str, part: Part, start: int, text: str, path: tuple[str, ...]
    ) -> Iterator[_Piece]:
        """Hold the limit exactly: so far sizes were estimates."""
        if part.header is not None:
            head = markdown[slice(*part.header)]
            whole = self.counter.fit(head + text, self.chunk_tokens)
            if len(whole) == 1:
                yield _Piece(path, start, head + text, whole[0][2], len(head))
                return
        for offset, piece, count in self.counter.fit(text, self.chunk_tokens):
            yield _Piece(path, start + offset, piece, count, 0)

    def _fill(self, markdown: str, span: Span) -> Iterator[Part]:
        blocks = find_blocks(markdown, span.start, span.end)
        parts = list(self._fitting(markdown, blocks))
        heads = {part.header for part in parts if part.header is not None}
        # What a chunk repeats takes room from what it holds.
        repeated = max((self._estimate(markdown[slice(*head)]) for head in heads), default=0)
        room = Capacity(tokens=self.capacity.tokens - repeated, characters=self.capacity.characters)
        return fill(markdown, parts, room)

    def _fitting(self, markdown: str, blocks: Iterable[tuple[int, int]]) -> Iterator[Part]:
        """Yield the blocks, those that are too large in lines, sentences or less."""
        for start, end in blocks:
            block = self._block(markdown, start, end)
            if block.fits(self.capacity):
                yield block
                continue
            head = self._table_head(markdown, block)
            for line_start, line_end in _lines(markdown, start, end, head):
                for part in self._line(markdown, line_start, line_end):
                    is_first = head is None or part.start < head[1]
                    yield part if is_first else replace(part, header=head)

    def _table_head(self, markdown: str, block: Part) -> tuple[int, int] | None:
        head = _TABLE_HEAD.match(markdown, block.start, block.end)
        if head is None or self._estimate(head[0]) > self.capacity.tokens * _MAX_HEAD_SHARE:
            return None
        return head.span()

    def _line(self, markdown: str, start: int, end: int) -> Iterator[Part]:
        """A line of a list, a table, code; or a paragraph, in sentences, or cut anywhere."""
        line = self._block(markdown, start, end)
        if line.fits(self.capacity):
            yield replace(line, is_label=False)
            return
        for sentence_start, sentence_end in _sentences(markdown, start, end):
            sentence = self._block(markdown, sentence_start, sentence_end)
            if sentence.fits(self.capacity):
                yield replace(sentence, is_label=False)
                continue
            length = self.capacity.characters
            for lump_start, lump_end in _lumps(markdown, sentence_start, sentence_end, length):
                yield from self._split(markdown, lump_start, lump_end)

    def _split(self, markdown: str, start: int, end: int) -> Iterator[Part]:
        """Cut at words, or anywhere."""
        if _NOTHING_TO_SAY.fullmatch(markdown, start, end):
            return
        limit = self.capacity.tokens
        splitter = TextSplitter.from_callback(self._estimate, (limit // 2, limit), trim=False)
        for piece in splitter.chunks(markdown[start:end]):
            yield replace(self._block(markdown, start, start + len(piece)), is_label=False)
            start += len(piece)

    def _block(self, markdown: str, start: int, end: int) -> Part:
        start, text = _trim(markdown, start, end)
        return Part(
            start=start,
            end=start + len(text),
            tokens=self._estimate(text),
            is_label=_LABEL.fullmatch(text) is not None,
        )

    def _estimate(self, text: str) -> int:
        """Tokens without what the model adds; more than fit where there are too many characters."""
        if len(text) > self.capacity.characters:
            return len(text)
        return self.counter.estimate(text)


def make_chunker(tokenizer: str | Tokenizer, chunk_tokens: int) -> Chunker:
    """Make a chunker for one embedding model.

    Args:
        tokenizer: The name of an OpenAI model, or a loaded tokenizer without truncation.
        chunk_tokens: Most tokens in a chunk, with what the model adds to it.

    Raises:
        PermanentError: The tokenizer is unknown or truncates, or chunks would be too small.
    """
    if chunk_tokens < MIN_CHUNK_TOKENS:
        raise PermanentError(
            f"chunks of {chunk_tokens} tokens are too small to mean anything: use at least "
            f"{MIN_CHUNK_TOKENS}",
            kind="permanent.chunk_tokens",
        )
    return Chunker(counter=token_counter(tokenizer), chunk_tokens=chunk_tokens)


def _too_many(markdown: str) -> PermanentError:
    return PermanentError(
        f"the page's {len(markdown):,} characters of text are more than {MAX_CHUNKS:,} chunks: "
        "exclude its URL, or set OMNI_CHUNK_TOKENS higher if the model takes more",
        kind="permanent.too_many_chunks",
    )


def _lines(
    markdown: str, start: int, end: int, head: tuple[int, int] | None
) -> Iterator[tuple[int, int]]:
    """Cut after each line; the head of a table stays with its first row."""
    position = start if head is None else head[1]
    while start < end:
        line_end = markdown.find("\n", position, end) + 1 or end
        yield start, line_end
        start = position = line_end


def _sentences(markdown: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for mark in _SENTENCE_END.finditer(markdown, start, end):
        if mark.end() > start:
            yield start, mark.end()
            start = mark.end()
    if start < end:
        yield start, end


def _lumps(markdown: str, start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut a block that is too long for the splitter: at lines, else words, else anywhere."""
    while end - start > _CHUNKS_IN_LUMP * length:
        limit = start + _CHUNKS_IN_LUMP * length
        minimum = limit - length
        line, word = markdown.rfind("\n", minimum, limit), markdown.rfind(" ", minimum, limit)
        cut = line + 1 or word + 1 or limit
        yield start, cut
        start = cut
    yield start, end


def _trim(markdown: str, start: int, end: int) -> tuple[int, str]:
    """Leave out white space around the text, but not the indentation of a whole first line."""
    text = markdown[start:end].rstrip()
    first = len(text) - len(text.lstrip())
    line_start = markdown.rfind("\n", max(start - 1, 0), start + first) + 1
    offset = line_start - start if line_start >= start else first
    return start + offset, text[offset:]
