"""`omni doctor`: what is used, what is wrong, and what will be."""

import json

from psycopg import Connection

from omni_pipeline.gateways.notify.targets import open_targets
from omni_pipeline.settings import read_settings
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.webhook_receiver import WebhookReceiver


def findings(omni: CommandLine, **changes: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and the last verdict and detail on each subject."""
    result = omni.run("doctor", "--json", **changes)
    found = json.loads(result.stdout)
    return result.returncode, {f["subject"]: (f["verdict"], f["detail"]) for f in found}


def test_what_is_fine_is_said_of_everything(omni: CommandLine) -> None:
    code, found = findings(omni)
    assert code == 0
    assert {"postgres", "schema", "index", "ids", "model", "alerts"} <= found.keys()
    assert found["ids"][0] == "ok"
    assert found["alerts"] == ("ok", "OMNI_ALERT_URLS is not set: nobody is told")


def test_ids_that_run_out_are_a_warning_at_80_percent(
    omni: CommandLine, connection: Connection
) -> None:
    """F-B17: all ids have 64 bits but those of the models, which have 16."""
    connection.execute("SELECT setval('embedding_models_id_seq', 26_300)")
    code, found = findings(omni)
    verdict, detail = found["ids"]
    assert (code, verdict) == (0, "warning")
    assert "embedding_models_id_seq: 26,300 of 32,767 are used" in detail
    assert "ALTER" in detail


def test_a_target_that_no_alert_can_reach_is_wrong(omni: CommandLine) -> None:
    code, found = findings(omni, OMNI_ALERT_URLS="http://in-clear.test/hook https://fine.test/x")
    assert code == 1
    assert found["alerts"][0] == "wrong"
    assert "plain http" in found["alerts"][1]


def test_webhooks_without_a_secret_are_named_as_unsigned(omni: CommandLine) -> None:
    with WebhookReceiver() as receiver:
        verdict, detail = findings(omni, OMNI_ALERT_URLS=receiver.url)[1]["alerts"]
        assert receiver.received == []
    assert verdict == "ok"
    assert detail.startswith("webhook 127.0.0.1 #")
    assert "not signed: OMNI_ALERT_WEBHOOK_SECRET is not set" in detail


def test_a_target_that_did_not_take_its_last_message_is_a_warning(
    omni: CommandLine, connection: Connection
) -> None:
    """F-G9"""
    url = "https://hooks.test/x"
    [target] = open_targets(read_settings({"OMNI_ALERT_URLS": url}))
    alert_ledger.claim_target(connection, target.name)
    alert_ledger.note_failed(connection, target.name, "It did not take the message: HTTP 503")
    listing = json.loads(omni.run("doctor", "--json", OMNI_ALERT_URLS=url).stdout)
    [warning] = [f for f in listing if (f["subject"], f["verdict"]) == ("alerts", "warning")]
    assert warning["detail"] == "1 failures in a row. It did not take the message: HTTP 503"
