"""`omni migrate`: bring the database's schema up to this code."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import say
from omni_pipeline.store.postgres import migrations
from omni_pipeline.store.postgres.server_checks import check_server


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is pending; exits with 1 if anything is.")
    ] = False,
) -> None:
    """Apply the pending migrations, in order, each whole or not at all."""
    with open_application(prepare=False) as app:
        app.session.run(check_server)
        if check:
            _report(app.session.run(migrations.pending))
            return
        names = app.session.run(migrations.migrate)
    for name in names:
        say(f"applied {name}")
    if not names:
        say("The schema is up to date.")


def _report(pending: list[str]) -> None:
    for name in pending:
        say(f"pending {name}")
    if pending:
        say("Apply with: omni migrate")
        raise typer.Exit(1)
    say("The schema is up to date.")
