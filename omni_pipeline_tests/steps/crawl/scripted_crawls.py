"""Crawls of scripted sites: a registered domain, a real database, no Dagster, no embeddings."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import FetchRequest, Outcome, Rendering
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.escalation import Renderer
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.settings import Settings
from omni_pipeline.steps.crawl.raw_pages import RawPagesReport, crawl
from omni_pipeline.steps.crawl.sitemap_reading import CONVENTIONAL
from omni_pipeline.steps.run.claimed_refresh import Refresh, open_refresh
from omni_pipeline.steps.run.reaper import this_worker
from omni_pipeline.steps.text.cleaned_pages import CleanedPagesReport, clean_pages
from omni_pipeline.store.crawl import held_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.sites import ScriptedSite

WORDS = "The garden is watered at dawn, when the soil is cool and the wind has not yet risen. "


def page(*links: str, title: str = "A page", text: str = "", head: str = "") -> str:
    """An ordinary page: a title, some text of its own, and links."""
    anchors = "".join(f'<a href="{link}">to {link}</a> ' for link in links)
    return (
        f"<html><head><title>{title}</title>{head}</head><body><main><h1>{title}</h1>"
        f"<p>{text or f'{title}: {WORDS * 4}'}</p>{anchors}</main></body></html>"
    )


def site_of(count: int) -> dict[str, str]:
    """A home page and ``count`` pages that it links to."""
    paths = [f"/page-{number}" for number in range(count)]
    return {"/": page(*paths, title="Home")} | {
        path: page("/", title=f"Page {path}") for path in paths
    }


@dataclass(kw_only=True)
class Crawler:
    """One scripted site as a domain."""

    database: Database
    home: Path
    site: ScriptedSite
    start_path: str = "/"
    page_limit: int | None = None
    recency_hours: float = 0.0
    concurrency: int = 4
    render_mode: Rendering = "http"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: FetchLimits = field(default_factory=lambda: FetchLimits(pause_seconds=0.001))
    renderer: Renderer | None = None

    def __post_init__(self) -> None:
        self.host = urlsplit(self.site.url).netloc
        self.settings = Settings(
            home=self.home, allow_addresses=self.site.allowed, recency_hours=self.recency_hours
        )
        self.register()

    def register(self) -> None:
        domain = NewDomain(
            host=self.host,
            start_url=self.site.url.rstrip("/") + self.start_path,
            page_limit=self.page_limit,
            delay_seconds=0,
            concurrency=self.concurrency,
            render_mode=self.render_mode,
            include_patterns=self.include,
            exclude_patterns=self.exclude,
        )
        with self.database.connect() as conn:
            domains.add(conn, domain)

    def crawl(
        self,
        *,
        force_rescrape: bool = False,
        page_limit: int | None = None,
        cut_off_after: int | None = None,
        scheduled_for: datetime | None = None,
    ) -> RawPagesReport:
        """Crawl, and forget what was asked before."""
        self.site.requests.clear()
        with self.open(scheduled_for) as refresh, self.web() as web:
            return crawl(
                refresh,
                web if cut_off_after is None else CutOffWeb(web, cut_off_after),
                user_agent="omni_pipeline/0.1",
                force_rescrape=force_rescrape,
                page_limit=page_limit,
            )

    def crawl_and_clean(self) -> tuple[RawPagesReport, CleanedPagesReport]:
        self.site.requests.clear()
        with self.open() as refresh, self.web() as web:
            crawled = crawl(refresh, web, user_agent="omni_pipeline/0.1")
            return crawled, clean_pages(refresh)

    def open(self, scheduled_for: datetime | None = None) -> AbstractContextManager[Refresh]:
        request = Request(run_id="run-1", worker=this_worker(), scheduled_for=scheduled_for)
        return open_refresh(self.database, self.settings, self.host, request)

    def web(self) -> HttpClient:
        return HttpClient(
            policy=AddressPolicy(allowed=self.settings.allow_addresses),
            user_agent="omni_pipeline/0.1",
            limits=self.limits,
            renderer=self.renderer,
        )

    def asked(self) -> list[str]:
        """What the site was asked for in the last crawl, but for robots, sitemap and the probe."""
        return [
            target
            for target in self.site.targets()
            if target not in ("/robots.txt", *CONVENTIONAL) and not is_probe(target)
        ]

    def live(self) -> set[str]:
        """The paths of the live pages."""
        rows = self.query("SELECT url FROM raw_pages WHERE status = 'live'")
        return {self.path(str(url)) for (url,) in rows}

    def gone(self) -> dict[str, str]:
        """Why pages left, by path."""
        rows = self.query("SELECT url, gone_because FROM raw_pages WHERE status = 'gone'")
        return {self.path(str(url)): str(reason) for url, reason in rows}

    def held(self) -> dict[str, str]:
        """Why pages are held, by path."""
        with self.database.connect() as conn:
            found = held_pages.list_held(conn, domains.get(conn, self.host).id)
        return {self.path(row.url): row.reason for row in found}

    def confirm(self) -> int:
        with self.database.connect() as conn:
            return held_pages.confirm(conn, domains.get(conn, self.host).id)

    def path(self, url: str) -> str:
        return url.removeprefix(self.site.url.rstrip("/"))

    def query(self, query: str) -> list[tuple[object, ...]]:
        with self.database.connect() as conn:
            return conn.execute(query.encode()).fetchall()

    def violations(self) -> list[invariants.Violation]:
        with self.database.connect() as conn:
            return invariants.find_violations(conn, lease_seconds=90)


class CutOffError(BaseException):
    """The end of a crawl in the middle, as its process would see it."""


class CutOffWeb:
    """A web door that goes dead after some outcomes, with what was under way in flight."""

    def __init__(self, web: HttpClient, outcomes: int) -> None:
        self._web = web
        self._left = outcomes

    def fetch(self, request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome:
        return self._web.fetch(request, delay_seconds=delay_seconds)

    def fetch_following(
        self, url: str, *, hops: int, max_bytes: int, delay_seconds: float = 0.0
    ) -> Outcome:
        return self._web.fetch_following(
            url, hops=hops, max_bytes=max_bytes, delay_seconds=delay_seconds
        )

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]:
        for outcome in self._web.fetch_all(
            requests, concurrency=concurrency, delay_seconds=delay_seconds
        ):
            self._left -= 1
            if not self._left:
                raise CutOffError
            yield outcome


def is_probe(target: str) -> bool:
    """Whether this is the question for a page that cannot exist."""
    return target.startswith("/omni-pipeline-")


def conserved(report: RawPagesReport) -> bool:
    """Every discovered URL is counted once (I28)."""
    numbers: Mapping[str, int] = vars(report)
    kinds = ("changed", "unchanged", "gone", "failed", "skipped")
    return report.pages_discovered == sum(numbers[f"pages_{kind}"] for kind in kinds)
