"""Our steps in a process of their own, without Dagster, timed: the contender of the benchmarks.

    OMNI_HOME=/path/to/x OMNI_ALLOW_ADDRESSES=127.0.0.1:8000 python -m benchmarks.our_refresh \
        http://127.0.0.1:8000/ --rounds 2

Prints one line of JSON for each refresh. Everything is on as in `omni refresh`: robots.txt,
sitemaps, the frontier, the rows and the lease in Postgres; only the delay between requests is off.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict

from benchmarks.process_tree import PeakMemory, Stopwatch, adopt_orphans, peak_megabytes
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.run.claimed_refresh import Refresh, open_refresh
from omni_pipeline.steps.services.model_services import ModelServices
from omni_pipeline.steps.services.services import Services
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import migrate

TABLES_OF_CHUNKS = ["page_revisions", "staged_chunks", "chunks", "kept_embeddings", "embeddings"]
# A session tells the server what it wrote once it has been idle for a second.
STATISTICS_SECONDS = 2.0


class Contender:
    """One domain, and refreshes of it."""

    def __init__(self, settings: Settings, database: Database, domain: NewDomain) -> None:
        self._settings = settings
        self._database = database
        self._host = domain.host
        with database.connect() as conn:
            migrate(conn)
            domains.add(conn, domain)

    def refresh(self, *, is_whole: bool, weighs_tree: bool) -> dict[str, object]:
        """Crawl, or do all four steps; what it did and what it cost."""
        wal, writes = self._count_wal(), self._count_writes()
        with PeakMemory(os.getpid()) if weighs_tree else nullcontext() as tree:
            watch = Stopwatch()
            with ExitStack() as resources:
                report = self._run(resources, is_whole=is_whole)
            cost = watch.read()
        return {
            **report,
            **cost._asdict(),
            "peak_tree_megabytes": tree.megabytes if tree else None,
            "peak_megabytes": peak_megabytes(),
            "wal_bytes": self._count_wal() - wal,
            "chunk_writes": self._count_writes() - writes,
        }

    def _run(self, resources: ExitStack, *, is_whole: bool) -> dict[str, object]:
        request = Request(run_id=None, worker="benchmark")
        with open_refresh(self._database, self._settings, self._host, request) as refresh:
            services = Services(self._settings, refresh.session, resources)
            web = services.web(refresh.domain).web
            report = asdict(crawl(refresh, web, user_agent=services.user_agent))
            return report | (_index(refresh, services.models.configured) if is_whole else {})

    def _count_wal(self) -> int:
        """Bytes that the server ever logged, whichever file they are in."""
        return self._ask("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")

    def _count_writes(self) -> int:
        time.sleep(STATISTICS_SECONDS)
        return self._ask(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables "
            "WHERE relname = ANY (%s)",
            [TABLES_OF_CHUNKS],
        )

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> int:
        with self._database.connect() as conn:
            row = conn.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return int(row[0])


def _index(refresh: Refresh, services: ModelServices) -> dict[str, object]:
    clean_pages(refresh)
    stage_chunks(refresh, services.stored_model, services.chunker)
    return asdict(embed_and_publish(refresh, services.stored_model, services))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between two requests")
    parser.add_argument("--page-limit", type=int, help="most URLs; by default there is no limit")
    parser.add_argument("--render", choices=["http", "browser", "auto"], default="auto")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="all four steps, not only the crawl")
    parser.add_argument("--weigh-tree", action="store_true", help="the memory of Chromium, too")
    parser.add_argument("--wait", action="store_true", help="say when ready, wait for a line")
    given = parser.parse_args()
    adopt_orphans()
    settings = read_settings()
    site = parse_site(given.url, allowed=settings.allow_addresses)
    domain = NewDomain(
        host=site.key,
        start_url=site.start_url,
        concurrency=given.concurrency,
        delay_seconds=given.delay,
        page_limit=given.page_limit,
        render_mode=given.render,
    )
    with open_database(settings, application_name="benchmark") as database:
        contender = Contender(settings, database, domain)
        if given.wait:
            print("ready", flush=True)
            sys.stdin.readline()
        for _ in range(given.rounds):
            report = contender.refresh(is_whole=given.whole, weighs_tree=given.weigh_tree)
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
