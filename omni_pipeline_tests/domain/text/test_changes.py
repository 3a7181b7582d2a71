"""What changed, in words: the right headings, few lines, and nothing that a terminal obeys."""

from collections.abc import Sequence

from omni_pipeline.domain.text.changes import (
    MAX_HEADINGS_LISTED,
    PageChange,
    changed_headings,
    describe_changes,
)

PAGE = "# Tides\n\nWhat they are.\n\n## Ebb\n\nIt goes.\n\n## Flood\n\nIt comes."


def change(
    kind: str,
    number: int = 0,
    *,
    title: str = "Tides",
    headings: Sequence[str] = (),
    reason: str | None = None,
    pages: int = 1,
) -> PageChange:
    return PageChange(
        kind=kind,
        url=f"https://s.example.test/{number}",
        title=title,
        headings=headings,
        reason=reason,
        pages=pages,
    )


def test_only_the_sections_that_differ_are_named() -> None:
    assert changed_headings(PAGE, PAGE.replace("It goes.", "It went.")) == ("Ebb",)
    assert changed_headings(PAGE, PAGE + "\n\n## Springs\n\nHigh.") == ("Springs",)
    assert changed_headings(PAGE + "\n\n## Springs\n\nHigh.", PAGE) == ("Springs",)
    assert changed_headings(PAGE, PAGE) == ()


def test_a_section_that_moved_has_not_changed_nor_has_one_of_noise() -> None:
    """R-A11"""
    moved = "# Tides\n\nWhat they are.\n\n## Flood\n\nIt comes.\n\n## Ebb\n\nIt goes."

    assert changed_headings(PAGE, moved) == ()
    assert changed_headings(PAGE + "\n\n5 views", PAGE + "\n\n7 views") == ()


def test_text_above_the_first_heading_has_no_name() -> None:
    assert changed_headings(f"One.\n\n{PAGE}", f"Two.\n\n{PAGE}") == ()


def test_each_page_is_one_line() -> None:
    lines = describe_changes(
        [
            change("new"),
            change("changed", 1, headings=["Ebb", "Flood"]),
            change("gone", 2, title="", reason="missing"),
        ]
    )

    assert lines == (
        "new: https://s.example.test/0 (Tides)",
        "changed: https://s.example.test/1 (under Ebb, Flood)",
        "gone: https://s.example.test/2 (the site says that it is not there)",
    )


def test_many_pages_and_headings_are_counted_not_listed() -> None:
    headings = [f"H{number}" for number in range(MAX_HEADINGS_LISTED + 3)]
    lines = describe_changes(
        [
            change("new", pages=41),
            change("changed", headings=headings, pages=3),
            change("changed", 1, pages=3),
        ]
    )

    assert lines[1] == "new: 40 more pages"
    assert lines[2].endswith("H4 and 3 more)")
    assert lines[3:] == ("changed: https://s.example.test/1", "changed: 1 more page")


def test_what_a_site_wrote_cannot_command_a_terminal() -> None:
    """S-65"""
    title = "Ti\x1b[2Jdes\n\u202ereversed\x9b31m" + "x" * 500
    [line] = describe_changes([change("new", title=title)])

    assert line.isprintable()
    assert len(line) < 150
