"""Pictures of the console, to look at: `python -m omni_pipeline_tests.ui.screenshots FOLDER`."""

import sys
from pathlib import Path

from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate
from omni_pipeline_tests.conftest import CARELESS, execute, find_free_port, make_enterable_dir
from omni_pipeline_tests.ui.dagster_pages import (
    DagsterPages,
    check_page,
    open_browser,
    partitions_page,
)
from omni_pipeline_tests.ui.running_console import RunningConsole, run_console

PORTS = (8401, 8402, 8403, 8404)
JOB = "refresh_domain"
CHECK = "embeddings_match_chunks"
# The one page that shows the assets of all groups without a click on each.
LINEAGE = "/assets/raw_pages?view=lineage&lineageScope=downstream&lineageDepth=5"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        make_enterable_dir() as home,
        EmbeddedPostgres(home, tcp_port=find_free_port(), settings=CARELESS) as server,
    ):
        execute(server, "CREATE DATABASE {}", "omni")
        database = Database(url=server.url("omni"))
        with database.connect() as conn:
            migrate(conn)
        with run_console(database, home, PORTS) as console, open_browser(width=1600) as tab:
            _live(console, DagsterPages(tab, console.url))
            _shoot(console, DagsterPages(tab, console.url), folder)


def _live(console: RunningConsole, ui: DagsterPages) -> None:
    """A few days of a console in a minute: all is refreshed, then one shop changes."""
    ui.launch(JOB, *console.hosts)
    for host in console.hosts:
        ui.see(partitions_page("price_snapshots", host), "Materialized", "summary")
    first = console.sites[0]
    motor = "/shop/vent-motor.html"
    first.pages[motor] = first.read(motor).replace("129.00", "119.00")
    outcome = console.omni.run("refresh", console.hosts[0], "--force-rescrape")
    assert outcome.returncode == 0, outcome.stderr


def _shoot(console: RunningConsole, ui: DagsterPages, folder: Path) -> None:
    first, second, *_ = console.hosts
    ui.see(LINEAGE, "price_snapshots", "embeddings")
    ui.tab.get_by_text("4 partitions").nth(6).wait_for()
    ui.shoot(folder / "asset_graph.png")
    for asset in ("raw_pages", "embeddings", "products"):
        ui.see(partitions_page(asset, first), "Materialized", "summary")
        ui.shoot(folder / f"partition_of_{asset}.png")
    ui.see("/assets/raw_pages?view=overview", "Columns")
    ui.shoot(folder / "columns.png")
    ui.see(check_page("embeddings", CHECK), "Passed")
    ui.shoot(folder / "check_passed.png")

    console.plant_mismatch(second)
    ui.launch(JOB, second)
    ui.see(check_page("embeddings", CHECK), "Failed", second)
    ui.shoot(folder / "check_failed.png")
    ui.open("/assets/domain_health?view=overview")
    ui.tab.get_by_role("button", name="Materialize").first.click()
    ui.see("/assets/domain_health?view=overview", "failed", "overview")
    ui.shoot(folder / "domain_health.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
