"""The page of standing invariants: what `invariants.sql` says of each, by number."""

import re
from importlib.resources import files

_HEAD = """# Invariants

What no constraint of the database could keep out alone, as queries whose healthy answer is no row.
`omni verify` asks them of what changed since the last look, `omni verify --all` of everything, and
the fault tests ask them in every snapshot while things go wrong. Each has a planted violation that
it was seen to find: an invariant that nobody has seen fail is none.

*Always* holds in every committed snapshot, also in the middle of a refresh; *quiet* for a domain
that is not being refreshed.

| id | holds | of | what must hold |
|---|---|---|---|
"""

_STATEMENT = re.compile(
    r"^(?:-- name: (?P<named>I\d\d\w+)\n)?"
    r"-- (?:(?P<listed>I\d\d\w+), )?(?P<when>always|quiet), (?P<where>by domain|everywhere): "
    r"(?P<what>.*(?:\n-- (?!name:|I\d\d)(?!.*(?:always|quiet), (?:by|every)).*)*)",
    re.MULTILINE,
)

_TAIL = """
Three things are promised that are no single query; tests watch them:

| id | what must hold |
|---|---|
| H-1 | a publish that was acknowledged survives whatever happens next |
| H-2 | fences and the ids of price snapshots never go back; no snapshot changes |
| H-3 | after any fault the index equals that of a twin that nothing happened to |
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(sorted(_rows())) + _TAIL


def _rows() -> list[str]:
    text = (files("omni_pipeline.store.monitoring") / "invariants.sql").read_text()
    rows = []
    for found in _STATEMENT.finditer(text):
        name = found["listed"] or found["named"]
        what = " ".join(found["what"].replace("\n-- ", " ").replace("%%", "%").split())
        scope = "each domain" if found["where"] == "by domain" else "the whole database"
        rows.append(f"| {name[:3]} `{name[4:]}` | {found['when']} | {scope} | {what} |\n")
    return rows
