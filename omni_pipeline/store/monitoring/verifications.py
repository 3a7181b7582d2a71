"""Up to where the standing invariants were checked: which domains may have changed since."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class DueDomain:
    """A domain to check, as it was before the check began.

    Attributes:
        since: The rows of transactions before this one were found whole already; None: none were.
        seen: What is ``since`` the next time, if nothing is found now.
    """

    domain_id: int
    host: str
    fence: int
    since: str | None
    seen: str


def basis(conn: Connection, invariants: str) -> str:
    """What a domain is found whole by: these invariants, the active model and the server."""
    row = conn.execute(_SQL["basis"], {"invariants": invariants}).fetchone()
    assert row is not None
    return str(row[0])


def split_domains(
    conn: Connection, domain_ids: Sequence[int] | None
) -> tuple[list[int], list[int]]:
    """These domains (None: all) that exist, and those whose newest refresh completed whole."""
    parameters = {"domain_ids": None if domain_ids is None else list(domain_ids)}
    is_quiet: dict[int, bool] = dict(conn.execute(_SQL["domains"], parameters).fetchall())
    return list(is_quiet), [domain_id for domain_id, quiet in is_quiet.items() if quiet]


def due(
    conn: Connection, basis: str, *, host: str | None = None, only_changed: bool = True
) -> list[DueDomain]:
    """The domains that were not found whole as they are now.

    Args:
        conn: A connection; ask before the check begins, or what is written meanwhile is missed.
        basis: What the check is made by.
        host: Only this one.
        only_changed: False for all domains, whatever was found before.
    """
    parameters = {"basis": basis, "host": host, "only_changed": only_changed}
    return fetch_all(conn, _SQL["due"], parameters, DueDomain)


def note_whole(conn: Connection, basis: str, whole: Sequence[DueDomain]) -> None:
    """Remember that nothing was found wrong with these domains."""
    parameters = {
        "basis": basis,
        "domain_ids": [domain.domain_id for domain in whole],
        "fences": [domain.fence for domain in whole],
        "seen": [domain.seen for domain in whole],
    }
    conn.execute(_SQL["note"], parameters)


def forget(conn: Connection, broken: Sequence[DueDomain]) -> None:
    """These domains are not whole, whatever was found before; they are due until they are."""
    conn.execute(_SQL["forget"], {"domain_ids": [domain.domain_id for domain in broken]})
