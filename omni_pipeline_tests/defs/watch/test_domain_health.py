"""The health page in Dagster: a table that is kept up to date without runs."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from omni_pipeline.defs.watch import domain_health
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline_tests.defs.conftest import Console


def look(console: Console, cursor: str | None = None) -> dg.SensorResult:
    with dg.build_sensor_context(instance=console.instance, cursor=cursor) as context:
        result = domain_health.watch_health(context)
    assert isinstance(result, dg.SensorResult)
    return result


def page_of(result: dg.SensorResult) -> Mapping[str, Any]:
    [event] = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    return {
        name: value.records if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in event.metadata.items()
    }


def rows_of(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [record.data for record in page["overview"]]


def test_the_page_shows_every_domain_those_that_need_someone_first(console: Console) -> None:
    """R-B10"""
    console.refresh(max_pages=3)
    with console.database.connect() as conn:
        domains.add(conn, NewDomain(host="new.test", start_url="https://new.test/"))
        domains.add(conn, NewDomain(host="old.test", start_url="https://old.test/"))
        conn.execute(
            b"UPDATE domains SET last_success_at = now() - interval '40 h' WHERE host = 'old.test'"
        )
    page = page_of(look(console))
    rows = rows_of(page)
    assert [(row["domain"], row["health"]) for row in rows] == [
        ("old.test", "stale"),
        ("new.test", "new"),
        (console.host, "good"),
    ]
    assert rows[0]["hours"] == pytest.approx(40.0)
    assert rows[2]["pages"] == 3
    assert rows[2]["chunks"] > 3
    assert page["domains_needing_someone"] == 1
    assert "**1** need someone" in page["summary"]


def test_a_running_job_shows_its_progress_and_the_age_of_its_last_beat(console: Console) -> None:
    """R-B10"""
    with console.database.connect() as conn:
        domain = domains.get(conn, console.host)
        request = Request(run_id="r", worker="elsewhere:1:1:1")
        claim = crawl_jobs.claim(conn, domain.id, console.host, request)
        crawl_jobs.enter_stage(conn, claim, "raw_pages")
        conn.execute(
            b"UPDATE crawl_jobs SET pages_discovered = 527, pages_unchanged = 300,"
            b" pages_changed = 20, started_at = now() - interval '1 min',"
            b" heartbeat_at = now() - interval '9 s'"
        )
    [row] = rows_of(page_of(look(console)))
    assert row["health"] == "running"
    assert row["progress"] == "raw_pages, 320 of 527 pages"
    assert 9 <= row["beat_age_seconds"] <= 15


def test_a_page_is_written_only_when_something_changed(console: Console) -> None:
    first = look(console)
    assert first.asset_events
    second = look(console, first.cursor)
    assert not second.asset_events
    assert second.cursor == first.cursor
    with console.database.connect() as conn:
        domains.set_status(conn, console.host, "paused")
    assert look(console, first.cursor).asset_events


def test_it_can_be_materialized_on_demand(console: Console) -> None:
    result = dg.materialize([domain_health.domain_health], instance=console.instance)
    assert result.success
    [event] = result.asset_materializations_for_node("domain_health")
    assert isinstance(event.metadata["overview"], dg.TableMetadataValue)


def test_nothing_that_a_site_said_is_on_the_page(console: Console) -> None:
    """S-57: errors quote what was crawled; the page has numbers and names of ours."""
    with console.database.connect() as conn:
        domain = domains.get(conn, console.host)
        claim = crawl_jobs.claim(
            conn, domain.id, console.host, Request(run_id="r", worker="elsewhere:1:1:1")
        )
        crawl_jobs.finish(
            conn, claim, error=("permanent.x", "<img src=x onerror=1>"), is_whole=False
        )
    page = page_of(look(console))
    assert rows_of(page)[0]["health"] == "failed"
    assert "<img" not in repr(page)


def test_a_page_of_many_domains_is_bounded(console: Console) -> None:
    """Each event is kept for good."""
    with console.database.connect() as conn:
        for number in range(domain_health.MAX_ROWS + 5):
            host = f"{number:03}.test"
            domains.add(conn, NewDomain(host=host, start_url=f"https://{host}/"))
    page = page_of(look(console))
    assert len(rows_of(page)) == domain_health.MAX_ROWS
    assert "6 more domains" in page["summary"]
