"""The page of crawl options: what `omni domains add` and `set` take of each domain."""

from omni_pipeline.domain.crawl.options import document_options

_HEAD = """# Crawl options

Each domain has its own; `omni domains set DOMAIN` changes them, `omni domains show DOMAIN` prints
them, and the table `domains` keeps them. What they do is told in [crawling](../guide/crawling.md).

| option | values | default | meaning | column |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = (
        f"| `{row.flag}` | {_cell(row.values)} | {row.default} | {_cell(row.meaning)} "
        f"| `{row.column}` |"
        for row in document_options()
    )
    return _HEAD + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
