"""Every kind of alert, each written once: its words, where it is found, and how it is over.

One that is found in tables has a branch in the query `conditions` of `alert_ledger.sql` beside its
entry here; one that is reported has whoever makes its ``Condition``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FoundIn = Literal["tables", "server", "reports"]
"""Rows of our own tables, the server's counters, or what was reported of a run or a check."""


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """One kind of alert.

    Attributes:
        title: The kind in words.
        found_in: What is found is over once it is not found any more; what is reported is over
            once that is reported, or after days in which nobody confirmed it.
        wording: The line of one that is found in tables, with places for its ``subject`` and for
            the details of the query; None: whoever finds it brings a line.
        limits: From when on it is worth telling a person, by the query's parameters; what settings
            and checks say too is in ``alert_ledger.Limits``.
        ends_with_refresh: A reported one is over also with a later refresh of its domain.
    """

    title: str
    found_in: FoundIn
    wording: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    ends_with_refresh: bool = False


KINDS: Mapping[str, AlertKind] = {
    "failed_run": AlertKind(title="Refresh failed", found_in="reports", ends_with_refresh=True),
    "failed_check": AlertKind(title="Check failed", found_in="reports"),
    "stale_domain": AlertKind(
        title="Domain is not up to date",
        found_in="tables",
        wording="no refresh has succeeded for {hours} h, since {since} UTC. What became of it: "
        "omni status {subject}",
    ),
    "many_failures": AlertKind(
        title="Many pages failed",
        found_in="tables",
        wording="{failed} of {asked} pages failed in the newest refresh. Which and why: "
        "omni failed {subject}",
    ),
    "held_pages": AlertKind(
        title="Pages wait for a person",
        found_in="tables",
        wording="{pages} pages vanished or shrank at once; their old text is still answered from. "
        "Look at the site; if it is right: omni domains confirm-removals {subject}",
    ),
    "breaker_open": AlertKind(
        title="Embedding endpoint is left alone",
        found_in="tables",
        wording="nobody asks it since {since} UTC, after {failures} failures in a row "
        "({error_kind}): {error} Once it is mended: omni doctor",
        # One that is open for longer is somebody's business, whatever opened it.
        limits={"breaker_seconds": 300.0},
    ),
    "budget_reached": AlertKind(
        title="Token budget is used up", found_in="tables", wording="{error}"
    ),
    "ids_running_out": AlertKind(title="Numbers run out", found_in="server"),
}


def kinds_found_in(*places: FoundIn) -> tuple[str, ...]:
    """The kinds that are found there."""
    return tuple(name for name, kind in KINDS.items() if kind.found_in in places)


def own_limits() -> dict[str, float]:
    """The limits of all kinds, by the parameters of the query."""
    return {name: value for kind in KINDS.values() for name, value in kind.limits.items()}


def describe_condition(kind: str, subject: str, details: Mapping[str, object]) -> str:
    """The line of a condition that was found in tables."""
    wording = KINDS[kind].wording
    assert wording is not None, f"{kind} is found in tables and has no wording"
    return wording.format(subject=subject, **details)


def title_of(kind: str) -> str:
    """A kind in words, also one that an older version opened."""
    known = KINDS.get(kind)
    return known.title if known else kind.replace("_", " ").capitalize()
