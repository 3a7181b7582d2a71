"""`omni domains`: which web sites are kept, and how they are crawled."""

from itertools import islice
from operator import itemgetter
from typing import Annotated, Any

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import ago, print_json, print_table, say
from omni_pipeline.commands.domain_options import with_crawl_options
from omni_pipeline.domain.crawl.options import CrawlChanges, describe_options
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.crawl.held_pages import HeldPage
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import Domain, NewDomain

app = typer.Typer(
    no_args_is_help=True, help="Register, list, show, change, pause, resume and remove domains."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DomainName = Annotated[str, typer.Argument(help="A registered domain.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

EXAMPLES_OF_HELD = 5
MAX_HELD_READ = 100_000

# What became of a page that is held, in words for the reasons of the store.
LOSSES = {
    "missing": "answered 404 or 410",
    "moved": "redirect to another page",
    "soft_404": 'show the site\'s "not found" page',
    "noindex": "ask not to be indexed",
    "duplicate": "are copies of another page",
    "excluded": "are excluded by this domain's patterns",
    "shrunk": "lost most of their text",
}


@app.command()
@with_crawl_options
def add(
    site: Annotated[str, typer.Argument(help="A host or the URL where crawling starts.")],
    organization: Annotated[str, typer.Option(help="Whose domain it is.")] = "default",
    *,
    options: dict[str, Any],
) -> None:
    """Register a domain; the daily refresh and the Dagster UI know it from then on."""
    with open_application() as application:
        found, _ = application.find_domain(site)
        is_new = application.register(
            NewDomain(
                host=found.key,
                start_url=found.start_url,
                organization=organization,
                **options,
            )
        )
    if is_new:
        say(f"{found.key} is registered. Fill its index with: omni refresh {found.key}")
    else:
        say(f"{found.key} was registered already; nothing changed.")
        say(f"Change it with: omni domains set {found.key} --help")


@app.command("set")
@with_crawl_options
def configure(
    name: DomainName,
    start_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where crawling starts.")
    ] = None,
    *,
    options: CrawlChanges,
) -> None:
    """Change how a domain is crawled, from its next refresh on."""
    with open_application() as application:
        host = application.get_domain(name).host
        start = None if start_url is None else _start_url(application, host, start_url)
        if not options and start is None:
            raise SettingsError(
                f"Nothing was named that should change of {host}: `omni domains set --help` lists "
                f"what can be, and `omni domains show {host}` what is."
            )
        application.session.run(
            lambda conn: domains.configure(conn, host, options, start_url=start)
        )
        domain = application.session.run(lambda conn: domains.get(conn, host))
    _print_domain(domain)
    say(f"The next refresh goes by it: omni refresh {host}")


def _start_url(application: Application, host: str, text: str) -> str:
    site = parse_site(text, allowed=application.settings.allow_addresses)
    if site.key != host:
        raise SettingsError(
            f"--start-url {text!r} is on {site.key}, and this domain is {host}: register the other "
            f"site with `omni domains add {text}`."
        )
    return site.start_url


@app.command()
def show(name: DomainName, as_json: AsJson = False) -> None:
    """Show how a domain is crawled."""
    with open_application() as application:
        domain = application.get_domain(name)
    if as_json:
        print_json(domain)
    else:
        _print_domain(domain)


def _print_domain(d: Domain) -> None:
    say(d.host)
    for label, value in (
        ("status", d.status),
        ("organization", d.organization),
        ("start URL", d.start_url),
        *describe_options(d),
        ("last success", "never" if d.last_success_at is None else ago(d.last_success_at)),
    ):
        say(f"  {label:<14} {value}")
    if d.moved_to:
        say(f"  moved to       {d.moved_to}: register that site with `omni domains add`")


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
def pause(name: DomainName) -> None:
    """Stop refreshing a domain; its pages stay searchable."""
    with open_application() as application:
        host = _set_status(application, name, "paused")
    say(f"{host} is paused; its pages stay searchable. Resume with: omni domains resume {host}")


@app.command()
def resume(name: DomainName) -> None:
    """Refresh a paused domain again."""
    with open_application() as application:
        host = _set_status(application, name, "active")
    say(f"{host} is active.")


def _set_status(application: Application, name: str, status: str) -> str:
    host = application.get_domain(name).host
    application.session.run(lambda conn: domains.set_status(conn, host, status))
    return host


@app.command("confirm-removals")
def confirm_removals(name: DomainName, yes: Yes = False) -> None:
    """Believe that what a domain lost, too much at once to be believed, is really gone."""
    with open_application() as application:
        domain = application.get_domain(name)
        counts = application.session.run(lambda conn: held_pages.count_unconfirmed(conn, domain.id))
        held = application.session.run(
            lambda conn: held_pages.list_held(conn, domain.id, limit=MAX_HELD_READ)
        )
        if counts:
            _print_held(domain.host, counts, held)
            if not yes:
                typer.confirm("Is this right, and may it be so in the index?", abort=True)
            application.session.run(lambda conn: held_pages.confirm(conn, domain.id))
    if counts:
        say(f"Confirmed. The next refresh believes it: omni refresh {domain.host}")
    elif held:
        say(f"All that is held of {domain.host} is confirmed: omni refresh {domain.host}")
    else:
        say(f"Nothing of {domain.host} is held: every page it lost has left the index.")


def _print_held(host: str, counts: dict[str, int], held: list[HeldPage]) -> None:
    total = sum(counts.values())
    say(f"{total:,} pages of {host} are held: search still answers from their old text.")
    for reason, count in sorted(counts.items(), key=itemgetter(1), reverse=True):
        say(f"  {count:,} {LOSSES.get(reason, reason)}, such as")
        examples = (page.url for page in held if page.reason == reason)
        for url in islice(examples, EXAMPLES_OF_HELD):
            say(f"    {url}")


@app.command()
def remove(name: DomainName, yes: Yes = False) -> None:
    """Remove a domain with all of its pages, chunks and vectors; a refresh in progress ends."""
    with open_application() as application:
        host = application.get_domain(name).host
        if not yes:
            typer.confirm(f"Remove {host} with all of its pages, chunks and vectors?", abort=True)
        ended = application.session.run(lambda conn: domains.remove(conn, host))
        _remove_partition(application, host)
    say(f"{host} is removed." + (f" The refresh in progress (run {ended}) ends." if ended else ""))


def _remove_partition(application: Application, host: str) -> None:
    from omni_pipeline.defs.instance.environment import remove_partition

    remove_partition(application.instance, host)
