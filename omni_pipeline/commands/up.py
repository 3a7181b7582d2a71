"""`omni up`: everything in the foreground; Ctrl-C stops all of it."""

import socket
import threading
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import say
from omni_pipeline.commands.processes import (
    ProcessGroup,
    stop_on_signals,
    wait_for_port,
    wait_for_socket,
)
from omni_pipeline.errors import SettingsError
from omni_pipeline.store import domains
from omni_pipeline.store.migrations import migrate

LOOPBACK = "127.0.0.1"


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the UI listens.")] = 3000,
    only_postgres: Annotated[
        bool, typer.Option("--only-postgres", help="Only keep the embedded Postgres running.")
    ] = False,
) -> None:
    """Run Postgres, migrations, code server, webserver and daemon until Ctrl-C.

    The UI listens on 127.0.0.1 only: Dagster has no login of its own.
    """
    stop_on_signals()
    with open_application(prepare=False) as app:
        for name in app.session.run(migrate):
            say(f"applied {name}")
        app.prepare_schema()
        if only_postgres:
            _hold(app)
        else:
            _check_port_is_free(port)
            _run_dagster(app, port)


def _hold(app: Application) -> None:
    if app.settings.database_url is not None:
        raise SettingsError(
            "OMNI_DATABASE_URL is set: that server is not ours to run. "
            "`omni up --only-postgres` runs the embedded one; unset the variable for it."
        )
    say(f"Postgres runs: {app.database.url}")
    say("Ctrl-C stops it when nobody else uses it.")
    threading.Event().wait()


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {LOOPBACK} is taken ({error.strerror}): choose another one with "
                "`omni up --port 3001`."
            ) from error


def _run_dagster(app: Application, port: int) -> None:
    _add_partitions(app)
    environment = app.dagster_environment
    state = app.settings.home / "dagster"
    with ProcessGroup(environment, logs=state / "logs") as group:
        sock = group.socket_path("code-server.sock")
        group.start(
            "code server",
            [
                "dagster",
                "code-server",
                "start",
                "-m",
                "omni_pipeline.definitions",
                "--location-name",
                "omni_pipeline",
                "--socket",
                str(sock),
            ],
        )
        wait_for_socket(sock, group)
        workspace = state / "workspace.yaml"
        workspace.write_text(
            "load_from:\n  - grpc_server:\n"
            f"      socket: '{sock}'\n      location_name: omni_pipeline\n"
        )
        group.start("daemon", ["dagster._daemon", "run", "-w", str(workspace)])
        group.start(
            "webserver",
            ["dagster_webserver", "-w", str(workspace), "-h", LOOPBACK, "-p", str(port)],
        )
        wait_for_port(LOOPBACK, port, group)
        say(f"Dagster's UI: http://{LOOPBACK}:{port}   (logs: {state / 'logs'})")
        say("Ctrl-C stops everything.")
        group.supervise()


def _add_partitions(app: Application) -> None:
    """Domains registered while Dagster was away become partitions now."""
    from omni_pipeline.defs.instance import add_partition

    for host in app.session.run(domains.list_hosts):
        add_partition(app.instance, host)
