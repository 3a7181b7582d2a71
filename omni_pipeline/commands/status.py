"""`omni status`: every domain at one look, or one domain in detail."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, make_table, out, print_json, say, warn
from omni_pipeline.errors import SettingsError, TemporaryError
from omni_pipeline.steps.monitoring.health import describe_job
from omni_pipeline.store.crawl import failed_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import DomainOverview

SECONDS_BETWEEN_PICTURES = 2.0


def status(
    domain: Annotated[str | None, typer.Argument(help="Only this domain, in detail.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every 2 s, until Ctrl-C.")
    ] = False,
) -> None:
    """Show each domain's state, freshness, size, failures and newest job."""
    with open_application() as app:
        found = app.get_domain(domain) if domain else None
        if watch:
            _watch(app, found.host if found else None, as_json=as_json)
            return
        overview = app.session.run(
            lambda conn: domains.overview(conn, found.host if found else None)
        )
        if found and as_json:
            failures = app.session.run(lambda conn: failed_pages.list_open(conn, found.id))
            print_json({"domains": overview, "open_failures": failures})
            return
        failures_by_stage = (
            app.session.run(lambda conn: failed_pages.count_open(conn, found.id)) if found else {}
        )
    if as_json:
        print_json(overview)
    elif not overview:
        say("No domain is registered yet: omni domains add https://docs.example.com")
    elif found:
        _print_overview(overview)
        _print_detail(overview[0], failures_by_stage, moved_to=found.moved_to)
    else:
        _print_overview(overview)
        _print_held(overview)


def _watch(app: Application, host: str | None, *, as_json: bool) -> None:
    if as_json or not out.is_terminal:
        raise SettingsError(
            "omni status --watch redraws a terminal: leave out --json and pipes, or ask for "
            "omni status --json as often as you need it."
        )
    with suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as screen:
        while True:
            screen.update(_picture(app, host), refresh=True)
            time.sleep(SECONDS_BETWEEN_PICTURES)


def _picture(app: Application, host: str | None) -> RenderableType:
    """What is so now; a database that is away may come back."""
    try:
        return _table(app.session.run(lambda conn: domains.overview(conn, host)))
    except TemporaryError as error:
        return Text(str(error), style="yellow")


def _print_overview(overview: list[DomainOverview]) -> None:
    out.print(_table(overview))


def _table(overview: list[DomainOverview]) -> Table:
    return make_table(
        ["domain", "status", "refreshed", "pages", "chunks", "failures", "tokens today", "job"],
        [
            (
                d.host,
                d.status,
                d.last_success_at,
                d.pages,
                int(d.chunks),
                d.open_failures,
                int(d.tokens_today),
                _job(d),
            )
            for d in overview
        ],
        right=["pages", "chunks", "failures", "tokens today"],
    )


def _job(d: DomainOverview) -> str:
    if d.job_status == "running":
        return f"{describe_job(d)}, last beat {d.beat_age_seconds:.0f} s ago"
    if d.job_status == "failed" and d.job_finished_at:
        return f"{d.job_status} {ago(d.job_finished_at)}"
    return d.job_status or "none yet"


def _print_detail(
    d: DomainOverview, failures_by_stage: dict[str, int], *, moved_to: str | None
) -> None:
    say("")
    say(f"start URL    {d.start_url}")
    say(f"newest job   {d.job_id or '-'} (run {d.job_run_id or '-'})")
    if d.job_error:
        say(f"job error    {d.job_error}")
    if failures_by_stage:
        stages = ", ".join(f"{count:,} {stage}" for stage, count in failures_by_stage.items())
        say(f"failures     {stages}: omni failed {d.host}")
    for held in _all_held(d):
        say(f"held         {held}")
    if moved_to:
        say(f"moved        its start page leads to {moved_to}: register that site")
    say(f"settings     omni domains show {d.host}")


def _print_held(overview: list[DomainOverview]) -> None:
    for d in overview:
        for held in _all_held(d):
            warn(f"{d.host}: {held}")


def _all_held(d: DomainOverview) -> Iterator[str]:
    remedy = f"omni domains confirm-removals {d.host}"
    if d.pages_held:
        yield f"{_waiting(d.pages_held, 'page')} for you to look: {remedy}"
    if d.products_held:
        yield f"{_waiting(d.products_held, 'vanished product')} for you to look: {remedy}"
    if d.prices_held:
        yield f"{_waiting(d.prices_held, 'price')} for a second look: omni products {d.host}"


def _waiting(count: int, what: str) -> str:
    return f"1 {what} waits" if count == 1 else f"{count:,} {what}s wait"
