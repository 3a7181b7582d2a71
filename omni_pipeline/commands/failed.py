"""`omni failed`: which pages failed, why, and when they are tried again."""

from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import ago, print_json, say
from omni_pipeline.steps.run.progress import describe_seconds
from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.crawl.failed_pages import OpenFailure

MAX_SHOWN = 50


class Stage(StrEnum):
    """Where a page can fail."""

    FETCH = "fetch"
    CLEAN = "clean"
    CHUNK = "chunk"
    EMBED = "embed"
    EXTRACT = "extract"


def failed(
    domain: Annotated[str | None, typer.Argument(help="Only this domain's pages.")] = None,
    stage: Annotated[Stage | None, typer.Option(help="Only pages that failed there.")] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Let the next refresh try them, permanent ones too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of them as JSON.")] = False,
) -> None:
    """List the pages that failed and have not succeeded since, newest first."""
    with open_application() as app:
        found = app.get_domain(domain) if domain else None
        domain_id = found.id if found else None
        if retry:
            app.session.run(lambda conn: failed_pages.make_due(conn, domain_id, stage=stage))
        failures = app.session.run(
            lambda conn: failed_pages.list_open(
                conn, domain_id, stage=stage, limit=None if as_json else MAX_SHOWN
            )
        )
        counts = app.session.run(lambda conn: failed_pages.count_open(conn, domain_id))
    if as_json:
        print_json(failures)
        return
    host = found.host if found else None
    if stage is not None:
        counts = {stage: counts.get(stage, 0)}
    _print_failures(failures, sum(counts.values()), host)
    if retry and failures:
        _say_how_to_go_on(counts, host)


def _print_failures(failures: list[OpenFailure], total: int, host: str | None) -> None:
    if not failures:
        say(f"No page of {host or 'any domain'} waits to be tried again.")
    for name, of_domain in groupby(failures, key=lambda failure: failure.host):
        say(name)
        for failure in of_domain:
            _print_failure(failure)
    if total > len(failures):
        command = " ".join(filter(None, ("omni failed", host, "--json")))
        say(f"… and {total - len(failures):,} more: {command}")


def _print_failure(failure: OpenFailure) -> None:
    """Two or three short lines: a URL, to be copied, needs one of its own."""
    times = "1 attempt" if failure.attempts == 1 else f"{failure.attempts} attempts"
    last = ago(failure.last_failed_at)
    say(f"  {failure.url}")
    say(f"    {failure.stage}: {_reason(failure)} ({failure.error_kind})")
    say(f"    {times}, last {last}; next try: {next_try(failure, datetime.now(UTC))}")


def _reason(failure: OpenFailure) -> str:
    return failure.error.removeprefix(failure.url).strip()


def next_try(failure: OpenFailure, now: datetime) -> str:
    """When a failed page is tried again: what only a fetch can mend waits for its time."""
    if failure.stage != Stage.FETCH:
        return "with every refresh"
    if failure.next_try_at is None:
        return "not by itself: permanent"
    seconds = (failure.next_try_at - now).total_seconds()
    return "with the next refresh" if seconds <= 0 else f"in {describe_seconds(seconds)}"


def _say_how_to_go_on(counts: dict[str, int], host: str | None) -> None:
    due = counts.get(Stage.FETCH, 0)
    others = sum(counts.values()) - due
    if due:
        say(f"{due:,} {'page is' if due == 1 else 'pages are'} to be fetched again.")
    if others:
        say(f"{others:,} failed after the fetch: every refresh tries those, also without --retry.")
    say(f"Now: omni refresh {host or 'DOMAIN'}. Else the daily refresh does it.")
