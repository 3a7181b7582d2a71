"""`omni search`: what the index answers."""

from contextlib import ExitStack
from textwrap import shorten
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, print_json, say, warn
from omni_pipeline.store.search import Answer

SNIPPET_CHARACTERS = 240


def search(
    question: Annotated[str, typer.Argument(help="A question, in quotes.")],
    domain: Annotated[str | None, typer.Option(help="Only this domain's pages.")] = None,
    most: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many answers.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Ask the index a question; prints the nearest chunks with their sources."""
    with open_application() as app:
        host = app.get_domain(domain).host if domain else None
        answers = ask(app, question, host=host, most=most)
    if as_json:
        print_json(answers)
    elif not answers:
        warn(f"{host or 'The index'} has no published pages yet: run `omni refresh`.")
    else:
        print_answers(answers)


def ask(app: Application, question: str, *, host: str | None, most: int) -> list[Answer]:
    """The answers of the index to one question."""
    from omni_pipeline.steps.search import answer
    from omni_pipeline.steps.tools import Tools

    with ExitStack() as resources:
        tools = Tools(app.settings, app.session, resources)
        if announcement := tools.of_index().model.announcement:
            warn(announcement)
        return answer(app.session, tools, question, most=most, host=host)


def print_answers(answers: list[Answer]) -> None:
    """Answers for a person: likeness, title and heading, address, the beginning of the text."""
    for number, found in enumerate(answers, 1):
        place = " > ".join(dict.fromkeys([found.title, *found.heading_path]))
        likeness = f"likeness {1 - found.distance:.2f}, seen {ago(found.last_seen_at)}"
        say(f"{number}. {place}  ({likeness})")
        say(f"   {found.url}")
        say(f"   {shorten(found.text, SNIPPET_CHARACTERS, placeholder=' …')}")
