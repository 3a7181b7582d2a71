"""`omni demo`: what a newcomer sees of the bundled shop, through Dagster end to end."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.demo import show_shop
from omni_pipeline.commands.refresh import run
from omni_pipeline.domain.crawl.selection import name_part
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database


def test_a_price_falls_and_a_product_leaves_and_returns(
    database: Database,
    site: SampleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R-B6, R-B7: history, delisting and relisting, as the demo shows them."""
    host = urlsplit(site.url).netloc
    for name, value in {
        "COLUMNS": "200",
        "OMNI_DATABASE_URL": database.url,
        "OMNI_HOME": str(tmp_path),
        "OMNI_ALLOW_ADDRESSES": host,
        "OMNI_EMBEDDING_MODEL": "lexical-hash-384",
    }.items():
        monkeypatch.setenv(name, value)
    with open_application() as app:
        app.register(NewDomain(host=host, start_url=f"{site.url}/", delay_seconds=0))
        run(app, host, part=name_part(None, ["/shop/*"]))
        show_shop(app, host, site)
    left, _, returned = capsys.readouterr().out.partition("\n5. ")[2].partition("\n6. ")
    assert "delisted" in left
    assert "119.00 EUR" in left
    assert "delisted" not in returned
    assert "Frost lamp" in returned
    assert "129.00 EUR" in returned, "the history of the motor"
    assert "█" in returned
    with database.connect() as conn:
        assert invariants.find_violations(conn, lease_seconds=90) == []
        jobs = conn.execute("SELECT job_type, status, pages_discovered FROM crawl_jobs").fetchall()
        lamp = conn.execute(
            "SELECT status, (SELECT count(*) FROM price_snapshots s WHERE s.product_id = p.id)"
            " FROM products p WHERE name = 'Frost lamp'"
        ).fetchall()
    assert jobs == [("category", "completed", 6)] * 3
    assert lamp == [("listed", 1)]
