"""A domain whose site was edited since its last refresh, in a database of each test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.steps.crawl.sitemap_reading import CONVENTIONAL as SITEMAPS
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.conftest import execute
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer, ok
from omni_pipeline_tests.faults import edited_sites
from omni_pipeline_tests.faults.watchers import (
    Prices,
    Texts,
    Watcher,
    neither_old_nor_new,
    priced_products,
    published_texts,
)
from omni_pipeline_tests.faults.workers import Worker
from omni_pipeline_tests.sites import ScriptedSite
from omni_pipeline_tests.steps.crawl.scripted_crawls import is_probe

SEEDED = "seeded"

CONCURRENCY = 4
SLOTS = 2 * CONCURRENCY

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class World:
    """The site and the endpoint that all domains of these tests share, for one test at a time."""

    site: ScriptedSite
    endpoint: EmbeddingServer
    home: Path

    @property
    def host(self) -> str:
        return urlsplit(self.site.url).netloc

    def settings(self, database: Database) -> Settings:
        endpoint = EmbeddingSettings(
            base_url=self.endpoint.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="sk-test"
        )
        return Settings(
            home=self.home,
            database_url=database.url,
            allow_addresses=self.site.allowed,
            embedding=endpoint,
            chunk_tokens=64,
        )


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What is published before and after a refresh that nothing disturbs, and what is gone then.

    Attributes:
        sums: What the job of that refresh says of itself.
        prices: What is sold for how much then, and what it had cost.
    """

    before: dict[str, Texts]
    after: dict[str, Texts]
    gone: set[tuple[object, ...]]
    sums: tuple[object, ...] = ()
    prices: Prices = ()


@dataclass(kw_only=True)
class Case:
    """A domain as a fault meets it: version 1 of its site is published, version 2 is served.

    Attributes:
        twin: The same domain, refreshed without any fault.
    """

    world: World
    database: Database
    settings: Settings
    twin: Twin

    @property
    def host(self) -> str:
        return self.world.host

    def start(self, faults: str | None = None, **changes: object) -> Worker:
        """Start a refresh in a process of its own."""
        return Worker(replace(self.settings, faults=faults, **changes), self.host)  # type: ignore[arg-type]

    def watch(self, *, lease_seconds: float = 90.0) -> Watcher:
        """Watch every snapshot: pages are as they were, or as they will be."""
        find_torn = partial(neither_old_nor_new, self.twin.before, self.twin.after)
        return Watcher(self.database, find_torn, lease_seconds=lease_seconds)

    def published(self) -> dict[str, Texts]:
        with self.database.connect() as conn:
            return published_texts(conn)

    def violations(self) -> list[invariants.Violation]:
        with self.database.connect() as conn:
            return invariants.find_violations(conn, lease_seconds=90)

    def query(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self.database.connect() as conn:
            found = conn.execute(query.encode(), values or None)
            return found.fetchall() if found.description else []

    def jobs(self) -> list[tuple[object, ...]]:
        """Status, who ended it and the kind of error of each job since the seeding, in order."""
        return self.query(
            "SELECT status, ended_by, error_kind FROM crawl_jobs ORDER BY id OFFSET 1"
        )

    def sums(self) -> tuple[object, ...]:
        """What the newest job says that it did."""
        [sums] = self.query(
            "SELECT pages_discovered, pages_changed, pages_gone, pages_cleaned, pages_published, "
            "chunks_staged, chunks_embedded, chunks_reused, tokens_embedded, tokens_reused "
            "FROM crawl_jobs ORDER BY id DESC LIMIT 1"
        )
        return sums

    def prices(self) -> Prices:
        """Every product with its price and its history."""
        with self.database.connect() as conn:
            return priced_products(conn)

    def gone(self) -> set[tuple[object, ...]]:
        return set(self.query("SELECT url, gone_because FROM raw_pages WHERE status = 'gone'"))

    def page_requests(self) -> int:
        """How often the site was asked for pages: not for robots.txt, sitemap and probe."""
        own = ("/robots.txt", *SITEMAPS)
        return sum(not (t in own or is_probe(t)) for t in self.world.site.targets())

    def texts_with_vectors(self) -> set[str]:
        """The texts whose vectors are in the database, published or only kept."""
        rows = self.query(
            "SELECT text FROM chunks UNION SELECT sc.text FROM staged_chunks sc "
            "JOIN kept_embeddings se ON se.text_hash = sc.text_hash"
        )
        return {str(text) for (text,) in rows}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ScriptedSite() as site, EmbeddingServer() as endpoint:
        yield World(site=site, endpoint=endpoint, home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def seeded(postgres: EmbeddedPostgres, template: str, world: World) -> str:
    """A database to clone: version 1 was published two days ago."""
    execute(postgres, "CREATE DATABASE {} TEMPLATE {}", SEEDED, template)
    database = Database(url=postgres.url(SEEDED))
    seed(world, database)
    return SEEDED


def seed(world: World, database: Database) -> None:
    """Register the domain, publish version 1, and let two days pass."""
    world.site.pages = dict(edited_sites.version_1())
    domain = NewDomain(
        host=world.host, start_url=world.site.url, delay_seconds=0, concurrency=CONCURRENCY
    )
    with database.connect() as conn:
        domains.add(conn, domain)
    assert Worker(world.settings(database), world.host).outcome() is None
    with database.connect() as conn:
        conn.execute("UPDATE raw_pages SET checked_at = checked_at - interval '2 days'")


@pytest.fixture(scope="session")
def twin(postgres: EmbeddedPostgres, seeded: str, world: World) -> Twin:
    """A refresh of the edited site that nothing disturbs."""
    with cloned(postgres, seeded) as database:
        case = edited(world, database, Twin(before={}, after={}, gone=set()))
        before = case.published()
        assert case.start().outcome() is None
        assert case.violations() == []
        return Twin(
            before=before,
            after=case.published(),
            gone=case.gone(),
            sums=case.sums(),
            prices=case.prices(),
        )


@pytest.fixture
def case(postgres: EmbeddedPostgres, seeded: str, world: World, twin: Twin) -> Iterator[Case]:
    with cloned(postgres, seeded) as database:
        yield edited(world, database, twin)


@contextmanager
def cloned(server: EmbeddedPostgres, name: str) -> Iterator[Database]:
    """A copy of a database for as long as the block lasts."""
    copy = f"fault_{next(_numbers)}"
    execute(server, "CREATE DATABASE {} TEMPLATE {}", copy, name)
    yield Database(url=server.url(copy), application_name="test")
    execute(server, "DROP DATABASE {} WITH (FORCE)", copy)


def edited(world: World, database: Database, twin: Twin) -> Case:
    """Serve version 2 from now on, and forget what was asked before."""
    world.site.pages = dict(edited_sites.version_2())
    world.site.requests.clear()
    world.endpoint.calls.clear()
    world.endpoint.otherwise = ok
    return Case(world=world, database=database, settings=world.settings(database), twin=twin)
