"""The shipped definitions and the shipped dagster.yaml, on databases of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
from dagster._core.storage.defs_state.base import DefsStateStorage

from omni_pipeline.definitions import defs
from omni_pipeline.defs.instance.environment import (
    add_partition,
    dagster_environment,
    open_instance,
)
from omni_pipeline.defs.runs.launch import RunOutcome, run_refresh
from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.settings import read_settings
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database

VARIABLES = (
    "OMNI_DATABASE_URL",
    "OMNI_HOME",
    "OMNI_ALLOW_ADDRESSES",
    "OMNI_EMBEDDING_MODEL",
    "DAGSTER_HOME",
    "OMNI_DAGSTER_STATE",
    "OMNI_DAGSTER_STORAGE_URL",
)


class Console:
    """A registered sample site and a Dagster instance to refresh it with.

    Lexical vectors: what is under test is the orchestration, and they take no second to load.
    """

    def __init__(
        self, instance: dg.DagsterInstance, database: Database, site: SampleServer
    ) -> None:
        self.instance = instance
        self.database = database
        self.site = site
        self.host = urlsplit(site.url).netloc

    def refresh(
        self,
        *,
        force_rescrape: bool = False,
        force_reembed: bool = False,
        max_pages: int | None = None,
        part: CrawlSelection = WHOLE_SITE,
    ) -> RunOutcome:
        return run_refresh(
            defs.resolve_job_def("refresh_domain"),
            self.instance,
            self.host,
            force_rescrape=force_rescrape,
            force_reembed=force_reembed,
            max_pages=max_pages,
            part=part,
            listener=None,
        )

    def query(self, sql: bytes) -> list[tuple[object, ...]]:
        with self.database.connect() as conn:
            return conn.execute(sql).fetchall()


@contextmanager
def left_last(instance: dg.DagsterInstance) -> Iterator[None]:
    """Whatever instance is entered inside is left inside too.

    Dagster keeps the entered instance in a context variable and puts the one before back at its
    end. A sensor's or schedule's context that is not used by `with` enters one that ends when it is
    collected, at any time: then the variable names an instance that is long gone, and the next
    materialization of whichever test fails ("undefined DagsterInstance weakref").
    """
    yield
    assert DefsStateStorage.get() is instance.defs_state_storage, "an instance was not left"


@pytest.fixture
def instance(enterable_dir: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in memory, for what needs no daemon: much cheaper than one in Postgres."""
    with dg.DagsterInstance.local_temp(str(enterable_dir)) as instance, left_last(instance):
        yield instance


@pytest.fixture
def console(
    database: Database,
    dagster_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Console]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with SampleServer() as site:
        place = urlsplit(site.url).netloc
        monkeypatch.setenv("OMNI_DATABASE_URL", database.url)
        monkeypatch.setenv("OMNI_HOME", str(tmp_path))
        monkeypatch.setenv("OMNI_ALLOW_ADDRESSES", place)
        monkeypatch.setenv("OMNI_EMBEDDING_MODEL", "lexical-hash-384")
        with database.connect() as conn:
            domains.add(conn, NewDomain(host=place, start_url=f"{site.url}/", delay_seconds=0))
        environment = dagster_environment(read_settings(), database)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with open_instance(environment) as instance, left_last(instance):
            add_partition(instance, place)
            yield Console(instance, database, site)
