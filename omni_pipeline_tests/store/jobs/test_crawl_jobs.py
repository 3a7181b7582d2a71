"""One refresh per domain: claims, fences, and ends that tell the truth."""

import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.domain.crawl.selection import CrawlSelection, JobType
from omni_pipeline.errors import DomainBusyError, LeaseLostError, UnknownDomainError
from omni_pipeline.store.crawl import raw_pages
from omni_pipeline.store.jobs import crawl_jobs, domains, reaping
from omni_pipeline.store.jobs.crawl_jobs import Claim, Counters, Request
from omni_pipeline.store.monitoring import invariants
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.store.conftest import (
    HOST,
    REQUEST,
    Run,
    claim_domain,
    count,
    new_body,
    read_job,
    register,
    silence,
    start_run,
    wait_until_blocked,
)

LEASE_SECONDS = 90.0


def fence_of(conn: Connection, host: str = HOST) -> int:
    return count(conn, "SELECT fence FROM domains WHERE host = %s", host)


def write_page(conn: Connection, claim: Claim) -> None:
    with crawl_jobs.fenced(conn, claim):
        url = f"https://{claim.host}/{claim.fence}"
        raw_pages.save(conn, claim, [new_body(url, "text")])


def count_pages(conn: Connection) -> int:
    return count(conn, "SELECT count(*) FROM raw_pages")


# Claiming


def test_a_claim_issues_a_new_fence_and_opens_a_running_job(conn: Connection) -> None:
    """R-B1: the row says whose run it is, what it was asked for, and when it began."""
    domain_id = register(conn)
    part = CrawlSelection(job_type=JobType.CATEGORY, patterns=("/shop/*",))
    request = Request(
        run_id="run-7",
        worker="w",
        job_type=part.job_type,
        part=part,
        force_rescrape=True,
        force_reembed=True,
        page_limit=9,
    )
    claim = claim_domain(conn, request=request)
    assert claim.domain_id == domain_id
    assert claim.organization_id == domains.get(conn, HOST).organization_id
    assert (claim.host, claim.fence) == (HOST, fence_of(conn))
    job = read_job(conn, claim)
    asked = {name: value for name, value in vars(request).items() if name != "part"}
    assert job | asked | {"only_patterns": ["/shop/*"]} == job
    assert (job["status"], job["host"], job["job_type"]) == ("running", HOST, "category")
    assert job["target_url"] == f"https://{HOST}/"
    assert (job["heartbeat_at"] - job["started_at"]).total_seconds() < 1
    assert job["finished_at"] is None


def test_a_claimed_domain_is_refused_with_a_message_that_names_the_holder(run: Run) -> None:
    """R-A8"""
    crawl_jobs.enter_stage(run.conn, run.claim, "chunks")
    silence(run.conn, run.claim, 12)
    expected = (
        rf"a\.test is already being refreshed by run run-1 \(job {run.claim.job_id}, worker-1, "
        r"stage chunks\) since .* UTC; its last beat was 12 s ago\. Wait for it"
    )
    with pytest.raises(DomainBusyError, match=expected):
        claim_domain(run.conn)


def test_losers_never_fence_the_winner_out(run: Run) -> None:
    """R-A8: the winner writes on, however often others tried."""
    for _ in range(20):
        with pytest.raises(DomainBusyError):
            claim_domain(run.conn)
    assert fence_of(run.conn) == run.claim.fence
    write_page(run.conn, run.claim)
    assert run.finish()


def test_a_loser_that_waited_for_the_winners_commit_does_not_fence_it_out(
    conn: Connection, other_connection: Connection
) -> None:
    """R-A8: after the wait the loser must look for a running job anew."""
    register(conn)
    with ThreadPoolExecutor() as pool:
        with conn.transaction():
            winner = claim_domain(conn)
            loser = pool.submit(claim_domain, other_connection)
            wait_until_blocked(conn, other_connection)
        with pytest.raises(DomainBusyError, match="run run-1"):
            loser.result()
    write_page(conn, winner)


def test_in_one_statement_the_same_wait_would_have_fenced_the_winner_out(
    conn: Connection, other_connection: Connection
) -> None:
    """Why a claim locks first: the statement below looks for the winner in an old snapshot."""
    register(conn)
    claim_at_once = crawl_jobs._SQL["claim"]
    domain_id = domains.get(conn, HOST).id
    parameters = {"domain_id": domain_id, "only_patterns": [], **vars(REQUEST)}
    with ThreadPoolExecutor() as pool:
        with conn.transaction():
            winner = claim_domain(conn)
            loser = pool.submit(
                other_connection.execute,
                claim_at_once.rstrip().replace(
                    b"RETURNING id AS", b"ON CONFLICT DO NOTHING RETURNING id AS"
                ),
                parameters,
            )
            wait_until_blocked(conn, other_connection)
        assert loser.result().rowcount == 0
    assert fence_of(conn) > winner.fence


def test_a_domain_that_was_removed_meanwhile_cannot_be_claimed(conn: Connection) -> None:
    domain_id = register(conn)
    domains.remove(conn, HOST)
    with pytest.raises(UnknownDomainError, match=r"'a\.test' was removed before"):
        crawl_jobs.claim(conn, domain_id, HOST, REQUEST)


class Storm:
    """Claimers on ten domains, and a watcher that looks for two running jobs of one domain."""

    hosts = tuple(f"d{number}.test" for number in range(10))
    tries = 5

    def __init__(self, database: Database) -> None:
        self.database = database
        self.claims: list[Claim] = []
        self.refusals = 0
        self.doubles = 0
        self.looks = 0
        self._is_over = threading.Event()
        self._lock = threading.Lock()

    def run(self, claimers: int) -> None:
        with ThreadPoolExecutor(claimers + 1) as pool:
            watcher = pool.submit(self._watch)
            try:
                list(pool.map(self._claim_repeatedly, range(claimers)))
            finally:
                self._is_over.set()
            watcher.result()

    def _claim_repeatedly(self, number: int) -> None:
        chance = random.Random(number)
        with self.database.connect() as conn:
            for host in chance.choices(self.hosts, k=self.tries):
                self._claim_once(conn, host, hold_seconds=chance.random() * 0.02)

    def _claim_once(self, conn: Connection, host: str, *, hold_seconds: float) -> None:
        try:
            claim = claim_domain(conn, host)
        except DomainBusyError:
            with self._lock:
                self.refusals += 1
            return
        time.sleep(hold_seconds)
        write_page(conn, claim)
        assert crawl_jobs.finish(conn, claim, error=None, is_whole=False)
        with self._lock:
            self.claims.append(claim)

    def _watch(self) -> None:
        with self.database.connect() as conn:
            while not self._is_over.is_set():
                self.looks += 1
                rows = conn.execute("SELECT host FROM crawl_jobs WHERE status = 'running'")
                busiest = Counter(rows.fetchall()).most_common(1)
                self.doubles += bool(busiest and busiest[0][1] > 1)


def test_forty_claimers_of_ten_domains_never_hold_one_twice(
    shared: Database, conn: Connection
) -> None:
    """Fences unique, every request accounted for, every winner writes and ends.

    R-A8, R-A21, F-F2.
    """
    storm = Storm(shared)
    for host in storm.hosts:
        register(conn, host)
    storm.run(claimers=40)
    assert storm.doubles == 0
    assert storm.looks >= 20
    assert storm.refusals > 0, "the domains were contended"
    assert len(storm.claims) + storm.refusals == 40 * storm.tries
    assert len({(claim.host, claim.fence) for claim in storm.claims}) == len(storm.claims)
    assert count_pages(conn) == len(storm.claims), "each winner wrote its page"
    completed = "SELECT count(*) FROM crawl_jobs WHERE status = 'completed'"
    assert count(conn, completed) == len(storm.claims)
    assert invariants.find_violations(conn, lease_seconds=LEASE_SECONDS) == []


# Writing behind the fence


def test_a_fence_that_was_raised_refuses_the_write_before_it_begins(run: Run) -> None:
    """R-A8, R-A19: a worker that wakes up after its successor began writes nothing."""
    reaping.reap(run.conn, lease_seconds=LEASE_SECONDS, dead_job_ids=[run.claim.job_id])
    successor = claim_domain(run.conn)
    with pytest.raises(LeaseLostError, match=rf"job {run.claim.job_id}\) no longer holds a\.test"):
        write_page(run.conn, run.claim)
    assert count_pages(run.conn) == 0
    write_page(run.conn, successor)


def test_a_late_write_that_waited_behind_its_successors_claim_is_refused(
    run: Run, other_connection: Connection
) -> None:
    with ThreadPoolExecutor() as pool:
        with run.conn.transaction():
            reaping.reap(run.conn, lease_seconds=1, dead_job_ids=[run.claim.job_id])
            successor = claim_domain(run.conn)
            late = pool.submit(write_page, other_connection, run.claim)
            wait_until_blocked(run.conn, other_connection)
        with pytest.raises(LeaseLostError):
            late.result()
    assert count_pages(run.conn) == 0
    write_page(run.conn, successor)


def test_an_error_inside_a_fenced_transaction_leaves_nothing_written(run: Run) -> None:
    def write_and_fail() -> None:
        with run.fenced():
            raw_pages.save(run.conn, run.claim, [new_body(f"https://{HOST}/", "text")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert count_pages(run.conn) == 0


# Beating, counting, finishing


def test_a_beat_renews_the_lease_and_leaves_the_start_alone(run: Run) -> None:
    silence(run.conn, run.claim, 60)
    before = read_job(run.conn, run.claim)
    assert crawl_jobs.beat(run.conn, run.claim)
    after = read_job(run.conn, run.claim)
    assert (after["heartbeat_at"] - before["heartbeat_at"]).total_seconds() >= 60
    assert after["started_at"] == before["started_at"]


def test_counters_add_up_while_the_job_runs_and_not_after(run: Run) -> None:
    for _ in range(2):
        crawl_jobs.add_to_counters(
            run.conn, run.claim, Counters(pages_published=3, tokens_embedded=5_000_000_000)
        )
    run.finish()
    crawl_jobs.add_to_counters(run.conn, run.claim, Counters(pages_published=1))
    crawl_jobs.enter_stage(run.conn, run.claim, "late")
    job = read_job(run.conn, run.claim)
    assert (job["pages_published"], job["tokens_embedded"]) == (6, 10_000_000_000)
    assert job["stage"] is None


@pytest.mark.parametrize(
    ("error", "is_whole", "status", "is_success"),
    [
        (None, True, "completed", True),
        (None, False, "completed", False),
        (("transient.timeout", "It took too long."), True, "failed", False),
    ],
)
def test_a_domain_counts_as_refreshed_only_when_a_whole_run_completed(
    run: Run, error: tuple[str, str] | None, *, is_whole: bool, status: str, is_success: bool
) -> None:
    assert run.finish(error, is_whole=is_whole)
    job = read_job(run.conn, run.claim)
    assert (job["status"], job["ended_by"]) == (status, "worker")
    assert (job["error_kind"], job["error"]) == (error or (None, None))
    last_success = domains.get(run.conn, HOST).last_success_at
    assert last_success == (job["finished_at"] if is_success else None)


def test_finishing_twice_is_said_and_changes_nothing(run: Run) -> None:
    assert run.finish()
    before = read_job(run.conn, run.claim)
    assert not run.finish(("transient.late", "too late"))
    assert read_job(run.conn, run.claim) == before


def test_a_finished_domain_can_be_claimed_at_once(run: Run) -> None:
    run.finish()
    assert claim_domain(run.conn).fence > run.claim.fence


@pytest.mark.parametrize("error", [None, ("transient.timeout", "It took too long.")])
def test_a_run_that_finished_has_closed_the_door_behind_itself(
    run: Run, error: tuple[str, str] | None
) -> None:
    """R-A19: a thread that was forgotten writes nothing, also before the next claim."""
    assert run.finish(error)
    with pytest.raises(LeaseLostError, match="its job was ended"):
        write_page(run.conn, run.claim)
    assert count_pages(run.conn) == 0


@pytest.mark.parametrize("error", [None, ("transient.timeout", "It took too long.")])
def test_the_same_end_told_again_is_the_end_that_it_was(
    run: Run, error: tuple[str, str] | None
) -> None:
    """The answer to a COMMIT may be lost: what asks again must not learn that it was robbed."""
    assert run.finish(error)
    before, fence = read_job(run.conn, run.claim), fence_of(run.conn)
    assert run.finish(error)
    assert read_job(run.conn, run.claim) == before
    assert fence_of(run.conn) == fence


def test_the_ledger_is_read_newest_first_by_host_and_by_status(conn: Connection) -> None:
    """R-B1: also of a domain that was removed."""
    first = start_run(conn, "a.test")
    crawl_jobs.add_to_counters(conn, first.claim, Counters(chunks_embedded=3, tokens_embedded=9))
    first.finish(("transient.timeout", "It took too long."))
    second = start_run(conn, "b.test")
    silence(conn, second.claim, 12)
    domains.remove(conn, "a.test")
    running, failed = crawl_jobs.list_jobs(conn)
    assert (running.host, running.status, running.ended_by) == ("b.test", "running", None)
    assert running.beat_age_seconds == pytest.approx(12, abs=2)
    assert running.seconds == pytest.approx(12, abs=2)
    assert (failed.host, failed.ended_by, failed.error) == ("a.test", "worker", "It took too long.")
    assert (failed.chunks_embedded, failed.tokens_embedded) == (3, 9)
    assert failed.beat_age_seconds is None
    assert crawl_jobs.list_jobs(conn, host="a.test") == [failed]
    assert [job.host for job in crawl_jobs.list_jobs(conn, status="running")] == ["b.test"]
    assert [job.host for job in crawl_jobs.list_jobs(conn, limit=1)] == ["b.test"]


def test_one_job_is_read_with_everything_that_is_known_of_it(run: Run) -> None:
    job = crawl_jobs.read_job(run.conn, run.claim.job_id)
    assert job is not None
    assert job.keys() > read_job(run.conn, run.claim).keys()
    assert crawl_jobs.read_job(run.conn, run.claim.job_id + 1) is None


def test_finishing_after_the_reaper_leaves_its_word(run: Run) -> None:
    """R-B4: the truth stands: no exception, no silent success."""
    silence(run.conn, run.claim, 100)
    reaping.reap(run.conn, lease_seconds=LEASE_SECONDS)
    before = read_job(run.conn, run.claim)
    assert not run.finish()
    assert read_job(run.conn, run.claim) == before
    assert (before["status"], before["ended_by"]) == ("failed", "reaper")
    assert domains.get(run.conn, HOST).last_success_at is None


# Removing a domain under its run


def test_removing_a_domain_ends_its_run_and_keeps_the_job_with_the_reason(run: Run) -> None:
    """R-B3, R-B4, F-F3"""
    run.publish({run.save_pages("p")[0]: ["text"]})
    assert domains.remove(run.conn, HOST) == "run-1"
    job = read_job(run.conn, run.claim)
    assert (job["status"], job["ended_by"]) == ("failed", "removal")
    assert (job["host"], job["domain_id"]) == (HOST, None)
    assert (job["error_kind"], job["error"]) == (
        "permanent.domain_removed",
        "The domain a.test was removed while it was being refreshed.",
    )
    assert not crawl_jobs.beat(run.conn, run.claim)
    with pytest.raises(LeaseLostError):
        write_page(run.conn, run.claim)
    assert not run.finish()
    assert read_job(run.conn, run.claim) == job
    assert invariants.find_violations(run.conn, lease_seconds=LEASE_SECONDS) == []


def test_a_removal_waits_for_the_write_in_progress_and_takes_it_along(
    run: Run, other_connection: Connection
) -> None:
    """R-B3: no orphan is left by a write that was under way."""
    with ThreadPoolExecutor() as pool:
        with run.fenced():
            removal = pool.submit(domains.remove, other_connection, HOST)
            wait_until_blocked(run.conn, other_connection)
            raw_pages.save(run.conn, run.claim, [new_body(f"https://{HOST}/", "text")])
        assert removal.result() == "run-1"
    assert count_pages(run.conn) == 0


def test_deleting_the_row_of_a_domain_that_is_being_refreshed_is_refused(run: Run) -> None:
    """R-B3: only a removal, which ends the job first, may take a domain from its run."""
    with pytest.raises(psycopg.errors.CheckViolation, match=re.escape('"running_beats"')):
        run.conn.execute("DELETE FROM domains WHERE host = %s", [HOST])
    write_page(run.conn, run.claim)
    run.finish()
    run.conn.execute("DELETE FROM domains WHERE host = %s", [HOST])
    assert read_job(run.conn, run.claim)["host"] == HOST


def test_the_worker_of_a_domain_removed_and_added_again_cannot_write_to_the_new_one(
    run: Run,
) -> None:
    """F-F4: the fence numbers start anew, the domain's id does not."""
    domains.remove(run.conn, HOST)
    successor = start_run(run.conn)
    assert successor.claim.fence == run.claim.fence
    with pytest.raises(LeaseLostError):
        write_page(run.conn, run.claim)
    assert not run.finish()
    write_page(run.conn, successor.claim)


# A database that lost its newest transactions


def test_two_claims_never_carry_the_same_proof(conn: Connection) -> None:
    """A restored database hands out job ids and fences a second time."""
    register(conn)
    zombie = claim_domain(conn)
    conn.execute("DELETE FROM crawl_jobs")
    conn.execute("UPDATE domains SET fence = fence - 1")
    conn.execute("SELECT setval('crawl_jobs_id_seq', %s, false)", [zombie.job_id])
    again = claim_domain(conn)
    assert (again.job_id, again.fence) == (zombie.job_id, zombie.fence)
    with pytest.raises(LeaseLostError, match="older than"), crawl_jobs.fenced(conn, zombie):
        raise AssertionError("it wrote")
    assert not crawl_jobs.beat(conn, zombie)
    crawl_jobs.enter_stage(conn, zombie, "chunks")
    assert not crawl_jobs.finish(conn, zombie, error=None, is_whole=True)
    assert read_job(conn, again)["stage"] is None
    with crawl_jobs.fenced(conn, again):
        pass


# Clocks that step


def test_a_job_does_not_end_before_its_own_writes_when_the_clock_is_set_back(
    conn: Connection,
) -> None:
    run = start_run(conn)
    (page,) = run.save_pages("p")
    run.publish({page: ["one"]})
    with run.fenced():
        crawl_jobs.add_to_counters(conn, run.claim, Counters(pages_published=1))
    later = "+ interval '1 hour'"
    conn.execute(f"UPDATE cleaned_pages SET cleaned_at = cleaned_at {later}")
    conn.execute(f"UPDATE crawl_jobs SET latest_at = latest_at {later}")
    assert crawl_jobs.beat(conn, run.claim)
    assert run.finish()
    assert invariants.find_domain_violations(conn, run.claim.domain_id) == []
