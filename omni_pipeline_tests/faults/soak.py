"""A long soak: workers die and freeze, Postgres restarts, sites change; all ends as it should.

    python -m omni_pipeline_tests.faults.soak --kills 200 --restarts 20 --domains 20 --seed 7

Prints a line per incident, with how many kills and restarts there were. At the end every domain is
refreshed without disturbance, and what is published and what is sold must equal that of a twin
database which was never disturbed. The seed decides what happens to whom; how far a worker has come
by then is up to the machine.
"""

import argparse
import os
import random
import re
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from omni_pipeline.faults import POINTS
from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate
from omni_pipeline_tests.conftest import CARELESS, execute, make_enterable_dir
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer
from omni_pipeline_tests.faults import edited_sites
from omni_pipeline_tests.faults.watchers import (
    Texts,
    Watcher,
    priced_products,
    published_texts,
)
from omni_pipeline_tests.faults.workers import Worker
from omni_pipeline_tests.sites import ScriptedSite

WORKERS = 3

# Until one has completed; later ones are killed at any point of how long that took.
USUAL_SECONDS = 1.5
RESTARTED = "postgres"

# Beyond these nothing is waited for: a worker that hangs, a domain that no refresh gets through.
HUNG_SECONDS = 300.0
MAX_TRIES = 5

_SECTION = re.compile(r"## (?:Sowing|Harvest) (\d+)")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is to happen.

    Attributes:
        pages: Of each site.
        minutes: After this long no more incidents are waited for.
    """

    kills: int = 200
    restarts: int = 20
    domains: int = 20
    pages: int = 24
    seed: int = 1
    minutes: float = 60.0


@dataclass(kw_only=True)
class Garden:
    """One domain: its site, and what its editor did last."""

    site: ScriptedSite
    settings: Settings
    pages: int
    edits: int = 1

    @property
    def host(self) -> str:
        return urlsplit(self.site.url).netloc

    def edit(self, chance: random.Random) -> None:
        """Rewrite some pages, remove one now and then, and bring it back later."""
        self.edits += 1
        for number in chance.sample(range(self.pages), k=self.pages // 3):
            self.site.pages[f"/page-{number}"] = edited_sites.page(number, self.edits, self.host)
        gone = f"/page-{self.edits % self.pages}"
        if chance.random() < 0.5:
            self.site.pages[gone] = edited_sites.GONE


@dataclass(kw_only=True)
class Shift:
    """A worker at work, and when it is to be killed, if it is."""

    garden: Garden
    worker: Worker
    fate: str
    dies_at: float | None
    began_at: float


class Soak:
    """One run of the plan against one server."""

    def __init__(
        self,
        plan: Plan,
        server: EmbeddedPostgres,
        gardens: list[Garden],
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._server = server
        self._gardens = gardens
        self._tell = tell
        self._queue = deque(gardens)
        self._shifts: list[Shift] = []
        self._started = time.monotonic()
        self._usual_seconds = USUAL_SECONDS
        self._tries: Counter[str] = Counter()
        self.incidents: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def run(self) -> None:
        """Let the incidents of the plan happen, then let the survivors end."""
        while not self._is_over():
            self._fill_shifts(self._fate)
            self._kill_the_due()
            self._restart_if_due()
            self._collect(edits=True)
            time.sleep(0.02)
        while self._shifts:
            self._kill_the_due()
            self._collect(edits=False)
            time.sleep(0.02)

    def refresh_all(self) -> None:
        """Refresh every domain, undisturbed; what went before may cost a try or two."""
        self._queue = deque(self._gardens)
        self._tries.clear()
        while self._queue or self._shifts:
            self._fill_shifts(lambda: ("lives", None, None))
            self._kill_the_due()
            self._collect(edits=False)
            self._give_up_hopeless()
            time.sleep(0.02)

    def _give_up_hopeless(self) -> None:
        for garden in [one for one in self._queue if self._tries[one.host] >= MAX_TRIES]:
            self._queue.remove(garden)
            self.unexpected.append(f"{garden.host}: no refresh in {MAX_TRIES} succeeded")

    def _is_over(self) -> bool:
        is_done = self._kills() >= self._plan.kills and self._restarts() >= self._plan.restarts
        return is_done or time.monotonic() - self._started > self._plan.minutes * 60

    def _kills(self) -> int:
        return self.incidents["kill"] + self.incidents["crash point"]

    def _restarts(self) -> int:
        return sum(count for name, count in self.incidents.items() if name.startswith(RESTARTED))

    def _fate(self) -> tuple[str, str | None, float | None]:
        """What is to happen to the next worker: its name, a specification, seconds to live."""
        chance = self._chance
        name, passes = chance.choice(sorted(POINTS)), chance.choice((1, 1, 1, 2, 3))
        dice = chance.random()
        if dice < 0.5:
            return "kill", None, chance.random() * self._usual_seconds
        if dice < 0.8:
            return "crash point", f"{name}:{passes}:KILL", None
        if dice < 0.9:
            return "freeze", f"{name}:{passes}:STOP:{chance.choice((0.5, 1, 3))}", None
        return "lives", None, None

    def _fill_shifts(self, choose: Callable[[], tuple[str, str | None, float | None]]) -> None:
        while self._queue and len(self._shifts) < WORKERS:
            garden = self._queue.popleft()
            fate, specification, life = choose()
            worker = Worker(replace(garden.settings, faults=specification), garden.host)
            now = time.monotonic()
            self._tries[garden.host] += 1
            self._shifts.append(
                Shift(
                    garden=garden,
                    worker=worker,
                    fate=specification or fate,
                    dies_at=None if life is None else now + life,
                    began_at=now,
                )
            )

    def _kill_the_due(self) -> None:
        now = time.monotonic()
        for shift in self._shifts:
            if shift.dies_at is not None and now > shift.dies_at:
                shift.dies_at = None
                shift.worker.kill()
            if now > shift.began_at + HUNG_SECONDS:
                self.unexpected.append(f"{_words(shift)}: it hung")
                shift.worker.kill()

    def _restart_if_due(self) -> None:
        """Spread the restarts over the kills."""
        if self._restarts() >= self._plan.restarts:
            return
        if self._kills() * self._plan.restarts >= self._plan.kills * (self._restarts() + 0.5):
            how = self._chance.choice((signal.SIGINT, signal.SIGQUIT))
            pid = self._server.cluster.postmaster_pid()
            assert pid is not None
            os.kill(pid, how)
            while self._server.cluster.postmaster_pid() is not None:
                time.sleep(0.01)
            self._server.cluster.start()
            words = "fast" if how == signal.SIGINT else "immediate"
            self._note(f"{RESTARTED} {words}", "")

    def _collect(self, *, edits: bool) -> None:
        """Take in the workers that ended: who failed is tried again, whose site is done, edited."""
        for shift in [one for one in self._shifts if not one.worker.is_alive()]:
            self._shifts.remove(shift)
            kind = shift.worker.outcome()
            if kind == "killed":
                self._note("kill" if shift.fate == "kill" else "crash point", _words(shift))
                self._queue.append(shift.garden)
            elif kind is None:
                self.incidents["completed"] += 1
                self._usual_seconds = time.monotonic() - shift.began_at
                if edits:
                    shift.garden.edit(self._chance)
                    self._queue.append(shift.garden)
            else:
                self._note(kind, _words(shift))
                self._queue.append(shift.garden)
                if not kind.startswith("transient.") and kind != "permanent.lease_lost":
                    self.unexpected.append(f"{shift.garden.host}: {kind}")

    def _note(self, name: str, words: str) -> None:
        self.incidents[name] += 1
        done = f"{self._kills()}/{self._plan.kills} {self._restarts()}/{self._plan.restarts}"
        self._tell(f"{time.monotonic() - self._started:7.1f} s  {done:<13} {name:<26} {words}")


def _words(shift: Shift) -> str:
    return f"{shift.garden.host} pid {shift.worker.pid} {shift.fate}"


def find_torn(pages: Mapping[str, Texts]) -> list[str]:
    """A page's edited sections are all of one edit."""
    return [url for url, texts in pages.items() if len(set(_SECTION.findall(" ".join(texts)))) > 1]


@contextmanager
def planted(plan: Plan) -> Iterator[tuple[EmbeddedPostgres, EmbeddingServer, list[Garden]]]:
    """A server of the soak's own, an endpoint, and a site for each domain."""
    with ExitStack() as resources:
        directory = resources.enter_context(make_enterable_dir())
        settings = {**CARELESS, "synchronous_commit": "on"}
        server = resources.enter_context(EmbeddedPostgres(directory, settings=settings))
        endpoint = resources.enter_context(EmbeddingServer())
        sites = [resources.enter_context(ScriptedSite()) for _ in range(plan.domains)]
        gardens = []
        for site in sites:
            settings_of_site = Settings(
                home=Path(directory) / "home",
                allow_addresses=site.allowed,
                embedding=EmbeddingSettings(
                    base_url=endpoint.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="sk"
                ),
                chunk_tokens=64,
                recency_hours=0.0,
            )
            garden = Garden(site=site, settings=settings_of_site, pages=plan.pages)
            versions = dict.fromkeys(range(plan.pages), garden.edits)
            site.pages = dict(edited_sites.site(versions, garden.host))
            gardens.append(garden)
        yield server, endpoint, gardens


def prepare(server: EmbeddedPostgres, name: str, gardens: list[Garden]) -> Database:
    """An empty database in which the domains are registered; the gardens' workers use it."""
    execute(server, "CREATE DATABASE {}", name)
    database = Database(url=server.url(name))
    with database.connect() as conn:
        migrate(conn)
        for garden in gardens:
            garden.settings = replace(garden.settings, database_url=database.url)
            domains.add(
                conn, NewDomain(host=garden.host, start_url=garden.site.url, delay_seconds=0)
            )
    return database


def soak(plan: Plan, tell: Callable[[str], None]) -> list[str]:
    """Carry out the plan; returns what was wrong in the end."""
    with planted(plan) as (server, endpoint, gardens):
        database = prepare(server, "soak", gardens)
        run = Soak(plan, server, gardens, tell)
        with Watcher(database, find_torn, lease_seconds=90) as watcher:
            run.run()
            run.refresh_all()  # ends what was cut off
            run.refresh_all()  # sees every edit
        wrong = [*run.unexpected, *watcher.wrong, *_left_wrong(database)]
        published, prices = _published(database), _prices(database)
        paid = Counter(endpoint.texts)
        twin = prepare(server, "twin", gardens)
        Soak(plan, server, gardens, tell).refresh_all()
        wrong += _differences(published, _published(twin))
        wrong += [f"a price unlike its twin's: {one}" for one in prices ^ _prices(twin)]
    tell(f"incidents: {dict(run.incidents)}")
    tell(
        f"{watcher.snapshots} snapshots, {len(published)} pages live, {paid.total()} texts paid, "
        f"{paid.total() - len(paid)} of them again, {len(wrong)} wrong"
    )
    return wrong


def _published(database: Database) -> dict[str, Texts]:
    with database.connect() as conn:
        return published_texts(conn)


def _prices(database: Database) -> set[tuple[object, ...]]:
    """What is sold where for how much; what it had cost, only the disturbed one has seen."""
    with database.connect() as conn:
        listed = [row[:3] for row in priced_products(conn) if row[1] == "listed"]
    return set(listed)


def _left_wrong(database: Database) -> list[str]:
    with database.connect() as conn:
        found = invariants.find_violations(conn, lease_seconds=90)
        running = conn.execute("SELECT host FROM crawl_jobs WHERE status = 'running'").fetchall()
    left = [f"{one.invariant}: {one.subject}: {one.detail}" for one in found]
    return left + [f"still running: {host}" for (host,) in running]


def _differences(published: Mapping[str, Texts], twin: Mapping[str, Texts]) -> list[str]:
    return [
        f"unlike its twin: {url}"
        for url in sorted(published.keys() | twin.keys())
        if published.get(url) != twin.get(url)
    ]


def main() -> None:
    """Carry out the plan of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, default in vars(Plan()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    plan = Plan(**vars(parser.parse_args()))

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    tell(f"soak: {plan}")
    wrong = soak(plan, tell)
    for line in wrong[:50]:
        tell(f"WRONG {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
