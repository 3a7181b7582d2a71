"""The registered web sites: one row is one Dagster partition."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from psycopg import Connection
from psycopg.types.json import Jsonb

from omni_pipeline.domain.web.outcomes import Rendering
from omni_pipeline.errors import SettingsError, UnknownDomainError
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)

# An endless site ends here; a site that is larger says so with its page limit.
DEFAULT_PAGE_LIMIT = 5_000


@dataclass(frozen=True, kw_only=True)
class NewDomain:
    """A domain to register; ``host`` is its partition key and has passed the host grammar.

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

    host: str
    start_url: str
    organization: str = "default"
    use_sitemap: bool = True
    page_limit: int | None = DEFAULT_PAGE_LIMIT
    render_mode: Rendering = "auto"
    delay_seconds: float = 0.5
    concurrency: int = 4
    include_patterns: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    browser_hosts: tuple[str, ...] = ()
    daily_token_budget: int | None = None
    has_products: bool = True
    default_currency: str | None = None
    daily_price_points: bool = False


class CrawlOptions(TypedDict, total=False):
    """How a domain is crawled, as far as it is said; see ``NewDomain``."""

    use_sitemap: bool
    page_limit: int | None
    render_mode: Rendering
    delay_seconds: float
    concurrency: int
    include_patterns: tuple[str, ...]
    exclude_patterns: tuple[str, ...]
    browser_hosts: tuple[str, ...]
    daily_token_budget: int | None
    has_products: bool
    default_currency: str | None
    daily_price_points: bool


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A registered domain with its crawl configuration."""

    id: int
    organization_id: int
    organization: str
    host: str
    start_url: str
    status: str
    use_sitemap: bool
    page_limit: int | None
    render_mode: Rendering
    delay_seconds: float
    concurrency: int
    include_patterns: list[str]
    exclude_patterns: list[str]
    browser_hosts: list[str]
    daily_token_budget: int | None
    has_products: bool
    default_currency: str | None
    daily_price_points: bool
    moved_to: str | None
    last_success_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DomainOverview:
    """A domain at one look: what is live, what is open, and its newest job.

    Attributes:
        products_held: Vanished, so many at once that a person has to confirm it.
        prices_held: Moved too far to be believed before a second look.
        cost_usd_today: None where the price of some of the tokens is unknown.
    """

    host: str
    status: str
    organization: str
    start_url: str
    last_success_at: datetime | None
    pages: int
    chunks: int
    open_failures: int
    pages_held: int
    products_held: int
    prices_held: int
    tokens_today: int
    cost_usd_today: float | None
    job_id: int | None
    job_status: str | None
    job_stage: str | None
    job_run_id: str | None
    job_error: str | None
    job_started_at: datetime | None
    job_finished_at: datetime | None
    pages_discovered: int | None
    pages_changed: int | None
    pages_unchanged: int | None
    pages_gone: int | None
    pages_failed: int | None
    chunks_embedded: int | None
    beat_age_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class StaleDomain:
    """A domain and the hours since its last success, or since it was registered."""

    host: str
    last_success_at: datetime | None
    hours: float


def add(conn: Connection, domain: NewDomain) -> bool:
    """Register a domain; False means that it is registered already, and nothing changed.

    Raises:
        SettingsError: Its organization does not exist.
    """
    if not conn.execute(_SQL["has_organization"], {"organization": domain.organization}).rowcount:
        raise SettingsError(
            f"{domain.host} was not registered: there is no organization {domain.organization!r}."
        )
    parameters = {
        **vars(domain),
        "include_patterns": list(domain.include_patterns),
        "exclude_patterns": list(domain.exclude_patterns),
        "browser_hosts": list(domain.browser_hosts),
    }
    return bool(conn.execute(_SQL["add"], parameters).rowcount)


def find(conn: Connection, host: str) -> Domain | None:
    """The domain of that host, or None."""
    return fetch_one(conn, _SQL["find"], {"host": host}, Domain)


def get(conn: Connection, host: str) -> Domain:
    """The domain of that host.

    Raises:
        UnknownDomainError: It is not registered.
    """
    if (domain := find(conn, host)) is None:
        raise UnknownDomainError(unknown(host))
    return domain


def unknown(host: str) -> str:
    """What to say of a host that is not registered."""
    return (
        f"{host!r} is not a registered domain. Register it with: omni domains add {host} "
        "(omni domains list shows the registered ones)."
    )


def list_hosts(conn: Connection, *, only_active: bool = False) -> list[str]:
    """The hosts of all domains, or of the active ones, sorted."""
    return [host for (host,) in conn.execute(_SQL["active_hosts" if only_active else "hosts"])]


def list_stale(conn: Connection, *, limit_hours: float) -> list[StaleDomain]:
    """The active domains without a success in the last ``limit_hours``, the oldest first."""
    return fetch_all(conn, _SQL["list_stale"], {"limit_hours": limit_hours}, StaleDomain)


def set_status(conn: Connection, host: str, status: str) -> None:
    """Make the domain ``active`` or ``paused``.

    Raises:
        UnknownDomainError: It is not registered.
    """
    if not conn.execute(_SQL["set_status"], {"host": host, "status": status}).rowcount:
        raise UnknownDomainError(unknown(host))


def configure(
    conn: Connection, host: str, options: CrawlOptions, *, start_url: str | None = None
) -> None:
    """Change those parts of a domain's configuration that are named; the next refresh goes by it.

    Raises:
        UnknownDomainError: It is not registered.
    """
    changes = {**options} | ({} if start_url is None else {"start_url": start_url})
    if not conn.execute(_SQL["configure"], {"host": host, "changes": Jsonb(changes)}).rowcount:
        raise UnknownDomainError(unknown(host))
    if changes.keys() & {"include_patterns", "exclude_patterns", "page_limit", "render_mode"}:
        conn.execute(_SQL["forget_validators"], {"host": host})


def note_start_url(conn: Connection, claim: Claim, start_url: str) -> None:
    """The site answers under another spelling of its address: crawls start there from now on."""
    parameters = {"domain_id": claim.domain_id, "start_url": start_url}
    conn.execute(_SQL["note_start_url"], parameters)


def note_move(conn: Connection, claim: Claim, moved_to: str | None) -> None:
    """Note where the site says that it has gone, or that it is back."""
    conn.execute(_SQL["note_move"], {"domain_id": claim.domain_id, "moved_to": moved_to})


def remove(conn: Connection, host: str) -> str | None:
    """Remove the domain with all of its pages; returns the Dagster run id that this ended, if any.

    A refresh in progress is not waited for: its fence is raised first, so that it stops at its next
    write, and its job row says why.

    Raises:
        UnknownDomainError: It is not registered.
    """
    with conn.transaction():
        ended = conn.execute(_SQL["end_running_job"], {"host": host}).fetchone()
        if not conn.execute(_SQL["remove"], {"host": host}).rowcount:
            raise UnknownDomainError(unknown(host))
    return ended[0] if ended else None


def overview(conn: Connection, host: str | None = None) -> list[DomainOverview]:
    """Every domain, or the one of ``host``, with its numbers and its newest job."""
    return fetch_all(conn, _SQL["overview"], {"host": host}, DomainOverview)
