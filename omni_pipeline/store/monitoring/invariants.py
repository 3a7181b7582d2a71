"""The standing invariants: queries that find what no constraint could have kept out."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from psycopg import Connection
from psycopg.rows import tuple_row

from omni_pipeline.domain.remedies import remedy
from omni_pipeline.settings import FRESH_HOURS
from omni_pipeline.store.monitoring import verifications
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)

# Nobody reads on; and a memory that holds a broken index whole would not hold it for long.
MAX_OF_A_QUERY = 1000

# For the length of one look: room to join a million ids in memory, time to read a large index, and
# plans for a database that is in memory for the most part, as one that is searched is.
_RULES = (
    b"SET LOCAL work_mem = '64MB'; SET LOCAL statement_timeout = '10min'; "
    b"SET LOCAL random_page_cost = 1.1"
)

_SCOPE = re.compile(
    rb"^-- (?:(I\d\d_\w+), )?(always|quiet), (by domain|everywhere): ", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A row that breaks an invariant; ``host`` is None when no domain can be named."""

    invariant: str
    host: str | None
    subject: str
    detail: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return remedy(self.invariant, self.host)


def names(*, only_by_domain: bool = False) -> list[str]:
    """All invariants, by name, or those that can be told of one domain."""
    found = (
        (invariant.decode() or name)
        for name, query in _SQL.items()
        for invariant, _, where in _SCOPE.findall(query)
        if not only_by_domain or where == b"by domain"
    )
    return sorted(set(found))


def queries() -> list[str]:
    """The queries, each of which looks for one invariant or for several."""
    return list(_SQL)


def fingerprint() -> str:
    """Changes with every change to an invariant."""
    return sha256(b"".join(_SQL.values())).hexdigest()[:16]


def is_by_domain(name: str) -> bool:
    """Whether a query looks only at the domains that it is given."""
    return {where for _, _, where in _SCOPE.findall(_SQL[name])} == {b"by domain"}


def find_violations(
    conn: Connection,
    *,
    lease_seconds: float,
    fresh_hours: float = FRESH_HOURS,
    domain_ids: Sequence[int] | None = None,
    since: str | None = None,
    limit: int = MAX_OF_A_QUERY,
) -> list[Violation]:
    """What is wrong, all read from one snapshot.

    Args:
        conn: An autocommit connection outside any transaction.
        lease_seconds: How long a job may be silent.
        fresh_hours: How old an active domain's last success may be: ``Settings.fresh_hours``.
        domain_ids: Look only at these domains, and at the ledgers that are common to all; None
            looks at everything.
        since: Read no long text again that was written before this transaction began.
        limit: Violations of each query.
    """
    with _snapshot(conn):
        return list(
            look(
                conn,
                lease_seconds=lease_seconds,
                fresh_hours=fresh_hours,
                domain_ids=domain_ids,
                since=since,
                limit=limit,
            )
        )


def find_domain_violations(
    conn: Connection, domain_id: int, *, since: str | None = None
) -> list[Violation]:
    """What is wrong with one domain; the ledgers that are common to all are not looked at."""
    only = [name for name in _SQL if is_by_domain(name)]
    with _snapshot(conn):
        return list(look(conn, only=only, domain_ids=[domain_id], since=since))


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        conn.execute(_RULES)
        yield


def look(
    conn: Connection,
    *,
    only: Sequence[str] | None = None,
    lease_seconds: float = 0.0,
    fresh_hours: float = FRESH_HOURS,
    domain_ids: Sequence[int] | None = None,
    since: str | None = None,
    limit: int = MAX_OF_A_QUERY,
) -> Iterator[Violation]:
    """The same inside the caller's transaction; ``only`` names the queries to ask."""
    domain_ids, quiet_ids = verifications.split_domains(conn, domain_ids)
    parameters = {
        "domain_ids": domain_ids,
        "quiet_ids": quiet_ids,
        "since": since,
        "lease_seconds": lease_seconds,
        "fresh_hours": fresh_hours,
    }
    with conn.cursor(row_factory=tuple_row) as cursor:
        for name in only or _SQL:
            # Planned for these very domains: a plan for any number of them reads whole tables.
            for row in islice(cursor.execute(_SQL[name], parameters, prepare=False), limit):
                yield _violation(name, row)


def _violation(query: str, row: Sequence[str]) -> Violation:
    *named, host, subject, detail = row
    invariant = named[0] if named else query
    return Violation(invariant=invariant, host=host, subject=subject, detail=detail)
