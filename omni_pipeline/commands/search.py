"""`omni search`: what the index answers."""

import re
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, print_json, say, warn
from omni_pipeline.commands.products import read_age
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.index.retrieval import EVERYWHERE, Scope, SearchResult

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*")


class SearchMode(StrEnum):
    """By meaning, by words, or by both."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


Organization = Annotated[
    str | None, typer.Option(help="Only domains of this organization.", show_default=False)
]
DomainOption = Annotated[
    str | None, typer.Option(help="Only this domain's pages.", show_default=False)
]
UrlPrefix = Annotated[
    str | None,
    typer.Option("--url", metavar="PREFIX", help="Only pages whose address begins so."),
]
Language = Annotated[
    str | None, typer.Option(metavar="TAG", help="Only pages in it: de, pt-BR.", show_default=False)
]
SeenWithin = Annotated[
    str | None,
    typer.Option(metavar="AGE", help="Only pages that a refresh saw within 24h, 7d, 4w."),
]


def search(  # noqa: PLR0913 - an option is a parameter
    question: Annotated[str, typer.Argument(help="A question, in quotes.")],
    organization: Organization = None,
    domain: DomainOption = None,
    url_prefix: UrlPrefix = None,
    language: Language = None,
    seen_within: SeenWithin = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many answers.")] = 5,
    per_page: Annotated[
        int, typer.Option("--per-page", min=1, max=1000, help="Most answers from one page.")
    ] = 2,
    mode: Annotated[SearchMode, typer.Option(help="By meaning, words, or both.")] = (
        SearchMode.HYBRID
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Ask the index a question; prints the chunks that answer best with their sources."""
    with open_application() as app:
        scope = read_scope(app, organization, domain, url_prefix, language, seen_within)
        answers = ask(app, question, scope=scope, limit=limit, per_page=per_page, mode=mode)
    if as_json:
        print_json([as_document(found, question) for found in answers])
    elif answers:
        print_answers(answers, question)
    elif scope == Scope(host=scope.host):
        warn(f"{scope.host or 'The index'} has no published pages that fit: run `omni refresh`.")
    else:
        warn("No published page fits: ask with fewer options, or look at `omni status`.")


def read_scope(
    app: Application,
    organization: str | None,
    domain: str | None,
    url_prefix: str | None,
    language: str | None,
    seen_within: str | None,
) -> Scope:
    """Where to search, as a person typed it.

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


def ask(
    app: Application,
    question: str,
    *,
    limit: int,
    scope: Scope = EVERYWHERE,
    per_page: int | None = None,
    mode: SearchMode = SearchMode.HYBRID,
) -> list[SearchResult]:
    """The answers of the index to one question."""
    from omni_pipeline.steps.search.answering import answer
    from omni_pipeline.steps.services.model_services import Models

    with ExitStack() as resources:
        models = Models(app.settings, app.session, resources)
        if announcement := models.of_index().model.announcement:
            warn(announcement)
        return answer(
            app.session,
            models,
            question,
            limit=limit,
            scope=scope,
            mode=mode.value,
            per_page=per_page,
        )


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
