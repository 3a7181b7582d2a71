"""Links that lead to a chunk, and snippets that tell why it was found."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.search.snippets import link_to, snippet

URL = "https://docs.test/guide"


def fragment(text: str) -> str:
    """What the browser looks for on the page."""
    link = link_to(URL, text)
    assert link.startswith(f"{URL}#:~:text="), link
    return unquote(link.partition(":~:text=")[2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "# Title\n\nOpen the settings, then choose a new one.",
            "Open the settings, then choose a new one",
        ),
        (
            "One two three four five six seven eight nine ten.",
            "One two three four five six seven eight",
        ),
        ("## Reset a password", "Reset a password"),
        ("- Open the **settings** page first", "Open the **settings** page first"),
        ("1. Call `reset()` for every user\n2. Wait", "Call reset() for every user"),
        ("> A quoted line that is long", "A quoted line that is long"),
        (r"Names such as a\_b\*c are escaped here", "Names such as a_b*c are escaped here"),
        ("| name | price |\n|---|---|\n| a long name of it | 3 |", "a long name of it"),
        ("```\nx = 1\n```\n\nAfter the code comes this text", "After the code comes this text"),
        (
            "パスワードを忘れた場合は設定画面を開きます。",
            "パスワードを忘れた場合は設定画面を開きます。",
        ),
    ],
)
def test_a_link_names_the_first_words_that_stand_in_one_block_of_the_page(
    text: str, words: str
) -> None:
    """R-C4: the chunk is highlighted where it stands."""
    assert fragment(text) == words


def test_what_means_something_in_a_text_directive_is_encoded() -> None:
    """A hyphen, comma or & would part a directive; the others would end the address."""
    link = link_to(URL, "well-known, black & white # 100 % sure")
    assert link == (f"{URL}#:~:text=well%2Dknown%2C%20black%20%26%20white%20%23%20100%20%25%20sure")


def test_a_fragment_that_is_there_stays() -> None:
    assert link_to(f"{URL}#top", "Some words of text here").startswith(f"{URL}#top:~:text=Some")


@pytest.mark.parametrize("text", ["", "```\ncode\n```", "---", "|---|"])
def test_where_there_are_no_words_the_address_is_plain(text: str) -> None:
    assert link_to(URL, text) == URL


@given(st.text())
def test_a_link_is_always_an_address_without_spaces_or_control_characters(text: str) -> None:
    """S-65: what a page says cannot break out of its link."""
    text = text.encode("utf-8", "ignore").decode()
    link = link_to(URL, text)
    assert link.isascii()
    assert link.isprintable()
    assert not set(' "<>\\^`{|}') & set(link)
    assert not set("-&,#") & set(link.removeprefix(URL).removeprefix("#:~:text="))


LONG = (
    "The first part speaks of other things, at length, and again and again. " * 6
    + "Whoever forgets a password resets it under Settings > Account. "
    + "The last part speaks of other things, too. " * 6
)


def test_a_snippet_is_where_most_words_of_the_question_are() -> None:
    """R-C4"""
    found = snippet(LONG, "how do I reset my password?")
    assert "forgets a password resets it under Settings" in found
    assert found.startswith("… ")
    assert found.endswith(" …")
    assert len(found) <= 250


def test_a_short_chunk_is_its_own_snippet_without_marks() -> None:
    text = "# Title\n\n- one\n- `two`\n\n```\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert snippet(text, "one") == "Title one two x = 1 a | b 1 | 2"


def test_a_question_without_a_match_shows_the_beginning() -> None:
    assert snippet(LONG, "zebra").startswith("The first part")


@given(st.text(), st.text(), st.integers(min_value=20, max_value=300))
def test_a_snippet_is_one_line_of_at_most_that_length(text: str, question: str, limit: int) -> None:
    found = snippet(text, question, max_characters=limit)
    assert len(found) <= limit + 4
    assert len(found.splitlines()) <= 1
