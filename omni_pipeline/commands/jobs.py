"""`omni jobs`: the ledger of refreshes, for people."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, print_json, say
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.run.progress import describe_seconds
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Job


class Status(StrEnum):
    """How far a job is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class UnknownJobError(PermanentError):
    """The ledger has no such job."""

    kind = "permanent.unknown_job"


class ListsByDefault(TyperGroup):
    """`omni jobs [DOMAIN]` lists; only `show` needs to be said."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names_command = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if names_command else ["list", *args])


app = typer.Typer(cls=ListsByDefault, help="The ledger of refreshes: `omni jobs [DOMAIN]` lists.")


@app.command("list")
def list_jobs(
    domain: Annotated[
        str | None, typer.Argument(help="Only this domain's, removed or not.")
    ] = None,
    status: Annotated[Status | None, typer.Option(help="Only jobs of this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most jobs shown.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List jobs, newest first: how each went, what it did, and why it failed."""
    with open_application() as app:
        host = _host(app, domain) if domain else None
        jobs = app.session.run(
            lambda conn: crawl_jobs.list_jobs(conn, host=host, status=status, limit=limit)
        )
    if as_json:
        print_json(jobs)
        return
    for job in jobs:
        _print_job(job)
    if not jobs:
        say(f"The ledger has no {f'{status} ' if status else ''}job of {host or 'any domain'}.")
    if len(jobs) == limit:
        say(f"There may be older ones: --limit {10 * limit}. One in full: omni jobs show ID")


@app.command()
def show(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="The job's number.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show everything that the ledger has of one job."""
    with open_application() as app:
        job = app.session.run(lambda conn: crawl_jobs.read_job(conn, job_id))
    if job is None:
        raise UnknownJobError(f"There is no job {job_id}: omni jobs lists those there are.")
    if as_json:
        print_json(job)
        return
    width = max(map(len, job))
    for name, value in job.items():
        say(f"{name:<{width}}  {_plain(value)}")


def _host(app: Application, target: str) -> str:
    """The host that a domain or URL names; jobs outlive their domain, so it need not exist."""
    exact = app.session.run(lambda conn: domains.find(conn, target))
    return exact.host if exact else parse_site(target, allowed=app.settings.allow_addresses).key


def _print_job(job: Job) -> None:
    """A few short lines: a table of so many columns fits no terminal."""
    say(f"{job.job_id}  {job.host}  {job.job_type}  {_status(job)}")
    say(f"    {_times(job)}; run {job.run_id or 'of no orchestrator'}")
    say(f"    {_work(job)}")
    if job.error:
        say(f"    {job.error_kind}: {' '.join(job.error.split())}")


def _status(job: Job) -> str:
    if job.beat_age_seconds is not None:
        beat = f"last beat {job.beat_age_seconds:.0f} s ago"
        return f"{job.status} {job.stage or 'at the start'}, {beat}"
    by_whom = {"reaper": ", ended by the reaper", "removal": ", ended by the domain's removal"}
    return f"{job.status}{by_whom.get(job.ended_by or '', '')}"


def _times(job: Job) -> str:
    if job.started_at is None or job.seconds is None:
        return "not started"
    verb = "took" if job.finished_at else "running for"
    return f"started {ago(job.started_at)}, {verb} {describe_seconds(job.seconds)}"


def _work(job: Job) -> str:
    pages = (
        f"{job.pages_discovered:,} pages: {job.pages_changed:,} changed, {job.pages_gone:,} gone, "
        f"{job.pages_failed:,} failed, {job.pages_published:,} published"
    )
    chunks = f"{job.chunks_embedded:,} chunks embedded, {job.chunks_reused:,} reused"
    return f"{pages}; {chunks}; {job.tokens_embedded:,} tokens paid, {job.tokens_reused:,} saved"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S %Z}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else " ".join(str(value).split())
