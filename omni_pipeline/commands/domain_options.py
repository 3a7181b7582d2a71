"""What a person may say of how a domain is crawled: options, and the rules they keep."""

from enum import StrEnum
from typing import Annotated

import typer

from omni_pipeline.domain.prices.currencies import iso_code
from omni_pipeline.domain.web.hosts import BadHostError, canonical_host
from omni_pipeline.errors import SettingsError
from omni_pipeline.store.jobs.domains import DEFAULT_PAGE_LIMIT, CrawlOptions

UNLIMITED = "none"
# What the column holds; nobody means more.
MAX_PAGES = 2**31 - 1
MAX_TOKENS = 10**12
# Patterns are matched with path and query, which begin with a slash.
_STARTS_OF_PATTERNS = ("/", "*", "?", "[")


class RenderMode(StrEnum):
    """As ``domain.outcomes.Rendering``."""

    HTTP = "http"
    BROWSER = "browser"
    AUTO = "auto"


MaxPages = Annotated[
    str | None,
    typer.Option(metavar="N|none", help=f"Most URLs of a crawl; at first {DEFAULT_PAGE_LIMIT:,}."),
]
Render = Annotated[
    RenderMode | None,
    typer.Option(help="Pages as sent, as a browser shows them, or whichever each one needs."),
]
Delay = Annotated[
    float | None,
    typer.Option(min=0, max=300, metavar="SECONDS", help="Between two requests to the site."),
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, max=16, metavar="N", help="Most requests under way at once.")
]
SitemapOption = Annotated[
    bool | None, typer.Option("--sitemap/--no-sitemap", help="Read the site's sitemaps.")
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Only paths like '/docs/*'; '' for all. Repeatable."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="No paths like this; '' for none. Repeatable."),
]
BrowserHosts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST",
        help="Another host that pages may load from in a browser; '' for none. Repeatable.",
    ),
]
DailyTokenBudget = Annotated[
    str | None,
    typer.Option(metavar="N|none", help="Most tokens a day for this domain's embeddings."),
]
Products = Annotated[
    bool | None,
    typer.Option("--products/--no-products", help="Read pages for products and prices."),
]
Currency = Annotated[
    str | None,
    typer.Option(metavar="ISO|none", help="Of prices whose page tells no currency, such as EUR."),
]
DailyPrices = Annotated[
    bool | None,
    typer.Option("--daily-prices/--no-daily-prices", help="A point a day for unchanged prices."),
]


def read_options(  # noqa: PLR0913 - an option is a parameter
    *,
    max_pages: str | None,
    render: RenderMode | None,
    delay: float | None,
    concurrency: int | None,
    sitemap: bool | None,
    include: list[str] | None,
    exclude: list[str] | None,
    browser_hosts: list[str] | None,
    daily_token_budget: str | None,
    products: bool | None = None,
    currency: str | None = None,
    daily_prices: bool | None = None,
) -> CrawlOptions:
    """Those that were given. A list replaces the old one, and one empty value empties it.

    Raises:
        SettingsError: A value breaks its rule; the message names option, value, rule and remedy.
    """
    options: CrawlOptions = {}
    if max_pages is not None:
        options["page_limit"] = _number_or_none("--max-pages", max_pages, limit=MAX_PAGES)
    if render is not None:
        options["render_mode"] = render.value
    if delay is not None:
        options["delay_seconds"] = delay
    if concurrency is not None:
        options["concurrency"] = concurrency
    if sitemap is not None:
        options["use_sitemap"] = sitemap
    if include is not None:
        options["include_patterns"] = _patterns("--include", include)
    if exclude is not None:
        options["exclude_patterns"] = _patterns("--exclude", exclude)
    if browser_hosts is not None:
        options["browser_hosts"] = _hosts(browser_hosts)
    if daily_token_budget is not None:
        options["daily_token_budget"] = _number_or_none(
            "--daily-token-budget", daily_token_budget, limit=MAX_TOKENS
        )
    return options | _product_options(products, currency, daily_prices)


def _product_options(
    products: bool | None, currency: str | None, daily_prices: bool | None
) -> CrawlOptions:
    options: CrawlOptions = {}
    if products is not None:
        options["has_products"] = products
    if currency is not None:
        options["default_currency"] = _currency_or_none(currency)
    if daily_prices is not None:
        options["daily_price_points"] = daily_prices
    return options


def _number_or_none(option: str, text: str, *, limit: int) -> int | None:
    if text.lower() == UNLIMITED:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= limit:
        raise SettingsError(
            f"{option} {text!r} is neither a whole number from 1 to {limit:,} nor {UNLIMITED!r}: "
            f"give, for example, {option} 20000, or {option} {UNLIMITED} for no limit."
        )
    return int(text)


def _currency_or_none(text: str) -> str | None:
    if text.lower() == UNLIMITED:
        return None
    code = iso_code(text)
    if code is None:
        raise SettingsError(
            f"--currency {text!r} is no currency of ISO 4217: give its three letters, such as EUR, "
            f"or {UNLIMITED} to take it back."
        )
    return code


def _patterns(option: str, patterns: list[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(filter(None, patterns)))
    for pattern in wanted:
        if not pattern.startswith(_STARTS_OF_PATTERNS):
            raise SettingsError(
                f"{option} {pattern!r} would match nothing: globs are matched with the whole path "
                f"and query, which begin with a slash. Write '/{pattern}' or '*{pattern}'."
            )
    return wanted


def _hosts(hosts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_host(host) for host in hosts if host))


def _host(text: str) -> str:
    try:
        return canonical_host(text.strip())
    except BadHostError as error:
        is_more = "/" in text or text.count(":") == 1
        rule = "is more than a host" if is_more else str(error)
        raise SettingsError(
            f"--browser-host {text!r} {rule}. Give a host alone, such as cdn.example.com."
        ) from error
