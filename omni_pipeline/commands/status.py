"""`omni status`: every domain at one look, or one domain with its open failures."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import ago, print_json, print_table, say
from omni_pipeline.store import domains, failed_pages
from omni_pipeline.store.domains import DomainOverview

MOST_FAILURES = 20


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
        failures = (
            app.session.run(lambda conn: failed_pages.list_open(conn, found.id)) if found else []
        )
        if as_json:
            print_json({"domains": overview, "open_failures": failures} if found else overview)
            return
    if not overview:
        say("No domain is registered yet: omni domains add https://docs.example.com")
        return
    _print_overview(overview)
    if found:
        _print_detail(overview[0], failures)


def _print_overview(overview: list[DomainOverview]) -> None:
    print_table(
        ["domain", "status", "last success", "pages", "chunks", "failures", "tokens today", "job"],
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
    if d.job_status and d.job_finished_at:
        return f"{d.job_status} {ago(d.job_finished_at)}"
    return d.job_status or "none yet"


def _print_detail(d: DomainOverview, failures: list[failed_pages.OpenFailure]) -> None:
    say("")
    say(f"start URL    {d.start_url}")
    say(f"newest job   {d.job_id or '-'} (run {d.job_run_id or '-'})")
    if d.job_error:
        say(f"job error    {d.job_error}")
    if not failures:
        return
    say("")
    print_table(
        ["stage", "attempts", "failed", "url", "reason"],
        [(f.stage, f.attempts, f.last_failed_at, f.url, f.error) for f in failures[:MOST_FAILURES]],
        right=["attempts"],
    )
    if len(failures) > MOST_FAILURES:
        say(f"… and {len(failures) - MOST_FAILURES} more: omni status {d.host} --json")
