"""`omni refresh`: one domain, from web site to searchable index."""

from typing import TYPE_CHECKING, Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import print_counts, print_json, say, warn
from omni_pipeline.commands.progress_bars import progress_bars
from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection, name_part
from omni_pipeline.errors import PermanentError, UnknownDomainError
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain

if TYPE_CHECKING:
    from omni_pipeline.defs.runs.launch import RefreshReports
    from omni_pipeline.steps.text.cleaned_pages import CleanedPagesReport


class RefreshFailedError(PermanentError):
    """The run ended as failed; the message is its reason."""


def refresh(
    target: Annotated[str, typer.Argument(help="A registered domain, or the URL of a site.")],
    force_rescrape: Annotated[
        bool, typer.Option(help="Fetch every page, however recently it was checked.")
    ] = False,
    force_reembed: Annotated[
        bool, typer.Option(help="Pay again for every vector, also of unchanged chunks.")
    ] = False,
    max_pages: Annotated[int | None, typer.Option(min=1, help="Most URLs of this crawl.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only pages whose path matches, such as '/shop/*'; may be repeated.",
        ),
    ] = None,
    job_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Only known pages that list products (category), show one (product), or both "
            "(distributor).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Crawl, clean, chunk, embed and publish one domain, as a Dagster run in this process.

    A URL that is not registered is registered first; a bare host must be registered. A refresh of
    a part leaves all other pages and products as they are, and its domain as stale as it was.
    """
    part = name_part(job_type, only or ())
    with open_application() as app:
        outcome = run(
            app,
            _host(app, target),
            force_rescrape=force_rescrape,
            force_reembed=force_reembed,
            max_pages=max_pages,
            part=part,
            is_quiet=as_json,
        )
        if as_json:
            print_json(outcome)


def _host(app: Application, target: str) -> str:
    site, domain = app.find_domain(target)
    if domain is None and "://" not in target:
        raise UnknownDomainError(domains.unknown(site.key))
    if domain is None:
        app.register(NewDomain(host=site.key, start_url=site.start_url))
    return site.key


def run(
    app: Application,
    host: str,
    *,
    force_rescrape: bool = False,
    force_reembed: bool = False,
    max_pages: int | None = None,
    part: CrawlSelection = WHOLE_SITE,
    is_quiet: bool = False,
) -> dict[str, object]:
    """Refresh a registered domain with bars on a terminal, and print its report.

    Raises:
        RefreshFailedError: The run failed; the message is its reason.
    """
    from omni_pipeline.definitions import defs
    from omni_pipeline.defs.instance.environment import add_partition
    from omni_pipeline.defs.runs.launch import run_refresh

    add_partition(app.instance, host)
    with progress_bars(is_quiet=is_quiet) as listener:
        outcome = run_refresh(
            defs.resolve_job_def("refresh_domain"),
            app.instance,
            host,
            force_rescrape=force_rescrape,
            force_reembed=force_reembed,
            max_pages=max_pages,
            part=part,
            listener=listener,
        )
    if outcome.reports is None:
        raise RefreshFailedError(str(outcome.error))
    if not is_quiet:
        _print_report(host, outcome.reports)
    return {"domain": host, "run_id": outcome.run_id, **outcome.metadata}


def _print_report(host: str, reports: "RefreshReports") -> None:
    crawled, embedded = reports.raw_pages, reports.embeddings
    say(f"{host} is refreshed.")
    print_counts(
        {
            "URLs discovered": crawled.pages_discovered,
            "pages new or changed": reports.cleaned_pages.pages_changed,
            "pages unchanged": crawled.pages_unchanged,
            "URLs skipped (recent, redirected, not HTML or disallowed)": crawled.pages_skipped,
            "URLs gone": crawled.pages_gone,
            "pages published": embedded.pages_published,
            "chunks embedded": embedded.chunks_embedded,
            "chunks whose vectors were reused": embedded.chunks_reused,
            "tokens embedded": embedded.tokens_embedded,
            "embeddings live": embedded.embeddings_live,
        }
    )
    if reports.products.products_listed:
        print_counts(
            {
                "products listed": reports.products.products_listed,
                "prices new or changed": reports.price_snapshots.prices_added,
            }
        )
    _print_changes(reports.cleaned_pages)
    _print_trouble(host, reports)


def _print_changes(cleaned: "CleanedPagesReport") -> None:
    """What is new, changed and gone; the step made the lines fit for a terminal."""
    for line in cleaned.changes:
        say(f"  {line}")


def _print_trouble(host: str, reports: "RefreshReports") -> None:
    stages = (reports.raw_pages, reports.cleaned_pages, reports.chunks, reports.embeddings)
    failed = sum(stage.pages_failed for stage in (*stages, reports.products))
    if failed:
        warn(f"{failed} pages failed and are tried again later: omni failed {host}")
    if held := reports.products.products_held:
        warn(f"{held} products vanished at once and are held: see omni products {host}")
    for note in (*reports.raw_pages.notes, *reports.embeddings.notes):
        warn(note)
