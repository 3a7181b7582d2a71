"""Cuts a page's Markdown into chunks that fit the embedding model.

Headings cut first: a section that fits is one chunk, together with everything below its heading,
and only larger ones are split further. So a chunk is about one thing, and an edit changes the
chunks of its own section but not those of its neighbours (A11).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.outline import find_blocks, find_sections
from omni_pipeline.domain.packing import Capacity, Part, Span, fill, pack_sections
from omni_pipeline.domain.tokens import TokenCounter, token_counter
from omni_pipeline.errors import PermanentError

# Pages chunked by another version are chunked again: raise it with every change of the output.
CHUNKER_VERSION = 1

MOST_CHUNKS = 2000
# Only a hostile page has as many; two million took 13 s to sort out.
MOST_HEADINGS = 20_000
LEAST_CHUNK_TOKENS = 32
# Prose has four. More means that the model sees little of the text: WordPiece reads a word of
# 100,000 characters as one unknown token.
MOST_CHARACTERS_PER_TOKEN = 16

# Larger blocks are cut roughly before they are cut well: the splitter takes quadratic time on
# Chinese or Japanese without full stops, 80 ms for 8,000 characters.
_CHUNKS_IN_LUMP = 2

# One line that is no list item, table row or quote and does not end like a sentence: a heading, a
# signature, "An example:". The last three are the full stops of Chinese and Japanese.
_LABEL = re.compile(r"(?![-*+|>`~]|\d+[.)])[^\n]*[^\s.!?\u3002\uff01\uff1f]\s*")
_NOTHING_TO_SAY = re.compile(r"[\s#>|:=*_~`+-]*")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a page, never empty.

    Attributes:
        position: Counts from 0 without gaps.
        text: Exactly ``markdown[start_offset : start_offset + len(text)]``.
        heading_path: Titles of the headings above, outermost first; of the chunk's own heading too.
        start_offset: In characters.
        token_count: By the model's tokenizer, with what the model adds.
    """

    position: int
    text: str
    text_hash: bytes
    heading_path: tuple[str, ...]
    start_offset: int
    token_count: int


@dataclass(frozen=True, kw_only=True)
class Chunker:
    """Made by ``make_chunker``; ``chunk_tokens`` includes what the model adds to a text."""

    counter: TokenCounter
    chunk_tokens: int

    @property
    def version(self) -> str:
        """Stored with the chunks: another rule or another size cuts every page anew (A13)."""
        return f"v{CHUNKER_VERSION}, {self.chunk_tokens} tokens"

    @property
    def capacity(self) -> Capacity:
        return Capacity(
            tokens=self.chunk_tokens - self.counter.added,
            characters=self.chunk_tokens * MOST_CHARACTERS_PER_TOKEN,
        )

    def split(self, markdown: str) -> tuple[Chunk, ...]:
        """Cut the page. Deterministic; what is in no chunk is white space or a rule.

        Raises:
            PermanentError: The page has more than 2,000 chunks.
        """
        if markdown.count("\n#") > MOST_HEADINGS:
            raise _too_many(markdown)
        chunks: list[Chunk] = []
        for path, start, text, tokens in self._pieces(markdown):
            if len(chunks) == MOST_CHUNKS:
                raise _too_many(markdown)
            chunks.append(
                Chunk(
                    position=len(chunks),
                    text=text,
                    text_hash=text_hash(text),
                    heading_path=path,
                    start_offset=start,
                    token_count=tokens,
                )
            )
        return tuple(chunks)

    def _pieces(self, markdown: str) -> Iterator[tuple[tuple[str, ...], int, str, int]]:
        sections = find_sections(markdown)
        tokens = [self._estimate(markdown[section.start : section.end]) for section in sections]
        for span in pack_sections(markdown, sections, tokens, self.capacity):
            parts = [span] if span.fits(self.capacity) else self._fill(markdown, span)
            for part in parts:
                start, text = _trim(markdown, part.start, part.end)
                if not _NOTHING_TO_SAY.fullmatch(text):
                    for offset, piece, count in self.counter.fit(text, self.chunk_tokens):
                        yield span.path, start + offset, piece, count

    def _fill(self, markdown: str, span: Span) -> Iterator[Part]:
        blocks = find_blocks(markdown, span.start, span.end)
        return fill(self._fitting(markdown, blocks), self.capacity)

    def _fitting(self, markdown: str, blocks: Iterable[tuple[int, int]]) -> Iterator[Part]:
        """Yield the blocks, those that are too large in pieces."""
        for start, end in blocks:
            block = self._block(markdown, start, end)
            if block.fits(self.capacity):
                yield block
                continue
            for lump_start, lump_end in _lumps(markdown, start, end, self.capacity.characters):
                yield from self._split(markdown, lump_start, lump_end)

    def _split(self, markdown: str, start: int, end: int) -> Iterator[Part]:
        """Cut at lines, sentences, words, in this order.

        Rows of tables, items of lists and code are lines. The splitter for Markdown of the same
        library would rather cut a sentence in two at inline code.
        """
        if _NOTHING_TO_SAY.fullmatch(markdown, start, end):
            return
        most = self.capacity.tokens
        splitter = TextSplitter.from_callback(self._estimate, (most // 2, most), trim=False)
        for piece in splitter.chunks(markdown[start:end]):
            yield self._block(markdown, start, start + len(piece))
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
    if chunk_tokens < LEAST_CHUNK_TOKENS:
        raise PermanentError(
            f"chunks of {chunk_tokens} tokens are too small to mean anything: use at least "
            f"{LEAST_CHUNK_TOKENS}",
            kind="permanent.chunk_tokens",
        )
    return Chunker(counter=token_counter(tokenizer), chunk_tokens=chunk_tokens)


def _too_many(markdown: str) -> PermanentError:
    return PermanentError(
        f"the page's {len(markdown):,} characters of text are more than {MOST_CHUNKS:,} chunks: "
        "exclude its URL, or set OMNI_CHUNK_TOKENS higher if the model takes more",
        kind="permanent.too_many_chunks",
    )


def _lumps(markdown: str, start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut a block that is too long for the splitter: at lines, else words, else anywhere."""
    while end - start > _CHUNKS_IN_LUMP * length:
        most = start + _CHUNKS_IN_LUMP * length
        least = most - length
        line, word = markdown.rfind("\n", least, most), markdown.rfind(" ", least, most)
        cut = line + 1 or word + 1 or most
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
