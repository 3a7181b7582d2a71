"""Postgres is restarted, killed, cut off, full, locked and read-only under a refresh at work.

On a server of these tests' own. What the store does with each single failure is in the tests of
`store`; here a whole refresh meets it, at the worst place.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.domain.chunks.chunking import Chunk
from omni_pipeline.errors import TemporaryError
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.index import chunks
from omni_pipeline.store.index.chunks import NewRevision
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.conftest import CARELESS, execute, make_enterable_dir
from omni_pipeline_tests.faults.conftest import SEEDED, Case, Twin, World, cloned, edited, seed
from omni_pipeline_tests.faults.relays import Relay
from omni_pipeline_tests.faults.test_crash_points import COMPLETED, LOST, assert_recovered
from omni_pipeline_tests.store.conftest import CHUNKER, count, new_revision, start_run

SESSIONS = 40


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[EmbeddedPostgres]:
    """A server to be mistreated, with the seeded domain."""
    # Whoever crashes it must not lose what was committed.
    settings = {**CARELESS, "synchronous_commit": "on", "max_connections": str(SESSIONS)}
    with (
        make_enterable_dir() as directory,
        EmbeddedPostgres(directory, settings=settings) as own,
    ):
        execute(own, "CREATE DATABASE {}", SEEDED)
        database = Database(url=own.url(SEEDED))
        with database.connect() as conn:
            migrate(conn)
        seed(world, database)
        yield own


@pytest.fixture
def case(server: EmbeddedPostgres, world: World, twin: Twin) -> Iterator[Case]:
    with cloned(server, SEEDED) as database:
        # A clone's sequences go back in a crash before the next checkpoint: Postgres copies them
        # with the numbers that it takes for logged, and the log has those of the original.
        execute(server, "CHECKPOINT")
        yield edited(world, database, twin)


def restart_fast(server: EmbeddedPostgres, _: Case) -> None:
    server.cluster.stop()
    server.cluster.start()


def restart_immediately(server: EmbeddedPostgres, _: Case) -> None:
    """No goodbye to anyone, and crash recovery at the start."""
    pid = server.cluster.postmaster_pid()
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    while server.cluster.postmaster_pid() is not None:
        time.sleep(0.01)
    server.cluster.start()


def kill_a_backend(server: EmbeddedPostgres, case: Case) -> None:
    """The server then resets the sessions of all others."""
    with case.database.connect() as victim, case.database.connect() as other:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT pg_sleep(20)")
    server.cluster.start()


def cut_all_sessions(_: EmbeddedPostgres, case: Case) -> None:
    case.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize("name", [pytest.param("CP06", marks=pytest.mark.chaos), "CP08"])
@pytest.mark.parametrize(
    "disturb", [restart_fast, restart_immediately, kill_a_backend, cut_all_sessions]
)
def test_a_refresh_outlives_its_server(
    server: EmbeddedPostgres,
    case: Case,
    name: str,
    disturb: Callable[[EmbeddedPostgres, Case], None],
) -> None:
    """F-B1 to F-B3: what was cut is repeated as a whole, and nothing is paid for twice."""
    worker = case.start(f"{name}:1:STOP")
    worker.await_freeze()
    disturb(server, case)
    worker.wake()
    assert worker.outcome() is None
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
    texts = case.world.endpoint.texts
    assert len(texts) == len(set(texts))


class CutOffHalfway(tuple[Chunk, ...]):  # noqa: SLOT001 - it remembers
    """Chunks whose reader loses its session before the last of them."""

    cut: Callable[[], None]
    has_cut = False

    def __iter__(self) -> Iterator[Chunk]:
        for number, chunk in enumerate(super().__iter__()):
            if number == len(self) - 1 and not self.has_cut:
                self.has_cut = True
                self.cut()
            yield chunk


def test_a_copy_that_is_cut_leaves_nothing_and_is_repeated(case: Case) -> None:
    """F-B4: the session ends between two rows of a COPY."""
    revision = new_revision(1, [f"text {number} " + "x" * 2000 for number in range(200)])
    pieces = CutOffHalfway(revision.chunks)
    left: list[int] = []
    session = Session(case.database)
    with case.database.connect() as conn:
        run = start_run(conn, "b4.test")
        [page] = run.save_pages("p")
        cut_off = NewRevision(**{**vars(revision), "page_id": page, "chunks": pieces})

        def stage(writer: Connection) -> int:
            def cut() -> None:
                pid = writer.info.backend_pid
                conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                left.append(count(conn, "SELECT count(*) FROM staged_chunks"))

            pieces.cut = cut
            with crawl_jobs.fenced(writer, run.claim):
                return chunks.stage(
                    writer, run.claim, [cut_off], model_id=run.model.id, chunker=CHUNKER
                )

        assert session.run(stage) == 200
        assert left == [0]
        assert count(conn, "SELECT count(*) FROM staged_chunks") == 200
        run.finish()
    session.close()


def with_options(case: Case, options: str) -> None:
    url = f"{case.database.url}&options={quote(options)}"
    case.settings = replace(case.settings, database_url=url)


def test_someone_who_alters_a_table_is_waited_for(case: Case) -> None:
    """F-B6: each attempt gives up after its lock timeout; the run outlasts them."""
    with_options(case, "-c lock_timeout=300ms")
    worker = case.start("CP07:1:STOP")
    worker.await_freeze()
    with case.database.connect() as conn, conn.transaction():
        conn.execute("LOCK TABLE chunks IN ACCESS EXCLUSIVE MODE")
        worker.wake()
        time.sleep(1.5)
    assert worker.outcome() is None
    assert_recovered(case)


@contextmanager
def failing_inserts(case: Case, condition: str) -> Iterator[None]:
    """Every insert of chunks fails as the server itself would."""
    function = (
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {condition}; RETURN NULL; END $$"
    )
    with case.database.connect() as conn:
        conn.execute(function.encode())
        conn.execute("CREATE TRIGGER fail BEFORE INSERT ON chunks EXECUTE FUNCTION fail()")
        yield
        conn.execute("DROP FUNCTION fail CASCADE")


def test_a_full_disk_stops_the_refresh_at_once_and_is_told(case: Case) -> None:
    """F-B8: no storm of retries; what is published is still served."""
    full = "RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'"
    with failing_inserts(case, full):
        started = time.monotonic()
        assert case.start().outcome() == "transient.disk_full"
        assert time.monotonic() - started < 25
    assert case.jobs() == [("failed", "worker", "transient.disk_full")]
    assert case.published() == case.twin.before
    assert case.start().outcome() is None
    assert_recovered(case)


def test_a_read_only_server_stops_the_refresh_and_nothing_is_partial(
    server: EmbeddedPostgres, case: Case
) -> None:
    """F-B9: as after a failover to a standby."""
    worker = case.start("CP07:1:STOP")
    worker.await_freeze()
    with Database(url=server.url("postgres")).connect() as conn:
        conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        conn.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        worker.wake()
        assert worker.outcome() == "transient.readonly"
        conn.execute("SET default_transaction_read_only = off")
        conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
        conn.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
    assert case.violations() == []
    assert case.start().outcome() is None
    assert case.jobs() == [LOST, COMPLETED]
    assert_recovered(case)


@pytest.mark.chaos
def test_a_refresh_waits_for_a_free_session(case: Case) -> None:
    """F-B10: the server is full for a second."""
    with ExitStack() as held:
        for _ in range(SESSIONS):
            with suppress(TemporaryError):  # until it is full
                held.enter_context(case.database.connect())
        worker = case.start()
        time.sleep(1.0)
        assert worker.is_alive()
    assert worker.outcome() is None
    assert case.jobs() == [COMPLETED]


@pytest.mark.parametrize("name", ["CP05", "CP08"])
def test_a_commit_whose_answer_is_lost_counts_once(case: Case, name: str) -> None:
    """F-B11: the rows are there, the client was told nothing, and repeats its work."""
    with make_enterable_dir() as directory, Relay(case.database, directory) as relay:
        case.settings = replace(case.settings, database_url=relay.database.url)
        worker = case.start(f"{name}:1:STOP")
        worker.await_freeze()
        relay.cuts = 3
        worker.wake()
        assert worker.outcome() is None
        assert relay.cuts == 0
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
    assert case.sums() == case.twin.sums


def test_a_claim_whose_commit_is_not_answered_is_no_other_run(case: Case) -> None:
    """F-B11: it would meet itself, call the domain busy, and leave it to the reaper."""
    with make_enterable_dir() as directory, Relay(case.database, directory) as relay:
        relay.cuts = 1
        case.settings = replace(case.settings, database_url=relay.database.url)
        assert case.start().outcome() is None
        assert relay.cuts == 0
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)


@pytest.mark.chaos
def test_an_outage_of_seconds_is_waited_for(server: EmbeddedPostgres, case: Case) -> None:
    """F-B12: the run goes on when the server is back, and nobody else was let in."""
    worker = case.start("CP07:1:STOP")
    worker.await_freeze()
    server.cluster.stop()
    used = processor_seconds(worker.pid)
    worker.wake()
    time.sleep(2.0)
    assert worker.is_alive()
    assert processor_seconds(worker.pid) - used < 1, "it waits, and does not knock all the time"
    server.cluster.start()
    assert worker.outcome() is None
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_column_that_is_added_meanwhile_is_no_business_of_a_run(case: Case) -> None:
    """F-B16: migrations only add; a run that is under way does not notice."""
    worker = case.start("CP06:1:STOP")
    worker.await_freeze()
    case.query("ALTER TABLE page_revisions ADD COLUMN note text")
    worker.wake()
    assert worker.outcome() is None
    assert_recovered(case)


def test_ids_beyond_32_bits_go_everywhere(case: Case) -> None:
    """F-B17"""
    case.query(
        "SELECT setval(sequencename::regclass, 1::bigint << 33) FROM pg_sequences "
        "WHERE data_type = 'bigint'::regtype"
    )
    assert case.start().outcome() is None
    assert_recovered(case)
    [(highest,)] = case.query("SELECT max(id) FROM chunks")
    assert int(str(highest)) > 2**33


@pytest.mark.chaos
def test_a_statement_that_takes_too_long_fails_the_run_and_loses_nothing(case: Case) -> None:
    """F-B7: retried for half a minute; then the run says why, and the next one goes on."""
    with_options(case, "-c statement_timeout=500ms")
    with failing_inserts(case, "PERFORM pg_sleep(2)"):
        assert case.start().outcome() == "transient.db_timeout"
    assert case.violations() == []
    assert case.start().outcome() is None
    assert case.jobs() == [("failed", "worker", "transient.db_timeout"), COMPLETED]
    assert_recovered(case)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_slow_server_makes_a_run_slow_and_not_dead(case: Case) -> None:
    """F-B15: every message waits, and the beats keep the lease all the same."""
    with (
        make_enterable_dir() as directory,
        Relay(case.database, directory, delay_seconds=0.1) as relay,
    ):
        worker = case.start(
            database_url=relay.database.url, lease_seconds=9.0, heartbeat_seconds=1.0
        )
        assert worker.outcome(500) is None
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)


@pytest.mark.chaos
def test_after_a_restore_the_writers_of_the_lost_time_write_nothing(
    server: EmbeddedPostgres, case: Case
) -> None:
    """F-B18: last night's fences and job numbers are handed out a second time."""
    zombie = case.start("CP07:1:STOP")
    zombie.await_freeze()
    name = case.database.url.partition("@/")[2].partition("?")[0]
    execute(server, "DROP DATABASE {} WITH (FORCE)", name)
    execute(server, "CREATE DATABASE {} TEMPLATE {}", name, SEEDED)
    case.world.site.requests.clear()
    assert case.start().outcome() is None
    zombie.wake()
    assert zombie.outcome() == "permanent.lease_lost"
    assert case.jobs() == [COMPLETED]
    assert_recovered(case)
