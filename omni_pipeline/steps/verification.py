"""Looks whether the index keeps its invariants: where something was written since, or everywhere."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.steps.counts import CountsReport
from omni_pipeline.store import domains, invariants, verifications
from omni_pipeline.store.invariants import Violation
from omni_pipeline.store.session import Session
from omni_pipeline.store.verifications import DueDomain

MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a look found.

    Attributes:
        domains_checked: Those that were written to since they were found whole.
        domains_known: All that are registered.
        invariants: How many were looked for.
    """

    violations: list[Violation]
    domains_checked: int
    domains_known: int
    invariants: int


def verify(session: Session, *, lease_seconds: float, is_complete: bool = False) -> Verification:
    """Check every invariant on the domains that may have changed, and the ledgers.

    A domain that breaks one stays due until it is found whole. So does every domain when something
    is wrong that belongs to none.

    Args:
        session: Where.
        lease_seconds: How long a job may be silent.
        is_complete: Look at all domains, and read every text again.
    """
    basis = session.run(lambda conn: verifications.basis(conn, invariants.fingerprint()))
    due = session.run(lambda conn: verifications.due(conn, basis, only_changed=not is_complete))
    found_whole_since = [None if is_complete else domain.since for domain in due]
    since = min((s for s in found_whole_since if s), key=int, default=None)
    violations = session.run(
        lambda conn: invariants.find_violations(
            conn,
            lease_seconds=lease_seconds,
            domain_ids=None if is_complete else [domain.domain_id for domain in due],
            since=since if all(found_whole_since) else None,
        )
    )
    whole = _whole(due, violations)
    session.run(lambda conn: verifications.note_whole(conn, basis, whole))
    return Verification(
        violations=violations,
        domains_checked=len(due),
        domains_known=len(session.run(domains.list_hosts)),
        invariants=len(invariants.names()),
    )


def _whole(due: list[DueDomain], violations: list[Violation]) -> list[DueDomain]:
    """The domains of which nothing is wrong; none, where more may be wrong than was told."""
    broken = {violation.host for violation in violations}
    if None in broken or len(violations) >= invariants.MOST_OF_A_QUERY:
        return []
    return [domain for domain in due if domain.host not in broken]


def check_domain(conn: Connection, host: str) -> CountsReport:
    """No invariant is broken in this domain, as far as it can be told while its refresh runs."""
    basis = verifications.basis(conn, invariants.fingerprint())
    [domain] = verifications.due(
        conn, basis, host=domains.get(conn, host).host, only_changed=False
    )
    violations = invariants.find_domain_violations(conn, domain.domain_id, since=domain.since)
    if not violations:
        verifications.note_whole(conn, basis, [domain])
    return CountsReport(
        passed=not violations,
        summary=_summary(violations) or f"Every invariant holds in {host}.",
        numbers={"violations": len(violations)},
        kind="permanent.invariant_broken",
    )


def _summary(violations: list[Violation]) -> str:
    named = [f"{v.invariant}: {v.subject}, {v.detail}" for v in violations[:MOST_NAMED]]
    more = len(violations) - len(named)
    return "; ".join(named) + (f"; and {more} more: omni verify" if more else "")
