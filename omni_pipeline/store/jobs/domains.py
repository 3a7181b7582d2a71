"""The registered web sites: one row is one Dagster partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from omni_pipeline.domain.crawl.options import OPTIONS, CrawlChanges, CrawlOptions
from omni_pipeline.errors import SettingsError, UnknownDomainError
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one, pick

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class NewDomain(CrawlOptions):
    """A domain to register; ``host`` is its partition key and has passed the host grammar."""

    host: str
    start_url: str
    organization: str = "default"


@dataclass(frozen=True, kw_only=True)
class Domain(CrawlOptions):
    """A registered domain with its crawl configuration."""

    id: int
    organization_id: int
    organization: str
    host: str
    start_url: str
    status: str
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
    columns = {n: v for n, v in vars(domain).items() if n != "organization"}
    insert = sql.SQL(
        "INSERT INTO domains (organization_id, {columns})"
        " SELECT id, {values} FROM organizations WHERE name = {organization}"
        " ON CONFLICT (host) DO NOTHING"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(map(sql.Placeholder, columns)),
        organization=sql.Placeholder("organization"),
    )
    return bool(conn.execute(insert, _parameters(vars(domain))).rowcount)


def _parameters(values: Mapping[str, object]) -> dict[str, object]:
    """As Postgres takes them: a tuple would be a row, a list is an array."""
    return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}


def find(conn: Connection, host: str) -> Domain | None:
    """The domain of that host, or None."""
    return fetch_one(conn, pick(_SQL["find"], Domain), {"host": host}, Domain)


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
    conn: Connection, host: str, changes: CrawlChanges, *, start_url: str | None = None
) -> None:
    """Change those parts of a domain's configuration that are named; the next refresh goes by it.

    Raises:
        UnknownDomainError: It is not registered.
        KeyError: A change names no crawl option.
    """
    changes_pages = [OPTIONS[name].changes_pages for name in changes]
    # The host stays as it is: it makes a statement of no change at all, too.
    columns = {**changes, "host": host} | ({} if start_url is None else {"start_url": start_url})
    update = sql.SQL("UPDATE domains SET {assignments} WHERE host = {host}").format(
        assignments=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in columns
        ),
        host=sql.Placeholder("host"),
    )
    if not conn.execute(update, _parameters(columns)).rowcount:
        raise UnknownDomainError(unknown(host))
    if any(changes_pages):
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

    What was paid for its texts is kept for a while (``embeddings.KEPT_DAYS``).

    A refresh in progress is not waited for: its fence is raised first, so that it stops at its next
    write, and its job row says why.

    Raises:
        UnknownDomainError: It is not registered.
    """
    with conn.transaction():
        ended = conn.execute(_SQL["end_running_job"], {"host": host}).fetchone()
        conn.execute(_SQL["keep_vectors"], {"host": host})
        if not conn.execute(_SQL["remove"], {"host": host}).rowcount:
            raise UnknownDomainError(unknown(host))
    return ended[0] if ended else None


def overview(conn: Connection, host: str | None = None) -> list[DomainOverview]:
    """Every domain, or the one of ``host``, with its numbers and its newest job."""
    return fetch_all(conn, _SQL["overview"], {"host": host}, DomainOverview)
