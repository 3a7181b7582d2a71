"""`omni cost`: what embedding cost, and what was not paid again, by domain and day."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from typing import Annotated

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import print_json, print_table, say, warn
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Spending, Total, total_of

COLUMNS = ("domain", "day", "requests", "texts", "tokens", "cost", "tokens saved", "saved")


def cost(
    domain: Annotated[str | None, typer.Argument(help="Only this domain.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="So many days, today included.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each domain's embeddings cost and saved, per day (UTC) and in total."""
    with open_application() as app:
        host = app.get_domain(domain).host if domain else None
        spent = app.session.run(lambda conn: token_usage.spent(conn, host, days=days))
    by_domain = {name: list(rows) for name, rows in groupby(spent, key=lambda day: day.host)}
    if as_json:
        totals = {name: total_of(rows) for name, rows in by_domain.items()}
        print_json({"days": spent, "domains": totals, "total": total_of(spent)})
    elif not spent:
        say(f"Nothing was embedded in the last {days:,} days.")
    else:
        print_table(COLUMNS, list(_rows(by_domain, spent)), right=COLUMNS[2:])
        _say_what_is_unknown(total_of(spent))


def _rows(
    by_domain: dict[str, list[Spending]], spent: list[Spending]
) -> Iterable[tuple[object, ...]]:
    for name, of_domain in by_domain.items():
        for day in of_domain:
            yield (name, day.day, *_numbers(total_of([day])))
        if len(of_domain) > 1:
            yield (name, "total", *_numbers(total_of(of_domain)))
    if len(by_domain) > 1:
        yield ("all domains", "total", *_numbers(total_of(spent)))


def _numbers(total: Total) -> tuple[object, ...]:
    return (
        total.requests,
        total.texts,
        total.tokens,
        _money(total.cost_usd),
        total.tokens_reused,
        _money(total.saved_usd),
    )


def _money(dollars: Decimal | None) -> str:
    """To a hundredth of a cent: a domain's day seldom costs a whole one."""
    return "unknown" if dollars is None else f"${dollars:,.4f}"


def _say_what_is_unknown(total: Total) -> None:
    if total.tokens_without_price:
        warn(
            f"The price of {total.tokens_without_price:,} of these tokens is not known: set "
            "OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS, or the two prices of the chat model (0 "
            "where they cost nothing); they hold from then on."
        )
