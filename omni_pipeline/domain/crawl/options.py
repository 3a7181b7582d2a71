"""The options of a domain's crawl, each written once: its column, its default, how it is said.

A field of ``CrawlOptions`` is a column of the table `domains` under the same name. From its type
and its ``Option`` come the parameter of `omni domains add` and `set`, the line of
`omni domains show`, and the row of the documents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from omni_pipeline.domain.crawl.option_values import (
    as_said,
    currency_or_none,
    globs,
    hosts,
    number_or_none,
)
from omni_pipeline.domain.web.outcomes import Rendering

# An endless site ends here; a site that is larger says so with its page limit.
DEFAULT_PAGE_LIMIT = 5_000
# What the column holds; nobody means more.
MAX_PAGES = 2**31 - 1
MAX_TOKENS = 10**12

CrawlChanges = Mapping[str, object]
"""Values of ``CrawlOptions`` by field: those that are to change."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """How a person says one option and sees it.

    Attributes:
        flag: As it is typed, such as ``--max-pages`` or ``--sitemap/--no-sitemap``.
        help: What it does, in one line.
        metavar: What stands for the value in the command's help; None: its type.
        bounds: Least and greatest value of a number, as the column's check has them.
        parse: Makes the field's value of flag and typed value, or raises a ``SettingsError``.
        label: What `omni domains show` calls it; None when another option's line tells of it.
        describe: The value in that line, which may tell of other options too.
        changes_pages: Pages are to be sent whole once more after a change, since what may be read
            of them is another now.
    """

    flag: str
    help: str
    metavar: str | None = None
    bounds: tuple[float, float] | None = None
    parse: Callable[[str, Any], object] = as_said
    label: str | None = None
    describe: Callable[["CrawlOptions"], str] = str
    changes_pages: bool = False

    @property
    def name(self) -> str:
        """The flag as a name: ``max_pages``."""
        return self.flag.partition("/")[0].removeprefix("--").replace("-", "_")


def _limit(number: int | None, of_what: str) -> str:
    return "no limit" if number is None else f"{number:,} {of_what}"


def _products(options: "CrawlOptions") -> str:
    if not options.has_products:
        return "not read"
    points = ", a point a day" if options.daily_price_points else ""
    return f"read, in {options.default_currency or 'the currency that pages tell'}{points}"


@dataclass(frozen=True, kw_only=True)
class CrawlOptions:
    """How a domain is crawled.

    Attributes:
        page_limit: Most URLs of a crawl; None means no limit.
        render_mode: ``http``, ``browser``, or ``auto``: whichever each page needs.
        delay_seconds: Between the starts of two requests; a robots.txt may ask for more.
        concurrency: Most requests under way at once.
        browser_hosts: Hosts beside the site's own that its pages may load from in a browser.
        daily_token_budget: Most tokens that a day's embeddings may cost; None means no limit.
        has_products: Whether its pages are read for products, prices and the company.
        default_currency: ISO 4217, for prices whose page tells none.
        daily_price_points: Whether an unchanged price gets a snapshot a day.
    """

    use_sitemap: Annotated[
        bool,
        Option(
            flag="--sitemap/--no-sitemap",
            help="Read the site's sitemaps.",
            label="sitemap",
            describe=lambda o: "read" if o.use_sitemap else "not read",
        ),
    ] = True
    page_limit: Annotated[
        int | None,
        Option(
            flag="--max-pages",
            help=f"Most URLs of a crawl; at first {DEFAULT_PAGE_LIMIT:,}.",
            metavar="N|none",
            bounds=(1, MAX_PAGES),
            parse=number_or_none(MAX_PAGES),
            label="page limit",
            describe=lambda o: _limit(o.page_limit, "URLs in a crawl"),
            changes_pages=True,
        ),
    ] = DEFAULT_PAGE_LIMIT
    render_mode: Annotated[
        Rendering,
        Option(
            flag="--render",
            help="Pages as sent, as a browser shows them, or whichever each one needs.",
            label="rendering",
            describe=lambda o: o.render_mode,
            changes_pages=True,
        ),
    ] = "auto"
    delay_seconds: Annotated[
        float,
        Option(
            flag="--delay",
            help="Between two requests to the site.",
            metavar="SECONDS",
            bounds=(0, 300),
            label="delay",
            describe=lambda o: (
                f"{o.delay_seconds:g} s between requests, or what robots.txt asks for"
            ),
        ),
    ] = 0.5
    concurrency: Annotated[
        int,
        Option(
            flag="--concurrency",
            help="Most requests under way at once.",
            metavar="N",
            bounds=(1, 16),
            label="concurrency",
            describe=lambda o: f"at most {o.concurrency} requests at once",
        ),
    ] = 4
    include_patterns: Annotated[
        Sequence[str],
        Option(
            flag="--include",
            help="Only paths like '/docs/*'; '' for all. Repeatable.",
            metavar="GLOB",
            parse=globs,
            label="include",
            describe=lambda o: "  ".join(o.include_patterns) or "every path",
            changes_pages=True,
        ),
    ] = ()
    exclude_patterns: Annotated[
        Sequence[str],
        Option(
            flag="--exclude",
            help="No paths like this; '' for none. Repeatable.",
            metavar="GLOB",
            parse=globs,
            label="exclude",
            describe=lambda o: "  ".join(o.exclude_patterns) or "none",
            changes_pages=True,
        ),
    ] = ()
    browser_hosts: Annotated[
        Sequence[str],
        Option(
            flag="--browser-host",
            help="Another host that pages may load from in a browser; '' for none. Repeatable.",
            metavar="HOST",
            parse=hosts,
            label="browser hosts",
            describe=lambda o: "  ".join(o.browser_hosts) or "only the site's own",
        ),
    ] = ()
    daily_token_budget: Annotated[
        int | None,
        Option(
            flag="--daily-token-budget",
            help="Most tokens a day for this domain's embeddings.",
            metavar="N|none",
            bounds=(1, MAX_TOKENS),
            parse=number_or_none(MAX_TOKENS),
            label="token budget",
            describe=lambda o: _limit(o.daily_token_budget, "tokens a day"),
        ),
    ] = None
    has_products: Annotated[
        bool,
        Option(
            flag="--products/--no-products",
            help="Read pages for products and prices.",
            label="products",
            describe=_products,
        ),
    ] = True
    default_currency: Annotated[
        str | None,
        Option(
            flag="--currency",
            help="Of prices whose page tells no currency, such as EUR.",
            metavar="ISO|none",
            parse=currency_or_none,
        ),
    ] = None
    daily_price_points: Annotated[
        bool,
        Option(
            flag="--daily-prices/--no-daily-prices",
            help="A point a day for unchanged prices.",
        ),
    ] = False


_HINTS = get_type_hints(CrawlOptions, include_extras=True)

OPTIONS: Mapping[str, Option] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}
"""Every option by the name of its field, which is its column."""


def typed_as(column: str) -> Any:
    """What the command line makes of an option's text: its type, or a text that may say "none"."""
    kind = _HINTS[column].__origin__
    if type(None) in get_args(kind):
        return str
    return list[str] if kind == Sequence[str] else kind


def describe_options(options: CrawlOptions) -> Iterator[tuple[str, str]]:
    """Label and value of each line that tells of a domain's options."""
    for option in OPTIONS.values():
        if option.label is not None:
            yield option.label, option.describe(options)


@dataclass(frozen=True, kw_only=True)
class OptionRow:
    """A row of the documents' table of options."""

    flag: str
    values: str
    default: str
    meaning: str
    column: str


def document_options() -> list[OptionRow]:
    """The options as the documents list them, in the order of the command's help."""
    return [
        OptionRow(
            flag=option.flag,
            values=_values(column),
            default=_default(getattr(CrawlOptions, column)),
            meaning=option.help,
            column=column,
        )
        for column, option in OPTIONS.items()
    ]


def _values(column: str) -> str:
    option, kind = OPTIONS[column], typed_as(column)
    words = option.metavar or ("yes, no" if kind is bool else ", ".join(get_args(kind)))
    return words if option.bounds is None else "{}, {:,} to {:,}".format(words, *option.bounds)


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, ()) else str(value)
