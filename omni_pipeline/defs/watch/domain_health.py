"""The health page: all domains at one look, as an asset whose newest event is the table (R-B10)."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from omni_pipeline.defs.lineage.assets import OWNERS
from omni_pipeline.defs.lineage.reports import show_cell
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.monitoring.health import DomainHealth, Health, read_health
from omni_pipeline.store.postgres.session import open_session

# Each event keeps its table for good; domains that need someone come first.
MAX_ROWS = 200

# The UI shows the first six without scrolling.
COLUMNS = (
    ("domain", "string", "The partition."),
    ("health", "string", "failed, held and stale need someone; running, new, good, paused do not."),
    ("hours", "float", "Since it was last refreshed as a whole."),
    ("pages", "int", "Live pages."),
    ("chunks", "int", "Published chunks."),
    ("failed", "int", "Open failures: omni failed DOMAIN."),
    ("held", "int", "Pages that vanished or shrank at once: omni domains confirm-removals DOMAIN."),
    ("progress", "string", "How far the running refresh is."),
    ("beat_age_seconds", "int", "Since the running refresh last gave a sign of life."),
    ("tokens_today", "int", "Tokens embedded today."),
    ("usd_today", "float", "What they cost; empty where the price is unknown."),
    ("last_success", "string", "When it was last refreshed as a whole (UTC)."),
)


@dg.asset(group_name="health", owners=OWNERS, kinds={"dashboard", "postgres"})
def domain_health() -> dg.MaterializeResult[None]:
    """Every domain at one look: state, freshness, size, failures, cost today and running refresh.

    Domains that need someone come first. A sensor keeps the page up to date without runs;
    materialize it to see this very moment. `omni status --watch` shows the same live.
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
    settings = read_settings()
    with open_session(settings, "omni health") as session:
        return read_health(session, now=datetime.now(UTC), fresh_hours=settings.fresh_hours)


def describe(health: Health) -> dict[str, Any]:
    """The page: a table, the totals that Dagster plots over time, and a line in words.

    Names and numbers of ours only; nothing that a site said is shown as Markdown (S-57).
    """
    shown = health.domains[:MAX_ROWS]
    columns = [dg.TableColumn(name, kind, meaning) for name, kind, meaning in COLUMNS]
    cost = {} if health.cost_usd_today is None else {"cost_usd_today": health.cost_usd_today}
    records = [dg.TableRecord(_row(domain)) for domain in shown]
    return {
        "summary": dg.MetadataValue.md(_summary(health, hidden=len(health.domains) - len(shown))),
        "overview": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
        **health.totals,
        **cost,
    }


def _summary(health: Health, *, hidden: int) -> str:
    """Short lines, which are broken here: the cell is as wide as the table below it."""
    of = {name: f"{total:,}" for name, total in health.totals.items()}
    lines = [
        f"**{of['domains']}** domains, **{of['domains_needing_someone']}** need someone",
        f"{of['domains_running']} being refreshed, {of['open_alerts']} open alerts",
        f"{of['pages']} pages, {of['chunks']} chunks, {of['open_failures']} failed",
        f"{of['tokens_today']} tokens today{_dollars(health.cost_usd_today)}",
    ]
    more = [f"{hidden:,} more domains: `omni status`"] if hidden else []
    return "  \n".join([*lines, *more])


def _dollars(cost: float | None) -> str:
    return "" if cost is None else f", ${cost:,.4f}"


def _row(domain: DomainHealth) -> dict[str, str | int | float | bool | None]:
    seen = domain.overview
    return {
        "domain": seen.host,
        "health": domain.verdict,
        "hours": domain.age_hours,
        "pages": seen.pages,
        "chunks": int(seen.chunks),
        "failed": seen.open_failures,
        "held": seen.pages_held,
        "progress": domain.progress,
        "beat_age_seconds": None if seen.beat_age_seconds is None else int(seen.beat_age_seconds),
        "tokens_today": int(seen.tokens_today),
        "usd_today": None if seen.cost_usd_today is None else round(seen.cost_usd_today, 4),
        "last_success": show_cell(seen.last_success_at),
    }


def fingerprint(domains: Sequence[DomainHealth]) -> str:
    """Changes with what is worth a new page; time alone, and a running job's pace, are not."""
    passing = ("hours", "beat_age_seconds", "progress")
    rows = [{k: v for k, v in _row(d).items() if k not in passing} for d in domains]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
