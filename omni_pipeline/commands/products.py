"""`omni products`: what a domain sells, at which price, and who runs it."""

import re
import sys
from dataclasses import asdict, fields
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import print_json, print_table, say, warn, write_csv
from omni_pipeline.domain.companies.profile import Company
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.catalogue import companies
from omni_pipeline.store.catalogue import products as stored
from omni_pipeline.store.catalogue.products import StoredProduct

MAX_SHOWN = 200

_AGE = re.compile(r"([0-9]{1,5})\s?(min|h|d|w)")
_SECONDS = {"min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def products(
    domain: Annotated[str, typer.Argument(help="A registered domain.")],
    changed_since: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Only new, gone or of another price since: 24h, 7d, 4w."),
    ] = None,
    confirm_delistings: Annotated[
        bool,
        typer.Option("--confirm-delistings", help="Believe that products held back are gone."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
) -> None:
    """List a domain's products with their newest prices."""
    seconds = None if changed_since is None else read_age(changed_since)
    with open_application() as app:
        found = app.get_domain(domain)
        if confirm_delistings:
            confirmed = app.session.run(lambda conn: stored.confirm_vanished(conn, found.id))
            say(f"{confirmed:,} products are confirmed as gone: omni refresh {found.host}")
            return
        listed = app.session.run(
            lambda conn: stored.list_products(conn, found.id, changed_within_seconds=seconds)
        )
        company = app.session.run(lambda conn: companies.find(conn, found.id))
    if as_json:
        profile = company and companies.as_json(company)
        print_json({"domain": found.host, "company": profile, "products": listed})
    elif as_csv:
        columns = [field.name for field in fields(StoredProduct)]
        write_csv(sys.stdout, columns, (asdict(product) for product in listed))
    else:
        _print_company(company)
        _print_products(listed, found.host)


def show_products(app: Application, host: str) -> None:
    """A domain's products as a table; nothing where it has none."""
    domain = app.get_domain(host)
    listed = app.session.run(lambda conn: stored.list_products(conn, domain.id))
    if listed:
        _print_products(listed, host)


def read_age(text: str, *, option: str = "--changed-since") -> int:
    """Seconds of ``30min``, ``24h``, ``7d``, ``4w``.

    Raises:
        SettingsError: It is none of these.
    """
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise SettingsError(
            f"{option} {text!r} is no age: give a number with min, h, d or w, such as 7d."
        )
    return int(match[1]) * _SECONDS[match[2]]


def _print_company(company: Company | None) -> None:
    if company is None:
        return
    facts = (company.name, company.address, company.email, company.phone, company.vat_number)
    say("  ".join(fact for fact in facts if fact))
    say("")


def _print_products(listed: list[StoredProduct], host: str) -> None:
    if not listed:
        say(f"No products of {host} to show: they come with its refreshes, omni refresh {host}")
        return
    print_table(
        ["product", "name", "price", "availability", "changed"],
        [
            (
                str(one.product_id),
                one.name,
                price_text(one),
                _state(one),
                one.price_changed_at,
            )
            for one in listed[:MAX_SHOWN]
        ],
        right=["price"],
    )
    if len(listed) > MAX_SHOWN:
        say(f"… and {len(listed) - MAX_SHOWN:,} more: omni products {host} --json")
    if any(one.vanished_at for one in listed):
        warn(
            "So many products vanished at once that they stay listed until you confirm it: "
            f"omni products {host} --confirm-delistings"
        )
    for one in listed:
        if one.held_price_amount is not None:
            warn(
                f"{one.name}: {one.held_price_currency or ''} {one.held_price_amount} is too far "
                "from its last price to be believed before it is seen again."
            )


def _state(one: StoredProduct) -> str | None:
    if one.vanished_at is not None:
        return "vanished, held"
    return one.current_availability if one.status == "listed" else one.status


def price_text(one: StoredProduct) -> str:
    """``from 24.00 EUR``, ``on request``, or a dash."""
    if one.current_price_kind == "on_request":
        return "on request"
    if one.current_price_amount is None:
        return "-"
    before = "from " if one.current_price_kind in ("from", "range") else ""
    return f"{before}{one.current_price_amount:,} {one.current_price_currency or ''}".rstrip()
