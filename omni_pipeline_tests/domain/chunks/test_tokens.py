"""Sums over words equal what the tokenizer counts, wherever they claim to."""

import random

import pytest
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from omni_pipeline.domain.chunks.loaded_counters import BertCounter
from omni_pipeline.domain.chunks.openai_counters import Cl100kCounter
from omni_pipeline.domain.chunks.tokens import token_counter
from omni_pipeline.gateways.embedding.local_model import find_weights
from omni_pipeline_tests.domain.chunks.test_chunking import OPENAI, bert

ATOMS = [
    *("'s", "'LL", " ", "  ", "\n", "\n\n", "\t", "\r\n", "a", "Word", "ß", "e\u0301", "日本語"),
    *("。", "한국", "½", "²", "Ⅷ", "٣٤", "123", "12345", "...", "—", "’", "€5", "x_y", "__init__"),
    *("<|endoftext|>", "[MASK]", "##", "👩\u200d👧", "ſ", "İ", "Σ", "\x1c", "\x85", "\u2028"),
    *("\u00a0", "\u200b", "don't", "foo.bar()", "| --- |", "§", "ไทย", "हिन्दी", "x" * 70, " " * 60),
    *("-" * 60, "\u0300", "〇", "·", "«", "\U000135e6"),
]


def samples(count: int) -> list[str]:
    source = random.Random(7)
    return ["".join(source.choices(ATOMS, k=source.randint(1, 25))) for _ in range(count)]


def real_tokenizer() -> Tokenizer:
    folder = find_weights()
    if folder is None:
        return bert()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def test_counts_for_bert_are_those_of_its_tokenizer() -> None:
    """R-A13."""
    tokenizer = real_tokenizer()
    counter = token_counter(tokenizer)
    counted = [(text, counter.count_exactly(text)) for text in samples(1500)]

    exact = [(text, tokens) for text, tokens in counted if tokens is not None]
    assert len(exact) > 300
    assert [text for text, tokens in exact if len(tokenizer.encode(text).ids) != tokens] == []


def test_counts_for_openai_are_never_too_small() -> None:
    """R-A13."""
    counter = token_counter(OPENAI)
    for text in samples(600):
        tokens = counter.count_exactly(text)
        if tokens:
            one = TextSplitter.from_tiktoken_model(OPENAI, tokens, trim=False)
            assert one.chunks(text) == [text]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", 4),
        ("csv file", 2),
        ("12345", 2),
        ("\n\n", 1),
        ("don't", 2),
        ("\U000135e6", 4),
    ],
)
def test_known_counts_of_cl100k(text: str, tokens: int) -> None:
    assert token_counter(OPENAI).count_exactly(text) == tokens


@pytest.mark.parametrize("tokenizer", [OPENAI, bert()], ids=["openai", "bert"])
def test_what_is_remembered_of_lines_adds_up_to_the_pieces_of_the_whole_text(
    tokenizer: str | Tokenizer,
) -> None:
    """Lines, ends of lines and lines that are too long, put together anew each time."""
    counter = token_counter(tokenizer)
    pieces = (Cl100kCounter if isinstance(tokenizer, str) else BertCounter)._PIECES
    source = random.Random(11)
    for text in samples(80):
        lines = [
            *text.splitlines(keepends=True),
            "word " * 90,
            "\r\n\n  \n",
            " tail.  ",
            "The end.\n\n",
        ]
        mixed = "".join(source.choices(lines, k=12))
        assert counter.estimate(mixed) == sum(
            map(counter._words.__getitem__, pieces.findall(mixed))
        )
