"""`omni verify`: the standing invariants, checked on the rows."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import print_json, print_table, say
from omni_pipeline.store import invariants


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print the violations as JSON.")] = False,
) -> None:
    """Check the standing invariants; lists what violates them and exits with 1 if anything does."""
    with open_application() as app:
        violations = app.session.run(
            lambda conn: invariants.find_violations(conn, lease_seconds=app.settings.lease_seconds)
        )
    if as_json:
        print_json(violations)
    else:
        if violations:
            print_table(
                ["invariant", "domain", "row", "violation"],
                [(v.invariant, v.host, v.subject, v.detail) for v in violations],
            )
        say(f"{len(violations)} violations of {len(invariants.names())} invariants.")
    if violations:
        raise typer.Exit(1)
