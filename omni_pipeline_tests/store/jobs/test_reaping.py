"""The reaper: it ends what is dead, never what beats, each once."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import pytest
from psycopg import Connection

from omni_pipeline.errors import LeaseLostError
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.index.embedding_models import ensure
from omni_pipeline.store.jobs import crawl_jobs, reaping
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.reaping import LostJob
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import (
    DIMENSIONS,
    HOST,
    Run,
    claim_domain,
    count,
    live_texts,
    new_body,
    read_job,
    register,
    silence,
    start_run,
    wait_until_blocked,
)

LEASE_SECONDS = 90.0


def reap(conn: Connection) -> list[LostJob]:
    return reaping.reap(conn, lease_seconds=LEASE_SECONDS)


def test_a_job_that_was_silent_for_a_lease_is_ended_with_the_reason(run: Run) -> None:
    """R-B2"""
    silence(run.conn, run.claim, LEASE_SECONDS + 1)
    assert reap(run.conn) == [LostJob(job_id=run.claim.job_id, host=HOST, run_id="run-1")]
    job = read_job(run.conn, run.claim)
    assert (job["status"], job["ended_by"]) == ("failed", "reaper")
    assert job["error_kind"] == "transient.worker_lost"
    assert job["error"].startswith("The worker worker-1 stopped beating: its last sign of life was")
    assert job["finished_at"] > job["heartbeat_at"]


def test_a_job_inside_its_lease_is_left_alone_however_long_it_runs(run: Run) -> None:
    """R-B2: only silence counts, never the time since the start."""
    run.conn.execute("UPDATE crawl_jobs SET started_at = started_at - interval '3 days'")
    silence(run.conn, run.claim, LEASE_SECONDS - 5)
    assert reap(run.conn) == []
    assert crawl_jobs.beat(run.conn, run.claim)


def test_a_job_that_waits_in_the_queue_is_not_a_dead_one(run: Run) -> None:
    """R-B2"""
    run.conn.execute("UPDATE crawl_jobs SET status = 'pending', started_at = NULL")
    run.conn.execute("UPDATE crawl_jobs SET heartbeat_at = NULL, created_at = '2020-01-01'")
    assert reap(run.conn) == []


def test_a_job_whose_process_is_known_to_be_dead_is_not_waited_for(conn: Connection) -> None:
    dead, alive = start_run(conn, "dead.test"), start_run(conn, "alive.test")
    lost = reaping.reap(conn, lease_seconds=LEASE_SECONDS, dead_job_ids=[dead.claim.job_id])
    assert [job.host for job in lost] == ["dead.test"]
    assert crawl_jobs.beat(conn, alive.claim)
    assert not crawl_jobs.beat(conn, dead.claim)


def test_a_job_that_ended_is_not_reaped_though_its_process_is_dead(run: Run) -> None:
    run.finish()
    before = read_job(run.conn, run.claim)
    dead = [run.claim.job_id]
    assert reaping.reap(run.conn, lease_seconds=LEASE_SECONDS, dead_job_ids=dead) == []
    assert read_job(run.conn, run.claim) == before


def test_the_jobs_that_a_domain_had_before_stay_as_they_ended(run: Run) -> None:
    """R-B4: their last beat is older than any lease."""
    run.finish()
    silence(run.conn, run.claim, 10 * LEASE_SECONDS)
    before = read_job(run.conn, run.claim)
    lost = claim_domain(run.conn)
    silence(run.conn, lost, LEASE_SECONDS + 1)
    assert [job.job_id for job in reap(run.conn)] == [lost.job_id]
    assert read_job(run.conn, run.claim) == before


def test_the_workers_of_running_jobs_can_be_looked_at(conn: Connection) -> None:
    first, second = start_run(conn, "a.test"), start_run(conn, "b.test")
    second.finish()
    assert reaping.workers(conn) == {first.claim.job_id: "worker-1"}


def test_a_reaped_domain_is_free_at_once_and_its_old_worker_is_refused(run: Run) -> None:
    """R-A19, F-F5: the raised fence refuses the old worker even before a successor claims."""
    silence(run.conn, run.claim, LEASE_SECONDS + 1)
    reap(run.conn)
    with pytest.raises(LeaseLostError), run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(f"https://{HOST}/", "text")])
    assert count(run.conn, "SELECT count(*) FROM raw_pages") == 0
    assert claim_domain(run.conn).fence > run.claim.fence + 1


def test_a_write_in_progress_is_passed_by_and_its_job_ended_after_it(
    run: Run, other_connection: Connection
) -> None:
    """R-A19: the reaper neither waits for a transaction nor cuts it in two."""
    silence(run.conn, run.claim, LEASE_SECONDS + 1)
    with run.fenced():
        assert reap(other_connection) == []
        raw_pages.save(run.conn, run.claim, [new_body(f"https://{HOST}/", "text")])
    assert len(reap(other_connection)) == 1
    assert count(run.conn, "SELECT count(*) FROM raw_pages") == 1
    with pytest.raises(LeaseLostError), run.fenced():
        pass


@pytest.mark.parametrize(
    "lock",
    [
        "SELECT FROM domains WHERE host = 'stuck.test' FOR SHARE",
        "SELECT FROM crawl_jobs WHERE host = 'stuck.test' FOR UPDATE",
    ],
    ids=["domain", "job"],
)
def test_one_stuck_domain_does_not_keep_the_reaper_from_the_others(
    conn: Connection, other_connection: Connection, lock: LiteralString
) -> None:
    """R-B2: whoever holds its lock, however long."""
    for host in ("a.test", "stuck.test", "z.test"):
        silence(conn, start_run(conn, host).claim, LEASE_SECONDS + 1)
    other_connection.execute("SET lock_timeout = '1s'")
    with conn.transaction():
        conn.execute(lock)
        assert [job.host for job in reap(other_connection)] == ["a.test", "z.test"]
    assert [job.host for job in reap(other_connection)] == ["stuck.test"]


def test_a_beat_that_is_under_way_while_the_reaper_looks_saves_the_job(
    run: Run, other_connection: Connection
) -> None:
    """The interleaving, forced: the reaper sees the old beat, the new one is not committed.

    R-B2.
    """
    silence(run.conn, run.claim, LEASE_SECONDS + 1)
    with run.conn.transaction():
        assert crawl_jobs.beat(run.conn, run.claim)
        assert reap(other_connection) == []
    assert reap(other_connection) == []
    assert read_job(run.conn, run.claim)["status"] == "running"
    with run.fenced():
        raw_pages.save(run.conn, run.claim, [new_body(f"https://{HOST}/", "text")])


def test_a_beat_that_lands_between_the_reapers_look_and_its_lock_saves_the_job(
    run: Run, shared: Database, other_connection: Connection
) -> None:
    """R-B2: the reaper has read the old beat and is held up before it locks the job."""
    silence(run.conn, run.claim, LEASE_SECONDS + 1)
    held_up = reaping._SQL["reap"].replace(
        b"WHERE j.status = 'running' AND (", b"WHERE pg_advisory_lock(7) IS NOT NULL AND (", 1
    )
    with ThreadPoolExecutor() as pool, shared.connect() as heartbeat:
        run.conn.execute("SELECT pg_advisory_lock(7)")
        parameters = {"lease_seconds": LEASE_SECONDS, "dead_job_ids": []}
        lost = pool.submit(other_connection.execute, held_up, parameters)
        wait_until_blocked(run.conn, other_connection)
        assert crawl_jobs.beat(heartbeat, run.claim)
        run.conn.execute("SELECT pg_advisory_unlock(7)")
        assert lost.result().fetchall() == []
    assert read_job(run.conn, run.claim)["status"] == "running"


# The same as races


def race(
    run: Run, reaper: Connection, reap_once: Callable[[Connection, Claim], bool], rounds: int
) -> list[tuple[bool, bool]]:
    """Let a beat and a reaper run at once on an expired job; (has beaten, was reaped) by round."""
    chance = random.Random(7)
    results = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            run.conn.execute("DELETE FROM crawl_jobs")
            claim = claim_domain(run.conn)
            silence(run.conn, claim, LEASE_SECONDS + 1)
            start = threading.Barrier(2)

            def beat(claim: Claim = claim, start: threading.Barrier = start) -> bool:
                start.wait()
                time.sleep(chance.random() * 0.003)
                return crawl_jobs.beat(run.conn, claim)

            def reap_at_start(claim: Claim = claim, start: threading.Barrier = start) -> bool:
                start.wait()
                return reap_once(reaper, claim)

            beaten, reaped = pool.submit(beat), pool.submit(reap_at_start)
            results.append((beaten.result(), reaped.result()))
    return results


def reap_in_one_statement(conn: Connection, claim: Claim) -> bool:
    time.sleep(random.random() * 0.003)
    return any(lost.job_id == claim.job_id for lost in reap(conn))


def reap_by_select_then_update(conn: Connection, _: Claim) -> bool:
    """The legacy reaper, as a mutant: what it decided on may have changed when it acts."""
    expired = conn.execute(
        "SELECT id FROM crawl_jobs WHERE status = 'running' "
        "AND heartbeat_at < clock_timestamp() - make_interval(secs => %s)",
        [LEASE_SECONDS],
    ).fetchall()
    time.sleep(0.005)
    for row in expired:
        conn.execute(
            "UPDATE crawl_jobs SET status = 'failed', ended_by = 'reaper', error = 'lost', "
            "error_kind = 'transient.worker_lost', finished_at = clock_timestamp() WHERE id = %s",
            row,
        )
    return bool(expired)


def test_a_job_that_beats_is_never_reaped_in_two_hundred_races(
    run: Run, other_connection: Connection
) -> None:
    """R-B2, F-F5"""
    results = race(run, other_connection, reap_in_one_statement, 200)
    assert {(True, True), (False, False)}.isdisjoint(results), "either it beat, or it was reaped"
    assert set(results) == {(True, False), (False, True)}, "both sides won now and then"


def test_the_same_races_kill_live_jobs_of_a_reaper_that_looks_first_and_acts_later(
    run: Run, other_connection: Connection
) -> None:
    """The races above are real: this mutant fails them."""
    results = race(run, other_connection, reap_by_select_then_update, 30)
    assert results.count((True, True)) > 5


def test_several_reapers_report_each_lost_job_once(shared: Database) -> None:
    """F-F6"""
    with shared.connect() as conn:
        for number in range(20):
            host = f"d{number:02}.test"
            register(conn, host)
            claim = claim_domain(conn, host, Request(run_id=host, worker="w"))
            silence(conn, claim, LEASE_SECONDS + 1)
    start = threading.Barrier(4)

    def reap_together(_: int) -> list[LostJob]:
        with shared.connect() as conn:
            start.wait()
            return reap(conn)

    with ThreadPoolExecutor(4) as pool:
        lost = [job for jobs in pool.map(reap_together, range(4)) for job in jobs]
    assert sorted(str(job.run_id) for job in lost) == [f"d{number:02}.test" for number in range(20)]


def test_several_refreshes_with_a_restless_reaper_all_complete(shared: Database) -> None:
    """None fails, no row is lost, and no snapshot of the reaper's kind is in the way.

    R-B5, R-A21.
    """
    is_over = threading.Event()
    hosts = ["a.test", "b.test", "c.test"]
    with shared.connect() as conn:
        ensure(conn, name="letters", dimensions=DIMENSIONS, is_lexical=False)

    def refresh(host: str) -> bool:
        with shared.connect() as conn:
            run = start_run(conn, host)
            page, twin = run.save_pages("p", "q")
            for number in range(10):
                silence(conn, run.claim, LEASE_SECONDS - 10)
                assert crawl_jobs.beat(conn, run.claim)
                run.publish({page: [f"text {number}"], twin: ["same", f"twin {number}"]})
            return run.finish()

    def reap_restlessly() -> list[LostJob]:
        lost: list[LostJob] = []
        with shared.connect() as conn:
            while not is_over.is_set():
                lost += reap(conn)
                time.sleep(0.002)
        return lost

    with ThreadPoolExecutor(4) as pool:
        reaper = pool.submit(reap_restlessly)
        try:
            assert list(pool.map(refresh, hosts)) == [True, True, True]
        finally:
            is_over.set()
        assert reaper.result() == []
    with shared.connect() as conn:
        assert live_texts(conn) == {
            f"https://{host}/{path}": texts
            for host in hosts
            for path, texts in (("p", ["text 9"]), ("q", ["same", "twin 9"]))
        }
        assert invariants.find_violations(conn, lease_seconds=LEASE_SECONDS) == []
