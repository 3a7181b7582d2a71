"""Files of questions: both forms are read, and each mistake is told with its line and remedy."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.search.questions import ExpectedAnswer, read_questions
from omni_pipeline.errors import SettingsError

EXPECTED = [
    ExpectedAnswer(question="How?", urls=frozenset({"https://a.test/x", "https://a.test/y"})),
    ExpectedAnswer(question="Why, then?", urls=frozenset({"https://a.test/"})),
]

JSON_LINES = """{"question": "How?", "urls": ["https://a.test/x#top", "HTTPS://A.test/y"]}

{"question": "Why, then?", "url": "https://a.test"}
"""

CSV = """question,url,note
How?,https://a.test/x,one
"Why, then?",https://a.test/,
How?,https://a.test/y,another
"""


@pytest.mark.parametrize("text", [JSON_LINES, CSV, f"\ufeff{CSV}", CSV.replace("\n", "\r\n")])
def test_json_lines_and_csv_say_the_same(text: str) -> None:
    assert read_questions(text, name="q") == EXPECTED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["q has no questions", "question,url"]),
        ("question,url\n", ["q has no questions"]),
        ("frage,url\nx,https://a.test/\n", ["q, line 1", "question and url"]),
        ("question,url\nx,not an address\n", ["q, line 2", "'not an address'", "https://"]),
        ("question,url\n,https://a.test/\n", ["q, line 2 has no question"]),
        ("question,url\nx\n", ["q, line 2", "None"]),
        ('{"question": "x", "urls": ["https://a.test/"]}\n{"question": ', ["q, line 2", "JSON"]),
        ('{"question": "x"}', ["q, line 1", 'no "urls"']),
        ('{"question": "x", "urls": []}', ["q, line 1", 'no "urls"']),
        ('{"question": "x", "urls": [3]}', ["q, line 1", "3"]),
        ('{"question": 3, "urls": ["https://a.test/"]}', ["q, line 1 has no question"]),
        ("[1, 2]", ["q, line 1 is no object"]),
        ('{"question": "x", "urls": ["ftp://a.test/"]}', ["q, line 1", "ftp://a.test/"]),
    ],
)
def test_a_mistake_names_its_line_and_the_remedy(text: str, words: list[str]) -> None:
    """R-C4"""
    with pytest.raises(SettingsError) as refusal:
        read_questions(text, name="q")
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


@given(st.text())
def test_no_file_ends_in_a_traceback(text: str) -> None:
    with suppress(SettingsError):
        assert read_questions(text, name="q")
