"""`omni up` on loopback with sample sites of its own, for whoever looks at its UI."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.conftest import find_free_port

STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RunningConsole:
    """A webserver, a daemon and a code server, and sites that are registered and not refreshed."""

    url: str
    database: Database
    sites: tuple[SampleServer, ...]
    omni: CommandLine

    @property
    def hosts(self) -> list[str]:
        return [urlsplit(site.url).netloc for site in self.sites]

    def plant_mismatch(self, host: str) -> None:
        """Delete a published vector, past the constraint that would refuse it."""
        with self.database.connect() as conn:
            conn.execute(b"SET session_replication_role = replica")
            conn.execute(
                b"DELETE FROM embeddings WHERE chunk_id = (SELECT max(e.chunk_id) FROM embeddings e"
                b" JOIN domains d ON d.id = e.domain_id WHERE d.host = %s)",
                (host,),
            )


@contextmanager
def run_console(
    database: Database, home: Path, ports: Sequence[int], *, alert_url: str = ""
) -> Iterator[RunningConsole]:
    """Serve a sample site on each port (0: any), register them all, and run `omni up`.

    Lexical vectors: what is looked at is the console, and they take no second to load.
    """
    with ExitStack() as stack:
        sites = tuple(stack.enter_context(SampleServer(port=port)) for port in ports)
        with database.connect() as conn:
            for site in sites:
                host = urlsplit(site.url).netloc
                domains.add(conn, NewDomain(host=host, start_url=f"{site.url}/", delay_seconds=0))
        omni = CommandLine(
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "OMNI_HOME": str(home / "omni"),
                "OMNI_DATABASE_URL": database.url,
                "OMNI_ALLOW_ADDRESSES": " ".join(urlsplit(site.url).netloc for site in sites),
                "OMNI_ALERT_URLS": alert_url,
                "OMNI_ALERT_WEBHOOK_SECRET": "a-shared-secret",
                "OMNI_EMBEDDING_MODEL": "lexical-hash-384",
            }
        )
        url = stack.enter_context(_up(omni))
        yield RunningConsole(url=url, database=database, sites=sites, omni=omni)


@contextmanager
def _up(omni: CommandLine) -> Iterator[str]:
    port = find_free_port()
    process = omni.open("up", "--port", str(port))
    assert process.stdout is not None
    url = f"http://127.0.0.1:{port}"
    try:
        if not any(url in line for line in iter(process.stdout.readline, "")):
            raise AssertionError(process.communicate(timeout=STOP_SECONDS)[1])
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)
