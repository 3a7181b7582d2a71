"""Looks whether the index keeps its invariants: where it was written to since, or everywhere."""

from collections import Counter
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.errors import UnknownDomainError
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.monitoring import invariants, verifications
from omni_pipeline.store.monitoring.invariants import Violation
from omni_pipeline.store.monitoring.verifications import DueDomain
from omni_pipeline.store.postgres.session import Session

MAX_NAMED = 5
MAX_SAMPLES = 20


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


def verify(
    session: Session, *, lease_seconds: float, fresh_hours: float, is_complete: bool = False
) -> Verification:
    """Check every invariant on the domains that may have changed, and the ledgers.

    A domain that breaks one stays due until it is found whole. So does every domain when something
    is wrong that belongs to none.

    Args:
        session: Where.
        lease_seconds: How long a job may be silent.
        fresh_hours: How old an active domain's last success may be.
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
            fresh_hours=fresh_hours,
            domain_ids=None if is_complete else [domain.domain_id for domain in due],
            since=since if all(found_whole_since) else None,
        )
    )
    session.run(lambda conn: _remember(conn, basis, due, violations))
    return Verification(
        violations=violations,
        domains_checked=len(due),
        domains_known=len(session.run(domains.list_hosts)),
        invariants=len(invariants.names()),
    )


def _remember(
    conn: Connection, basis: str, looked_at: list[DueDomain], violations: list[Violation]
) -> None:
    """Which domains are whole; none is, where more may be wrong than was told."""
    broken = {violation.host for violation in violations}
    if None in broken or len(violations) >= invariants.MAX_OF_A_QUERY:
        broken = {domain.host for domain in looked_at}
    verifications.note_whole(conn, basis, [d for d in looked_at if d.host not in broken])
    verifications.forget(conn, [d for d in looked_at if d.host in broken])


def check_domain(conn: Connection, host: str) -> CountsReport:
    """No invariant is broken in this domain, as far as it can be told while its refresh runs.

    Raises:
        UnknownDomainError: It is not registered.
    """
    basis = verifications.basis(conn, invariants.fingerprint())
    found = verifications.due(conn, basis, host=host, only_changed=False)
    if not found:
        raise UnknownDomainError(domains.unknown(host))
    violations = invariants.find_domain_violations(conn, found[0].domain_id, since=found[0].since)
    _remember(conn, basis, found, violations)
    return CountsReport(
        passed=not violations,
        summary=_summary(violations) or f"Every invariant holds in {host}.",
        numbers={
            "invariants": len(invariants.names(only_by_domain=True)),
            "violations": len(violations),
            **Counter(violation.invariant for violation in violations),
        },
        kind="permanent.invariant_broken",
        samples=tuple(_sample(violation) for violation in violations[:MAX_SAMPLES]),
    )


def _sample(violation: Violation) -> dict[str, str]:
    return {
        "invariant": violation.invariant,
        "subject": violation.subject,
        "detail": violation.detail,
        "remedy": violation.remedy,
    }


def _summary(violations: list[Violation]) -> str:
    named = [f"{v.invariant}: {v.subject}, {v.detail}" for v in violations[:MAX_NAMED]]
    more = len(violations) - len(named)
    remedies = sorted({violation.remedy for violation in violations})
    return (
        "; ".join(named)
        + "".join(f"; what to do: {remedy}" for remedy in remedies)
        + (f"; and {more} more: omni verify" if more else "")
    )
