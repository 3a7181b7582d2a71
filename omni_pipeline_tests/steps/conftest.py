"""A domain to refresh: the sample site, a real database, an embedding door that counts."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from omni_pipeline.domain.chunks.chunking import Chunker, make_chunker
from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.embedding.results import Embedded, Refusal
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.settings import Settings
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport, crawl
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import EmbeddingsReport, embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import Refresh, open_refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database

DIMENSIONS = 16


@dataclass(kw_only=True)
class CountingClient:
    """Vectors derived from the text's hash; remembers every text it was paid for.

    Args:
        breaks_after: Raise a temporary error once this many requests were answered.
        refuses: Refuse texts that contain this.
    """

    breaks_after: int | None = None
    refuses: str | None = None
    texts: list[str] = field(default_factory=list)
    requests: int = 0

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded:
        if self.requests == self.breaks_after:
            raise TemporaryError("the endpoint went away", kind="transient.embed_down")
        self.requests += 1
        refused = [i for i, text in enumerate(texts) if self.refuses and self.refuses in text]
        self.texts.extend(text for i, text in enumerate(texts) if i not in refused)
        vectors = np.stack([vector_of(text) for text in texts])
        vectors[refused] = np.nan
        return Embedded(
            vectors=vectors,
            tokens_billed=sum(tokens or [0]),
            requests=1,
            refused=tuple(
                Refusal(index=i, kind="permanent.input_refused", reason="it refuses this text")
                for i in refused
            ),
        )


def vector_of(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    digest = hashlib.shake_256(text.encode()).digest(DIMENSIONS)
    return np.frombuffer(digest, dtype=np.uint8).astype(np.float32) + 1


@dataclass(frozen=True, kw_only=True)
class Reports:
    raw_pages: RawPagesReport
    embeddings: EmbeddingsReport


@dataclass(kw_only=True)
class Pipeline:
    """The four steps as a run takes them, without Dagster."""

    database: Database
    settings: Settings
    host: str
    site: SampleServer
    chunker: Chunker
    client: CountingClient = field(default_factory=CountingClient)

    def refresh(
        self,
        *,
        force_rescrape: bool = False,
        force_reembed: bool = False,
        max_pages: int | None = None,
    ) -> Reports:
        self.client.texts.clear()
        with self.open() as refresh, self.web() as web:
            fetched = crawl(
                refresh,
                web,
                user_agent="test",
                force_rescrape=force_rescrape,
                page_limit=max_pages,
            )
            clean_pages(refresh)
            stage_chunks(refresh, self.model(), self.chunker)
            published = embed_and_publish(
                refresh, self.model(), self.client, force_reembed=force_reembed
            )
        return Reports(raw_pages=fetched, embeddings=published)

    def open(self, run_id: str = "run-1") -> AbstractContextManager[Refresh]:
        request = Request(run_id=run_id, worker=this_worker())
        return open_refresh(self.database, self.settings, self.host, request)

    def web(self) -> HttpClient:
        return HttpClient(
            policy=AddressPolicy(allowed=self.settings.allow_addresses),
            user_agent="test",
            limits=FetchLimits(pause_seconds=0.01),
        )

    def model(self) -> StoredModel:
        with self.database.connect() as conn:
            return embedding_models.ensure(
                conn, name="counting", dimensions=DIMENSIONS, is_lexical=False
            )

    def query(self, sql: bytes) -> list[tuple[object, ...]]:
        with self.database.connect() as conn:
            return conn.execute(sql).fetchall()

    def violations(self) -> list[invariants.Violation]:
        with self.database.connect() as conn:
            return invariants.find_violations(conn, lease_seconds=90)

    def published_texts(self, path: str) -> list[str]:
        rows = self.query(
            b"SELECT p.url, c.text FROM chunks c JOIN raw_pages p ON p.id = c.page_id "
            b"ORDER BY c.page_id, c.position"
        )
        return [str(text) for url, text in rows if url == f"{self.site.url}{path}"]


@pytest.fixture(scope="session")
def chunker() -> Chunker:
    return make_chunker("text-embedding-3-small", 120)


@pytest.fixture
def pipeline(database: Database, chunker: Chunker, tmp_path: Path) -> Iterator[Pipeline]:
    """The sample site, registered as a domain and not yet refreshed."""
    with SampleServer() as site:
        place = urlsplit(site.url)
        assert place.port is not None
        settings = Settings(
            home=tmp_path, allow_addresses=frozenset({(ip_address("127.0.0.1"), place.port)})
        )
        domain = NewDomain(host=place.netloc, start_url=f"{site.url}/", delay_seconds=0)
        with database.connect() as conn:
            domains.add(conn, domain)
        yield Pipeline(
            database=database, settings=settings, host=place.netloc, site=site, chunker=chunker
        )
