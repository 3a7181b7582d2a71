"""How every domain is doing, in one word each, those that need someone first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import DomainOverview
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.postgres.session import Session

HealthVerdict = Literal["failed", "held", "stale", "running", "new", "good", "paused"]

NEED_SOMEONE: tuple[HealthVerdict, ...] = ("failed", "held", "stale")
ORDER: tuple[HealthVerdict, ...] = (*NEED_SOMEONE, "running", "new", "good", "paused")

SECONDS_OF_AN_HOUR = 3_600


@dataclass(frozen=True, kw_only=True)
class DomainHealth:
    """A domain and what to think of it.

    Attributes:
        age_hours: Since its last success, to a tenth; None if there was none.
        progress: How far its running job is, in words; empty without one.
    """

    overview: DomainOverview
    verdict: HealthVerdict
    age_hours: float | None
    progress: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """All domains, those that need someone first, and their numbers together."""

    domains: tuple[DomainHealth, ...]
    totals: dict[str, int]
    cost_usd_today: float | None


def read_health(session: Session, *, now: datetime, fresh_hours: float) -> Health:
    """How all domains are doing now."""
    overview = session.run(domains.overview)
    open_alerts = session.run(alert_ledger.count_open)
    judged = [judge(domain, now=now, fresh_hours=fresh_hours) for domain in overview]
    judged.sort(key=lambda domain: ORDER.index(domain.verdict))
    return Health(
        domains=tuple(judged),
        totals=_totals(judged, open_alerts),
        cost_usd_today=_cost(overview),
    )


def judge(domain: DomainOverview, *, now: datetime, fresh_hours: float) -> DomainHealth:
    """One domain in one word."""
    success = domain.last_success_at
    age = None if success is None else (now - success).total_seconds() / SECONDS_OF_AN_HOUR
    return DomainHealth(
        overview=domain,
        verdict=_verdict(domain, age, fresh_hours),
        age_hours=None if age is None else round(age, 1),
        progress=describe_job(domain),
    )


def _verdict(domain: DomainOverview, age_hours: float | None, fresh_hours: float) -> HealthVerdict:
    if domain.status == "paused":
        return "paused"
    if domain.pages_held:
        return "held"
    if domain.job_status == "failed":
        return "failed"
    if age_hours is not None and age_hours > fresh_hours:
        return "stale"
    if domain.job_status == "running":
        return "running"
    return "new" if age_hours is None else "good"


def describe_job(domain: DomainOverview) -> str:
    """How far the running job is: ``raw_pages, 320 of 527 pages``; empty without one."""
    if domain.job_status != "running":
        return ""
    stage = domain.job_stage or "starting"
    done = sum(
        count or 0
        for count in (
            domain.pages_changed,
            domain.pages_unchanged,
            domain.pages_gone,
            domain.pages_failed,
        )
    )
    known = domain.pages_discovered or 0
    return f"{stage}, {done:,} of {known:,} pages" if known else stage


def _totals(judged: Sequence[DomainHealth], open_alerts: int) -> dict[str, int]:
    seen = [domain.overview for domain in judged]
    return {
        "domains": len(judged),
        "domains_needing_someone": sum(d.verdict in NEED_SOMEONE for d in judged),
        "domains_running": sum(d.job_status == "running" for d in seen),
        "pages": sum(d.pages for d in seen),
        "chunks": sum(int(d.chunks) for d in seen),
        "open_failures": sum(d.open_failures for d in seen),
        "pages_held": sum(d.pages_held for d in seen),
        "tokens_today": sum(int(d.tokens_today) for d in seen),
        "open_alerts": open_alerts,
    }


def _cost(overview: Sequence[DomainOverview]) -> float | None:
    """None where some of it is unknown: a sum of the rest would look like all of it."""
    costs = [domain.cost_usd_today for domain in overview]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None
