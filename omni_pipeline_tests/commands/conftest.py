"""The command line as a person runs it: a process and a home of its own, a real database."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.forks import Fork, ForkServer
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 120


@dataclass(kw_only=True)
class CommandLine:
    """Runs `omni` with an environment that names nothing of this machine."""

    environment: Mapping[str, str]
    forks: ForkServer | None = None

    def run(self, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **changes}
        if self.forks is not None and self.forks.suits(environment):
            return self.forks.run(arguments, environment, seconds=SECONDS)
        return subprocess.run(
            self._command(arguments),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, *arguments: str, **changes: str) -> Fork:
        """Start `omni`, as `run` does, and return at once."""
        environment = {**self.environment, **changes}
        assert self.forks is not None
        assert self.forks.suits(environment)
        return self.forks.start(arguments, environment, seconds=SECONDS)

    def open(self, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
        """Start `omni` in a process of its own, as one that starts others has to be."""
        # Where the tests themselves run in the background, SIGINT is ignored, and inherited so.
        return subprocess.Popen(
            ["env", "--default-signal=INT", *self._command(arguments)],
            cwd=ROOT,
            env={**self.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "omni_pipeline.cli", *arguments]


@pytest.fixture
def site() -> Iterator[SampleServer]:
    with SampleServer() as server:
        yield server


@pytest.fixture
def embedding_server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as server:
        yield server


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with ForkServer(ROOT) as server:
        yield server


@pytest.fixture
def own_database(database: Database, dagster_database: None) -> Database:
    """The test's database, with Dagster's beside it."""
    return database


@pytest.fixture
def omni(
    forks: ForkServer,
    own_database: Database,
    site: SampleServer,
    embedding_server: EmbeddingServer,
    tmp_path: Path,
) -> CommandLine:
    """The command line, with a paid endpoint that counts what it is asked."""
    return CommandLine(
        forks=forks,
        environment={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "COLUMNS": "200",
            "OMNI_HOME": str(tmp_path / "home"),
            "OMNI_DATABASE_URL": own_database.url,
            "OMNI_ALLOW_ADDRESSES": urlsplit(site.url).netloc,
            "OMNI_EMBEDDING_BASE_URL": embedding_server.base_url,
            "OMNI_EMBEDDING_MODEL": MODEL,
            "OMNI_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
            "OPENAI_API_KEY": "sk-test-0123456789abcdef",
        },
    )


@pytest.fixture
def host(omni: CommandLine, site: SampleServer) -> str:
    """The site as a registered domain, which is asked without pauses."""
    added = omni.run("domains", "add", f"{site.url}/", "--delay", "0")
    assert added.returncode == 0, added.stderr
    return urlsplit(site.url).netloc
