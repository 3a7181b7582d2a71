"""Vectors: kept from the moment they are paid for, taken again wherever the same text stands."""

import numpy as np
import psycopg
import pytest
from psycopg import Connection

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.store.index import embeddings
from omni_pipeline.store.index.embedding_models import ensure
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline_tests.store.conftest import (
    DIMENSIONS,
    Run,
    count,
    live_texts,
    start_run,
    vector_of,
)


def served(run: Run, *texts: str) -> list[str]:
    """The texts that the organization has a vector of, in the order asked."""
    hashes = [text_hash(text) for text in texts]
    found = embeddings.have_vectors(run.conn, run.claim, run.model, hashes)
    return [text for text in texts if text_hash(text) in found]


def kept(conn: Connection, host: str) -> int:
    return count(conn, "SELECT count(*) FROM kept_embeddings WHERE host = %s", host)


def publish_text(run: Run, text: str) -> None:
    run.publish({run.save_pages(text)[0]: [text]})
    forget(run)


def forget(run: Run) -> None:
    with run.fenced():
        embeddings.forget_staged(run.conn, run.claim)


def add_for(conn: Connection, organization: str, host: str) -> None:
    conn.execute("INSERT INTO organizations (name) VALUES (%s)", [organization])
    domain = NewDomain(host=host, start_url=f"https://{host}/", organization=organization)
    assert domains.add(conn, domain)


# Keeping


def test_a_vector_is_stored_as_it_was_paid_for(run: Run) -> None:
    """R-A14: in half precision, and each with the text that it was computed from."""
    texts = [f"text {number}" for number in range(100)]
    run.pay(texts)
    rows = run.conn.execute("SELECT text_hash, embedding FROM kept_embeddings").fetchall()
    found = {digest: vector.to_list() for digest, vector in rows}
    assert found == {text_hash(text): vector_of(text).tolist() for text in texts}


def test_keeping_vectors_twice_keeps_each_once(run: Run) -> None:
    """The answer to a COMMIT may be lost, and the work is repeated as a whole."""
    for texts in (["one", "two"], ["one", "two"], ["two", "three"]):
        run.pay(texts)
    assert kept(run.conn, run.claim.host) == 3


def test_keeping_nothing_is_no_error(run: Run) -> None:
    """Every text of a request may have been refused."""
    run.pay([])
    assert kept(run.conn, run.claim.host) == 0


@pytest.mark.parametrize(
    ("vector", "error"),
    [
        (np.zeros(DIMENSIONS), psycopg.errors.CheckViolation),
        (np.ones(DIMENSIONS - 1), psycopg.errors.CheckViolation),
        (np.full(DIMENSIONS, np.nan), psycopg.errors.DataException),
        (np.full(DIMENSIONS, np.inf), psycopg.errors.DataException),
        (np.full(DIMENSIONS, 1e-9), psycopg.errors.CheckViolation),
    ],
    ids=["zero", "short", "not a number", "infinite", "zero in half precision"],
)
def test_a_vector_that_cannot_be_searched_is_refused_with_its_batch(
    run: Run, vector: np.ndarray[tuple[int], np.dtype[np.float64]], error: type[Exception]
) -> None:
    """R-A14, I32: the last line behind the checks of the endpoint's answer."""
    batch = np.stack([vector_of("good")[: len(vector)], vector.astype(np.float32)])
    hashes = [text_hash("good"), text_hash("bad")]
    with pytest.raises(error), run.fenced():
        embeddings.stage(run.conn, run.claim, run.model, hashes, batch)
    assert kept(run.conn, run.claim.host) == 0


def test_paid_vectors_survive_the_run_that_paid_for_them(run: Run) -> None:
    """R-A19: a kill between paying and publishing costs nothing."""
    (page,) = run.save_pages("p")
    run.stage({page: ["one", "two"]})
    run.pay(["one"])
    reaping.reap(run.conn, lease_seconds=90, dead_job_ids=[run.claim.job_id])
    successor = start_run(run.conn)
    forget(successor)
    assert successor.pay_missing(successor.staged_ids()) == ["two"]
    successor.swap(successor.staged_ids())
    assert live_texts(run.conn) == {f"https://{run.claim.host}/p": ["one", "two"]}


def test_a_bought_vector_is_kept_once_more_only_until_it_is_published(run: Run) -> None:
    page, other = run.save_pages("p", "q")
    run.stage({page: ["waiting", "both"], other: ["done", "both"]})
    run.pay(["waiting", "both", "done", "never staged"])
    first, second = run.staged_ids()
    run.swap([second])
    forget(run)
    assert kept(run.conn, run.claim.host) == 3, "more of the domain waits for `both`"
    run.swap([first])
    forget(run)
    assert kept(run.conn, run.claim.host) == 1, "what was paid for and never stood anywhere"


def test_what_a_run_publishes_is_forgotten_in_its_own_domain_alone(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    other.pay(["theirs"])
    (page,) = run.save_pages("p")
    run.publish({page: ["theirs", "mine"]})
    forget(run)
    assert kept(run.conn, "b.test") == 1
    assert kept(run.conn, run.claim.host) == 0


def test_a_vector_that_nobody_used_for_a_month_is_forgotten(run: Run) -> None:
    run.pay(["old", "new"])
    run.conn.execute(
        "UPDATE kept_embeddings SET last_used_at = now() - interval '31 days' WHERE text_hash = %s",
        [text_hash("old")],
    )
    forget(run)
    assert served(run, "old", "new") == ["new"]


def test_the_kept_vectors_of_a_domain_can_be_erased(run: Run) -> None:
    start_run(run.conn, "b.test").pay(["theirs"])
    run.pay(["mine", "ours"])
    assert embeddings.erase_kept(run.conn, run.claim.host) == 2
    assert served(run, "mine", "theirs") == ["theirs"]


# Taking again


def test_a_published_text_is_taken_by_other_pages_and_domains_of_the_organization(run: Run) -> None:
    """R-A11: paid once, wherever it stands."""
    publish_text(run, "one")
    other = start_run(run.conn, "b.test")
    assert served(run, "one", "two") == ["one"]
    assert served(other, "two", "one") == ["one"]
    (page,) = other.save_pages("q")
    revision_ids = other.stage({page: ["one"]})
    assert other.pay_missing(revision_ids) == []
    other.swap(revision_ids)
    row = run.conn.execute("SELECT count(DISTINCT embedding::text), count(*) FROM embeddings")
    assert row.fetchone() == (1, 2), "the very same vector, on both pages"


def test_a_paid_and_not_yet_published_text_is_taken_too(run: Run) -> None:
    run.pay(["one"])
    other = start_run(run.conn, "b.test")
    assert served(other, "one") == ["one"]


def test_another_organizations_vectors_are_never_taken(run: Run) -> None:
    """S-58: what a tenant has paid for, or even that it has the text, is nobody else's business."""
    publish_text(run, "one")
    run.pay(["two"])
    add_for(run.conn, "tenant", "b.test")
    stranger = start_run(run.conn, "b.test")
    assert served(stranger, "one", "two") == []
    assert kept(run.conn, "b.test") == 0
    add_for_same = NewDomain(host="c.test", start_url="https://c.test/", organization="tenant")
    domains.add(run.conn, add_for_same)
    sibling = start_run(run.conn, "c.test")
    publish_text(stranger, "three")
    assert served(sibling, "one", "two", "three") == ["three"]


def test_another_models_vectors_are_never_taken(run: Run) -> None:
    """R-A7: two models' vectors do not mix, not even when they have as many dimensions."""
    publish_text(run, "one")
    second = ensure(run.conn, name="second", dimensions=DIMENSIONS, is_lexical=False)
    assert served(Run(conn=run.conn, claim=run.claim, model=second), "one") == []


def test_a_text_that_left_its_page_takes_its_vector_when_it_comes_back(run: Run) -> None:
    """A -> B -> A pays for A once."""
    publish_text(run, "one")
    page = count(run.conn, "SELECT id FROM raw_pages")
    run.publish({page: ["two"]})
    forget(run)
    assert run.stage({page: ["one"]})
    assert run.pay_missing(run.staged_ids()) == []
    run.swap(run.staged_ids())
    row = run.conn.execute("SELECT embedding FROM embeddings").fetchone()
    assert row is not None
    assert row[0].to_list() == vector_of("one").tolist()


def test_a_domain_that_is_registered_again_pays_nothing_again(run: Run) -> None:
    publish_text(run, "one")
    domains.remove(run.conn, run.claim.host)
    again = start_run(run.conn, run.claim.host)
    again.stage({again.save_pages("p")[0]: ["one", "two"]})
    assert again.pay_missing(again.staged_ids()) == ["two"]
    again.swap(again.staged_ids())
    assert live_texts(run.conn) == {f"https://{run.claim.host}/p": ["one", "two"]}
