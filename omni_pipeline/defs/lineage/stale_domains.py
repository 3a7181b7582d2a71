"""Freshness per domain: one check over all of them, since Dagster's own looks at no partition."""

from datetime import timedelta

import dagster as dg

from omni_pipeline.defs.lineage.assets import embeddings
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.checks.freshness import FreshnessReport, check_freshness
from omni_pipeline.store.postgres.session import open_session

STALE_DOMAINS = dg.AssetCheckKey(embeddings.key, "stale_domains")

MAX_LISTED = 100

# With the default limit: red after 26 h, yellow after 25.
WARNED_AT = 25 / 26


def with_badge(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The asset with the freshness of its newest materialization, of whichever domain.

    "Passing" with one domain 72 h stale, but red where nothing was refreshed at all.
    """
    limit = timedelta(hours=read_settings().fresh_hours)
    policy = dg.FreshnessPolicy.time_window(fail_window=limit, warn_window=limit * WARNED_AT)
    badged: dg.AssetSpec = dg.apply_freshness_policy(spec, policy)
    return badged


@dg.asset_check(asset=embeddings, name=STALE_DOMAINS.name)
def stale_domains() -> dg.AssetCheckResult:
    """Every active domain was refreshed within 26 h (OMNI_FRESH_HOURS); who was not is listed."""
    settings = read_settings()
    with open_session(settings, "omni freshness") as session:
        report = session.run(lambda conn: check_freshness(conn, settings.fresh_hours))
    return describe_freshness(report)


def describe_freshness(report: FreshnessReport) -> dg.AssetCheckResult:
    """The report as the result of the check, with the stale domains as a table."""
    oldest = max((domain.hours for domain in report.stale), default=0.0)
    records = [
        dg.TableRecord(
            {
                "domain": domain.host,
                "hours": round(domain.hours, 1),
                "last success": str(domain.last_success_at or "never"),
            }
        )
        for domain in report.stale[:MAX_LISTED]
    ]
    columns = [
        dg.TableColumn("domain", "string"),
        dg.TableColumn("hours", "float"),
        dg.TableColumn("last success", "string"),
    ]
    return dg.AssetCheckResult(
        passed=not report.stale,
        description=_summary(report),
        metadata={
            "domains_active": report.active,
            "domains_stale": len(report.stale),
            "oldest_hours": round(oldest, 1),
            "limit_hours": report.limit_hours,
            "stale_domains": dg.MetadataValue.table(records, dg.TableSchema(columns)),
        },
    )


def _summary(report: FreshnessReport) -> str:
    if not report.stale:
        return f"All {report.active} active domains were refreshed within {report.limit_hours:g} h."
    named = ", ".join(f"{domain.host} ({domain.hours:.0f} h)" for domain in report.stale[:5])
    return (
        f"{len(report.stale)} of {report.active} active domains were not refreshed for "
        f"{report.limit_hours:g} h: {named}{', ...' if report.stale[5:] else ''}"
    )
