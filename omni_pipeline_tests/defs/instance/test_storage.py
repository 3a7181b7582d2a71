"""Dagster's storage as dagster.yaml has it: connections are kept, and a dead one is replaced."""

from omni_pipeline_tests.defs.conftest import Console

MAX_SESSIONS = 20

ENDED = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
SESSIONS = b"SELECT pg_stat_clear_snapshot(), sessions FROM pg_stat_database WHERE datname = %s"


def dagster_name(console: Console) -> str:
    with console.database.connect() as conn:
        return f"{conn.info.dbname}_dagster"


def count_sessions(console: Console) -> int:
    with console.database.connect() as conn:
        row = conn.execute(SESSIONS, [dagster_name(console)]).fetchone()
    assert row
    return int(row[1])


def test_a_refresh_stores_its_events_over_a_few_connections(console: Console) -> None:
    """R-C1: Dagster's own storage opens some 340."""
    before = count_sessions(console)
    assert console.refresh(max_pages=1).error is None
    assert count_sessions(console) - before <= MAX_SESSIONS


def test_a_server_that_restarted_in_between_costs_no_event(console: Console) -> None:
    """R-C1: what was kept is tried before it is used."""
    assert console.instance.get_runs() == []
    with console.database.connect() as conn:
        ended = conn.execute(ENDED, [dagster_name(console)]).fetchall()
    assert ended
    assert console.instance.get_runs() == []
    assert console.refresh(max_pages=1).error is None
