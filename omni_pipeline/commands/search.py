"""`omni search`: what the index answers."""

import inspect
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, print_json, say, warn
from omni_pipeline.commands.parameters import spread
from omni_pipeline.commands.products import read_age
from omni_pipeline.domain.search.query import Mode, Scope, SearchQuestion
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.index.retrieval import SearchResult

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*")


def read_scope(
    app: Application,
    *,
    organization: Annotated[
        str | None, typer.Option(help="Only domains of this organization.", show_default=False)
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Only this domain's pages.", show_default=False)
    ] = None,
    url_prefix: Annotated[
        str | None,
        typer.Option("--url", metavar="PREFIX", help="Only pages whose address begins so."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="Only pages in it: de, pt-BR.", show_default=False),
    ] = None,
    seen_within: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Only pages that a refresh saw within 24h, 7d, 4w."),
    ] = None,
) -> Scope:
    """Where to search, as a person typed it; its parameters are the options of every command.

    Raises:
        UnknownDomainError: The domain is not registered.
        SettingsError: An option breaks its rule.
    """
    if url_prefix is not None and not url_prefix.startswith(("https://", "http://")):
        raise SettingsError(
            f"--url {url_prefix!r} is not how an address begins: write it with its scheme, such as "
            "https://docs.example.com/guide/."
        )
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise SettingsError(f"--language {language!r} is no language tag: use one such as de.")
    seconds = None if seen_within is None else read_age(seen_within, option="--seen-within")
    return Scope(
        organization=organization,
        host=app.get_domain(domain).host if domain else None,
        url_prefix=url_prefix,
        language=language and language.replace("_", "-"),
        seen_within=None if seconds is None else timedelta(seconds=seconds),
    )


FindScope = Callable[[Application], Scope]

_, *_SCOPE_OPTIONS = inspect.signature(read_scope).parameters.values()

with_scope = spread("find_scope", _SCOPE_OPTIONS, partial(partial, read_scope))
"""Gives a command the options of ``read_scope``; it takes them as ``find_scope``."""


@with_scope
def search(
    question: Annotated[str, typer.Argument(help="A question, in quotes.")],
    find_scope: FindScope,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many answers.")] = 5,
    per_page: Annotated[
        int, typer.Option("--per-page", min=1, max=1000, help="Most answers from one page.")
    ] = 2,
    mode: Annotated[Mode, typer.Option(help="By meaning, words, or both.")] = "hybrid",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Ask the index a question; prints the chunks that answer best with their sources."""
    with open_application() as app:
        scope = find_scope(app)
        asked = SearchQuestion(
            text=question, scope=scope, limit=limit, per_page=per_page, mode=mode
        )
        answers = ask(app, asked)
    if as_json:
        print_json([as_document(found, question) for found in answers])
    elif answers:
        print_answers(answers, question)
    elif scope == Scope(host=scope.host):
        warn(f"{scope.host or 'The index'} has no published pages that fit: run `omni refresh`.")
    else:
        warn("No published page fits: ask with fewer options, or look at `omni status`.")


def ask(app: Application, question: SearchQuestion) -> list[SearchResult]:
    """The answers of the index to one question."""
    from omni_pipeline.steps.search.answering import answer
    from omni_pipeline.steps.services.model_services import Models

    with ExitStack() as resources:
        models = Models(app.settings, app.session, resources)
        if announcement := models.of_index().model.announcement:
            warn(announcement)
        return answer(app.session, models, question)


def as_document(found: SearchResult, question: str) -> dict[str, object]:
    """An answer with its link and snippet, for machines."""
    return {**asdict(found), "link": found.link, "snippet": found.snippet(question)}


def print_answers(answers: list[SearchResult], question: str) -> None:
    """Answers for a person: title and heading, why it was found, address, snippet."""
    for number, found in enumerate(answers, 1):
        place = " > ".join(dict.fromkeys([found.title, *found.heading_path]))
        say(f"{number}. {place}  ({_reasons(found)})")
        say(f"   {found.link}")
        say(f"   {found.snippet(question)}")


def _reasons(found: SearchResult) -> str:
    reasons = [f"score {found.score:.4f}"]
    if found.vector_rank is not None and found.distance is not None:
        reasons.append(f"meaning {found.vector_rank}. (likeness {1 - found.distance:.2f})")
    if found.text_rank is not None:
        reasons.append(f"words {found.text_rank}.")
    return ", ".join([*reasons, f"seen {ago(found.last_seen_at)}"])
