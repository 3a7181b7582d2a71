"""What a person types: `omni`."""

import sys

import click
import typer
from rich.markup import escape

from omni_pipeline.commands import (
    demo,
    doctor,
    domains,
    env,
    migrate,
    refresh,
    search,
    status,
    up,
    verify,
)
from omni_pipeline.commands.console import err
from omni_pipeline.errors import OmniError

app = typer.Typer(
    name="omni",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keep a pgvector search index in lock-step with web sites.",
)
app.command()(up.up)
app.command()(refresh.refresh)
app.add_typer(domains.app, name="domains")
app.command()(search.search)
app.command()(status.status)
app.command()(verify.verify)
app.command()(migrate.migrate)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(env.env)


def main() -> None:
    """Run the command line; errors of ours are one line on standard error and exit code 1."""
    try:
        status_code = app(standalone_mode=False)
    except OmniError as error:
        err.print("[red]error[/]", escape(str(error)))
        sys.exit(1)
    except click.exceptions.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        sys.exit(130)
    sys.exit(status_code or 0)


if __name__ == "__main__":
    main()
