"""The console as people meet it: a real browser on a real `omni up`, by clicks alone."""

import time
from pathlib import Path

import pytest

from omni_pipeline.gateways.browser.install import find_browser
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.ui.dagster_pages import (
    PATIENCE_SECONDS,
    DagsterPages,
    check_page,
    open_browser,
    partitions_page,
)
from omni_pipeline_tests.ui.running_console import run_console
from omni_pipeline_tests.webhook_receiver import WebhookReceiver

CHECK = "embeddings_match_chunks"
ANY_PORTS = (0, 0, 0, 0)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    find_browser(None) is None,
    reason="no Chromium: `playwright install chromium` or `apt-get install chromium`",
)
def test_a_person_refreshes_backfills_and_is_told_of_a_mismatch(
    database: Database, tmp_path: Path
) -> None:
    """R-C1, R-C3, R-A14: a domain, a backfill of three, green checks, a red one, and its alert."""
    with (
        WebhookReceiver() as receiver,
        run_console(database, tmp_path, ANY_PORTS, alert_url=receiver.url) as console,
        open_browser() as tab,
    ):
        ui = DagsterPages(tab, console.url)
        first, *others = console.hosts
        ui.launch("refresh_domain", first)
        ui.launch("refresh_domain", *others)
        for host in console.hosts:
            ui.see(partitions_page("embeddings", host), "Materialized", "summary")
        ui.see(check_page("embeddings", CHECK), "Succeeded", "Passed")
        assert not receiver.received

        console.plant_mismatch(first)
        ui.launch("refresh_domain", first)
        ui.see(check_page("embeddings", CHECK), "Failed", first)
        await_alert(receiver, f"embeddings.{CHECK} of {first}")


def await_alert(receiver: WebhookReceiver, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(words in text for text in receiver.texts()):
        assert time.monotonic() < deadline, receiver.texts()
        time.sleep(0.2)
