"""Claim, publish, reap, beat, finish and remove in every order of their steps: all are safe.

A race shows a lucky order now and then; here each of them is played, with its lock waits.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

import pytest
from psycopg import Connection

from omni_pipeline.store.index import chunks, embedding_models
from omni_pipeline.store.jobs import crawl_jobs, domains, reaping
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline_tests.faults.interleavings import Script, Session, orders, play
from omni_pipeline_tests.store.conftest import (
    DIMENSIONS,
    HOST,
    Run,
    claim_domain,
    count,
    live_texts,
    read_job,
    register,
    silence,
)

LEASE_SECONDS = 90.0

PAGE, TWIN = f"https://{HOST}/p", f"https://{HOST}/q"
OLD = {PAGE: ["one", "two"], TWIN: ["same"]}
NEW = {PAGE: ["two", "three"], TWIN: ["other"]}

_JOBS, _DOMAINS = (
    load_queries("omni_pipeline.store.jobs.crawl_jobs"),
    load_queries("omni_pipeline.store.jobs.domains"),
)


class Stage:
    """A claimed domain that has published OLD, staged NEW, and been silent for too long.

    Where all that is played is who claims it, it is free.
    """

    def __init__(self, conn: Connection, names: Sequence[str]) -> None:
        conn.execute("DELETE FROM crawl_jobs")
        conn.execute("DELETE FROM domains")
        register(conn)
        model = embedding_models.ensure(
            conn, name="letters", dimensions=DIMENSIONS, is_lexical=False
        )
        self.run = Run(conn=conn, claim=claim_domain(conn), model=model)
        page, twin = self.run.save_pages("p", "q")
        self.run.publish({page: OLD[PAGE], twin: OLD[TWIN]})
        self.revision_ids = self.run.stage({page: NEW[PAGE], twin: NEW[TWIN]})
        self.run.pay_missing(self.revision_ids)
        silence(conn, self.run.claim, LEASE_SECONDS + 1)
        if all(name.startswith("claim") for name in names):
            self.run.finish()
        self.claims: list[Claim] = []

    # The scripts

    def publish(self, conn: Connection) -> Iterator[None]:
        with crawl_jobs.fenced(conn, self.run.claim):
            yield
            chunks.publish(conn, self.run.claim, self.revision_ids)
            yield

    def reap(self, conn: Connection) -> Iterator[None]:
        with conn.transaction():
            reaping.reap(conn, lease_seconds=LEASE_SECONDS)
            yield

    def claim(self, conn: Connection) -> Iterator[None]:
        with conn.transaction():
            conn.execute(_JOBS["lock_domain"], {"domain_id": self.run.claim.domain_id})
            yield
            self.claims.append(claim_domain(conn))
            yield

    def remove(self, conn: Connection) -> Iterator[None]:
        with conn.transaction():
            conn.execute(_DOMAINS["end_running_job"], {"host": HOST})
            yield
            domains.remove(conn, HOST)
            yield

    def beat(self, conn: Connection) -> Iterator[None]:
        with conn.transaction():
            crawl_jobs.beat(conn, self.run.claim)
            yield

    def finish(self, conn: Connection) -> Iterator[None]:
        with conn.transaction():
            crawl_jobs.finish(conn, self.run.claim, error=None, is_whole=False)
            yield

    def scripts(self) -> dict[str, tuple[int, Script]]:
        """By name: how many steps, and which."""
        return {
            "publish": (3, self.publish),
            "publish again": (3, self.publish),
            "reap": (2, self.reap),
            "reap again": (2, self.reap),
            "claim": (3, self.claim),
            "claim again": (3, self.claim),
            "remove": (3, self.remove),
            "beat": (2, self.beat),
            "finish": (2, self.finish),
        }


@pytest.fixture
def sessions(database: Database) -> Iterator[dict[str, Session]]:
    opened = {name: Session(database) for name in ("first", "second", "third")}
    yield opened
    for session in opened.values():
        session.close()


PAIRS = [
    ("publish", "publish again"),
    ("publish", "reap"),
    ("publish", "claim"),
    ("publish", "remove"),
    ("publish", "finish"),
    ("reap", "reap again"),
    ("reap", "claim"),
    ("reap", "beat"),
    ("reap", "finish"),
    ("reap", "remove"),
    ("claim", "claim again"),
    ("claim", "remove"),
    ("claim", "finish"),
    ("finish", "remove"),
]
TRIPLES = [
    ("publish", "reap", "claim"),
    ("publish", "remove", "claim"),
    ("publish", "beat", "reap"),
    ("publish", "finish", "claim"),
    ("reap", "remove", "finish"),
]


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_any_order_of_two(
    connection: Connection,
    database: Database,
    sessions: dict[str, Session],
    names: tuple[str, ...],
) -> None:
    """F-A19, F-F3, F-F5, F-F6; R-A8, R-A9, R-B2 to R-B4."""
    play_all(connection, database, sessions, names, limit=100)


@pytest.mark.parametrize("names", TRIPLES, ids="-".join)
def test_any_order_of_three_by_sample(
    connection: Connection,
    database: Database,
    sessions: dict[str, Session],
    names: tuple[str, ...],
) -> None:
    """The orders in which two sessions meet a third: twenty of them, others each time."""
    play_all(connection, database, sessions, names, limit=20)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("names", TRIPLES, ids="-".join)
def test_any_order_of_three(
    connection: Connection,
    database: Database,
    sessions: dict[str, Session],
    names: tuple[str, ...],
) -> None:
    play_all(connection, database, sessions, names, limit=10_000)


def play_all(
    conn: Connection,
    database: Database,
    sessions: Mapping[str, Session],
    names: tuple[str, ...],
    *,
    limit: int,
) -> None:
    """Play the orders of these scripts, each on a fresh stage, and judge how each of them ends."""
    actors = dict(zip(names, sessions.values(), strict=False))
    with database.connect() as watcher:
        steps = {name: Stage(conn, names).scripts()[name][0] for name in names}
        found = orders(steps)
        for order in random.sample(found, min(limit, len(found))):
            stage = Stage(conn, names)
            scripts = {name: stage.scripts()[name][1] for name in names}
            errors = play(order, actors, scripts, watcher)
            judge(conn, stage, order, errors)


# Each script may lose, and is told so: these are all the ways to lose.
MAY_END_WITH = {
    "publish": {"permanent.lease_lost"},
    "claim": {"transient.domain_busy", "permanent.unknown_domain"},
    "remove": set[str](),
    "reap": set[str](),
    "beat": set[str](),
    "finish": set[str](),
}


def judge(
    conn: Connection, stage: Stage, order: tuple[str, ...], errors: Mapping[str, str | None]
) -> None:
    for name, kind in errors.items():
        assert kind is None or kind in MAY_END_WITH[name.split()[0]], (order, errors)
    assert invariants.find_violations(conn, lease_seconds=LEASE_SECONDS * 10) == [], order
    fences = [made.fence for made in stage.claims]
    assert len(set(fences)) == len(fences), order
    if "remove" in errors:
        assert live_texts(conn) == {}, order
        assert count(conn, "SELECT count(*) FROM crawl_jobs WHERE status = 'running'") == 0, order
        return
    assert_nobody_wrote_late(conn, stage, errors)
    published = {errors[name] for name in errors if name.startswith("publish")}
    assert live_texts(conn) == (NEW if None in published else OLD), (order, errors)
    assert_next_run_publishes(conn, stage, order)


def assert_nobody_wrote_late(
    conn: Connection, stage: Stage, errors: Mapping[str, str | None]
) -> None:
    """Once the domain was taken from a run, that run publishes nothing."""
    was_reaped = read_job(conn, stage.run.claim)["ended_by"] == "reaper"
    is_taken = False
    for name, kind in errors.items():
        assert not (is_taken and name.startswith("publish") and kind is None), list(errors)
        has_claimed = name.startswith("claim") and kind is None
        is_taken |= has_claimed or (was_reaped and name.startswith("reap"))


def assert_next_run_publishes(conn: Connection, stage: Stage, order: tuple[str, ...]) -> None:
    """Whatever the order was, the domain is free after a reaper, and nothing is paid for again."""
    running = conn.execute("SELECT id FROM crawl_jobs WHERE status = 'running'").fetchall()
    dead = [int(job_id) for (job_id,) in running]
    reaping.reap(conn, lease_seconds=LEASE_SECONDS, dead_job_ids=dead)
    successor = Run(conn=conn, claim=claim_domain(conn), model=stage.run.model)
    assert successor.pay_missing(successor.staged_ids()) == [], order
    successor.swap(successor.staged_ids())
    assert live_texts(conn) == NEW, order
