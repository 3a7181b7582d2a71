"""`omni alerts` and `omni status --watch`, as a person runs them."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from omni_pipeline.domain.alert_messages import Condition
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import ROOT, CommandLine
from omni_pipeline_tests.conftest import find_free_port
from omni_pipeline_tests.webhook_receiver import WebhookReceiver

SECRET = {"OMNI_ALERT_WEBHOOK_SECRET": "a-shared-secret"}


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        yield server


def raise_alert(database: Database) -> None:
    condition = Condition(
        kind="failed_run", subject="a.test", host="a.test", message="It broke.", details={}
    )
    with database.connect() as conn:
        alert_ledger.raise_all(conn, [condition])


def test_open_alerts_and_untold_targets_are_shown(
    omni: CommandLine, database: Database, receiver: WebhookReceiver
) -> None:
    assert "OMNI_ALERT_URLS is not set" in omni.run("alerts").stderr
    raise_alert(database)
    result = omni.run("alerts", OMNI_ALERT_URLS=receiver.url, **SECRET)
    assert "Refresh failed: a.test" in result.stderr
    assert "It broke." in result.stdout
    assert "nothing was sent to it yet" in result.stdout
    report = json.loads(omni.run("alerts", "--json").stdout)
    assert [alert["kind"] for alert in report["alerts"]] == ["failed_run"]
    assert receiver.received == []


def test_a_test_message_says_what_each_target_answered(
    omni: CommandLine, receiver: WebhookReceiver
) -> None:
    down = f"http://127.0.0.1:{find_free_port()}/hook"
    result = omni.run("alerts", "--test", OMNI_ALERT_URLS=f"{receiver.url} {down}", **SECRET)
    assert "took the message" in result.stdout
    assert "did not take the message" in result.stderr
    assert result.returncode == 1
    assert "Nothing is wrong" in receiver.texts()[0]
    fine = omni.run("alerts", "--test", "--json", OMNI_ALERT_URLS=receiver.url, **SECRET)
    assert fine.returncode == 0
    assert [entry["error"] for entry in json.loads(fine.stdout)] == [None]


def test_a_test_without_targets_fails_and_says_how_to_name_one(omni: CommandLine) -> None:
    result = omni.run("alerts", "--test")
    assert result.returncode == 1
    assert "OMNI_ALERT_URLS" in result.stderr


def test_a_target_that_cannot_be_used_is_shown_before_anything_is_sent(
    omni: CommandLine, receiver: WebhookReceiver
) -> None:
    urls = f"http://in-clear.test/hook {receiver.url}"
    result = omni.run("alerts", OMNI_ALERT_URLS=urls)
    assert "cannot be used: plain http would send alerts in clear" in result.stderr
    assert "nothing was sent to it yet" in result.stdout


def test_a_watch_needs_a_terminal(omni: CommandLine) -> None:
    result = omni.run("status", "--watch")
    assert result.returncode == 1
    assert "omni status --json" in result.stderr


def test_a_watch_shows_what_changes_and_leaves_cleanly(
    omni: CommandLine, database: Database
) -> None:
    """R-B10"""
    with database.connect() as conn:
        domains.add(conn, NewDomain(host="first.test", start_url="https://first.test/"))
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "omni_pipeline.cli", "status", "--watch")
    watching = subprocess.Popen(
        ["env", "--default-signal=INT", *command],
        cwd=ROOT,
        env={**omni.environment, "TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    assert "first.test" in read_until(ours, "first.test")
    with database.connect() as conn:
        domains.add(conn, NewDomain(host="second.test", start_url="https://second.test/"))
    assert "second.test" in read_until(ours, "second.test")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=10) == 0
    rest = read_until(ours, "\0", seconds=1)
    assert "Traceback" not in rest
    assert "Aborted" not in rest
    assert "\x1b[?25h" in rest, "the cursor is shown again"
    os.close(ours)


def read_until(terminal: int, words: str, *, seconds: float = 30) -> str:
    """What the terminal shows until these words do, or its program has ended."""
    shown = b""
    end = time.monotonic() + seconds
    os.set_blocking(terminal, False)
    while words.encode() not in shown and time.monotonic() < end:
        try:
            shown += os.read(terminal, 65_536)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:  # nobody is at the other end any more
            break
    return shown.decode(errors="replace")
