"""`omni domains`: which web sites are kept."""

from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import print_json, print_table, say
from omni_pipeline.store import domains
from omni_pipeline.store.domains import NewDomain

app = typer.Typer(no_args_is_help=True, help="Register, list, pause, resume and remove domains.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A registered domain.")]


@app.command()
def add(
    site: Annotated[str, typer.Argument(help="A host or the URL where crawling starts.")],
    organization: Annotated[str, typer.Option(help="Whose domain it is.")] = "default",
    sitemap: Annotated[bool, typer.Option(help="Read the site's sitemaps.")] = True,
    max_pages: Annotated[int | None, typer.Option(min=1, help="Most URLs of a crawl.")] = None,
    delay: Annotated[
        float, typer.Option(min=0, max=300, help="Seconds between requests to the site.")
    ] = 0.5,
    include: Annotated[
        list[str] | None, typer.Option(help="Only paths like this glob, e.g. '/docs/*'.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="No paths like this glob.")] = None,
) -> None:
    """Register a domain; the daily refresh and the Dagster UI know it from then on."""
    with open_application() as application:
        found, _ = application.find_domain(site)
        is_new = application.register(
            NewDomain(
                host=found.key,
                start_url=found.start_url,
                organization=organization,
                use_sitemap=sitemap,
                page_limit=max_pages,
                delay_seconds=delay,
                include_patterns=tuple(include or ()),
                exclude_patterns=tuple(exclude or ()),
            )
        )
    if is_new:
        say(f"{found.key} is registered. Fill its index with: omni refresh {found.key}")
    else:
        say(f"{found.key} was registered already; nothing changed.")


@app.command("list")
def list_domains(as_json: AsJson = False) -> None:
    """List the registered domains."""
    with open_application() as application:
        overview = application.session.run(domains.overview)
    if as_json:
        print_json(overview)
    elif not overview:
        say("No domain is registered yet: omni domains add https://docs.example.com")
    else:
        print_table(
            ["domain", "status", "organization", "pages", "last success", "start URL"],
            [
                (d.host, d.status, d.organization, d.pages, d.last_success_at, d.start_url)
                for d in overview
            ],
            right=["pages"],
        )


@app.command()
def pause(name: Name) -> None:
    """Stop refreshing a domain; its pages stay searchable."""
    with open_application() as application:
        host = _set_status(application, name, "paused")
    say(f"{host} is paused; its pages stay searchable. Resume with: omni domains resume {host}")


@app.command()
def resume(name: Name) -> None:
    """Refresh a paused domain again."""
    with open_application() as application:
        host = _set_status(application, name, "active")
    say(f"{host} is active.")


def _set_status(application: Application, name: str, status: str) -> str:
    host = application.get_domain(name).host
    application.session.run(lambda conn: domains.set_status(conn, host, status))
    return host


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a domain with all of its pages, chunks and vectors; a refresh in progress ends."""
    with open_application() as application:
        host = application.get_domain(name).host
        if not yes:
            typer.confirm(f"Remove {host} with all of its pages, chunks and vectors?", abort=True)
        ended = application.session.run(lambda conn: domains.remove(conn, host))
        _remove_partition(application, host)
    say(f"{host} is removed." + (f" The refresh in progress (run {ended}) ends." if ended else ""))


def _remove_partition(application: Application, host: str) -> None:
    from omni_pipeline.defs.instance import remove_partition

    remove_partition(application.instance, host)
