"""Refreshes, by the steps of the HTML standard."""

import pytest

from omni_pipeline.domain.html.refreshes import refresh_of


@pytest.mark.parametrize(
    ("content", "seconds", "reference"),
    [
        ("0;url=/a", 0, "/a"),
        ("0; URL=/a", 0, "/a"),
        ("0; url='/a'", 0, "/a"),
        ('0; url="/a', 0, "/a"),
        ("0,url=/a", 0, "/a"),
        ("0 url=/a", 0, "/a"),
        ("0;/a", 0, "/a"),
        (" 5 ; url = /a b ", 5, "/a b"),
        ("1.9;url=/a", 1, "/a"),
        (".5;url=/a", 0, "/a"),
        ("0;url=/it's", 0, "/it's"),
        ("999999999999;url=/a", 86_400, "/a"),
    ],
)
def test_a_refresh_names_a_place_and_a_time(content: str, seconds: float, reference: str) -> None:
    found = refresh_of(content)

    assert found is not None
    assert (found.seconds, found.reference) == (seconds, reference)


@pytest.mark.parametrize("content", ["", "0", "5;", "5; url=", "x; url=/a", "url=/a", "-1;url=/a"])
def test_what_names_no_place_leads_nowhere(content: str) -> None:
    assert refresh_of(content) is None
