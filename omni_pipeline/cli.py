"""What a person types: `omni`."""

from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from omni_pipeline.commands import (
    alerts,
    cost,
    demo,
    discover,
    doctor,
    env,
    evaluate,
    failed,
    jobs,
    migrate,
    models,
    prices,
    products,
    refresh,
    scrape,
    search,
    site_registry,
    status,
    verify,
)
from omni_pipeline.commands.console import err
from omni_pipeline.commands.server import up
from omni_pipeline.errors import OmniError


class ErrorLineGroup(TyperGroup):
    """Shows an error of ours as one line on standard error, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OmniError as error:
            err.print("[red]error[/]", escape(str(error)))
            raise typer.Exit(1) from error


app = typer.Typer(
    name="omni",
    cls=ErrorLineGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keep a pgvector search index in lock-step with web sites.",
)
app.command()(up.up)
app.command()(refresh.refresh)
app.add_typer(site_registry.app, name="domains")
app.command()(search.search)
app.command()(evaluate.evaluate)
app.command()(status.status)
app.command()(products.products)
app.command()(prices.prices)
app.command()(alerts.alerts)
app.command()(cost.cost)
app.add_typer(jobs.app, name="jobs")
app.command()(failed.failed)
app.command()(discover.discover)
app.command()(scrape.scrape)
app.command()(verify.verify)
app.add_typer(models.app, name="models")
app.command()(migrate.migrate)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(env.env)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
