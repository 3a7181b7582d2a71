"""One breaker per endpoint, shared by all runs: what one learns, all know."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from psycopg import Connection

from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.usage import circuit_breakers
from omni_pipeline.store.usage.circuit_breakers import MAX_FAILURES, Breaker

ENDPOINT = "https://e.test/v1"


def ask(conn: Connection) -> Breaker:
    breaker = circuit_breakers.ask(conn, ENDPOINT)
    assert breaker is not None
    return breaker


def fail(conn: Connection, times: int = 1, *, is_probe: bool = False) -> None:
    for number in range(times):
        circuit_breakers.count_failure(
            conn, ENDPOINT, kind="transient.x", error=f"no {number}", is_probe=is_probe
        )


def let_time_pass(conn: Connection) -> None:
    """Its time is over."""
    conn.execute("UPDATE provider_breakers SET opened_until = clock_timestamp()")


@pytest.fixture
def opened(conn: Connection) -> Connection:
    fail(conn, MAX_FAILURES)
    return conn


def test_an_endpoint_that_never_failed_has_no_breaker(conn: Connection) -> None:
    assert circuit_breakers.ask(conn, ENDPOINT) is None
    circuit_breakers.close(conn, ENDPOINT, is_probe=False)
    assert circuit_breakers.ask(conn, ENDPOINT) is None


def test_enough_failures_in_a_row_open_it_for_half_a_minute(conn: Connection) -> None:
    """F-C4."""
    fail(conn, MAX_FAILURES - 1)
    assert ask(conn).lets_in
    fail(conn)
    breaker = ask(conn)
    assert (breaker.state, breaker.lets_in, breaker.failures) == ("open", False, MAX_FAILURES)
    assert 29 < breaker.wait_seconds <= 30
    assert breaker.error == "no 0"


def test_a_success_in_between_begins_the_count_anew(conn: Connection) -> None:
    fail(conn, MAX_FAILURES - 1)
    circuit_breakers.close(conn, ENDPOINT, is_probe=False)
    fail(conn, MAX_FAILURES - 1)
    assert ask(conn).lets_in


def test_stragglers_neither_close_nor_prolong_an_open_breaker(opened: Connection) -> None:
    """Requests that were under way when it opened."""
    before = ask(opened)
    circuit_breakers.close(opened, ENDPOINT, is_probe=False)
    fail(opened)
    after = ask(opened)
    assert (after.state, after.opened_until) == ("open", before.opened_until)


def test_one_probe_is_let_in_and_its_success_closes(opened: Connection) -> None:
    """F-C4: half open means one."""
    let_time_pass(opened)
    probe = ask(opened)
    assert (probe.is_probe, probe.lets_in) == (True, True)
    other = ask(opened)
    assert (other.state, other.lets_in) == ("half_open", False)
    circuit_breakers.close(opened, ENDPOINT, is_probe=True)
    closed = ask(opened)
    assert (closed.state, closed.failures, closed.lets_in) == ("closed", 0, True)


def test_a_probe_that_fails_opens_it_again(opened: Connection) -> None:
    let_time_pass(opened)
    assert ask(opened).is_probe
    fail(opened, is_probe=True)
    breaker = ask(opened)
    assert (breaker.state, breaker.is_probe) == ("open", False)
    assert breaker.wait_seconds > 29


def test_a_probe_that_never_reports_back_is_replaced(opened: Connection) -> None:
    let_time_pass(opened)
    assert ask(opened).is_probe
    let_time_pass(opened)
    assert ask(opened).is_probe


def test_what_a_person_must_mend_opens_it_at_once_and_for_long(conn: Connection) -> None:
    """F-C3, F-C18."""
    circuit_breakers.open_for(conn, ENDPOINT, kind="permanent.q", error="no money", seconds=3600)
    fail(conn, MAX_FAILURES)
    breaker = ask(conn)
    assert (breaker.error_kind, breaker.error) == ("permanent.q", "no money")
    assert 3599 < breaker.wait_seconds <= 3600
    circuit_breakers.open_for(conn, ENDPOINT, kind="permanent.k", error="no key", seconds=600)
    assert ask(conn).wait_seconds > 3590, "not shortened"
    circuit_breakers.reset(conn, ENDPOINT)
    assert ask(conn).lets_in


def in_ten_threads(database: Database, work: Callable[[Connection], object]) -> list[object]:
    results: list[object] = []
    barrier = Barrier(10)

    def act() -> None:
        with database.connect() as conn:
            barrier.wait()
            results.append(work(conn))

    threads = [Thread(target=act) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_ten_at_the_same_moment_one_is_the_probe(opened: Connection, shared: Database) -> None:
    for _ in range(5):
        let_time_pass(opened)
        answers = in_ten_threads(shared, lambda conn: ask(conn).is_probe)
        assert sorted(map(bool, answers)) == [False] * 9 + [True]


def test_failures_of_ten_runs_at_the_same_moment_are_all_counted(
    conn: Connection, shared: Database
) -> None:
    fail(conn)
    in_ten_threads(shared, fail)
    assert ask(conn).state == "open"
    assert ask(conn).failures == MAX_FAILURES


def test_one_that_opened_before_the_clock_was_set_back_is_probed_once(opened: Connection) -> None:
    opened.execute(
        "UPDATE provider_breakers SET opened_at = opened_at + interval '1 hour',"
        " opened_until = opened_until + interval '1 hour'"
    )
    assert ask(opened).is_probe
    assert not ask(opened).lets_in
