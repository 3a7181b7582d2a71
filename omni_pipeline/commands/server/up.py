"""`omni up`: everything in the foreground; Ctrl-C stops all of it."""

import ipaddress
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import say, warn
from omni_pipeline.commands.server.processes import (
    SUPERVISE_SECONDS,
    ProcessGroup,
    stop_on_signals,
    wait_for_port,
    wait_for_socket,
)
from omni_pipeline.defs.instance.sockets import RUN_SERVER
from omni_pipeline.errors import SettingsError, TemporaryError
from omni_pipeline.gateways.notify.targets import find_unusable, open_targets
from omni_pipeline.settings import Settings
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.postgres.migrations import migrate

LOOPBACK = "127.0.0.1"
HEARTBEAT_TTL = "300"


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the UI listens.")] = 3000,
    host: Annotated[
        str, typer.Option(help="The address the UI listens on; others than loopback need a proxy.")
    ] = LOOPBACK,
    only_postgres: Annotated[
        bool, typer.Option("--only-postgres", help="Only keep the embedded Postgres running.")
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="A UI to look at: it changes and starts nothing.")
    ] = False,
) -> None:
    """Run Postgres, migrations, code server, webserver and daemon until Ctrl-C.

    What crashes is started again. The UI listens on 127.0.0.1 only: Dagster has no login.
    """
    stop_on_signals()
    with open_application(prepare=False) as app:
        check_host(host, app.settings)
        for name in app.session.run(migrate):
            say(f"applied {name}")
        app.prepare_schema()
        if only_postgres:
            _hold(app)
        else:
            _check_port_is_free(host, port)
            for complaint in find_unusable(open_targets(app.settings)).values():
                warn(complaint)
            _run_dagster(app, host, port, ["--read-only"] if read_only else [])


def check_host(host: str, settings: Settings) -> None:
    """Refuse to listen where others could reach a UI that lets everybody in (S-56).

    Raises:
        SettingsError: It is no address, or not loopback and nobody vouches for a login.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise SettingsError(
            f"--host {host!r} is no address: write it as a number, such as 127.0.0.1 or ::1."
        ) from error
    if not address.is_loopback and not settings.has_auth:
        raise SettingsError(
            f"--host {host} would let everybody who reaches it into Dagster's UI, which has no "
            "login: put an authenticating proxy in front of 127.0.0.1 (docs/guide/security.md). "
            "Where the proxy is elsewhere, and nothing else can reach this port, set "
            "OMNI_I_HAVE_AUTH=1."
        )


def _hold(app: Application) -> None:
    if app.settings.database_url is not None:
        raise SettingsError(
            "OMNI_DATABASE_URL is set: that server is not ours to run. "
            "`omni up --only-postgres` runs the embedded one; unset the variable for it."
        )
    say(f"Postgres runs: {app.database.url}")
    say("Ctrl-C stops it when nobody else uses it.")
    revive = postgres_keeper(app.settings)
    while True:
        revive()
        time.sleep(SUPERVISE_SECONDS)


def postgres_keeper(settings: Settings) -> Callable[[], None]:
    """A function that starts the embedded Postgres again when it has died, and says so."""
    if settings.database_url is not None:
        return lambda: None
    server = EmbeddedPostgres(settings.home / "postgres", os_user=settings.pg_os_user)

    def revive() -> None:
        if server.cluster.postmaster_pid() is not None:
            return
        warn(f"Postgres ended and is started again; see {server.cluster.log}")
        try:
            with server:
                say("Postgres runs again.")
        except TemporaryError as error:  # it recovers; the next look finds it running
            warn(str(error))

    return revive


def _check_port_is_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {host} cannot be had ({error.strerror}): choose another one with "
                "`omni up --port 3001`."
            ) from error


def _run_dagster(app: Application, host: str, port: int, options: list[str]) -> None:
    _add_partitions(app)
    state = app.settings.home / "dagster"
    with ProcessGroup(app.dagster_environment, logs=state / "logs") as group:
        workspace = _start_code_server(group, state)
        if app.settings.warm_runs:
            _start_run_server(group)
        group.start("daemon", ["dagster._daemon", "run", "-w", str(workspace)])
        listen = ["-h", host, "-p", str(port)]
        group.start("webserver", ["dagster_webserver", "-w", str(workspace), *listen, *options])
        wait_for_port(host, port, group)
        say(f"Dagster's UI: http://{_in_url(host)}:{port}   (logs: {group.logs})")
        say("Ctrl-C stops everything.")
        group.supervise(postgres_keeper(app.settings))


def code_server(sock: Path, module: str = "omni_pipeline.definitions") -> list[str]:
    """The module and arguments of a code server on a socket.

    The process that runs start from ends itself when nobody has spoken to it for 30 s, by default:
    on a busy machine that comes to pass, and each run that is launched meanwhile fails.
    """
    where = ["-m", module, "--location-name", "omni_pipeline", "--socket", str(sock)]
    return ["dagster", "code-server", "start", "--heartbeat-ttl", HEARTBEAT_TTL, *where]


def _start_code_server(group: ProcessGroup, state: Path) -> Path:
    """Start it and wait for it; returns the workspace file that leads the others to it."""
    sock = group.socket_path("code-server.sock")
    group.start("code server", code_server(sock))
    wait_for_socket(sock, group)
    workspace = state / "workspace.yaml"
    workspace.write_text(
        "load_from:\n  - grpc_server:\n"
        f"      socket: '{sock}'\n      location_name: omni_pipeline\n"
    )
    return workspace


def _start_run_server(group: ProcessGroup) -> None:
    sock = group.socket_path(RUN_SERVER)
    group.start("run server", ["omni_pipeline.commands.server.run_server", str(sock)])
    wait_for_socket(sock, group)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _add_partitions(app: Application) -> None:
    """Domains registered while Dagster was away become partitions now."""
    from omni_pipeline.defs.instance.environment import add_partition

    for host in app.session.run(domains.list_hosts):
        add_partition(app.instance, host)
