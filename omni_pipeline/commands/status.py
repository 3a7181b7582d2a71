"""`omni status`: every domain at one look, or one domain in detail."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import ago, print_json, print_table, say, warn
from omni_pipeline.store import domains, failed_pages
from omni_pipeline.store.domains import DomainOverview


def status(
    domain: Annotated[str | None, typer.Argument(help="Only this domain, in detail.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show each domain's state, freshness, size, failures and newest job."""
    with open_application() as app:
        found = app.get_domain(domain) if domain else None
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


def _print_overview(overview: list[DomainOverview]) -> None:
    print_table(
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
        return f"running {d.job_stage or ''}, last beat {d.beat_age_seconds:.0f} s ago"
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
    if d.pages_held:
        say(f"held         {_held(d)}")
    if moved_to:
        say(f"moved        its start page leads to {moved_to}: register that site")
    say(f"settings     omni domains show {d.host}")


def _print_held(overview: list[DomainOverview]) -> None:
    for d in overview:
        if d.pages_held:
            warn(f"{d.host}: {_held(d)}")


def _held(d: DomainOverview) -> str:
    pages = "1 page waits" if d.pages_held == 1 else f"{d.pages_held:,} pages wait"
    return f"{pages} for you to look: omni domains confirm-removals {d.host}"
