"""Text that Postgres takes and that hides nothing from its reader (F-D29, S-64, I41)."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from omni_pipeline.domain.characters import MAX_MARKS_IN_A_ROW, clean_characters, storable

# What the standing invariant I41 looks for in stored chunks, and more.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
MEGABYTE = 1_000_000

ALPHABET = st.one_of(
    st.characters(),
    st.sampled_from(
        "\x00\r\n\x85\u2028\u200b\u200c\u200d\u202e\ud800\U000e0041\u0301\u0646e\ufe0f"
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x00b\x1bc\x7fd", "abcd"),
        ("one\r\ntwo\rthree\x0cfour\u2028five", "one\ntwo\nthree\nfour\nfive"),
        ("lone \ud83d surrogate \udc00", "lone  surrogate "),
        ("\ufeffmark\ufffe\uffff", "mark"),
        ("zero\u200bwidth\u2060 soft\u00adhyphen", "zerowidth softhyphen"),
        ("\u202eevil\u202c \u2066x\u2069 \u200f", "evil x "),
        ("tags\U000e0049\U000e0067\U000e006e", "tags"),
        ("e\u0301", "é"),
        ("a\u0301\u200d\u0301\u200cz", "á\u0301z"),
    ],
)
def test_text_is_made_storable_and_visible(text: str, expected: str) -> None:
    """F-D29, S-64."""
    assert storable(text) == expected


@pytest.mark.parametrize(
    "text",
    ["\u0645\u06cc\u200c\u062e\u0648", "👨\u200d👩\u200d👧", "क्\u200dष", "❤️\u200d🔥"],
    ids=["Persian", "family", "Hindi", "heart"],
)
def test_joiners_stay_where_a_language_or_an_emoji_is_spelled_with_them(text: str) -> None:
    assert storable(text) == text


def test_removed_characters_are_counted_and_line_breaks_are_not() -> None:
    """S-64."""
    hygiene = clean_characters("a\r\nb\u200bc\U000e0041\U000e0042")

    assert (hygiene.text, hygiene.removed) == ("a\nbc", 3)


@given(st.text(ALPHABET, max_size=200))
def test_any_text_becomes_storable_once_and_for_all(text: str) -> None:
    clean = storable(text)

    assert not FORBIDDEN.search(clean)
    assert clean.encode().decode() == clean
    assert storable(clean) == clean


def test_postgres_takes_what_was_made_storable(connection: Connection) -> None:
    """F-D29."""
    every = storable("".join(map(chr, range(0x110000))))

    row = connection.execute("SELECT length(%s::text)", (every,)).fetchone()

    assert row == (len(every),)


@pytest.mark.parametrize(
    "text",
    [
        "\x00" * MEGABYTE,
        "a\u200b" * MEGABYTE,
        "\u200d" * MEGABYTE,
        "\r" * MEGABYTE,
        "a" + "\u0301\u0316" * MEGABYTE,  # sorted in quadratic time by CPython: 800 s
        "\u1100\u1161" * MEGABYTE,
    ],
    ids=["nul", "zero width", "joiners", "line breaks", "combining marks", "hangul"],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    """S-49."""
    start = time.process_time()

    storable(text)

    assert time.process_time() - start < 5


def test_marks_piled_on_one_letter_are_cut_at_the_limit_of_unicode() -> None:
    assert len(storable("x" + "\u0316\u0301" * 100)) == 1 + MAX_MARKS_IN_A_ROW
