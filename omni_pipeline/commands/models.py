"""`omni models`: with which embedding models the index is built, and which one answers."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import print_json, print_table, say
from omni_pipeline.store import embedding_models

app = typer.Typer(no_args_is_help=True, help="List embedding models and activate one.")


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models, how much of the index each one covers, and which one is active."""
    with open_application() as application:
        models = application.session.run(embedding_models.overview)
    if as_json:
        print_json(models)
    elif not models:
        say("No index is built yet: omni refresh URL")
    else:
        print_table(
            ["model", "dimensions", "status", "pages", "of", "chunks", "activated"],
            [
                (
                    m.name,
                    m.dimensions,
                    m.status,
                    m.pages_published,
                    m.pages_in_any,
                    int(m.chunks),
                    m.activated_at,
                )
                for m in models
            ],
            right=["dimensions", "pages", "of", "chunks"],
        )


@app.command()
def activate(
    name: Annotated[str, typer.Argument(help="A model whose index is complete.")],
) -> None:
    """Let search answer from another model's index, from one moment to the next."""
    with open_application() as application:
        application.session.run(lambda conn: embedding_models.activate(conn, name))
    say(f"Search answers from {name} now.")
