"""A real Postgres for the whole test run, and a fresh database in it for each test that asks."""

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import LiteralString

import pytest
from dagster_postgres.storage import DagsterPostgresStorage
from psycopg import Connection, sql

from omni_pipeline.settings import read_settings
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.database import Database, dagster_url, parse_url
from omni_pipeline.store.postgres.migrations import migrate

# What a test run may lose in a power cut is worth less than its speed.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

ROOMY_BYTES = 4 * 2**30

TEMPLATE = "migrated"
DAGSTER_TEMPLATE = "dagster_tables"

_numbers = count(1)


def pytest_collection_finish() -> None:
    """Leave out of every garbage collection what all tests need: it is most of the memory."""
    gc.freeze()


@contextmanager
def make_enterable_dir() -> Iterator[Path]:
    """A directory that every OS user can enter, as pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="omni-test-", dir=_find_memory()))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def _find_memory() -> Path | None:
    """A file system in memory, where the many databases of a test run cost half as much."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOMY_BYTES
    return memory if is_roomy and os.access(memory, os.W_OK) else None


@pytest.fixture
def enterable_dir() -> Iterator[Path]:
    with make_enterable_dir() as directory:
        yield directory


@pytest.fixture
def free_port() -> int:
    return find_free_port()


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The run's server, on a socket and, as a server of one's own would be, on TCP."""
    with (
        make_enterable_dir() as directory,
        EmbeddedPostgres(directory, tcp_port=find_free_port(), settings=CARELESS) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with all migrations applied, to be cloned."""
    execute(postgres, "CREATE DATABASE {}", TEMPLATE)
    with Database(url=postgres.url(TEMPLATE)).connect() as conn:
        migrate(conn)
    return TEMPLATE


@pytest.fixture(scope="session")
def dagster_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database with Dagster's tables, which it takes seconds to make."""
    execute(postgres, "CREATE DATABASE {}", DAGSTER_TEMPLATE)
    place = Database(url=postgres.url(DAGSTER_TEMPLATE))
    settings = replace(read_settings({}), dagster_database_url=place.url)
    DagsterPostgresStorage(dagster_url(settings, place))
    return DAGSTER_TEMPLATE


@pytest.fixture
def database(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    name = f"test_{next(_numbers)}"
    execute(postgres, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield Database(url=postgres.url(name), application_name="test")
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def dagster_database(
    postgres: EmbeddedPostgres, database: Database, dagster_template: str
) -> Iterator[None]:
    """Dagster's own database, which it finds beside the test's by its name."""
    name = f"{parse_url(database.url)['dbname']}_dagster"
    execute(postgres, "CREATE DATABASE {} TEMPLATE {}", name, dagster_template)
    yield
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database in which nothing was done yet."""
    name = f"test_{next(_numbers)}"
    execute(postgres, "CREATE DATABASE {}", name)
    yield Database(url=postgres.url(name), application_name="test")
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect() as conn:
        yield conn


def execute(server: EmbeddedPostgres, statement: LiteralString, *names: str) -> None:
    """Run a statement about whole databases, whose names fill the braces."""
    with Database(url=server.url("postgres")).connect() as conn:
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
