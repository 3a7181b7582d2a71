"""`omni doctor`: what is used, what is wrong, and what to do about it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import typer

from omni_pipeline.commands.console import out, print_json, say
from omni_pipeline.errors import OmniError
from omni_pipeline.gateways.notify.targets import find_unusable, open_targets
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.postgres.database import Database, describe, open_database
from omni_pipeline.store.postgres.migrations import check_schema, pending
from omni_pipeline.store.postgres.server_checks import check_server, list_counter_headroom
from omni_pipeline.store.postgres.session import Session, open_session

MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "wrong": "[red]wrong  [/]"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at; ``verdict`` is ok, warning or wrong."""

    subject: str
    verdict: str
    detail: str


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at everything the pipeline relies on; exits with 1 if something is wrong."""
    findings = list(_examine())
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            out.print(MARKS[finding.verdict], f"{finding.subject:<12}", end=" ")
            say(finding.detail)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


def _examine() -> Iterator[Finding]:
    yield Finding(subject="python", verdict="ok", detail=sys.version.split()[0])
    try:
        settings = read_settings()
    except OmniError as error:
        yield Finding(subject="settings", verdict="wrong", detail=str(error))
        return
    yield Finding(subject="home", verdict="ok", detail=str(settings.home))
    with ExitStack() as resources:
        yield from _examine_database(settings, resources)
    yield _look("model", lambda: _model(settings))
    yield _chromium(settings)
    yield _alert_targets(settings)


def _look(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject=subject, verdict="ok", detail=look())
    except OmniError as error:
        return Finding(subject=subject, verdict="wrong", detail=str(error))


def _examine_database(settings: Settings, resources: ExitStack) -> Iterator[Finding]:
    try:
        database = resources.enter_context(open_database(settings, application_name="omni doctor"))
        session = resources.enter_context(Session(database))
        server = session.run(check_server)
    except OmniError as error:
        yield Finding(subject="postgres", verdict="wrong", detail=str(error))
        return
    place = "embedded, " if settings.database_url is None else ""
    detail = (
        f"{place}Postgres {server.postgres}, pgvector {server.pgvector}, {describe(database.url)}"
    )
    yield Finding(subject="postgres", verdict="ok", detail=detail)
    yield _look("schema", lambda: _schema(session))
    yield _look("dagster", lambda: _dagster(settings, database))
    yield _look("index", lambda: _index(session))
    yield from _failing_targets(settings, session)
    yield from _scarcities(session)


def _schema(session: Session) -> str:
    session.run(check_schema)
    return "up to date"


def _dagster(settings: Settings, database: Database) -> str:
    from omni_pipeline.defs.instance.environment import dagster_environment, open_instance

    with open_instance(dagster_environment(settings, database)) as instance:
        return f"storage answers, {instance.get_runs_count()} runs recorded"


def _index(session: Session) -> str:
    session.run(check_schema)
    active = session.run(embedding_models.find_active)
    if active is None:
        return "empty: run `omni refresh URL`"
    return f"answers from {active.name}, {active.dimensions} dimensions"


def _scarcities(session: Session) -> Iterator[Finding]:
    scarcest, *others = session.run(list_counter_headroom)
    detail = f"plenty: of {scarcest.name}, the scarcest, {scarcest.share:.1%} are used"
    if scarcest.complaint is None:
        yield Finding(subject="ids", verdict="ok", detail=detail)
    for headroom in (scarcest, *others):
        if headroom.complaint is not None:
            detail = f"{headroom.name}: {headroom.complaint}"
            yield Finding(subject="ids", verdict="warning", detail=detail)


def _failing_targets(settings: Settings, session: Session) -> Iterator[Finding]:
    names = [target.name for target in open_targets(settings)]
    try:
        states = session.run(lambda conn: alert_ledger.list_targets(conn, names))
    except OmniError:  # the schema's finding says why
        return
    for state in states:
        if state.error:
            detail = f"{state.failures} failures in a row. {state.error}"
            yield Finding(subject="alerts", verdict="warning", detail=detail)


def _model(settings: Settings) -> str:
    from omni_pipeline.steps.services.model_services import Models

    with ExitStack() as resources:
        session = resources.enter_context(open_session(settings, "omni doctor"))
        models = Models(settings, session, resources)
        is_migrated = not session.run(pending)
        services = models.of_index() if is_migrated else models.configured
        if not services.is_local:
            services.embedding.probe()
            if is_migrated:
                services.reopen_endpoint()
        settings = services.settings
        place = settings.embedding.base_url or (
            "in this process" if services.is_local else "OpenAI"
        )
        size = services.chunker.version
        note = f". {services.model.announcement}" if services.model.announcement else ""
        model = services.model
        return f"{model.name}, {model.dimensions} dimensions, {place}, chunks {size}{note}"


def _chromium(settings: Settings) -> Finding:
    """Start it once: what is installed may still lack a library, or a sandbox."""
    from omni_pipeline.gateways.browser.client import find_browser
    from omni_pipeline.steps.services.site_access import open_web

    try:
        with open_web(settings, site_host="doctor.invalid") as access:
            access.browser.check()
    except OmniError as error:
        return Finding(subject="chromium", verdict="warning", detail=str(error))
    path = find_browser(settings.browser_path)
    return Finding(subject="chromium", verdict="ok", detail=f"starts: {path}")


def _alert_targets(settings: Settings) -> Finding:
    targets = open_targets(settings)
    if unusable := find_unusable(targets):
        return Finding(subject="alerts", verdict="wrong", detail=" ".join(unusable.values()))
    if not targets:
        return Finding(
            subject="alerts", verdict="ok", detail="OMNI_ALERT_URLS is not set: nobody is told"
        )
    names = ", ".join(target.name for target in targets)
    is_unsigned = "webhook " in names and settings.alert_webhook_secret is None
    note = "; webhooks are not signed: OMNI_ALERT_WEBHOOK_SECRET is not set" if is_unsigned else ""
    return Finding(subject="alerts", verdict="ok", detail=f"{names}{note}")
