"""What writers say of their publishes, kept outside Postgres, and whether the pages agree with it.

After Jepsen: a publish was acknowledged (ok), refused (fail), or its end is not known, because the
writer died or its connection did. Unknown is not failure: such a publish may be there or not.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Outcome = Literal["ok", "fail", "unknown"]

Version = tuple[int, int]
"""The fence of a run and the number of its publish: later ones are greater."""


@dataclass(frozen=True, kw_only=True)
class Publish:
    """One attempt to make a version of a page live."""

    page: str
    version: Version
    outcome: Outcome


class Journal:
    """A writer's own file: a line when a publish begins, another when its end is known."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, page: str, version: Version) -> None:
        self._write([page, *version, "unknown"])

    def end(self, page: str, version: Version, outcome: Outcome) -> None:
        self._write([page, *version, outcome])

    def _write(self, entry: list[object]) -> None:
        # One write per line: what the writer did before it was killed is in the file.
        with self._path.open("ab", buffering=0) as file:
            file.write(json.dumps(entry).encode() + b"\n")


def read_history(folder: Path) -> list[Publish]:
    """All publishes of all journals; the last word on each counts."""
    last: dict[tuple[str, Version], Outcome] = {}
    for file in sorted(folder.iterdir()):
        for line in file.read_text().splitlines():
            page, fence, number, outcome = json.loads(line)
            last[page, (fence, number)] = outcome
    return [
        Publish(page=page, version=version, outcome=outcome)
        for (page, version), outcome in last.items()
    ]


def anomalies(history: Iterable[Publish], stored: Mapping[str, Version | None]) -> list[str]:
    """What no order of the publishes can explain, in words.

    Args:
        history: The publishes of all writers.
        stored: The version of each page that is live; None is a page without any.
    """
    by_page: dict[str, dict[Version, Outcome]] = defaultdict(dict)
    for publish in history:
        by_page[publish.page][publish.version] = publish.outcome
    return [
        f"{page}: {problem}"
        for page in sorted(by_page.keys() | stored.keys())
        if (problem := _problem(by_page[page], stored.get(page)))
    ]


def _problem(outcomes: Mapping[Version, Outcome], live: Version | None) -> str | None:
    newest = max((version for version, end in outcomes.items() if end == "ok"), default=None)
    if live is None:
        return f"{newest} was acknowledged and is lost" if newest else None
    if live not in outcomes:
        return f"{live} is live and nobody published it"
    if outcomes[live] == "fail":
        return f"{live} is live and was refused"
    if newest is not None and live < newest:
        return f"{live} is live though {newest} was acknowledged"
    return None
