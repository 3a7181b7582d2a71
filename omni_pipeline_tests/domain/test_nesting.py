"""Pages built to stall the HTML parser (FAULTS D35)."""

import time

import pytest

from omni_pipeline.domain.nesting import check_nesting
from omni_pipeline.errors import PermanentError

HOSTILE = {
    "a million nested blocks": "<div>" * 1_000_000,
    "upper case": "<DIV\n>" * 500_000,
    "lists in lists": "<ul><li>" * 300_000,
    "deep, then many tags that look up": "<span>" * 1_000 + "</p>" * 900_000,
    "closed only in comments": "<div><!--</div>-->" * 100_000,
    "closed only in scripts": "<div><script></div></script>" * 100_000,
}
HARMLESS = {
    "a small page, however deep": "<div>" * 10_000,
    "900,000 links in a row": "<a href=/x>" * 900_000,
    "a huge table": "<table>" + "<tr><td>1<td>2" * 100_000 + "</table>",
    "many images and line breaks": "<img src=x><br>" * 200_000,
    "a long list": "<ul>" + "<li><b>x</b>" * 100_000 + "</ul>",
    "unclosed comments": "<!--" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_that_would_stall_the_parser_is_refused_in_time_d35(name: str) -> None:
    started = time.process_time()

    with pytest.raises(PermanentError) as caught:
        check_nesting(HOSTILE[name])

    assert caught.value.kind == "permanent.too_deep"
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", HARMLESS)
def test_a_page_that_is_only_long_passes(name: str) -> None:
    check_nesting(HARMLESS[name])
