"""`omni verify`: the standing invariants, checked on the rows."""

from dataclasses import asdict
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import print_json, print_table, say
from omni_pipeline.steps.checks.verification import Verification
from omni_pipeline.steps.checks.verification import verify as look
from omni_pipeline.store.monitoring.invariants import Violation

MAX_SHOWN = 20


def verify(
    is_complete: Annotated[
        bool, typer.Option("--all", help="Check every domain, and read every text again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the violations as JSON.")] = False,
) -> None:
    """Check the standing invariants on what changed since the last check, or on everything.

    Lists what violates them, and exits with 1 if anything does.
    """
    with open_application() as app:
        found = look(
            app.session,
            lease_seconds=app.settings.lease_seconds,
            fresh_hours=app.settings.fresh_hours,
            is_complete=is_complete,
        )
    if as_json:
        print_json(asdict(found) | {"remedies": _remedies(found.violations)})
    else:
        _print_violations(found.violations)
        _say_what_was_checked(found, is_complete=is_complete)
    if found.violations:
        raise typer.Exit(1)


def _print_violations(violations: list[Violation]) -> None:
    by_name = attrgetter("invariant")
    rows: list[tuple[object, ...]] = []
    for invariant, group in groupby(sorted(violations, key=by_name), key=by_name):
        broken = list(group)
        rows += [(invariant, v.host, v.subject, v.detail) for v in broken[:MAX_SHOWN]]
        if len(broken) > MAX_SHOWN:
            rows.append((invariant, "…", f"{len(broken) - MAX_SHOWN:,} more", "omni verify --json"))
    if rows:
        print_table(["invariant", "domain", "row", "violation"], rows)
    for invariant, remedies in _remedies(violations).items():
        say(f"What to do about {invariant}: {'; '.join(remedies)}.")


def _remedies(violations: list[Violation]) -> dict[str, list[str]]:
    advice = sorted({(violation.invariant, violation.remedy) for violation in violations})
    return {
        invariant: [remedy for _, remedy in group]
        for invariant, group in groupby(advice, key=itemgetter(0))
    }


def _say_what_was_checked(found: Verification, *, is_complete: bool) -> None:
    say(f"{len(found.violations):,} violations of {found.invariants} invariants.")
    if is_complete:
        say(f"All {found.domains_known:,} domains were checked.")
    else:
        say(
            f"{found.domains_checked:,} of {found.domains_known:,} domains were checked: the "
            "others were found whole and not refreshed since. Everything: omni verify --all"
        )
