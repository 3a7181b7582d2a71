"""SQL by name: reads the file beside a module, where each query follows its `-- name:` line."""

import re
from functools import cache
from importlib import resources

_NAME_LINE = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(module: str) -> dict[str, bytes]:
    """The queries of the SQL file beside ``module``, by name.

    Bytes, because psycopg takes text that is not a literal only as bytes: a reminder that nothing
    may be formatted into it. Values travel as ``%(name)s`` parameters.
    """
    package, _, stem = module.rpartition(".")
    text = resources.files(package).joinpath(f"{stem}.sql").read_text()
    _, *parts = _NAME_LINE.split(text)
    return {name: sql.strip().encode() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
