"""The health page: all domains at one look, as an asset whose newest event is the table (B10)."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from omni_pipeline.settings import read_settings
from omni_pipeline.steps.health import DomainHealth, Health, read_health
from omni_pipeline.store.database import open_database
from omni_pipeline.store.session import Session

# Each event keeps its table for good; domains that need someone come first.
MOST_ROWS = 200

COLUMNS = (
    ("domain", "string"),
    ("health", "string"),
    ("status", "string"),
    ("last_success", "string"),
    ("age_hours", "float"),
    ("pages", "int"),
    ("chunks", "int"),
    ("failures", "int"),
    ("held", "int"),
    ("tokens_today", "int"),
    ("newest_job", "string"),
    ("progress", "string"),
    ("beat_age_seconds", "int"),
)


@dg.asset(group_name="health", kinds={"postgres"})
def domain_health() -> dg.MaterializeResult[None]:
    """Every domain's state, freshness, size, failures and running job.

    Kept up to date by a sensor, without runs; materialize it to see this very moment.
    """
    return dg.MaterializeResult(metadata=describe(_read()))


@dg.sensor(
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    asset_selection=[domain_health],
)
def watch_health(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Write the health page anew when something on it changed; no run is launched for it."""
    health = _read()
    cursor = fingerprint(health.domains)
    if cursor == context.cursor:
        return dg.SensorResult(skip_reason="nothing has changed", cursor=cursor)
    page = dg.AssetMaterialization(asset_key=domain_health.key, metadata=describe(health))
    return dg.SensorResult(asset_events=[page], cursor=cursor)


def _read() -> Health:
    with open_database(read_settings(), application_name="omni health") as database:
        session = Session(database)
        try:
            return read_health(session, now=datetime.now(UTC))
        finally:
            session.close()


def describe(health: Health) -> dict[str, Any]:
    """The page: a table, the totals that Dagster plots over time, and a line in words.

    Names and numbers of ours only; nothing that a site said is shown as Markdown (S57).
    """
    shown = health.domains[:MOST_ROWS]
    columns = [dg.TableColumn(name, kind) for name, kind in COLUMNS]
    records = [dg.TableRecord(_row(domain)) for domain in shown]
    return {
        "summary": dg.MetadataValue.md(_summary(health, hidden=len(health.domains) - len(shown))),
        "overview": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
        **health.totals,
    }


def _summary(health: Health, *, hidden: int) -> str:
    totals = health.totals
    wrong = totals["domains_needing_someone"]
    line = (
        f"**{totals['domains']:,}** domains, **{wrong:,}** need someone, "
        f"{totals['domains_running']:,} are being refreshed. {totals['pages']:,} pages, "
        f"{totals['chunks']:,} chunks, {totals['open_failures']:,} failures, "
        f"{totals['tokens_today']:,} tokens today, {totals['open_alerts']:,} open alerts."
    )
    more = f" {hidden:,} more domains: `omni status`." if hidden else ""
    return line + more + " One moment's picture; `omni status --watch` shows it live."


def _row(domain: DomainHealth) -> dict[str, str | int | float | bool | None]:
    seen = domain.overview
    return {
        "domain": seen.host,
        "health": domain.verdict,
        "status": seen.status,
        "last_success": f"{seen.last_success_at:%Y-%m-%d %H:%M}" if seen.last_success_at else "",
        "age_hours": domain.age_hours,
        "pages": seen.pages,
        "chunks": int(seen.chunks),
        "failures": seen.open_failures,
        "held": seen.pages_held,
        "tokens_today": int(seen.tokens_today),
        "newest_job": seen.job_status or "",
        "progress": domain.progress,
        "beat_age_seconds": None if seen.beat_age_seconds is None else int(seen.beat_age_seconds),
    }


def fingerprint(domains: Sequence[DomainHealth]) -> str:
    """Changes with what is worth a new page; time alone, and a running job's pace, are not."""
    passing = ("age_hours", "beat_age_seconds", "progress")
    rows = [{k: v for k, v in _row(d).items() if k not in passing} for d in domains]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
