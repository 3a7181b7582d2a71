"""`omni demo`: the whole way once, on the bundled site or on a real one."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlsplit

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import out, say, warn
from omni_pipeline.commands.products import show_products
from omni_pipeline.commands.refresh import run
from omni_pipeline.commands.search import ask, print_answers
from omni_pipeline.gateways.sample_server import SampleServer, read_questions
from omni_pipeline.store.domains import NewDomain
from omni_pipeline.store.migrations import migrate

# Always the same, so that a second demo finds its domain again.
SAMPLE_PORT = 8377
PAGES_OF_A_REAL_SITE = 25


def demo(
    site: Annotated[
        str | None, typer.Option(help="A real site instead of the bundled one.")
    ] = None,
) -> None:
    """Register a site, refresh it, ask it questions, follow its prices, refresh for nothing."""
    if site:
        with open_application(prepare=False) as app:
            _show(app, site, _questions_for_any_site(), max_pages=PAGES_OF_A_REAL_SITE)
        return
    with _sample_site() as server, open_application(prepare=False) as app:
        questions = [sample.question for sample in read_questions()]
        _show(app, server.url, questions, max_pages=None, change=lambda: _sell_off(server))


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


def _sell_off(server: SampleServer) -> None:
    """Lower a price of the bundled shop, and take a product out of it."""
    motor, lamp = "/shop/vent-motor.html", "/shop/frost-lamp.html"
    server.pages[motor] = server.read(motor).replace("129.00", "119.00")
    cards = server.read("/shop/").splitlines(keepends=True)
    server.pages["/shop/"] = "".join(line for line in cards if lamp not in line)
    server.remove(lamp)


def _show(
    app: Application,
    url: str,
    questions: list[str],
    *,
    max_pages: int | None,
    change: Callable[[], None] | None = None,
) -> None:
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
        print_answers(ask(app, question, host=found.key, most=2))
    _step("4. Refresh again, every page: nothing changed, so nothing is paid for")
    run(app, found.key, force_rescrape=True, max_pages=max_pages)
    if change is not None:
        _step("5. A price falls and a product leaves: refresh, and look at the shop")
        change()
        run(app, found.key, force_rescrape=True)
    show_products(app, found.key)
    _step("What next")
    omni = f"{os.path.relpath(os.environ.get('VIRTUAL_ENV', '.venv'))}/bin/omni"
    say(f"{omni} up                                   Dagster's UI on http://127.0.0.1:3000")
    say(f"{omni} refresh https://docs.example.com     your own site")
    say(f'{omni} search "your question"')


def _step(title: str) -> None:
    out.print(f"\n[bold]{title}[/]")


def _questions_for_any_site() -> list[str]:
    return ["How do I get started?", "How do I configure it?", "What should I do when it fails?"]
