"""Looking again only where something was written: what is due, what is remembered, what is told."""

import pytest
from psycopg import Connection

from omni_pipeline.settings import FRESH_HOURS
from omni_pipeline.steps.checks.verification import MAX_NAMED, Verification, check_domain, verify
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline.store.monitoring import verifications
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.store.conftest import Run, claim_domain, silence, start_run

LEASE_SECONDS = 90.0


@pytest.fixture
def session(database: Database) -> Session:
    return Session(database)


@pytest.fixture
def conn(session: Session) -> Connection:
    """The session's own connection."""
    return session.run(lambda connection: connection)


@pytest.fixture(autouse=True)
def closed(session: Session) -> object:
    yield
    session.close()


def refresh(conn: Connection, host: str, *texts: str) -> Run:
    """A whole refresh that publishes one page."""
    run = start_run(conn, host)
    (page,) = run.save_pages("p")
    run.publish({page: texts or ["one", "two"]})
    assert run.finish()
    return run


def look(session: Session, *, is_complete: bool = False) -> Verification:
    return verify(
        session, lease_seconds=LEASE_SECONDS, fresh_hours=FRESH_HOURS, is_complete=is_complete
    )


def corrupt(conn: Connection, host: str) -> None:
    conn.execute(
        "UPDATE chunks SET token_count = 9000 WHERE domain_id = %s", [domains.get(conn, host).id]
    )


def broken(found: Verification) -> set[tuple[str, str | None]]:
    return {(violation.invariant[:3], violation.host) for violation in found.violations}


def test_only_domains_that_were_refreshed_since_are_looked_at(
    session: Session, conn: Connection
) -> None:
    """R-A14"""
    for host in ("a.test", "b.test", "c.test"):
        refresh(conn, host)
    assert look(session).domains_checked == 3
    assert look(session).domains_checked == 0
    refresh(conn, "b.test", "new")
    found = look(session)
    assert (found.domains_checked, found.domains_known, found.violations) == (1, 3, [])
    assert look(session, is_complete=True).domains_checked == 3


@pytest.mark.parametrize("end", ["finish", "reap"])
def test_a_domain_is_due_when_its_refresh_begins_and_when_it_ends(
    session: Session, conn: Connection, end: str
) -> None:
    """However it ends: what it wrote after the look in its middle is looked at."""
    refresh(conn, "a.test")
    look(session)
    run = start_run(conn, "a.test")
    assert look(session).domains_checked == 1
    assert look(session).domains_checked == 0
    if end == "finish":
        run.finish(("transient.x", "x"))
    else:
        reaping.reap(conn, lease_seconds=LEASE_SECONDS, dead_job_ids=[run.claim.job_id])
    assert look(session).domains_checked == 1


def test_a_broken_domain_is_told_again_until_it_is_whole(
    session: Session, conn: Connection
) -> None:
    for host in ("a.test", "b.test"):
        refresh(conn, host)
    corrupt(conn, "a.test")
    for domains_checked in (2, 1):
        found = look(session)
        assert broken(found) == {("I42", "a.test")}
        assert found.domains_checked == domains_checked
    conn.execute("UPDATE chunks SET token_count = 5")
    assert look(session).violations == []
    assert look(session).domains_checked == 0


def test_a_look_at_everything_finds_what_no_refresh_has_broken(
    session: Session, conn: Connection
) -> None:
    """A hand in the database leaves no trace that a look at what changed goes by."""
    refresh(conn, "a.test")
    look(session)
    corrupt(conn, "a.test")
    assert look(session).violations == []
    assert broken(look(session, is_complete=True)) == {("I42", "a.test")}
    assert broken(look(session)) == {("I42", "a.test")}, "and from then on it is due"


def test_the_ledgers_are_looked_at_whatever_is_due(session: Session, conn: Connection) -> None:
    refresh(conn, "a.test")
    silent = claim_domain(conn, "a.test")
    look(session)
    silence(conn, silent, 3 * LEASE_SECONDS)
    found = look(session)
    assert (broken(found), found.domains_checked) == ({("I21", "a.test")}, 0)


def test_what_belongs_to_no_domain_keeps_every_domain_due(
    session: Session, conn: Connection
) -> None:
    refresh(conn, "a.test")
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(
            "INSERT INTO embeddings SELECT 99, 77, model_id, dimensions, text_hash, embedding "
            "FROM embeddings LIMIT 1"
        )
    assert broken(look(session)) == {("I48", None)}
    assert look(session).domains_checked == 1


def test_other_invariants_models_and_servers_know_nothing_of_what_was_found(
    conn: Connection,
) -> None:
    refresh(conn, "a.test")
    basis = verifications.basis(conn, "these")
    verifications.note_whole(conn, basis, verifications.due(conn, basis))
    assert verifications.due(conn, basis) == []
    assert verifications.due(conn, verifications.basis(conn, "others"))
    conn.execute("UPDATE embedding_models SET status = 'retired'")
    assert verifications.due(conn, verifications.basis(conn, "these"))


def test_a_mark_of_the_future_is_none(conn: Connection) -> None:
    """A restored dump has marks of another server, whose transactions are numbered otherwise."""
    refresh(conn, "a.test")
    verifications.note_whole(conn, "basis", verifications.due(conn, "basis"))
    conn.execute("UPDATE verifications SET since = (since::text::bigint + 1000)::text::xid8")
    [domain] = verifications.due(conn, "basis")
    assert domain.since is None


def test_a_domain_that_was_removed_meanwhile_is_not_remembered(conn: Connection) -> None:
    refresh(conn, "a.test")
    due = verifications.due(conn, "basis")
    domains.remove(conn, "a.test")
    verifications.note_whole(conn, "basis", due)
    assert conn.execute("SELECT FROM verifications").rowcount == 0


# The check of one domain, while its refresh runs


def test_the_check_of_a_domain_passes_in_the_middle_of_its_refresh(conn: Connection) -> None:
    """R-A14: what only holds between refreshes is left to them."""
    run = start_run(conn, "a.test")
    run.publish({run.save_pages("p", "q")[0]: ["one"]})
    report = check_domain(conn, "a.test")
    assert (report.passed, report.numbers["violations"], report.samples) == (True, 0, ())
    assert report.numbers["invariants"] > 25
    assert report.summary == "Every invariant holds in a.test."


def test_the_check_of_a_domain_names_what_is_wrong_with_it_and_no_other(conn: Connection) -> None:
    for host in ("a.test", "b.test"):
        refresh(conn, host, *"abcdefg")
        corrupt(conn, host)
    silence(conn, start_run(conn, "c.test").claim, 10 * LEASE_SECONDS)
    report = check_domain(conn, "a.test")
    assert not report.passed
    assert report.kind == "permanent.invariant_broken"
    assert report.numbers["violations"] == 7
    assert [sample["detail"] for sample in report.samples] == 7 * ["https://a.test/p"]
    broken_one = report.samples[0]["invariant"]
    assert report.numbers[broken_one] == 7
    assert report.summary.count(", https://a.test/p; ") == MAX_NAMED
    assert report.summary.endswith("and 2 more: omni verify")
    assert "b.test" not in report.summary
    assert check_domain(conn, "c.test").passed, "the ledgers are not a domain's"


def test_the_check_of_a_domain_does_not_read_its_texts_twice(conn: Connection) -> None:
    """Nor does it spare the domain the look after its refresh."""
    run = start_run(conn, "a.test")
    run.publish({run.save_pages("p")[0]: ["one"]})
    [before] = verifications.due(conn, "basis")
    assert before.since is None
    assert check_domain(conn, "a.test").passed
    rows = conn.execute("SELECT fence, since IS NOT NULL FROM verifications").fetchall()
    assert rows == [(run.claim.fence, True)]
    run.finish()
    assert conn.execute("SELECT FROM domains JOIN verifications USING (fence)").rowcount == 0
