"""What differs from request to request is told from what the page says."""

import time

import pytest

from omni_pipeline.domain.text.noise import drop_noise, without_noise


@pytest.mark.parametrize(
    "line",
    [
        "Updated 3 minutes ago",
        "- 2 hours ago",
        "just now",
        "an hour ago",
        "vor 5 Stunden",
        "il y a 3 jours",
        "hace 2 semanas",
        "5 часов назад",
        "5分前",
        "5분 전",
        "12 people are viewing this right now",
        "1,234 views · 12 comments",
        "Comments (12)",
        "Page generated in 0.123 seconds with 12 queries",
        "Request ID: 8f3a9c01-22aa",
        "CSRF token: bm90IGEgc2VjcmV0",
    ],
)
def test_a_line_of_noise_is_left_out(line: str) -> None:
    """R-A11."""
    assert drop_noise(f"One.\n\n{line}\n\nTwo.") == "One.\n\nTwo."


@pytest.mark.parametrize(
    "line",
    [
        "Last updated on 2 January 2024",
        "It burnt down 3 years ago and was built again.",
        "12 people live here.",
        "## 5 views of the city",
        "Version 2.1",
        "1984",
        "| Updated | 3 minutes ago |",
    ],
)
def test_a_line_that_says_something_stays(line: str) -> None:
    assert drop_noise(f"One.\n\n{line}\n") == f"One.\n\n{line}\n"


def test_code_is_left_alone() -> None:
    code = "```\n3 minutes ago\n```\n"

    assert drop_noise(code) == without_noise(code) == code


def test_noise_beside_words_does_not_count_for_the_hash() -> None:
    """R-A11."""
    text = "Ann wrote {} that the tide was late. " + "More of it. " * 12

    assert without_noise(text.format("3 hours ago")) == without_noise(text.format("2 days ago"))
    assert without_noise("Ann · 3 likes") == without_noise("Ann · 4 likes")
    assert without_noise("We counted 3 views of it " * 9) != without_noise("We did " * 9)


@pytest.mark.parametrize("unit", ["1,", "1 ", "views: ", "1 a ", "12 people are now ", "vor 1 "])
def test_numbers_without_end_take_linear_time(unit: str) -> None:
    start = time.process_time()
    text = f" ago viewing {unit * (300_000 // len(unit))}"

    drop_noise(text)
    without_noise(text)

    assert time.process_time() - start < 5
