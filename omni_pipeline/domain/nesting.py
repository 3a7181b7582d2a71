"""Refusing pages that are built to stall an HTML parser.

By the HTML standard most tags look up through all open elements, so a page of n unclosed tags
costs n² steps: measured with lexbor, 4 MiB of ``<div>`` take half an hour inside C code, where no
timeout reaches them (FAULTS D35). The scan here is linear, and skipped for every ordinary page.
"""

import re

from omni_pipeline.errors import PermanentError

# At 5 ns a step, one second. A page of 14,000 tags cannot reach it, however they are nested.
_MOST_STEPS = 200_000_000

# What never holds anything, and what the next of its kind closes.
_NEVER_NESTED = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
        *("source", "track", "wbr", "a", "button", "dd", "dt", "li", "option", "optgroup", "p"),
        *("rp", "rt", "tbody", "td", "tfoot", "th", "thead", "tr"),
    )
)
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style|textarea|title)\b.*?(?:</\1|\Z)"
    r"|<(/?)([a-z][^\s/>]*)",
    re.IGNORECASE | re.DOTALL,
)


def check_nesting(html: str) -> None:
    """Refuse a page whose tags are nested too deep for how many they are.

    Raises:
        PermanentError: ``permanent.too_deep``.
    """
    tags = html.count("<")
    if tags * tags <= _MOST_STEPS:
        return
    most_depth = _MOST_STEPS // tags
    if _is_deeper(html, most_depth):
        raise PermanentError(
            f"the page nests its {tags} tags more than {most_depth} deep: parsing it would take "
            "minutes. Its author must close the tags.",
            kind="permanent.too_deep",
        )


def _is_deeper(html: str, most_depth: int) -> bool:
    open_tags: dict[str, int] = {}
    depth = 0
    for match in _TAG.finditer(html):
        name = (match[3] or "").lower()
        if not name or name in _NEVER_NESTED:
            continue
        if not match[2]:
            open_tags[name] = open_tags.get(name, 0) + 1
            depth += 1
        elif open_tags.get(name, 0):
            open_tags[name] -= 1
            depth -= 1
        if depth > most_depth:
            return True
    return False
