"""`omni alerts`: what is wrong or lately was, who was told, and whether messages arrive."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import uuid4

import typer

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import ago, print_json, say, warn
from omni_pipeline.domain.alert_kinds import title_of
from omni_pipeline.domain.alert_messages import Message
from omni_pipeline.gateways.notify.targets import find_unusable, open_targets
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.monitoring.alerting import send
from omni_pipeline.store.monitoring import alert_ledger as ledger
from omni_pipeline.store.monitoring.alert_ledger import Alert, TargetState

NO_TARGETS = (
    "OMNI_ALERT_URLS is not set, so nobody is told: set it to addresses such as "
    "slack://…, mailto://… or https://…, with spaces between them."
)

TEST_TEXT = "This is what an alert looks like. Nothing is wrong."


def alerts(
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every target.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the open alerts, those of the last week, and where alerts are sent to."""
    if test:
        _test(as_json=as_json)
        return
    with open_application() as app:
        targets = open_targets(app.settings)
        names = [target.name for target in targets]
        found = app.session.run(ledger.list_recent)
        known = app.session.run(lambda conn: ledger.list_targets(conn, names))
    if as_json:
        print_json({"alerts": found, "targets": known})
        return
    _print_alerts(found)
    say("")
    _print_targets(names, known, find_unusable(targets))


def _test(*, as_json: bool) -> None:
    targets = open_targets(read_settings())
    message = Message(id=uuid4().hex, title="omni: test", text=TEST_TEXT)
    results = {target.name: send(target, message) for target in targets}
    if as_json:
        print_json([{"target": name, "error": error} for name, error in results.items()])
    elif not results:
        warn(NO_TARGETS)
    else:
        for name, error in results.items():
            warn(error) if error else say(f"{name} took the message.")
    if not results or any(results.values()):
        raise typer.Exit(1)


def _print_alerts(found: Sequence[Alert]) -> None:
    if not any(alert.recovered_at is None for alert in found):
        say("Nothing is wrong.")
    for alert in found:
        title = f"{title_of(alert.kind)}: {alert.subject}"
        if alert.recovered_at is not None:
            say(f"{title}, over {ago(alert.recovered_at)}")
            continue
        warn(f"{title}, since {ago(alert.opened_at)}".removesuffix(" ago"))
        say(f"  {alert.message}")


def _print_targets(
    names: Sequence[str], known: Sequence[TargetState], unusable: Mapping[str, str]
) -> None:
    state_by_name = {state.name: state for state in known}
    for name in names:
        state = state_by_name.get(name)
        if name in unusable:
            warn(unusable[name])
        elif state is None:
            say(f"{name}: nothing was sent to it yet; try it with: omni alerts --test")
        elif state.error:
            warn(f"{name}: {state.failures} failures in a row. {state.error}")
        else:
            when = ago(state.delivered_at) if state.delivered_at else "-"
            say(f"{name}: took its last message {when}")
    if not names:
        warn(NO_TARGETS)
