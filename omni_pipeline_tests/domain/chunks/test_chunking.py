"""Markdown to chunks: never too long, exactly where they say, and still while others change."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel
from tokenizers.processors import BertProcessing

from omni_pipeline.domain.chunks.chunking import (
    MAX_CHUNKS,
    MAX_HEADINGS,
    Chunk,
    Chunker,
    make_chunker,
)
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.embedding.local_model import find_weights

OPENAI = "text-embedding-3-small"
SLOW_SECONDS = 20


def bert() -> Tokenizer:
    """Splits words as BERT does, into letters and pairs of letters; adds [CLS] and [SEP]."""
    pairs = [a + b for a in ascii_lowercase for b in "aeiou"]
    pieces = [*ascii_lowercase, *pairs, *"0123456789.,#|`-*>"]
    words = ["[UNK]", "[CLS]", "[SEP]", *pieces, *(f"##{piece}" for piece in pieces)]
    tokenizer = Tokenizer(
        WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def bytewise() -> Tokenizer:
    """One token per byte, white space too: sums over words are far too small for it."""
    alphabet = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return tokenizer


BERT = bert()
CHUNKERS = {
    "bert": make_chunker(BERT, 40),
    "bytewise": make_chunker(bytewise(), 60),
    "openai": make_chunker(OPENAI, 40),
}
COUNTS: dict[str, Callable[[str], int]] = {
    "bert": lambda text: len(BERT.encode(text).ids),
    "bytewise": lambda text: len(text.encode()),
}


def words(count: int, seed: int = 1) -> str:
    source = random.Random(seed)
    lengths = [source.randint(2, 7) for _ in range(count)]
    sentence = " ".join("".join(source.choices(ascii_lowercase, k=length)) for length in lengths)
    return f"{sentence.capitalize()}."


def end_of(chunk: Chunk) -> int:
    return chunk.start_offset + len(chunk.text) - chunk.repeated_length


def texts(chunks: tuple[Chunk, ...]) -> list[str]:
    return [chunk.text for chunk in chunks]


def table(seed: int, rows: int) -> str:
    head = "| name | value |\n| --- | --- |\n"
    return head + "".join(f"| {words(3, seed + row)} | {row} |\n" for row in range(rows)) + "\n"


MARKDOWN = st.lists(
    st.one_of(
        st.builds(lambda level, text: f"{'#' * level} {text}\n\n", st.integers(1, 6), st.text()),
        st.builds(
            lambda count, seed: f"{words(count, seed)}\n\n", st.integers(1, 60), st.integers()
        ),
        st.builds(lambda text: f"```python\n# {text}\n\n    x\n```\n\n", st.text(max_size=80)),
        st.lists(st.text(max_size=9), max_size=20).map(
            lambda rows: "\n".join(f"| {r} |" for r in rows)
        ),
        st.lists(st.text(max_size=9), max_size=20).map(
            lambda rows: "\n".join(f"- {r}" for r in rows)
        ),
        st.builds(table, st.integers(), st.integers(1, 30)),
        st.sampled_from(["\n\n", "---\n\n", "    indented\n", "```\n", "~~~", "日本語。" * 40]),
        st.sampled_from(["x" * 900, "\u00e9" * 90, "👩\u200d👧 " * 50, " " * 300, "\r\n", "\x85"]),
        st.text(max_size=40),
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("name", CHUNKERS)
@settings(max_examples=40, deadline=None)
@given(markdown=MARKDOWN)
def test_chunks_fit_and_are_exactly_where_they_say(name: str, markdown: str) -> None:
    """R-A13."""
    chunker = CHUNKERS[name]
    markdown = markdown.encode("utf-8", "ignore").decode()

    chunks = chunker.split(markdown)

    assert chunks == chunker.split(markdown)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    rest = markdown
    end = 0
    for chunk in chunks:
        assert 0 < chunk.token_count <= chunker.chunk_tokens
        assert chunk.text_hash == text_hash(chunk.text)
        assert chunk.start_offset >= end
        end = end_of(chunk)
        assert markdown[chunk.start_offset : end] == chunk.text[chunk.repeated_length :]
        assert markdown.count(chunk.text[: chunk.repeated_length]) > 0
    for chunk in reversed(chunks):
        rest = rest[: chunk.start_offset] + rest[end_of(chunk) :]
    assert not any(character.isalnum() for character in rest)


@pytest.mark.parametrize("name", COUNTS)
@settings(max_examples=40, deadline=None)
@given(markdown=MARKDOWN)
def test_a_chunk_has_as_many_tokens_as_the_model_will_be_given(name: str, markdown: str) -> None:
    """R-A13."""
    for chunk in CHUNKERS[name].split(markdown.encode("utf-8", "ignore").decode()):
        assert chunk.token_count == COUNTS[name](chunk.text)


@settings(max_examples=40, deadline=None)
@given(markdown=MARKDOWN)
def test_chunks_for_openai_fit_by_an_independent_count(markdown: str) -> None:
    """R-A13."""
    size = CHUNKERS["openai"].chunk_tokens
    one_chunk = TextSplitter.from_tiktoken_model(OPENAI, size, trim=False)

    for chunk in CHUNKERS["openai"].split(markdown.encode("utf-8", "ignore").decode()):
        assert one_chunk.chunks(chunk.text) == [chunk.text]


def test_a_section_is_one_chunk_when_it_fits_with_all_below_it() -> None:
    markdown = f"# Page\n\n{words(15, 1)}\n\n## One\n\n{words(15, 2)}\n\n## Two\n\n{words(15, 3)}\n"

    (chunk,) = make_chunker(BERT, 250).split(markdown)

    assert chunk.text == markdown.strip()
    assert chunk.heading_path == ("Page",)


def test_sections_that_do_not_fit_together_are_cut_at_their_headings() -> None:
    one, two, deep = words(20, 1), words(20, 2), words(20, 3)
    markdown = f"# Page\n\n## One\n\n{one}\n\n## Two\n\n{two}\n\n### Deep `x`\n\n{deep}\n"

    chunks = make_chunker(BERT, 100).split(markdown)

    assert texts(chunks) == [
        f"# Page\n\n## One\n\n{one}",
        f"## Two\n\n{two}",
        f"### Deep `x`\n\n{deep}",
    ]
    assert [chunk.heading_path for chunk in chunks] == [
        ("Page", "One"),
        ("Page", "Two"),
        ("Page", "Two", "Deep `x`"),
    ]


def test_a_heading_is_not_left_alone() -> None:
    long_text = "\n\n".join(words(20, seed) for seed in range(6))
    chunks = make_chunker(BERT, 100).split(f"# Page\n\n## One\n\n{long_text}\n")

    assert texts(chunks)[0].startswith("# Page\n\n## One\n\n" + words(20, 0))
    assert {chunk.heading_path for chunk in chunks} == {("Page", "One")}


@pytest.mark.parametrize("before", [words(5), words(11), words(12), words(20)])
@pytest.mark.parametrize("code", [words(3), words(16)])
def test_what_introduces_an_example_stays_with_it(before: str, code: str) -> None:
    markdown = f"{before}\n\nAn example:\n\n```\n{code}\n```\n\n{words(20, 2)}"

    chunks = make_chunker(BERT, 90).split(markdown)

    assert any("An example:\n\n```" in text for text in texts(chunks))


def test_a_last_crumb_joins_what_is_before_it() -> None:
    chunks = make_chunker(BERT, 100).split(f"{words(16)}\n\n{words(16, 2)}\n\nThe end.")

    assert texts(chunks) == [words(16), f"{words(16, 2)}\n\nThe end."]


def test_a_small_section_does_not_join_the_next_chapter() -> None:
    chapters = f"# A\n\n{words(25, 1)}\n\n## Last\n\nOf A.\n\n# B\n\n{words(10, 2)}"

    chunks = make_chunker(BERT, 95).split(chapters)

    assert texts(chunks)[1:] == ["## Last\n\nOf A.", f"# B\n\n{words(10, 2)}"]


def test_a_number_sign_in_code_is_not_a_heading() -> None:
    code = f"```sh\n# {words(8)}\n```"
    nested = f"- item\n\n  ```\n  ## {words(8)}\n  ```"
    markdown = f"# Page\n\n{words(15)}\n\n{code}\n\n{nested}\n\n## End\n\n{words(15)}"

    paths = [chunk.heading_path for chunk in make_chunker(BERT, 60).split(markdown)]

    assert set(paths) == {("Page",), ("Page", "End")}


def test_inline_code_that_begins_a_line_opens_no_fence() -> None:
    markdown = f"# A\n\n{words(30)}\n\n``` x ``` is code\n\n# B\n\n{words(30)}"

    assert make_chunker(BERT, 100).split(markdown)[-1].heading_path == ("B",)


def test_long_prose_is_cut_between_sentences() -> None:
    sentences = [words(10, seed) for seed in range(12)]

    chunks = make_chunker(BERT, 100).split(" ".join(sentences))

    assert len(chunks) > 2
    assert all(chunk.text.strip() in " ".join(sentences) for chunk in chunks)
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_code_keeps_the_indentation_of_its_first_line() -> None:
    lines = [f"    {words(5, seed)}" for seed in range(30)]

    chunks = make_chunker(BERT, 60).split("```\n" + "\n".join(lines) + "\n```")

    assert all(chunk.text.splitlines()[0].startswith("    ") for chunk in chunks[1:])


def test_a_chunk_that_begins_within_a_line_begins_with_a_word() -> None:
    chunks = make_chunker(OPENAI, 40).split("  " + "é " * 200)

    assert [chunk.text[0].isspace() for chunk in chunks] == [True, *[False] * (len(chunks) - 1)]


def test_an_edit_changes_no_chunk_of_another_section() -> None:
    """R-A11."""
    sections = [f"## Part {n}\n\n{words(30, n)}\n\n{words(40, 50 + n)}\n\n" for n in range(8)]
    before = make_chunker(BERT, 120).split("# Page\n\n" + "".join(sections))
    sections[3] = sections[3].replace("\n\n", "\n\nA new sentence that was not there. ", 1)

    after = make_chunker(BERT, 120).split("# Page\n\n" + "".join(sections))

    new = {chunk.text_hash for chunk in after} - {chunk.text_hash for chunk in before}
    changed = [chunk for chunk in after if chunk.text_hash in new]
    assert changed
    assert {chunk.heading_path for chunk in changed} == {("Page", "Part 3")}


def test_a_table_that_is_cut_repeats_its_head_and_cuts_no_row() -> None:
    markdown = f"# Prices\n\n{words(12)}\n\n{table(1, 40)}Below."

    chunks = make_chunker(BERT, 120).split(markdown)

    rows = [chunk for chunk in chunks if chunk.repeated_length]
    assert len(rows) > 3
    for chunk in rows:
        assert chunk.text.startswith("| name | value |\n| --- | --- |\n| ")
        assert markdown[chunk.start_offset : end_of(chunk)] == chunk.text[chunk.repeated_length :]
        assert all(line[0] == line[-1] == "|" for line in chunk.text.split("\n\n")[0].splitlines())
        assert chunk.token_count == COUNTS["bert"](chunk.text) <= 120


def test_a_table_that_fits_is_not_cut() -> None:
    markdown = f"{words(30)}\n\n{table(1, 3)}\n\n{words(30, 2)}"

    assert sum("| name |" in text for text in texts(make_chunker(BERT, 130).split(markdown))) == 1


def test_an_inserted_paragraph_moves_only_the_boundaries_beside_it() -> None:
    """R-A11."""
    chunker = make_chunker(BERT, 120)
    changed = []
    for seed in range(100):
        blocks = [words(4 + (seed * n * 7) % 23, seed * 100 + n) for n in range(60)]
        before = {chunk.text_hash for chunk in chunker.split("\n\n".join(blocks))}
        blocks.insert(1, words(14, -seed))
        after = {chunk.text_hash for chunk in chunker.split("\n\n".join(blocks))}
        changed.append(len(after - before))

    assert sorted(changed)[50] <= 2
    assert sum(changed) / len(changed) < 2.2
    assert max(changed) <= 4  # of about forty; filled to the brim it would be nearly all of them


def test_rules_and_blank_text_are_no_chunks() -> None:
    assert make_chunker(BERT, 40).split("\n\n---\n\n***\n\n| --- |\n") == ()
    assert make_chunker(BERT, 40).split("") == ()


def test_a_page_of_more_than_2000_chunks_is_refused() -> None:
    """S-52."""
    chunker = make_chunker(BERT, 60)
    sections = [f"# {n}\n\n{words(8, n)}\n\n" for n in range(MAX_CHUNKS + 1)]

    assert len(chunker.split("".join(sections[:MAX_CHUNKS]))) == MAX_CHUNKS
    with pytest.raises(PermanentError, match="more than 2,000 chunks") as caught:
        chunker.split("".join(sections))
    assert caught.value.kind == "permanent.too_many_chunks"


def test_a_page_of_headings_only_is_refused_before_they_are_sorted() -> None:
    with pytest.raises(PermanentError, match="more than 2,000 chunks"):
        make_chunker(BERT, 40).split("# a\n" * (MAX_HEADINGS + 2))


def test_a_chunk_has_no_more_characters_than_the_model_can_make_sense_of() -> None:
    """BERT reads a word of 2,000 letters as one unknown token, and long gaps as nothing."""
    gaps = make_chunker(BERT, 40).split(("a" + " " * 200) * 50)
    one_word = make_chunker(BERT, 40).split("x" * 2000)

    assert max(len(chunk.text) for chunk in gaps) <= 40 * 16
    assert max(len(chunk.text) for chunk in one_word) < 200


@pytest.mark.parametrize("chunker", [make_chunker(BERT, 250), make_chunker(OPENAI, 512)])
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        " \n",
        "# a\n",
        "```\n",
        "`",
        "- ",
        "- a\n",
        "|",
        "> ",
        "[(",
        "word\n\n",
        ". ",
        "\u65e5\u672c",
    ],
    ids=repr,
)
def test_hostile_text_is_cut_or_refused_in_time(chunker: Chunker, unit: str) -> None:
    """S-49."""
    start = time.process_time()
    with suppress(PermanentError):
        chunker.split(unit * (150_000 // len(unit)))
    assert time.process_time() - start < SLOW_SECONDS


def test_headings_are_kept_short_in_paths() -> None:
    chunks = make_chunker(BERT, 40).split(f"# {words(300)} ##\n\n{words(30)}")

    assert {len(title) for chunk in chunks for title in chunk.heading_path} == {200}


def test_a_truncating_tokenizer_is_refused_because_everything_would_seem_to_fit() -> None:
    tokenizer = bert()
    tokenizer.enable_truncation(max_length=128)
    with pytest.raises(PermanentError, match="no_truncation"):
        make_chunker(tokenizer, 40)

    tokenizer.no_truncation()
    tokenizer.enable_padding(length=128)
    with pytest.raises(PermanentError, match="no_padding"):
        make_chunker(tokenizer, 40)


@pytest.mark.skipif(find_weights() is None, reason="MiniLM's tokenizer is not installed")
def test_minilm_is_shipped_with_the_trap_and_fits_without_it() -> None:
    """R-A13."""
    folder = find_weights()
    assert folder is not None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with pytest.raises(PermanentError, match="truncates or pads"):
        make_chunker(tokenizer, 250)

    tokenizer.no_truncation()
    tokenizer.no_padding()
    chunks = make_chunker(tokenizer, 250).split("\n\n".join(words(90, n) for n in range(40)))

    assert [chunk.token_count for chunk in chunks] == [
        len(tokenizer.encode(chunk.text).ids) for chunk in chunks
    ]
    assert min(chunk.token_count for chunk in chunks) >= 125
    assert max(chunk.token_count for chunk in chunks) <= 250


def test_tokens_of_openai_are_counted_without_its_library() -> None:
    """Known counts of cl100k_base: tiktoken gives 4 for "Hello, world!" and 2 for "csv file"."""
    chunker = make_chunker(OPENAI, 512)

    assert [chunk.token_count for chunk in chunker.split("Hello, world!")] == [4]
    assert [chunk.token_count for chunk in chunker.split("csv file")] == [2]


@pytest.mark.parametrize(("tokenizer", "size"), [("nomic-embed-text", 256), (OPENAI, 8)])
def test_a_tokenizer_or_size_that_cannot_work_is_named(tokenizer: str, size: int) -> None:
    with pytest.raises(PermanentError, match=r"nomic-embed-text|8 tokens"):
        make_chunker(tokenizer, size)


def test_another_size_is_another_version() -> None:
    """R-A13."""
    assert make_chunker(BERT, 40).version != make_chunker(BERT, 41).version
