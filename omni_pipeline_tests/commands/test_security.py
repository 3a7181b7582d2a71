"""Who reaches Dagster's UI: loopback, unless somebody vouches; and the documented proxy."""

import http.client
import re
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.testclient import TestClient

from omni_pipeline.commands.server.up import check_host
from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import read_settings
from omni_pipeline_tests.commands.conftest import ROOT, CommandLine
from omni_pipeline_tests.conftest import find_free_port
from omni_pipeline_tests.sites import Page, ScriptedSite

HOST = "omni.example.com"
LOGIN = {"Authorization": f"Basic {b64encode(b'me:secret').decode()}"}
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
MUTATION = 'mutation { deleteRun(runId: "no-such-run") { __typename } }'


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_always_listened_on(host: str) -> None:
    check_host(host, read_settings({}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "2001:db8::1"])
def test_another_address_takes_somebody_who_vouches(host: str) -> None:
    """S-56"""
    with pytest.raises(SettingsError, match=rf"{re.escape(host)}.*no login.*OMNI_I_HAVE_AUTH=1"):
        check_host(host, read_settings({}))
    check_host(host, read_settings({"OMNI_I_HAVE_AUTH": "1"}))


def test_a_name_is_no_address(omni: CommandLine) -> None:
    """What it resolves to may change after it was judged."""
    done = omni.run("up", "--host", "localhost")
    assert done.returncode != 0
    assert "'localhost' is no address: write it as a number, such as 127.0.0.1" in done.stderr
    refused = omni.run("up", "--host", "0.0.0.0")
    assert refused.returncode != 0
    assert "OMNI_I_HAVE_AUTH=1" in refused.stderr


def test_who_vouches_says_so_clearly() -> None:
    with pytest.raises(SettingsError, match="OMNI_I_HAVE_AUTH='yes': it must be 1"):
        read_settings({"OMNI_I_HAVE_AUTH": "yes"})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's, of its own code
@pytest.mark.parametrize("is_read_only", [False, True])
def test_dagster_takes_mutations_over_get_from_any_page_unless_it_is_read_only(
    enterable_dir: Path, *, is_read_only: bool
) -> None:
    """S-56: why there is a proxy. If this fails, Dagster is safer: say so in security.md."""
    with (
        dg.DagsterInstance.local_temp(str(enterable_dir)) as instance,
        WorkspaceProcessContext(instance, None, read_only=is_read_only) as context,
    ):
        client = TestClient(DagsterWebserver(context).create_asgi_app())
        foreign = {"Host": "evil.test", "Origin": "https://evil.test"}
        answer = client.get("/graphql", params={"query": MUTATION}, headers=foreign)
    assert answer.status_code == 200
    told = answer.json()["data"]["deleteRun"]["__typename"]
    assert told == ("UnauthorizedError" if is_read_only else "RunNotFoundError")


class Proxy:
    """nginx as it is documented, without TLS, before a stand-in for the webserver."""

    def __init__(self, port: int, upstream: ScriptedSite) -> None:
        self._port = port
        self.upstream = upstream

    def ask(self, method: str, target: str, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            body = b"{}" if method == "POST" else None
            connection.request(method, target, body, {"Host": HOST, **headers})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def proxy(enterable_dir: Path) -> Iterator[Proxy]:
    assert NGINX is not None
    port = find_free_port()
    with ScriptedSite() as upstream:
        upstream.fallback = Page(body=b"the UI")
        configuration = enterable_dir / "nginx.conf"
        configuration.write_text(configure(enterable_dir, port, upstream.port))
        (enterable_dir / "omni.htpasswd").write_text("me:{PLAIN}secret\n")
        process = subprocess.Popen([NGINX, "-p", str(enterable_dir), "-c", str(configuration)])
        try:
            wait_for(port)
            yield Proxy(port, upstream)
        finally:
            process.terminate()
            process.wait(timeout=30)


def configure(folder: Path, port: int, upstream: int) -> str:
    """The documented example with this test's places in it."""
    page = (ROOT / "docs/guide/security.md").read_text()
    [example] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    example = re.sub(r".*(ssl_certificate|ssl_reject_handshake).*\n", "", example)
    example = example.replace("443 ssl", f"127.0.0.1:{port}")
    example = example.replace("127.0.0.1:3000", f"127.0.0.1:{upstream}")
    example = example.replace("/etc/nginx/", f"{folder}/")
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{example}}}\n"
    )


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.05)
        else:
            return


WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}
OURS = {"Origin": f"https://{HOST}"}
THEIRS = {"Origin": "https://evil.test"}


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_the_proxy_of_the_readme_lets_in_who_may_and_nothing_else(proxy: Proxy) -> None:
    """S-56"""
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("GET", "/", LOGIN, 200),
        ("GET", "/runs", LOGIN | OURS, 200),
        ("POST", "/graphql", LOGIN | OURS, 200),
        ("POST", "/graphql", LOGIN, 200),  # a program
        ("GET", "/graphql", LOGIN | OURS | WEBSOCKET, 200),
    ]
    refused: list[tuple[str, str, dict[str, str], int]] = [
        ("GET", "/", {}, 401),
        ("POST", "/graphql", OURS, 401),
        ("GET", "/graphql?query=mutation", LOGIN, 405),
        ("GET", "/graphql?query=mutation", LOGIN | OURS, 405),
        ("PUT", "/graphql", LOGIN | OURS, 405),
        ("POST", "/graphql", LOGIN | THEIRS, 403),
        ("POST", "/graphql", LOGIN | {"Origin": "null"}, 403),
        ("GET", "/graphql", LOGIN | THEIRS | WEBSOCKET, 403),
        ("POST", "/report_asset_materialization/raw_pages", LOGIN | OURS, 403),
        ("GET", "/", LOGIN | {"Host": "evil.test"}, 421),
        ("POST", "/graphql", LOGIN | {"Host": "evil.test"}, 421),
    ]
    for method, target, headers, status in [*asked, *refused]:
        assert proxy.ask(method, target, headers) == status, (method, target, headers)
    assert len(proxy.upstream.requests) == len(asked)
