"""What people read when something is wrong."""

from datetime import UTC, datetime

import pytest

from omni_pipeline.domain.alert_kinds import KINDS, describe_condition
from omni_pipeline.domain.alert_messages import (
    MAX_TEXT,
    AlertEvent,
    Condition,
    DueNotification,
    compose,
    disarmed,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def due(
    number: int = 1,
    *,
    event: AlertEvent = "opened",
    kind: str = "failed_run",
    message: str = "https://a.test/ answered 503.",
) -> DueNotification:
    return DueNotification(
        id=number,
        event=event,
        kind=kind,
        subject=f"{number}.test",
        message=message,
        details={},
        opened_at=NOON,
        recovered_at=NOON if event == "recovered" else None,
    )


def test_one_alert_is_a_title_and_a_line_that_says_what_and_where() -> None:
    message = compose([due()])
    assert message.title == "omni alert: 1 new"
    assert message.text.splitlines() == [
        "Refresh failed (new)",
        "- 1.test: https://a.test/ answered 503.",
        "All of them: omni alerts",
    ]


def test_what_is_new_comes_first_and_what_is_over_says_no_more_than_that() -> None:
    message = compose(
        [due(1, event="recovered"), due(2, event="reminder"), due(3), due(4, kind="held_pages")]
    )
    assert message.title == "omni alerts: 2 new, 1 still open, 1 over"
    assert [line for line in message.text.splitlines() if not line.startswith("-")] == [
        "Refresh failed (new)",
        "Pages wait for a person (new)",
        "Refresh failed (still open)",
        "Refresh failed (over)",
        "All of them: omni alerts",
    ]
    assert "- 1.test\n" in message.text


def test_a_bad_night_is_one_short_message() -> None:
    """R-C3: no storm."""
    message = compose([due(n, message="x" * 500) for n in range(500)])
    assert "- and 495 more" in message.text
    assert len(message.text) < MAX_TEXT + 100
    kinds = [due(n, kind=f"kind_{n:03}", message="x" * 500) for n in range(500)]
    assert len(compose(kinds).text) < MAX_TEXT + 100
    assert len(compose(kinds).alerts) == 100


def test_the_same_news_have_the_same_id() -> None:
    assert compose([due(1), due(2)]).id == compose([due(2), due(1)]).id
    assert compose([due(1)]).id != compose([due(1, event="recovered")]).id


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "<!channel> <@U123> <https://evil.test|bank.test>",
        "@everyone @here",
        "![x](https://evil.test/pixel.gif)",
    ],
)
def test_crawled_text_is_no_markup_no_mention_and_no_titled_link(text: str) -> None:
    """S-57."""
    shown = disarmed(text)
    assert not {"<", ">", "@"} & set(shown)
    assert "](" not in shown


def test_braces_in_what_was_crawled_are_only_text() -> None:
    """The wording is ours, the values are not."""
    line = describe_condition("budget_reached", "a.test", {"error": "{subject.__class__} {0}"})
    assert line == "{subject.__class__} {0}"


def test_every_kind_has_a_title_that_a_person_reads() -> None:
    titles = [kind.title for kind in KINDS.values()]
    assert all(title[0].isupper() and "_" not in title for title in titles)


def test_a_kind_without_an_entry_is_refused_where_it_is_reported() -> None:
    with pytest.raises(ValueError, match=r"'misspelt' is no kind of alert.*alert_kinds"):
        Condition(kind="misspelt", subject="a.test", host=None, message="", details={})


def test_whatever_is_found_in_tables_and_nothing_else_has_a_wording() -> None:
    with_wording = {name for name, kind in KINDS.items() if kind.wording is not None}
    assert with_wording == {name for name, kind in KINDS.items() if kind.found_in == "tables"}
