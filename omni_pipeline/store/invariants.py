"""The standing invariants: queries that find what no constraint could have kept out."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import tuple_row

from omni_pipeline.store.queries import load_queries

_SQL = load_queries("invariants")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A row that breaks an invariant; ``host`` is None when no domain can be named."""

    invariant: str
    host: str | None
    subject: str
    detail: str


def names() -> list[str]:
    """All invariants, by name."""
    return list(_SQL)


def find_violations(conn: Connection, *, lease_seconds: float, most: int = 20) -> list[Violation]:
    """What is wrong, at most ``most`` rows of each invariant, all read from one snapshot."""
    violations = []
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for name, query in _SQL.items():
            cursor.execute(query, {"lease_seconds": lease_seconds})
            for host, subject, detail in cursor.fetchmany(most):
                violations.append(
                    Violation(invariant=name, host=host, subject=subject, detail=detail)
                )
    return violations
