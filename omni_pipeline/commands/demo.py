"""`omni demo`: the whole way once, on the bundled site or on a real one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlsplit

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import out, say, warn
from omni_pipeline.commands.prices import show_prices
from omni_pipeline.commands.products import show_products
from omni_pipeline.commands.refresh import run
from omni_pipeline.commands.search import ask, print_answers
from omni_pipeline.domain.crawl.selection import name_part
from omni_pipeline.domain.search.query import Scope, SearchQuestion
from omni_pipeline.sample_site.site_server import SampleServer, read_questions
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.migrations import migrate

# Always the same, so that a second demo finds its domain again.
SAMPLE_PORT = 8377
PAGES_OF_A_REAL_SITE = 25

_SHOP, _MOTOR, _LAMP = "/shop/", "/shop/vent-motor.html", "/shop/frost-lamp.html"


def demo(
    site: Annotated[
        str | None, typer.Option(help="A real site instead of the bundled one.")
    ] = None,
) -> None:
    """Register a site, refresh it, ask it questions, follow its prices, refresh for nothing."""
    if site:
        with open_application(prepare=False) as app:
            host = _show(app, site, _questions_for_any_site(), max_pages=PAGES_OF_A_REAL_SITE)
            show_products(app, host)
            _say_what_next()
        return
    with _sample_site() as server, open_application(prepare=False) as app:
        questions = [sample.question for sample in read_questions()]
        host = _show(app, server.url, questions, max_pages=None)
        show_shop(app, host, server)
        _say_what_next()


@contextmanager
def _sample_site() -> Iterator[SampleServer]:
    """Serve the bundled site on loopback, and let the crawler reach that one address."""
    try:
        server = SampleServer(port=SAMPLE_PORT)
    except OSError:
        warn(f"Port {SAMPLE_PORT} is taken: the sample site gets another, as a domain of its own.")
        server = SampleServer(port=0)
    with server:
        allowed = os.environ.get("OMNI_ALLOW_ADDRESSES", "")
        os.environ["OMNI_ALLOW_ADDRESSES"] = f"{allowed} {urlsplit(server.url).netloc}".strip()
        yield server


def sell_off(server: SampleServer) -> None:
    """Lower a price of the bundled shop, and take a product out of it."""
    server.pages[_MOTOR] = server.read(_MOTOR).replace("129.00", "119.00")
    cards = server.read(_SHOP).splitlines(keepends=True)
    server.pages[_SHOP] = "".join(line for line in cards if _LAMP not in line)
    server.remove(_LAMP)


def bring_back(server: SampleServer) -> None:
    """Have the product on sale again."""
    del server.pages[_LAMP], server.pages[_SHOP]


def _show(app: Application, url: str, questions: list[str], *, max_pages: int | None) -> str:
    """Everything that any site can show; returns its host."""
    app.session.run(migrate)
    app.prepare_schema()
    found, _ = app.find_domain(url)
    _step(f"1. Register {found.start_url}")
    is_new = app.register(
        NewDomain(
            host=found.key, start_url=found.start_url, delay_seconds=0.0 if not max_pages else 0.5
        )
    )
    say(f"{found.key} is {'registered' if is_new else 'registered already'}.")
    _step("2. Refresh it: crawl, clean, chunk, embed, publish")
    run(app, found.key, max_pages=max_pages)
    _step("3. Ask the index")
    for question in questions:
        say(f"\n? {question}")
        asked = SearchQuestion(text=question, scope=Scope(host=found.key), limit=2)
        print_answers(ask(app, asked), question)
    _step("4. Refresh again, every page: nothing changed, so nothing is paid for")
    run(app, found.key, force_rescrape=True, max_pages=max_pages)
    return found.key


def show_shop(app: Application, host: str, server: SampleServer) -> None:
    """Two refreshes of the shop alone, between which it changes."""
    shop = name_part(None, [f"{_SHOP}*"])
    _step("5. A price falls and a product leaves: refresh the shop alone, and look at it")
    sell_off(server)
    run(app, host, force_rescrape=True, part=shop)
    show_products(app, host)
    _step("6. The product is back: it has its history again")
    bring_back(server)
    run(app, host, force_rescrape=True, part=shop)
    show_products(app, host)
    show_prices(app, "Vent motor", host)


def _say_what_next() -> None:
    _step("What next")
    omni = f"{os.path.relpath(os.environ.get('VIRTUAL_ENV', '.venv'))}/bin/omni"
    say(f"{omni} up                                   Dagster's UI on http://127.0.0.1:3000")
    say(f"{omni} refresh https://docs.example.com     your own site")
    say(f'{omni} search "your question"')


def _step(title: str) -> None:
    out.print(f"\n[bold]{title}[/]")


def _questions_for_any_site() -> list[str]:
    return ["How do I get started?", "How do I configure it?", "What should I do when it fails?"]
