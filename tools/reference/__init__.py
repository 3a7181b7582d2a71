"""The pages of `docs/reference` that are made from the code.

`python -m tools.reference` writes them; a test fails when they are stale. What each page says is
said once, in the code: in docstrings of the settings, in the help of commands, beside invariants.
"""

from collections.abc import Callable
from pathlib import Path

from tools.reference import command_line, configuration, crawl_options, invariants

DOCS = Path(__file__).resolve().parents[2] / "docs"

_WARNING = "<!-- Made by `make docs` from the code: change it there. -->\n\n"

_PAGES: dict[str, Callable[[], str]] = {
    "reference/configuration.md": configuration.page,
    "reference/cli.md": command_line.page,
    "reference/crawl-options.md": crawl_options.page,
    "reference/invariants.md": invariants.page,
}


def pages() -> dict[Path, str]:
    """Path to text of every page that is made from the code."""
    return {DOCS / name: _WARNING + page() for name, page in _PAGES.items()}


def write() -> list[Path]:
    """Write the pages that have changed, and return them."""
    changed = []
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed
